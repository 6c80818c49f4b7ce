// Bytes: texts, hexadecimal, base64, and hashes.

import { sha256 as hasher } from "../vendor/sha2.js";
import { Invalid, Unshaped } from "./values.js";

const ENCODER = new TextEncoder();

export const utf8 = (value) => ENCODER.encode(value);

/** Decode UTF-8; raises Unshaped for other bytes. A byte order mark is a character like others. */
export function decoded(data) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Unshaped("UnicodeDecodeError");
  }
}

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    out.set(part, position);
    position += part.length;
  }
  return out;
}

export function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let n = 0; n < a.length; n++) if (a[n] !== b[n]) return false;
  return true;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function hex(data) {
  let out = "";
  for (const byte of data) out += HEX[byte];
  return out;
}

/** Bytes of pairs of hexadecimal digits; raises Unshaped. */
export function fromHex(value) {
  if (typeof value !== "string") throw new Unshaped("TypeError");
  if (!/^([0-9a-fA-F]{2}\s*)*$/.test(value)) throw new Unshaped("ValueError");
  return Uint8Array.from(value.match(/[0-9a-fA-F]{2}/g) ?? [], (digits) => parseInt(digits, 16));
}

export function base64(data) {
  let out = "";
  for (let start = 0; start < data.length; start += 0x6000) {
    out += btoa(String.fromCharCode(...data.subarray(start, start + 0x6000)));
  }
  return out;
}

/** Bytes of base64 with its padding; null for any other text. */
export function fromBase64(value) {
  if (typeof value !== "string" || value.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) return null;
  let binary;
  try {
    binary = atob(value);
  } catch {
    return null;
  }
  const out = new Uint8Array(binary.length);
  for (let n = 0; n < binary.length; n++) out[n] = binary.charCodeAt(n);
  return out;
}

/** Bytes of base64; only the canonical spelling is accepted. */
export function strictBase64(value) {
  const data = fromBase64(value);
  return data !== null && base64(data) === value ? data : null;
}

export const base64url = (data) => base64(data).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** Bytes of base64url without padding, in its canonical spelling; raises Invalid. */
export function fromBase64url(value, name) {
  const data = /^[A-Za-z0-9_-]*$/.test(value)
    ? fromBase64(value.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (value.length % 4)) % 4))
    : null;
  if (data === null) throw new Invalid(`${name} is no base64url`);
  if (base64url(data) !== value) throw new Invalid(`${name} is no base64url without padding`);
  return data;
}

/** SHA-256 of bytes, 32 bytes. */
export const sha256 = (data) => hasher(data);

export const sha256Hex = (data) => hex(hasher(data));

/** A SHA-256 that gets its bytes in parts. */
export const sha256Stream = () => hasher.create();

const POLYNOMIAL = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** CRC-32 as ZIP has it. */
export function crc32(data) {
  let crc = -1;
  for (const byte of data) crc = POLYNOMIAL[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The lines of a text, at every sign that ends a line. */
export function splitLines(value) {
  const lines = value.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
