// Judges batches of bodies for another process: a line of JSON in, an array of base64; a line out.
// A verdict is null for what is not JSON, and otherwise whether the root schema takes the body, and
// what is wrong with it by the form that it has.
import { createInterface } from "node:readline";
import { formOf, isValid, parse, problemsOf } from "./judge.mjs";

const judge = (encoded) => {
  let body;
  try {
    body = parse(Buffer.from(encoded, "base64"));
  } catch {
    return null;
  }
  return { valid: isValid(body), problems: problemsOf(formOf(body), body) };
};

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(JSON.parse(line).map(judge))}\n`);
