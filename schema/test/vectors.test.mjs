// ajv, in strict mode, judges every vector as the vector says; Node's cipher makes the same bytes.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Ajv } from "ajv";
import { formOf, isValid, parse, problemsOf } from "./judge.mjs";

const folder = new URL("../vectors/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder));
const names = readdirSync(folder).filter(
  (name) => name.endsWith(".json") && name !== "vectors.schema.json",
);

const bytesOf = (vector) => {
  if ("file" in vector) return read(vector.file);
  if ("body_base64" in vector) return Buffer.from(vector.body_base64, "base64");
  return Buffer.from("body" in vector ? vector.body : JSON.stringify(vector.data));
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
