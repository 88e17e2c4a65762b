// node generate-types.mjs [--check]: writes what is generated here from the schema (the types, and
// the package's version), or says what is stale.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const read = (name) => {
  try {
    return readFileSync(new URL(name, import.meta.url), "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
};

const banner = (version, digest) => `\
// GENERATED from schema/unisights.schema.json, version ${version}, SHA-256
// ${digest}
// Do not edit:
//   1. change the schema (or, for another shape of the types, schema/generate-types.mjs);
//   2. run \`make generate\`;
//   3. commit the schema and what changed here together.
//
// The types are those of the wire: what may be absent is optional. Properties that are not named
// here are allowed on the wire, and not part of the types.

`;

// In draft-07, what stands beside a $ref is ignored; a definition describes itself.
const withoutSiblings = (value) => {
  if (Array.isArray(value)) return value.map(withoutSiblings);
  if (value === null || typeof value !== "object") return value;
  if ("$ref" in value) return { $ref: value.$ref };
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withoutSiblings(item)]),
  );
};

// The version of the package itself, not of what it depends on, comes first in both files.
const withVersion = (text, version, times) => {
  let left = times;
  return text.replace(/"version": "[^"]*"/g, (found) =>
    left-- > 0 ? `"version": "${version}"` : found,
  );
};

const render = async () => {
  const text = read("unisights.schema.json");
  const schema = JSON.parse(text);
  const version = schema["x-version"];
  const digest = createHash("sha256").update(text).digest("hex");
  const types = await compile(withoutSiblings(schema), schema.title, {
    additionalProperties: false,
    bannerComment: "",
    style: { printWidth: 100 },
    unreachableDefinitions: true,
  });
  return {
    "index.d.ts": banner(version, digest) + types,
    "package.json": withVersion(read("package.json"), version, 1),
    "package-lock.json": withVersion(read("package-lock.json"), version, 2),
  };
};

const check = process.argv.includes("--check");
const files = await render();
const stale = Object.keys(files).filter((name) => read(name) !== files[name]);
for (const name of stale) {
  if (check) {
    console.error(`stale: schema/${name}`);
  } else {
    writeFileSync(new URL(name, import.meta.url), files[name]);
    console.log(`wrote schema/${name}`);
  }
}
if (check && stale.length > 0) {
  console.error(
    "The generated types differ from the schema: run `make generate` and commit what it changes.",
  );
  process.exitCode = 1;
} else if (stale.length === 0) {
  console.log("schema/index.d.ts is up to date");
}
