// A custom handler in plain Node.js: answers envelopes as a file per function says, echoes raw requests, records what it got.
//   ANSWERS/{function}.json   {"status":200,"contentType":"application/json","location":"/Other","body":<JSON or text>,"delayMs":0,"failures":n,"hangUp":false,"garbage":false}
//   RECORD                    one JSON line per envelope
//   SAY                       a line for both outputs
//   STARTS, EXIT_STARTS       a file that counts starts; those up to the number end at once, with exit code EXIT_CODE
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";

const port = Number(process.env.FUNCTIONS_CUSTOMHANDLER_PORT);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const counts = new Map();

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function envelope(name, request, response) {
  const body = await read(request);
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  if (process.env.RECORD) {
    appendFileSync(process.env.RECORD, JSON.stringify({ function: name, pid: process.pid, path: request.url, headers: request.headers, envelope: JSON.parse(body), begin: process.hrtime.bigint().toString() }) + "\n");
  }
  const file = `${process.env.ANSWERS}/${name}.json`;
  const answer = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { body: {} };
  if (answer.delayMs) await sleep(answer.delayMs);
  if (answer.hangUp) return request.socket.destroy();
  if (answer.garbage) return request.socket.end("this is not HTTP\r\n\r\n");
  const failing = answer.failures !== undefined && count <= answer.failures;
  response.writeHead(failing ? 500 : answer.status ?? 200, {
    ...(answer.contentType === "" ? {} : { "Content-Type": answer.contentType ?? "application/json" }),
    ...(answer.location ? { Location: answer.location } : {}),
  });
  response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body ?? {}));
}

async function raw(url, request, response) {
  const part = url.pathname.split("/").pop();
  if (part === "redirect") {
    response.writeHead(302, { Location: "/api/echo" }).end();
  } else if (part === "binary") {
    response.writeHead(200, { "Content-Type": "application/octet-stream" }).end(await read(request));
  } else if (part === "count") {
    let bytes = 0;
    for await (const chunk of request) bytes += chunk.length;
    response.end(String(bytes));
  } else if (part === "events") {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    for (let i = 0; i < 10 && !response.destroyed; i++) {
      response.write(`data: ${i}\n\n`);
      await sleep(Number(url.searchParams.get("pause") ?? 30));
    }
    response.end();
  } else if (part === "slow") {
    await sleep(Number(url.searchParams.get("ms")));
    response.end(String(process.pid));
  } else if (part === "pid") {
    response.end(String(process.pid));
  } else if (part === "exit") {
    process.exit(7);
  } else if (part === "garbage") {
    request.socket.end("this is not HTTP\r\n\r\n");
  } else if (part === "nothing") {
    request.socket.destroy();
  } else if (part === "half") {
    response.writeHead(200, { "Content-Length": 1000 });
    response.write("ten bytes.", () => request.socket.destroy());
  } else if (part === "spawn") {
    response.end(String(spawn("sleep", ["600"], { stdio: "inherit" }).pid));
  } else if (part === "odd") {
    response.writeHead(200, { "X-Name": Buffer.from("Jürgen €").toString("latin1"), "Set-Cookie": ["a=1", "b=2"] }).end();
  } else if (part === "environment") {
    response.end(JSON.stringify({ variables: process.env, arguments: process.argv.slice(2), folder: process.cwd() }));
  } else {
    const status = Number(url.searchParams.get("status") ?? 200);
    const body = await read(request);
    response.writeHead(status, { "Content-Type": "application/json", "X-From": "handler" });
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body: body.toString("base64") }));
  }
}

if (process.env.SAY) {
  console.log(process.env.SAY);
  console.error(process.env.SAY);
}
if (process.env.STARTS) {
  appendFileSync(process.env.STARTS, ".");
  if (statSync(process.env.STARTS).size <= Number(process.env.EXIT_STARTS)) process.exit(Number(process.env.EXIT_CODE));
}

// The embedded host closes standard input a second before it kills: ending then makes the tests that much shorter.
process.stdin.on("end", () => process.exit()).resume();
await sleep(Number(process.env.LISTEN_LATE_MS ?? 0));
createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname === "/") response.writeHead(404).end();
  else if (url.pathname.startsWith("/api/")) raw(url, request, response).catch(() => response.destroy());
  else envelope(url.pathname.slice(1), request, response).catch(() => response.destroy());
}).listen(port, "127.0.0.1");
