// An app and a client made of the Dapr SDK for JavaScript. Environment: APP_PORT, DAPR_HTTP_PORT, NO_ACTORS=1 for a sidecar without placement.
// Standard output: one JSON object with what was seen.
import { createRequire } from "node:module";
const { AbstractActor, ActorId, ActorProxyBuilder, CommunicationProtocolEnum, DaprClient, DaprServer, DaprPubSubStatusEnum, HttpMethod, Temporal } = createRequire(import.meta.url)("@dapr/dapr");

const daprHost = "127.0.0.1";
const daprPort = process.env.DAPR_HTTP_PORT;
const communicationProtocol = CommunicationProtocolEnum.HTTP;
const logger = { service: { log() {}, error() {}, warn() {}, verbose() {}, info() {}, debug() {} } };
const clientOptions = { daprHost, daprPort, communicationProtocol, logger };
const seen = { events: [], reminders: 0, timers: 0 };

class CounterActor extends AbstractActor {
  async add(amount) {
    const [found, count] = await this.getStateManager().tryGetState("count");
    await this.getStateManager().setState("count", (found ? count : 0) + amount);
    return (found ? count : 0) + amount;
  }
  async remindMe() {
    await this.registerActorReminder("soon", Temporal.Duration.from({ seconds: 1 }), Temporal.Duration.from({ seconds: 1 }), undefined, 7);
  }
  async forgetMe() { await this.unregisterActorReminder("soon"); }
  async startTimer() {
    await this.registerActorTimer("tick", "onTick", Temporal.Duration.from({ seconds: 1 }), Temporal.Duration.from({ seconds: 1 }), undefined, 5);
  }
  async stopTimer() { await this.unregisterActorTimer("tick"); }
  async onTick() { seen.timers++; }
  async receiveReminder() { seen.reminders++; }
}

const until = async (condition) => {
  for (let i = 0; i < 2400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  return condition();
};

const server = new DaprServer({ serverHost: "127.0.0.1", serverPort: process.env.APP_PORT, communicationProtocol, clientOptions, logger });
await server.invoker.listen("hello", async ({ body, query }) => ({ hello: body, query }), { method: HttpMethod.POST });
await server.invoker.listen("things/:id", async ({ query, headers }) => ({ query, own: headers?.["x-own"] }), { method: HttpMethod.GET });
await server.invoker.listen("things/:id", async ({ body }) => ({ put: body }), { method: HttpMethod.PUT });
await server.invoker.listen("things/:id", async () => ({ gone: true }), { method: HttpMethod.DELETE });
await server.pubsub.subscribe("wild", "devices/*", async (data) => { seen.events.push(["wild", data]); });
await server.pubsub.subscribeBulk("wild", "batch", async (data) => { seen.events.push(["batch", data]); }, { maxMessagesCount: 10, maxAwaitDurationMs: 50 });
let attempts = 0;
await server.pubsub.subscribeWithOptions("pubsub", "again", { callback: async () => { seen.events.push(["again", ++attempts]); return attempts < 3 ? DaprPubSubStatusEnum.RETRY : DaprPubSubStatusEnum.SUCCESS; } });
await server.pubsub.subscribe("pubsub", "plain", async (data) => { seen.events.push(["plain", data]); });
await server.pubsub.subscribe("pubsub", "routed", async (data) => { seen.events.push(["default", data]); }, { rules: [{ match: `event.type == "special"`, path: "/special" }], default: "/other" });
server.pubsub.subscribeToRoute("pubsub", "routed", "/special", async (data) => { seen.events.push(["special", data]); });
await server.pubsub.subscribeWithOptions("pubsub", "failing", { callback: async () => DaprPubSubStatusEnum.DROP, deadLetterTopic: "dead" });
await server.pubsub.subscribe("pubsub", "dead", async (data) => { seen.events.push(["dead", data]); });
const hasActors = !process.env.NO_ACTORS;
if (hasActors) {
  await server.actor.init();
  await server.actor.registerActor(CounterActor);
}
await server.start();

const client = new DaprClient(clientOptions);
while (!(await fetch(`http://127.0.0.1:${daprPort}/v1.0/healthz`)).ok) await new Promise((resolve) => setTimeout(resolve, 25));
const result = {};

result.healthy = await client.health.isHealthy();
await client.metadata.set("colour", "blue");
const metadata = await client.metadata.get();
result.metadata = { id: metadata.id, colour: metadata.extended.colour };
result.runtimeVersion = metadata.runtimeVersion ?? metadata.extended.daprRuntimeVersion;

result.invoke = await client.invoker.invoke("js", "hello?x=1", HttpMethod.POST, { name: "you" });

result.verbs = [
  await client.invoker.invoke("js", "things/7?x=1", HttpMethod.GET, undefined, { headers: { "x-own": "mine" } }),
  await client.invoker.invoke("js", "things/7", HttpMethod.PUT, { n: 1 }),
  await client.invoker.invoke("js", "things/7", HttpMethod.DELETE),
];
result.nobody = await client.invoker.invoke("nobody", "x", HttpMethod.GET).then(() => "answered", (e) => String(e.message).includes("ERR_DIRECT_INVOKE"));

await client.state.save("statestore", [{ key: "a", value: "text" }, { key: "b", value: { n: 1 } }, { key: "c", value: 3 }]);
result.state = [await client.state.get("statestore", "a"), await client.state.get("statestore", "b"), await client.state.get("statestore", "nobody")];
result.bulk = (await client.state.getBulk("statestore", ["a", "c", "nobody"])).map(({ key, data }) => [key, data]);
result.staleSave = String((await client.state.save("statestore", [{ key: "a", value: 2, etag: "99", options: { concurrency: "first-write" } }])).error).includes("ERR_STATE_SAVE");
result.staleDelete = String((await client.state.delete("statestore", "a", { etag: "99", concurrency: "first-write" })).error).includes("ERR_STATE_DELETE");
await client.state.transaction("statestore", [{ operation: "upsert", request: { key: "t", value: 1 } }, { operation: "delete", request: { key: "b" } }]);
result.transaction = [await client.state.get("statestore", "t"), await client.state.get("statestore", "b")];

await client.pubsub.publish("pubsub", "plain", { order: 1 });
await client.pubsub.publish("pubsub", "routed", { order: 2 });
await client.pubsub.publish("pubsub", "routed", { order: 3 }, { contentType: "application/json", metadata: { "cloudevent.type": "special" } });
await client.pubsub.publish("pubsub", "failing", { order: 4 });
result.bulkFailures = (await client.pubsub.publishBulk("pubsub", "plain", ["five", { order: 6 }])).failedMessages.length;
await client.pubsub.publish("pubsub", "again", { order: 7 });
await client.pubsub.publish("wild", "devices/one/temperature", { celsius: 21 });
await client.pubsub.publish("wild", "elsewhere", { celsius: 0 });
await client.pubsub.publishBulk("wild", "batch", [{ n: 1 }, { n: 2 }]);
await until(() => seen.events.length >= 13);
result.events = seen.events.map(([where, data]) => `${where}:${JSON.stringify(data)}`).sort();

if (hasActors) {
  const actor = new ActorProxyBuilder(CounterActor, client).build(new ActorId("one"));
  await Promise.all(Array.from({ length: 10 }, () => actor.add(1)));
  result.count = await actor.add(0);
  await actor.remindMe();
  await actor.startTimer();
  result.fired = await until(() => seen.reminders >= 2 && seen.timers >= 2);
  result.actors = (await client.metadata.get()).actors;
  await actor.forgetMe();
  await actor.stopTimer();
}

await client.sidecar.shutdown();
console.log(JSON.stringify(result));
process.exit(0);
