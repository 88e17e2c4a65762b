// The types and the package are what the schema says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("..", import.meta.url));
const schema = require("@unisights/schema/unisights.schema.json");

const run = (...command) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: root,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
};

test("the package has the schema's version, and its lock file too", () => {
  const lock = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));
  assert.equal(require("@unisights/schema/package.json").version, schema["x-version"]);
  assert.deepEqual([lock.version, lock.packages[""].version], Array(2).fill(schema["x-version"]));
});

test("the lock file pins exactly, and names no registry", () => {
  const text = readFileSync(new URL("../package-lock.json", import.meta.url), "utf8");
  assert.doesNotMatch(text, /"resolved"|registry/);
  for (const version of Object.values(require("@unisights/schema/package.json").devDependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/);
  }
});

test("the package exports the schema and the vectors", () => {
  assert.equal(schema.$schema, "http://json-schema.org/draft-07/schema#");
  assert.ok(require("@unisights/schema/vectors/session.json").cases.length > 0);
  assert.ok(require("@unisights/schema/vectors/captures/plain-entry.json").data.session_id);
});

test("the types are up to date", () => {
  assert.deepEqual(run("generate-types.mjs", "--check"), {
    status: 0,
    output: "schema/index.d.ts is up to date\n",
  });
});

test("every definition has a type of its name", () => {
  const types = readFileSync(new URL("../index.d.ts", import.meta.url), "utf8");
  const named = [...types.matchAll(/^export (?:type|interface) (\w+)/gm)].map((match) => match[1]);
  assert.deepEqual(named.sort(), [schema.title, ...Object.keys(schema.definitions)].sort());
});

test("strict TypeScript takes the consumer, and refuses what is marked as an error", () => {
  const tsc = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));
  assert.deepEqual(run(tsc, "--project", "test"), { status: 0, output: "" });
});
