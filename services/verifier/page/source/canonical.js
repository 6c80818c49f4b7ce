// Canonical JSON as it is hashed and signed (RFC 8785), read strictly.

import { decoded, equal, utf8 } from "./bytes.js";
import { Invalid, isOfInput } from "./values.js";

const DEEPEST = 64;

/** The value's canonical bytes; raises Invalid for a value that has none. */
export const canonical = (value) => utf8(written(value, 0));

/** Parse canonical bytes; raises Invalid, naming `name`, for anything else. */
export function read(data, name) {
  let value;
  try {
    value = JSON.parse(decoded(data));
  } catch {
    throw new Invalid(`${name} is not JSON.`);
  }
  let encoded;
  try {
    encoded = canonical(value);
  } catch (error) {
    if (!isOfInput(error)) throw error;
    throw new Invalid(`${name} is not canonical JSON: ${error.message}`);
  }
  if (!equal(encoded, data)) {
    throw new Invalid(`${name} is not canonical JSON: its values would be written in other bytes.`);
  }
  return value;
}

function written(value, depth) {
  if (depth > DEEPEST) throw new Invalid("it is nested too deep.");
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") {
    if (/\p{Surrogate}/u.test(value)) throw new Invalid("it holds half of a surrogate pair.");
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Invalid("it holds a number that is none.");
    const digits = String(value);
    if (/^-?\d+$/.test(digits) && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
      throw new Invalid("it holds a number of more than 53 bits.");
    }
    return digits;
  }
  if (Array.isArray(value)) return `[${value.map((one) => written(one, depth + 1)).join(",")}]`;
  const names = Object.keys(value).sort(); // by UTF-16 code units, as RFC 8785 wants it
  return `{${names.map((name) => `${written(name, depth)}:${written(value[name], depth + 1)}`).join(",")}}`;
}

/** Whether an object in a JSON text has a name twice; the text has been parsed before. */
export function hasNameTwice(value) {
  const open = [];
  for (const [token] of value.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\]]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (token.endsWith(":")) {
      const name = JSON.parse(token.slice(0, -1));
      if (open.at(-1)?.has(name)) return true;
      open.at(-1)?.add(name);
    }
  }
  return false;
}
