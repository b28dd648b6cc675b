// A few lines of OpenAI-compatible server over llama.cpp as node-llama-cpp ships it. Arguments: model file, port. GET /health, POST /v1/completions (streams).
import http from "node:http";
import { getLlama } from "node-llama-cpp";

const [, , modelPath, port] = process.argv;
const llama = await getLlama({ build: "never", skipDownload: true, gpu: false, logLevel: "error" });
const model = await llama.loadModel({ modelPath, useMmap: true });
const context = await model.createContext({ contextSize: 256, threads: 1, sequences: 2 });

const complete = async (body, response) => {
  const sequence = context.getSequence();
  const chunk = (text, finish) => `data: ${JSON.stringify({ object: "text_completion", model: body.model, choices: [{ index: 0, text, finish_reason: finish }] })}\n\n`;
  try {
    let left = body.max_tokens ?? 16;
    response.writeHead(200, { "content-type": "text/event-stream" });
    for await (const token of sequence.evaluate(model.tokenize(body.prompt), { temperature: body.temperature ?? 0 })) {
      if (response.destroyed) {
        console.log("the client left");
        return;
      }
      left--;
      response.write(chunk(model.detokenize([token]) || "?", left === 0 ? "length" : null));
      if (left === 0) break;
    }
    response.end("data: [DONE]\n\n");
  } finally {
    sequence.dispose();
  }
};

http.createServer(async (request, response) => {
  if (request.url === "/health") return response.writeHead(200).end();
  if (request.url !== "/v1/completions") return response.writeHead(404).end();
  let text = "";
  for await (const part of request) text += part;
  await complete(JSON.parse(text), response);
}).listen(Number(port), "127.0.0.1", () => console.log(`serves ${modelPath} with llama.cpp`));
process.on("SIGTERM", () => process.exit(0));
