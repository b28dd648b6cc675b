// Renders chat templates with Hugging Face's renderer. Standard input: [{"template": "...", "values": {...}}, ...]; standard output: [text or null where it throws, ...].
import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";

const cases = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(({ template, values }) => {
  try {
    return new Template(template).render(values);
  } catch {
    return null;
  }
})));
