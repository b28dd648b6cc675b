// OpenAI's own client for JavaScript against a server. Environment: BASE_URL, MODEL. Standard output: one JSON object with what was seen.
import OpenAI from "openai";

const model = process.env.MODEL;
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "unused", maxRetries: 0 });
const seen = {};
const failure = async (work) => {
  try {
    await work();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, message: error.message };
  }
};

seen.models = (await client.models.list()).data.map((entry) => entry.id);
seen.completion = await client.completions.create({ model, prompt: "a b c", max_tokens: 4, temperature: 0 });
seen.chat = await client.chat.completions.create({ model, messages: [{ role: "user", content: "hello" }], max_tokens: 3 });

seen.logprobs = (await client.completions.create({ model, prompt: "a b c", max_tokens: 4, temperature: 0, logprobs: 2 })).choices[0].logprobs;
seen.chatLogprobs = (await client.chat.completions.create({ model, messages: [{ role: "user", content: "hello" }], max_tokens: 3, temperature: 0, logprobs: true, top_logprobs: 3 })).choices[0].logprobs.content;

const pieces = [];
for await (const chunk of await client.completions.create({ model, prompt: "a b c", max_tokens: 4, temperature: 0, stream: true, stream_options: { include_usage: true } })) pieces.push(chunk);
seen.stream = {
  text: pieces.map((chunk) => chunk.choices[0]?.text ?? "").join(""),
  finish: pieces.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean),
  usage: pieces.at(-1).usage,
};

const deltas = [];
for await (const chunk of await client.chat.completions.create({ model, messages: [{ role: "user", content: "hello" }], max_tokens: 3, stream: true })) deltas.push(chunk);
seen.chatStream = {
  role: deltas[0].choices[0].delta.role,
  text: deltas.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join(""),
  finish: deltas.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean),
};

const { response } = await client.completions.create({ model, prompt: "a", max_tokens: 1 }).withResponse();
seen.timing = response.headers.get("server-timing");
seen.unknownModel = await failure(() => client.completions.create({ model: "nobody", prompt: "a" }));
seen.badTemperature = await failure(() => client.completions.create({ model, prompt: "a", temperature: 9 }));
seen.tooLong = await failure(() => client.completions.create({ model, prompt: "a", max_tokens: 4000 }));

// Leaves in the middle of an endless answer.
const leaving = await client.completions.create({ model, prompt: "leave", max_tokens: 15, stream: true });
for await (const chunk of leaving) {
  seen.left = chunk.choices[0].text;
  break;
}

console.log(JSON.stringify(seen));
