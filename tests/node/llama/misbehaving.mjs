// A server that does what servers should not. Arguments: port, mode, folder for notes.
import fs from "node:fs";
import http from "node:http";

const [, , port, mode, notes] = process.argv;
const starts = `${notes}/starts`;
fs.appendFileSync(starts, ".");
const start = fs.readFileSync(starts, "utf8").length;

if (mode === "dies-at-once" || (mode === "dies-twice" && start <= 2)) {
  console.error("out of memory: wanted 80 GiB");
  process.exit(3);
}
if (mode !== "deaf-to-sigterm") process.on("SIGTERM", () => { fs.writeFileSync(`${notes}/ended`, ""); process.exit(0); });
else process.on("SIGTERM", () => {});

const chunk = (text, finish = null) => `data: ${JSON.stringify({ choices: [{ text, finish_reason: finish }] })}\n\n`;
// Writes until the other side has had enough.
const endless = (response, text) => {
  const block = text.repeat(4096);
  const more = () => { while (!response.destroyed && response.write(block)); };
  response.on("drain", more);
  more();
};
let sick = false;
http.createServer(async (request, response) => {
  if (request.url === "/health" && mode === "dies-when-healthy") setTimeout(() => process.exit(4), 50);
  if (request.url === "/health") return response.writeHead(mode === "never-healthy" || sick ? 503 : 200).end();
  let text = "";
  for await (const part of request) text += part;
  const body = JSON.parse(text);
  if (body.prompt === "sicken") sick = true;
  if (body.prompt === "refuse") return response.writeHead(400).end('{"error":{"message":"too long"}}');
  if (body.prompt === "busy") return response.writeHead(429).end("busy");
  if (body.prompt === "break off") return response.writeHead(500, { "content-length": 1000 }).write("half an err", () => request.socket.destroy());
  if (body.prompt === "endless error") return endless(response.writeHead(500), "no ");
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.on("close", () => fs.writeFileSync(`${notes}/closed`, ""));
  const top = (token) => ({ token, logprob: -0.5, bytes: [...Buffer.from(token)] });
  if (request.url.includes("chat") && body.logprobs) return response.end(`data: ${JSON.stringify({ choices: [{ delta: { content: " é" }, finish_reason: "stop", logprobs: { content: [{ ...top(" é"), top_logprobs: [top(" é"), { token: " e", logprob: -1 }].slice(0, body.top_logprobs) }] } }] })}\n\n`);
  if (body.prompt === "likely") return response.end(`data: ${JSON.stringify({ choices: [{ text: " one two", finish_reason: "stop", logprobs: { tokens: [" one", " two"], token_logprobs: [-0.25, -0.5], top_logprobs: body.logprobs ? [{ " 1": -2, " one": -0.25 }, { " two": -0.5 }] : null } }] })}\n\n`);
  response.write(chunk(request.url.includes("chat") ? "" : " one"));
  if (request.url.includes("chat")) return response.end(`data: ${JSON.stringify({ choices: [{ delta: { content: body.messages.map((message) => `${message.role}:${message.content}`).join(";") }, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`);
  if (body.prompt === "die") return setTimeout(() => process.exit(9), 10);
  if (body.prompt === "hang") return;
  if (body.prompt === "endless line") return endless(response, "data: ");
  if (body.prompt === "endless event") return endless(response, "data: more\n");
  if (body.prompt === "garbage") return response.end("data: <html>\n\n");
  if (body.prompt === "stop early") return response.end();
  if (body.prompt === "error") return response.end('data: {"error":{"message":"kv cache is full"}}\n\n');
  response.write(chunk(" two"));
  response.end(chunk(" three", "length") + "data: [DONE]\n\n");
}).listen(Number(port), "127.0.0.1");
