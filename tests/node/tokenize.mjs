// Encodes texts with Hugging Face's tokenizer. Standard input: {"tokenizer": <tokenizer.json>, "texts": [...]}; standard output: [[ids], ...].
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const { tokenizer, texts } = JSON.parse(readFileSync(0, "utf8"));
const reference = new Tokenizer(tokenizer, {});
process.stdout.write(JSON.stringify(texts.map((text) => Array.from(reference.encode(text).ids))));
