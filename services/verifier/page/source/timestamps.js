// Check time stamps offline (RFC 3161): an authority states that it has seen a hash, and when.

import { equal, sha256 } from "./bytes.js";
import { HASHES, nameText, readCertificate } from "./certificates.js";
import { SMALLEST_RSA, vouchedChain } from "./chains.js";
import { BOOLEAN, INTEGER, NULL, OCTETS, OID, SEQUENCE, SET, TIME, only } from "./der.js";
import { ofDate } from "./moments.js";
import { digest, isEcdsa, isRsa } from "./signatures.js";
import { Invalid } from "./values.js";

const LARGEST = 256 * 1024;
const SIGNED_DATA = "1.2.840.113549.1.7.2", TST_INFO = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE = "1.2.840.113549.1.9.3", MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12", SIGNING_CERTIFICATE_2 = "1.2.840.113549.1.9.16.2.47";
const SHA256 = "2.16.840.1.101.3.4.2.1";
const RSA = "1.2.840.113549.1.1.1", TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
const WITH_HASH = {
  "1.2.840.113549.1.1.11": SHA256,
  "1.2.840.113549.1.1.12": "2.16.840.1.101.3.4.2.2",
  "1.2.840.113549.1.1.13": "2.16.840.1.101.3.4.2.3",
  "1.2.840.10045.4.3.2": SHA256,
  "1.2.840.10045.4.3.3": "2.16.840.1.101.3.4.2.2",
  "1.2.840.10045.4.3.4": "2.16.840.1.101.3.4.2.3",
};
const isByRsa = (method) => method === RSA || (method in WITH_HASH && method.startsWith("1.2.840.113549."));
const isByCurve = (method) => method in WITH_HASH && method.startsWith("1.2.840.10045.");
const CONTEXT_0 = 0xa0, CONTEXT_1 = 0xa1, KEY_IDENTIFIER = 0x80;

/** The time stamp over `data`, `{ moment, who }`; raises Invalid unless all of it is valid. */
export async function checkToken(token, data) {
  if (token.length > LARGEST) throw new Invalid(`the time stamp has ${token.length} bytes, more than one needs.`);
  const { content, certificates, signer } = opened(token);
  const at = infoOf(content, data);
  const leaf = certificates.find((certificate) => isNamed(signer.sid, certificate));
  if (leaf === undefined) throw new Invalid("the time stamp does not carry its authority's certificate.");
  await checkAttributes(signer, content, leaf);
  await checkSignature(signer, leaf);
  checkUse(leaf);
  const chain = await vouchedChain(leaf, certificates);
  if (!chain.validAt(at)) throw new Invalid("the time stamp was made outside the time of its authority's certificate.");
  return { moment: at, who: `${nameText(leaf.subject)} (its chain ends at sha256:${chain.rootFingerprint})` };
}

/** The signed content, the certificates and the one signer of a CMS SignedData (RFC 5652). */
function opened(token) {
  const outer = only(token, SEQUENCE).parts();
  if (outer.require(OID).oid() !== SIGNED_DATA) throw new Invalid("the time stamp is not signed.");
  const signed = only(outer.require(CONTEXT_0).content, SEQUENCE).parts();
  outer.end();
  if (signed.require(INTEGER).number() !== 3n) {
    throw new Invalid("the time stamp is signed in a form that is not known.");
  }
  const methods = [...signed.require(SET).parts()].map(methodOf);
  const inner = signed.require(SEQUENCE).parts();
  if (inner.require(OID).oid() !== TST_INFO) throw new Invalid("what is signed is no time stamp.");
  const { content } = only(inner.require(CONTEXT_0).content, OCTETS);
  inner.end();
  const held = signed.optional(CONTEXT_0);
  const certificates =
    held === null ? [] : [...held.parts()].map(({ raw }) => readCertificate(raw, "a certificate of the time stamp"));
  const signers = [...signed.require(SET).parts()];
  signed.end();
  if (signers.length !== 1) throw new Invalid(`the time stamp has ${signers.length} signatures, and has to have one.`);
  const signer = signerOf(signers[0]);
  if (methods.length !== 1 || methods[0] !== signer.method) {
    throw new Invalid("the time stamp names other hashes than it uses.");
  }
  return { content, certificates, signer };
}

function signerOf(element) {
  const parts = only(element.raw, SEQUENCE).parts();
  const version = parts.require(INTEGER).number();
  const sid = parts.require(SEQUENCE, KEY_IDENTIFIER);
  if (version !== (sid.tag === KEY_IDENTIFIER ? 3n : 1n)) {
    throw new Invalid("the time stamp is signed in a form that is not known.");
  }
  const method = methodOf(parts.require(SEQUENCE));
  const attributes = parts.require(CONTEXT_0);
  const signatureMethod = methodOf(parts.require(SEQUENCE));
  const signature = parts.require(OCTETS).content;
  parts.end(); // what the authority has not signed along, anybody could have added
  return { sid, method, attributes, signatureMethod, signature };
}

/** An AlgorithmIdentifier without parameters. */
function methodOf(element) {
  const parts = only(element.raw, SEQUENCE).parts();
  const name = parts.require(OID).oid(), nothing = parts.optional(NULL);
  if (nothing !== null && nothing.content.length) {
    throw new Invalid("the time stamp uses a method in a way that is not known.");
  }
  parts.end();
  return name;
}

/** The moment of TSTInfo, whose imprint must be that of `data`. */
function infoOf(content, data) {
  const parts = only(content, SEQUENCE).parts();
  if (parts.require(INTEGER).number() !== 1n) throw new Invalid("the time stamp is of a version that is not known.");
  parts.require(OID).oid();
  const imprint = parts.require(SEQUENCE).parts();
  if (methodOf(imprint.require(SEQUENCE)) !== SHA256) {
    throw new Invalid("the time stamp is over another hash than SHA-256.");
  }
  if (!equal(imprint.require(OCTETS).content, sha256(data))) throw new Invalid("the time stamp is over something else.");
  imprint.end();
  parts.require(INTEGER).number();
  const at = momentOf(parts.require(TIME).content);
  parts.optional(SEQUENCE); // its accuracy
  parts.optional(BOOLEAN);
  parts.optional(INTEGER)?.number();
  parts.optional(CONTEXT_0);
  parts.optional(CONTEXT_1);
  parts.end();
  return at;
}

function momentOf(content) {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?Z$/.exec(String.fromCharCode(...content));
  if (match === null) throw new Invalid("the time stamp says no moment.");
  const micro = Number((match[7] ?? "0").padEnd(6, "0").slice(0, 6));
  try {
    return { micros: ofDate(...match.slice(1, 7).map(Number), micro), offset: 0 };
  } catch {
    throw new Invalid("the time stamp says no moment.");
  }
}

function isNamed(sid, certificate) {
  if (sid.tag === KEY_IDENTIFIER) {
    return certificate.keyIdentifier !== null && equal(certificate.keyIdentifier, sid.content);
  }
  const parts = sid.parts();
  const issuer = parts.require(SEQUENCE), serial = parts.require(INTEGER);
  parts.end();
  return equal(issuer.raw, certificate.issuer.raw) && serial.number() === certificate.serial;
}

async function checkAttributes(signer, content, leaf) {
  const attributes = new Map();
  for (const attribute of signer.attributes.parts()) {
    const parts = attribute.parts();
    const name = parts.require(OID).oid(), values = [...parts.require(SET).parts()];
    parts.end();
    if (attributes.has(name) || values.length !== 1) throw new Invalid("the time stamp says something twice.");
    attributes.set(name, values[0]);
  }
  for (const name of [CONTENT_TYPE, MESSAGE_DIGEST]) {
    if (!attributes.has(name)) throw new Invalid("the time stamp's signature does not say what it is over.");
  }
  const type = attributes.get(CONTENT_TYPE);
  if (type.tag !== OID || type.oid() !== TST_INFO) {
    throw new Invalid("the time stamp's signature is over another kind of thing.");
  }
  if (!equal(attributes.get(MESSAGE_DIGEST).content, await digest(hashOf(signer.method), content))) {
    throw new Invalid("the time stamp's signature is over another content.");
  }
  await checkSigningCertificate(attributes, leaf);
}

/** Check the signing certificate: ESSCertID by SHA-1, ESSCertIDv2 by SHA-256 or a named hash (RFC 5816). */
async function checkSigningCertificate(attributes, leaf) {
  const isNewer = attributes.has(SIGNING_CERTIFICATE_2);
  const held = attributes.get(isNewer ? SIGNING_CERTIFICATE_2 : SIGNING_CERTIFICATE);
  if (held === undefined) throw new Invalid("the time stamp's signature does not name its certificate.");
  const first = held.parts().require(SEQUENCE).parts().require(SEQUENCE).parts();
  let method = "SHA-1"; // of a name, which the signature below covers
  if (isNewer) {
    const algorithm = first.optional(SEQUENCE);
    method = hashOf(algorithm === null ? SHA256 : methodOf(algorithm));
  }
  if (!equal(first.require(OCTETS).content, await digest(method, leaf.der))) {
    throw new Invalid("the time stamp's signature names another certificate.");
  }
}

async function checkSignature(signer, leaf) {
  const { key } = leaf, hash = hashOf(WITH_HASH[signer.signatureMethod] ?? signer.method);
  // The signature is over a SET, which CMS writes as [0] where it keeps it.
  const signed = Uint8Array.from(signer.attributes.raw);
  signed[0] = SET;
  let holds;
  if (key.kind === "RSA" && key.bits >= SMALLEST_RSA && isByRsa(signer.signatureMethod)) {
    holds = await isRsa(key, hash, signer.signature, signed);
  } else if (key.kind === "EC" && isByCurve(signer.signatureMethod)) {
    holds = await isEcdsa(key, hash, signer.signature, signed);
  } else throw new Invalid("the time stamp is signed in a way that is not known here.");
  if (!holds) throw new Invalid("the signature of the time stamp is wrong.");
}

/** Check that the certificate is for time stamps only, by a critical extension (RFC 3161, 2.3). */
function checkUse({ uses, usage }) {
  if (uses === null || !uses.critical || uses.oids.length !== 1 || uses.oids[0] !== TIME_STAMPING) {
    throw new Invalid("the certificate behind the time stamp is not one for time stamps alone.");
  }
  if (usage !== null && !(usage.digitalSignature || usage.contentCommitment)) {
    throw new Invalid("the certificate behind the time stamp is not one for signatures.");
  }
}

function hashOf(method) {
  if (!(method in HASHES)) throw new Invalid("the time stamp uses a hash that is too weak or not known.");
  return HASHES[method];
}
