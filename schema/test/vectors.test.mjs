// ajv, in strict mode, judges every vector as the vector says; Node's cipher makes the same bytes.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { Ajv } from "ajv";

const require = createRequire(import.meta.url);
const schema = require("@unisights/schema/unisights.schema.json");
const folder = new URL("../vectors/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder));
const names = readdirSync(folder).filter(
  (name) => name.endsWith(".json") && name !== "vectors.schema.json",
);

const ajv = new Ajv({ strict: true, allErrors: true });
ajv.addKeyword({ keyword: "x-version", schemaType: "string" });
ajv.addKeyword({ keyword: "x-expects", schemaType: "string" });
ajv.addKeyword({ keyword: "x-decode", schemaType: "object" });
const isValid = ajv.compile(schema);
const judgeOf = (definition) => ajv.getSchema(`${schema.$id}#/definitions/${definition}`);
const memberOf = new Map(
  schema.definitions.Event.oneOf.map(({ $ref }) => {
    const name = $ref.split("/").at(-1);
    return [schema.definitions[name].properties.type.const, name];
  }),
);

const bytesOf = (vector) => {
  if ("file" in vector) return read(vector.file);
  if ("body_base64" in vector) return Buffer.from(vector.body_base64, "base64");
  return Buffer.from("body" in vector ? vector.body : JSON.stringify(vector.data));
};
// Lone surrogates, in values and in keys, are U+FFFD.
const wellFormed = (value) => {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key.toWellFormed(), wellFormed(item)]));
};
// A byte order mark is skipped; what is not UTF-8, or not JSON, throws.
const parse = (bytes) =>
  wellFormed(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));

const formOf = (body) => {
  if (body?.encrypted !== true) return "UnisightsPayload";
  return (body.envelope ?? null) === null ? "EncryptedPayload" : "EncryptedEnvelopePayload";
};

// What ajv finds, as "pointer rule"; an event's problems by the definition that its type names.
const problemsOf = (definition, value, pointer = "") => {
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

const plaintextOf = ({ plaintext, plaintext_base64: encoded }) =>
  encoded === undefined ? Buffer.from(plaintext) : Buffer.from(encoded, "base64");

const sha256 = (...parts) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const hmac = (key, data) => createHmac("sha256", key).update(data).digest();

const encrypt = ({ site_id: site, bucket, ua_hash: agent, server_secret: secret }, plaintext) => {
  const bucketBytes = Buffer.alloc(8);
  bucketBytes.writeBigUInt64BE(BigInt(bucket));
  const clientKey = sha256(site, ":", bucketBytes, ":", agent);
  const key = secret === undefined ? clientKey : hmac(secret, clientKey);
  const ciphertext = Buffer.from(plaintext);
  const counter = Buffer.alloc(4);
  for (let start = 0; start < ciphertext.length; start += 32) {
    counter.writeUInt32BE(start / 32);
    const block = sha256(key, counter);
    for (let i = start; i < Math.min(start + 32, ciphertext.length); i++)
      ciphertext[i] ^= block[i - start];
  }
  return {
    key: key.toString("hex"),
    ciphertext: ciphertext.toString("base64"),
    tag: hmac(key, ciphertext).toString("base64"),
  };
};

const BEYOND_THE_SCHEMA = new Set(["json", "base64", "tag", "site_id"]);

const assertJudged = (vector) => {
  const expected = vector.errors.map(({ pointer, rule }) => `${pointer} ${rule}`).sort();
  let body;
  try {
    body = parse(bytesOf(vector));
  } catch {
    assert.deepEqual(expected, [" json"]);
    return;
  }
  const problems = problemsOf(formOf(body), body);
  assert.equal(isValid(body), problems.length === 0);
  if (vector.encryption !== undefined) {
    assert.deepEqual(problems, []);
    if (!vector.errors.some(({ rule }) => BEYOND_THE_SCHEMA.has(rule))) {
      const session = { data: parse(plaintextOf(vector.encryption)) };
      assert.deepEqual(problemsOf("UnisightsPayload", session), expected);
    }
  } else if (expected[0] === " json") {
    // A number that no double can hold is Infinity here, which ajv does not take for a number.
    assert.ok(problems.length > 0);
    assert.ok(problems.every((problem) => problem.endsWith(" type")));
  } else {
    assert.deepEqual(problems, expected);
  }
  assert.equal(vector.valid, expected.length === 0);
};

test("there are vectors", () => {
  assert.ok(names.length > 10);
});

test("the format of the vectors is a strict schema itself", () => {
  const isFormat = new Ajv({ strict: true, strictRequired: false, allErrors: true }).compile(
    parse(read("vectors.schema.json")),
  );
  for (const name of names)
    assert.ok(isFormat(parse(read(name))), `${name}: ${JSON.stringify(isFormat.errors)}`);
});

for (const name of names) {
  const { description, cases } = parse(read(name));
  describe(`${name}: ${description}`, () => {
    for (const vector of cases) {
      test(`${vector.id}: ${vector.description}`, () => {
        assertJudged(vector);
        if (vector.decoded !== undefined)
          assert.deepEqual(problemsOf("UnisightsData", vector.decoded), []);
        if (vector.encryption !== undefined) {
          const { key, ciphertext, tag } = vector.encryption;
          const made = encrypt(vector.encryption, plaintextOf(vector.encryption));
          assert.deepEqual(made, { key, ciphertext, tag });
        }
      });
    }
  });
}
