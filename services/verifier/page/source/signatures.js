// Signatures: Ed25519 by the enclosed library, ECDSA and RSA by the browser (WebCrypto).

import { hashes, verify } from "../vendor/ed25519.js";
import { sha512 } from "../vendor/sha2.js";
import { concat } from "./bytes.js";
import { INTEGER, SEQUENCE, only } from "./der.js";
import { isOfInput } from "./values.js";

hashes.sha512 = sha512;

/** Whether this browser offers what signatures of certificates need. */
export const isAble = () => Boolean(globalThis.crypto?.subtle);

/** A hash of SHA-1, SHA-384 or SHA-512. */
export const digest = async (name, data) => new Uint8Array(await crypto.subtle.digest(name, data));

/** Whether the signature over `data` is by this key; by the strict rules of RFC 8032. */
export function isEd25519(signature, data, key) {
  try {
    return verify(signature, data, key, { zip215: false });
  } catch {
    return false;
  }
}

/** Whether an ECDSA signature in DER is by this key, `{ curve, width, spki }`. */
export async function isEcdsa(key, hash, signature, data) {
  const raw = rawSignature(signature, key.width);
  if (raw === null) return false;
  return isValid(key.spki, { name: "ECDSA", namedCurve: key.curve }, { name: "ECDSA", hash }, raw, data);
}

/** Whether an RSA signature is by this key; with `salt` by PSS, else by PKCS #1 v1.5. */
export async function isRsa(key, hash, signature, data, salt = null) {
  const name = salt === null ? "RSASSA-PKCS1-v1_5" : "RSA-PSS";
  return isValid(key.spki, { name, hash }, salt === null ? { name } : { name, saltLength: salt }, signature, data);
}

async function isValid(spki, kind, how, signature, data) {
  try {
    const key = await crypto.subtle.importKey("spki", spki, kind, false, ["verify"]);
    return await crypto.subtle.verify(how, key, signature, data);
  } catch (error) {
    if (error instanceof DOMException || error instanceof TypeError) return false;
    throw error;
  }
}

/** The two numbers of a signature in strict DER, each in `width` bytes; null for any other bytes. */
function rawSignature(signature, width) {
  try {
    const parts = only(signature, SEQUENCE).parts();
    const both = [parts.require(INTEGER), parts.require(INTEGER)].map(({ content }) => {
      const isNegative = content[0] & 0x80;
      const isLonger = content.length > 1 && content[0] === 0 && !(content[1] & 0x80);
      if (!content.length || isNegative || isLonger) return null;
      const digits = content[0] === 0 ? content.subarray(1) : content;
      return digits.length > width ? null : concat(new Uint8Array(width - digits.length), digits);
    });
    parts.end();
    return both.includes(null) ? null : concat(...both);
  } catch (error) {
    if (isOfInput(error)) return null;
    throw error;
  }
}
