// Untrusted values of JSON, read strictly: what is missing or of another shape is an error and never undefined.

/** The input is not what it claims to be; the text is a sentence that says why. */
export class Invalid extends Error {}

/** A value of another shape than expected was used; `kind` names the error as verify.pyz does. */
export class Unshaped extends Error {
  constructor(kind) {
    super(`it has an unexpected structure (${kind})`);
    this.kind = kind;
  }
}

export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** The value behind a chain of keys; raises Unshaped where one is missing. */
export function at(value, ...keys) {
  for (const key of keys) {
    if (Array.isArray(value) && typeof key === "number") {
      if (!(key in value)) throw new Unshaped("IndexError");
      value = value[key];
    } else if (!isObject(value)) {
      throw new Unshaped("TypeError");
    } else if (!Object.hasOwn(value, key)) {
      throw new Unshaped("KeyError");
    } else {
      value = value[key];
    }
  }
  return value;
}

/** The value under a key that may be missing. */
export function get(value, key, otherwise = null) {
  if (!isObject(value)) throw new Unshaped("AttributeError");
  return Object.hasOwn(value, key) ? value[key] : otherwise;
}

export const has = (value, key) => {
  if (!isObject(value)) throw new Unshaped("TypeError");
  return Object.hasOwn(value, key);
};

/** The parts of a list, of a text, or the names of an object. */
export function items(value) {
  if (Array.isArray(value)) return value;
  if (typeof value === "string") return [...value];
  if (isObject(value)) return Object.keys(value);
  throw new Unshaped("TypeError");
}

/** Exactly two values of a list. */
export function pair(value) {
  const both = items(value);
  if (both.length !== 2) throw new Unshaped("ValueError");
  return both;
}

/** Whether an object has exactly these names. */
export function keysAre(value, names) {
  const found = new Set(items(value));
  const wanted = new Set(names);
  return found.size === wanted.size && [...wanted].every((name) => found.has(name));
}

/** Whether two values of JSON are equal, lists by order and objects by names. */
export function same(a, b) {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, n) => same(value, b[n]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

export const isTrue = (value) => {
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
};

export const isWhole = (value) => typeof value === "number" && Number.isInteger(value);

export function number(value) {
  if (typeof value !== "number") throw new Unshaped("TypeError");
  return value;
}

/** A whole number of a number or of its digits. */
export function whole(value) {
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "number") return Math.trunc(value);
  if (typeof value === "string") {
    if (/^\s*[+-]?\d+\s*$/.test(value)) return Number(value);
    throw new Unshaped("ValueError");
  }
  throw new Unshaped("TypeError");
}

export function text(value) {
  if (typeof value !== "string") throw new Unshaped("AttributeError");
  return value;
}

/** A value as verify.pyz writes it into a sentence. */
export const shown = (value) => (typeof value === "string" ? value : quoted(value));

/** A value in quotes, cut to `most` characters, as verify.pyz quotes it. */
export function quoted(value, most = Infinity) {
  const whole_ = repr(value);
  return most === Infinity ? whole_ : [...whole_].slice(0, most).join("");
}

const ESCAPES = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function repr(value) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  if (isObject(value)) return `{${Object.entries(value).map(([name, inner]) => `${repr(name)}: ${repr(inner)}`).join(", ")}}`;
  if (typeof value !== "string") return String(value);
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  let out = "";
  for (const sign of value) {
    const code = sign.codePointAt(0);
    if (sign === quote || ESCAPES[sign]) out += ESCAPES[sign] ?? `\\${sign}`;
    else if (code < 0x20 || (code >= 0x7f && code < 0xa1) || code === 0xad) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else if (/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(sign)) out += code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
    else out += sign;
  }
  return quote + out + quote;
}

/** Text by code points, the order in which verify.pyz sorts. */
export function byCodePoint(a, b) {
  const left = [...a], right = [...b];
  for (let n = 0; n < Math.min(left.length, right.length); n++) {
    if (left[n] !== right[n]) return left[n].codePointAt(0) - right[n].codePointAt(0);
  }
  return left.length - right.length;
}

export const sorted = (values) => [...values].sort(byCodePoint);

export const least = (values) => sorted(values)[0];

/** The value of a map, which has to have it. */
export function must(map, key) {
  if (!map.has(key)) throw new Unshaped("KeyError");
  return map.get(key);
}

export const failing = (sentence) => () => {
  throw new Invalid(sentence);
};

/** Run `read`; null where its input is not of the expected shape. */
export function orNull(read) {
  try {
    return read();
  } catch (error) {
    if (isOfInput(error)) return null;
    throw error;
  }
}

/** Whether an error is about the input and not about the machine. */
export const isOfInput = (error) => error instanceof Invalid || error instanceof Unshaped || error instanceof TypeError || error instanceof RangeError;
