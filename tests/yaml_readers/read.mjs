// Texts of YAML in (a JSON list), what js-yaml reads in them out (a JSON list); what JSON can't say is told by a text.
import { readFileSync } from "node:fs";
import yaml from "js-yaml";

const plain = (value) => {
  if (value instanceof Date || value instanceof Uint8Array || typeof value === "bigint" || value === undefined) {
    return `not JSON: ${value}`;
  }
  if (typeof value === "number" && !Number.isFinite(value)) return `not JSON: ${value}`;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
};

const read = (text) => {
  try {
    return plain(yaml.load(text));
  } catch (error) {
    return `not read: ${error.message}`;
  }
};

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
