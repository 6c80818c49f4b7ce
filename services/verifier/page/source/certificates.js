// Certificates (RFC 5280): the fields that a chain is checked by.

import { equal, fromBase64, hex, sha256Hex } from "./bytes.js";
import { BIT_STRING, BOOLEAN, INTEGER, NULL, OCTETS, OID, SEQUENCE, SET, TIME, UTC_TIME, only } from "./der.js";
import { ofDate } from "./moments.js";
import { Invalid, isOfInput } from "./values.js";

const LARGEST = 16 * 1024;
export const BASIC_CONSTRAINTS = "2.5.29.19";
export const KEY_USAGE = "2.5.29.15";
export const EXTENDED_KEY_USAGE = "2.5.29.37";
const KEY_IDENTIFIER = "2.5.29.14";
const EC = "1.2.840.10045.2.1", RSA = "1.2.840.113549.1.1.1", ED25519 = "1.3.101.112";
const CURVES = {
  "1.2.840.10045.3.1.7": { curve: "P-256", width: 32 },
  "1.3.132.0.34": { curve: "P-384", width: 48 },
  "1.3.132.0.35": { curve: "P-521", width: 66 },
};
export const HASHES = {
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};
const PSS = "1.2.840.113549.1.1.10", MGF1 = "1.2.840.113549.1.1.8";
const SIGNED_WITH = {
  "1.2.840.113549.1.1.11": ["RSA", "SHA-256"],
  "1.2.840.113549.1.1.12": ["RSA", "SHA-384"],
  "1.2.840.113549.1.1.13": ["RSA", "SHA-512"],
  "1.2.840.10045.4.3.2": ["EC", "SHA-256"],
  "1.2.840.10045.4.3.3": ["EC", "SHA-384"],
  "1.2.840.10045.4.3.4": ["EC", "SHA-512"],
};
const SHORT = {
  "2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C",
  "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
};
const ORGANISATION = "2.5.4.10", COMMON_NAME = "2.5.4.3";

/** Parse a certificate; raises Invalid for an invalid one, or for trailing bytes. */
export function readCertificate(der, name = "a certificate") {
  if (der.length > LARGEST) throw new Invalid(`${name} has ${der.length} bytes, more than a certificate needs.`);
  try {
    return parsed(der);
  } catch (error) {
    if (!isOfInput(error)) throw error;
    throw new Invalid(`${name} cannot be read.`);
  }
}

function parsed(der) {
  const outer = only(der, SEQUENCE).parts();
  const tbs = outer.require(SEQUENCE), algorithm = outer.require(SEQUENCE), signature = bits(outer.require(BIT_STRING));
  outer.end();
  const parts = tbs.parts();
  const version = parts.optional(0xa0);
  if (version === null || only(version.content, INTEGER).number() !== 2n) throw new Invalid("it is of another version");
  const serial = parts.require(INTEGER).number();
  if (!equal(parts.require(SEQUENCE).raw, algorithm.raw)) throw new Invalid("it names two ways of signing");
  const issuer = parts.require(SEQUENCE), validity = parts.require(SEQUENCE).parts();
  const notBefore = time(validity.require(UTC_TIME, TIME)), notAfter = time(validity.require(UTC_TIME, TIME));
  validity.end();
  const subject = parts.require(SEQUENCE), spki = parts.require(SEQUENCE);
  parts.optional(0x81);
  parts.optional(0x82);
  const held = parts.optional(0xa3);
  parts.end();
  const extensions = held === null ? new Map() : extensionsOf(only(held.content, SEQUENCE));
  return {
    der,
    tbs: tbs.raw,
    signature,
    ...signedWith(algorithm),
    serial,
    issuer: { raw: issuer.raw, names: namesOf(issuer) },
    subject: { raw: subject.raw, names: namesOf(subject) },
    notBefore,
    notAfter,
    key: keyOfSpki(spki.raw),
    extensions,
    constraints: constraintsOf(extensions.get(BASIC_CONSTRAINTS)),
    usage: usageOf(extensions.get(KEY_USAGE)),
    uses: usesOf(extensions.get(EXTENDED_KEY_USAGE)),
    keyIdentifier: extensions.has(KEY_IDENTIFIER) ? only(extensions.get(KEY_IDENTIFIER).value, OCTETS).content : null,
    fingerprint: sha256Hex(der),
  };
}

function bits(element) {
  if (element.content[0] !== 0) throw new Invalid("it has bits that are no bytes");
  return element.content.subarray(1);
}

/** How a certificate was signed: `by` EC, RSA or null, `hash`, and the salt's length of PSS. */
function signedWith(algorithm) {
  const parts = algorithm.parts();
  const name = parts.require(OID).oid();
  if (name === PSS) {
    const { hash, salt } = pss(parts.require(SEQUENCE).parts());
    return { by: hash ? "RSA" : null, hash, salt };
  }
  const [by, hash] = SIGNED_WITH[name] ?? [null, null];
  return { by, hash, salt: null };
}

function pss(parts) {
  const hashOf = (element) => HASHES[element.parts().require(OID).oid()] ?? null;
  const named = parts.optional(0xa0), mask = parts.optional(0xa1), length = parts.optional(0xa2);
  const hash = named === null ? null : hashOf(only(named.content, SEQUENCE));
  if (mask !== null) {
    const inner = only(mask.content, SEQUENCE).parts();
    if (inner.require(OID).oid() !== MGF1 || hashOf(inner.require(SEQUENCE)) !== hash) return { hash: null, salt: 0 };
  }
  return { hash: mask === null ? null : hash, salt: length === null ? 20 : Number(only(length.content, INTEGER).number()) };
}

function time(element) {
  const digits = String.fromCharCode(...element.content);
  const match = (element.tag === UTC_TIME ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(digits);
  if (match === null) throw new Invalid("it has a time that is none");
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  const full = element.tag === UTC_TIME ? year + (year < 50 ? 2000 : 1900) : year;
  return ofDate(full, month, day, hour, minute, second);
}

/** The parts of a name: a list of lists of `[oid, value]`. */
function namesOf(element) {
  return [...element.parts()].map((set) => {
    if (set.tag !== SET) throw new Invalid("it has a name that is none");
    return [...set.parts()].map((one) => {
      const parts = one.parts();
      const oid = parts.require(OID).oid(), value = parts.any();
      parts.end();
      return [oid, textOf(value)];
    });
  });
}

function textOf({ tag, content }) {
  const kinds = { 0x0c: "utf-8", 0x1e: "utf-16be", 0x13: "ascii", 0x16: "ascii", 0x14: "latin1", 0x12: "ascii" };
  if (kinds[tag] === undefined) return `#${hex(content)}`;
  return new TextDecoder(kinds[tag] === "utf-8" ? "utf-8" : kinds[tag] === "utf-16be" ? "utf-16be" : "latin1", {
    fatal: kinds[tag].startsWith("utf"),
    ignoreBOM: true,
  }).decode(content);
}

export const isSameName = (a, b) => JSON.stringify(a.names) === JSON.stringify(b.names);

/** A name as RFC 4514 writes it. */
export function nameText({ names }) {
  const escaped = (value) =>
    value
      .replace(/[\\",+;<>]/g, "\\$&")
      .replaceAll("\0", "\\00")
      .replace(/^[ #]/, "\\$&")
      .replace(/(?<=.) $/, "\\ ");
  return [...names]
    .reverse()
    .map((set) => set.map(([oid, value]) => `${SHORT[oid] ?? oid}=${escaped(value)}`).join("+"))
    .join(",");
}

/** The organisation or the common name of a certificate's subject; null if it has neither. */
export function organisationOf(certificate) {
  const all = certificate.subject.names.flat();
  for (const kind of [ORGANISATION, COMMON_NAME]) {
    const found = all.find(([oid]) => oid === kind);
    if (found !== undefined) return found[1];
  }
  return null;
}

/** A public key: `kind` EC, RSA, Ed25519 or other. */
export function keyOfSpki(der) {
  const spki = only(der, SEQUENCE).parts();
  const algorithm = spki.require(SEQUENCE).parts(), raw = bits(spki.require(BIT_STRING));
  spki.end();
  const name = algorithm.require(OID).oid();
  const key = { kind: "other", spki: der, keyId: sha256Hex(der) };
  if (name === EC) {
    const curve = CURVES[algorithm.require(OID).oid()];
    if (curve === undefined) return key;
    return { ...key, kind: "EC", ...curve };
  }
  if (name === RSA) {
    if (algorithm.optional(NULL) === null) throw new Invalid("it has a key that is none");
    let modulus = only(raw, SEQUENCE).parts().require(INTEGER).content;
    if (modulus[0] === 0) modulus = modulus.subarray(1);
    return { ...key, kind: "RSA", bits: 8 * modulus.length - Math.clz32(modulus[0]) + 24 };
  }
  if (name === ED25519 && raw.length === 32) return { ...key, kind: "Ed25519", raw };
  return key;
}

/** The public key of a text in PEM; raises Invalid or another error of the input. */
export function keyOfPem(pem) {
  const match = /^\s*-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(pem);
  const der = match === null ? null : fromBase64(match[1].replace(/\s/g, ""));
  if (der === null) throw new Invalid("it is no public key in PEM");
  return keyOfSpki(der);
}

function extensionsOf(element) {
  const found = new Map();
  for (const one of element.parts()) {
    const parts = one.parts();
    const oid = parts.require(OID).oid();
    const critical = parts.optional(BOOLEAN), value = parts.require(OCTETS).content;
    parts.end();
    if (found.has(oid)) throw new Invalid("it has an extension twice");
    found.set(oid, { critical: critical !== null && critical.content[0] === 0xff, value });
  }
  return found;
}

function constraintsOf(extension) {
  if (extension === undefined) return { ca: false, critical: false, pathLength: null };
  const parts = only(extension.value, SEQUENCE).parts();
  const ca = parts.optional(BOOLEAN), length = parts.optional(INTEGER);
  parts.end();
  return {
    ca: ca !== null && ca.content[0] === 0xff,
    critical: extension.critical,
    pathLength: length === null ? null : Number(length.number()),
  };
}

/** What the key is for; null where the certificate does not say it. */
function usageOf(extension) {
  if (extension === undefined) return null;
  const { content } = only(extension.value, BIT_STRING);
  const first = content[1] ?? 0;
  return { digitalSignature: Boolean(first & 0x80), contentCommitment: Boolean(first & 0x40), keyCertSign: Boolean(first & 0x04) };
}

function usesOf(extension) {
  if (extension === undefined) return null;
  return { critical: extension.critical, oids: [...only(extension.value, SEQUENCE).parts()].map((one) => one.oid()) };
}

/** Certificates in PEM, as they are stored in a package. */
export function pemOf(certificates, base64) {
  return certificates
    .map(({ der }) => {
      const lines = base64(der).match(/.{1,64}/g) ?? [];
      return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
    })
    .join("");
}
