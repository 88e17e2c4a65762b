// What ajv, in strict mode, says of a body: the judge of the vectors, and of what fuzzing makes.
import { createRequire } from "node:module";
import { Ajv } from "ajv";

const require = createRequire(import.meta.url);
const schema = require("@unisights/schema/unisights.schema.json");

const ajv = new Ajv({ strict: true, allErrors: true });
ajv.addKeyword({ keyword: "x-version", schemaType: "string" });
ajv.addKeyword({ keyword: "x-expects", schemaType: "string" });
ajv.addKeyword({ keyword: "x-decode", schemaType: "object" });
export const isValid = ajv.compile(schema);
const judgeOf = (definition) => ajv.getSchema(`${schema.$id}#/definitions/${definition}`);
const memberOf = new Map(
  schema.definitions.UnisightsEvent.oneOf.map(({ $ref }) => {
    const name = $ref.split("/").at(-1);
    return [schema.definitions[name].properties.type.const, name];
  }),
);

// Lone surrogates, in values and in keys, are U+FFFD.
const wellFormed = (value) => {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key.toWellFormed(), wellFormed(item)]));
};
// A byte order mark is skipped; what is not UTF-8, or not JSON, throws.
export const parse = (bytes) =>
  wellFormed(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));

export const formOf = (body) => {
  if (body?.encrypted !== true) return "UnisightsPayload";
  return (body.envelope ?? null) === null ? "EncryptedPayload" : "EncryptedEnvelopePayload";
};

// What ajv finds, as "pointer rule"; an event's problems by the definition that its type names.
export const problemsOf = (definition, value, pointer = "") => {
  const judge = judgeOf(definition);
  if (judge(value)) return [];
  const errors = judge.errors;
  const unions = errors
    .filter(({ keyword }) => keyword === "oneOf")
    .map((error) => error.instancePath);
  const found = errors
    .filter(
      ({ instancePath }) => !unions.some((place) => `${instancePath}/`.startsWith(`${place}/`)),
    )
    .map(({ instancePath, keyword }) => `${pointer}${instancePath} ${keyword}`);
  for (const place of unions) {
    const event = place
      .split("/")
      .slice(1)
      .reduce((holder, key) => holder[key], value);
    const here = pointer + place;
    if (typeof event !== "object" || event === null || Array.isArray(event))
      found.push(`${here} type`);
    else if (!Object.hasOwn(event, "type")) found.push(`${here} required`);
    else if (!memberOf.has(event.type)) found.push(`${here}/type enum`);
    else found.push(...problemsOf(memberOf.get(event.type), event, here));
  }
  return [...new Set(found)].sort();
};
