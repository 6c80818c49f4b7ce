// Signed notes and checkpoints as transparency logs write them (C2SP signed-note and tlog-checkpoint), Ed25519 only.

import { base64, concat, equal, hex, sha256, sha256Hex, splitLines, strictBase64, utf8 } from "./bytes.js";
import { isEd25519 } from "./signatures.js";
import { Invalid, text } from "./values.js";
import { WIDTH } from "./merkle.js";

const ED25519 = 1;
const MOST = 64 * 1024;
const MOST_SIGNATURES = 16;
const NAME = /^[^\s+]{1,200}$/;
const SIGNATURE = /^\u2014 ([^\s+]{1,200}) ([A-Za-z0-9+/]+={0,2})$/;
const VKEY = /^([^\s+]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/;
const SIZE = /^(?:0|[1-9][0-9]{0,18})$/;

/** Parse a line of `log-vkeys.txt`: `name`, `public` (32 bytes), `id` (hex of 4 bytes) and `fingerprint`. */
export function keyOf(vkey) {
  const match = VKEY.exec(text(vkey));
  if (match === null) throw new Invalid("a log's key is written name+id+key");
  const [, name, id, key] = match;
  const data = decodedBase64(key, "the log's key");
  if (data.length !== 1 + WIDTH || data[0] !== ED25519) throw new Invalid("the log's key is no Ed25519 key");
  const own = hex(sha256(concat(utf8(`${name}\n`), data)).subarray(0, 4));
  if (own !== id) throw new Invalid("the log's key has another id than its name and bytes give");
  return { name, id, public: data.slice(1), fingerprint: sha256Hex(data.slice(1)) };
}

export const keysOf = (lines) => splitLines(lines).filter(Boolean).map(keyOf);

/** The checkpoint and its signer's key, which has the origin's name; raises Invalid. */
export function openCheckpoint(note, keys) {
  const checkpoint = readCheckpoint(note);
  const key = openNote(note, keys.filter((one) => one.name === checkpoint.origin));
  return { checkpoint, key };
}

/** The key of the signer; raises Invalid if none of `keys` has signed, or one's signature is bad. */
function openNote(note, keys) {
  const { body, signatures } = split(note);
  const signers = [];
  for (const [name, data] of signatures) {
    const key = keys.find((one) => one.name === name && one.id === hex(data.subarray(0, 4)));
    if (key === undefined) continue; // signatures of keys that are not known are passed over
    if (!isEd25519(data.subarray(4), utf8(body), key.public)) {
      throw new Invalid(`the signature of ${name} is not over this note`);
    }
    signers.push(key);
  }
  if (!signers.length) throw new Invalid("no known key has signed this note");
  return signers[0];
}

/** Parse the note without checking signatures; raises Invalid. */
function readCheckpoint(note) {
  const lines = split(note).body.slice(0, -1).split("\n");
  if (lines.length !== 3) throw new Invalid("a checkpoint has the lines origin, size and root");
  const [origin, size, root] = lines;
  if (!NAME.test(origin) || !SIZE.test(size) || Number(size) > Number.MAX_SAFE_INTEGER) {
    throw new Invalid("the checkpoint's origin or size is not written as it should be");
  }
  const data = decodedBase64(root, "the checkpoint's root");
  if (data.length !== WIDTH) throw new Invalid(`the checkpoint's root has ${data.length} bytes and not ${WIDTH}`);
  return { origin, size: Number(size), root: data, rootBase64: base64(data) };
}

function split(note) {
  // eslint-disable-next-line no-control-regex
  if (text(note).length > MOST || /[\x00-\x09\x0b-\x1f]/.test(note)) {
    throw new Invalid("the note is too long, or has control characters");
  }
  const at = note.lastIndexOf("\n\n");
  const body = note.slice(0, Math.max(at, 0)), tail = note.slice(at + 2);
  if (at < 1 || !tail.endsWith("\n")) throw new Invalid("a note is a text, an empty line and signatures");
  const lines = tail.slice(0, -1).split("\n");
  if (lines.length > MOST_SIGNATURES) throw new Invalid("the note has too many signatures");
  const signatures = lines.map((line) => {
    const match = SIGNATURE.exec(line);
    if (match === null) throw new Invalid("a signature of the note is not written as it should be");
    const data = decodedBase64(match[2], "a signature of the note");
    if (data.length < 5) throw new Invalid("a signature of the note is too short");
    return [match[1], data];
  });
  return { body: `${body}\n`, signatures };
}

function decodedBase64(value, what) {
  const data = strictBase64(value);
  if (data === null) throw new Invalid(`${what} is no base64`);
  return data;
}
