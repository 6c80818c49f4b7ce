// Signed statements: in-toto Statement v1 in a DSSE envelope, ES256, with the key's certificate chain.

import { concat, sha256Hex, strictBase64, utf8 } from "./bytes.js";
import { read } from "./canonical.js";
import { sealChain } from "./chains.js";
import { isEcdsa } from "./signatures.js";
import { checkToken } from "./timestamps.js";
import { Invalid, isObject, least, quoted, sorted } from "./values.js";

const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const STATEMENT = "https://in-toto.io/Statement/v1";
const HASH = /^[0-9a-f]{64}$/;

/** A statement with a valid signature; `timeStamp` if an authority has stamped the signature. */
export class Opened {
  constructor({ statement, chain, payload, timeStamp }) {
    Object.assign(this, { statement, chain, timeStamp });
    this.payloadSha256 = sha256Hex(payload);
    this.predicate = statement.predicate;
    this.subjects = new Map(statement.subject.map(({ name, digest }) => [name, digest.sha256]));
  }
}

/** The statement of an envelope; raises Invalid for anything that is wrong with it. `chains`: those checked before. */
export async function openEnvelope(data, chains) {
  const envelope = read(data, "the envelope");
  checkKeys(envelope, ["payload", "payloadType", "signatures"], [], "the envelope");
  if (envelope.payloadType !== PAYLOAD_TYPE) {
    throw new Invalid(`the envelope holds ${quoted(envelope.payloadType, 80)}, and ${PAYLOAD_TYPE} is wanted.`);
  }
  const payload = decoded(envelope.payload, "the payload");
  const { signatures } = envelope;
  if (!Array.isArray(signatures) || signatures.length !== 1) throw new Invalid("the envelope has to have one signature.");
  const [signed] = signatures;
  checkKeys(signed, ["keyid", "sig", "x5c"], ["rfc3161"], "the signature");
  if (!Array.isArray(signed.x5c)) throw new Invalid("the signature has no list of certificates.");
  const ders = signed.x5c.map((one, n) => decoded(one, `certificate ${n + 1}`));
  const known = signed.x5c.join(" ");
  const chain = chains.get(known) ?? (await sealChain(ders));
  chains.set(known, chain);
  if (signed.keyid !== chain.keyId) throw new Invalid("the signature names another key than its certificate holds.");
  const signature = decoded(signed.sig, "the signature");
  const kind = utf8(PAYLOAD_TYPE);
  const authenticated = concat(utf8(`DSSEv1 ${kind.length} `), kind, utf8(` ${payload.length} `), payload);
  if (!(await isEcdsa(chain.leaf.key, "SHA-256", signature, authenticated))) {
    throw new Invalid("the signature does not belong to this text and this key: one of the two is another.");
  }
  const statement = statementOf(payload);
  const token = Object.hasOwn(signed, "rfc3161") ? decoded(signed.rfc3161, "the time stamp") : null;
  return new Opened({ statement, chain, payload, timeStamp: await stamped(token, signature, chain) });
}

/** Raise Invalid unless the statement has the predicate type `expected`, which ends with its version. */
export function checkType(opened, expected, what) {
  const found = opened.statement.predicateType;
  if (found === expected) return;
  const colon = expected.lastIndexOf(":");
  if (found.startsWith(expected.slice(0, colon + 1))) {
    const version = quoted(found.slice(colon + 1), 40);
    throw new Invalid(`it is ${what} of the version ${version}, and this verifier reads ${expected.slice(colon + 1)}`);
  }
  throw new Invalid(`it is signed as something else than ${what}`);
}

async function stamped(token, signature, chain) {
  if (token === null) return null;
  const stamp = await checkToken(token, signature);
  if (!chain.validAt(stamp.moment)) {
    throw new Invalid("the envelope was sealed outside the time of the seal key's certificate.");
  }
  return stamp;
}

function statementOf(payload) {
  const statement = read(payload, "the statement");
  checkKeys(statement, ["_type", "subject", "predicateType", "predicate"], [], "the statement");
  if (statement._type !== STATEMENT) {
    throw new Invalid(`the statement is of the type ${quoted(statement._type, 80)}, and ${STATEMENT} is wanted.`);
  }
  if (typeof statement.predicateType !== "string" || !isObject(statement.predicate)) {
    throw new Invalid("the statement says nothing of its subjects.");
  }
  const subjects = statement.subject;
  if (!Array.isArray(subjects) || !subjects.length) throw new Invalid("the statement has no subject.");
  const names = new Set();
  for (const subject of subjects) {
    checkKeys(subject, ["name", "digest"], [], "a subject");
    checkKeys(subject.digest, ["sha256"], [], "a subject's digest");
    if (typeof subject.name !== "string" || names.has(subject.name)) {
      throw new Invalid("the statement's subjects need a name each, and no name twice.");
    }
    if (typeof subject.digest.sha256 !== "string" || !HASH.test(subject.digest.sha256)) {
      throw new Invalid(`the subject ${quoted(subject.name, 80)} has no SHA-256 in hexadecimal.`);
    }
    names.add(subject.name);
  }
  return statement;
}

function checkKeys(value, needed, allowed, name) {
  if (!isObject(value)) throw new Invalid(`${name} is no object.`);
  const missing = needed.filter((key) => !Object.hasOwn(value, key));
  if (missing.length) throw new Invalid(`${name} has no ${sorted(missing).join(", ")}.`);
  const strange = Object.keys(value).filter((key) => !needed.includes(key) && !allowed.includes(key));
  if (strange.length) throw new Invalid(`${name} has ${quoted(least(strange), 40)}, which does not belong there.`);
}

function decoded(value, name) {
  const data = strictBase64(value);
  if (data === null) throw new Invalid(`${name} is not in base64.`);
  return data;
}
