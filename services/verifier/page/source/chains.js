// Certificate chains of signers: a leaf, its issuers, and a self-signed root.
//
// Whether the root is to be trusted is not said here: its fingerprint is compared with one that came another way.

import { equal } from "./bytes.js";
import {
  BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE, isSameName, nameText, organisationOf, readCertificate,
} from "./certificates.js";
import { isEcdsa, isRsa } from "./signatures.js";
import { Invalid } from "./values.js";

const LONGEST = 5;
export const SMALLEST_RSA = 2048;
// Extensions that are checked below; an unknown critical one would be ignored, so it is refused.
const HEEDED = new Set([BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE]);

/** A valid chain, the leaf first and the root last. */
class Chain {
  constructor(certificates) {
    this.certificates = certificates;
    this.leaf = certificates[0];
    this.root = certificates.at(-1);
    this.sealFingerprint = this.leaf.fingerprint;
    this.rootFingerprint = this.root.fingerprint;
    this.keyId = this.leaf.key.keyId;
    this.organisation = organisationOf(this.leaf);
  }

  /** Whether every certificate is valid at a moment. */
  validAt({ micros }) {
    return this.certificates.every((one) => one.notBefore <= micros && micros <= one.notAfter);
  }
}

/** The chain of a seal key: ECDSA on P-256 throughout, a leaf that may sign and is no authority; raises Invalid. */
export async function sealChain(ders) {
  const certificates = await linked(ders.map((der, n) => readCertificate(der, `certificate ${n + 1}`)));
  certificates.forEach(({ key }, n) => {
    if (key.curve !== "P-256") throw new Invalid(`certificate ${n + 1} of the seal key has no key on P-256.`);
  });
  const usage = usageOf(certificates[0], "the seal key's certificate");
  if (!usage.digitalSignature || usage.keyCertSign) {
    throw new Invalid("the seal key's certificate is not one for signatures alone.");
  }
  return new Chain(certificates);
}

/** The leaf with its issuers among the others, as far as they go; raises Invalid for a broken link. */
export async function vouchedChain(leaf, others) {
  const chain = [leaf];
  while (!isRoot(chain.at(-1)) && chain.length < LONGEST) {
    const below = chain.at(-1);
    const issuers = others.filter(
      (other) => isSameName(other.subject, below.issuer) && !chain.some((one) => equal(one.der, other.der)),
    );
    let vouching = null, fault = null;
    for (const issuer of issuers) {
      const found = await faultOf(issuer, below);
      if (found === null) {
        vouching = issuer;
        break;
      }
      fault ??= found;
    }
    if (vouching === null) {
      if (fault !== null) throw new Invalid(fault);
      break;
    }
    chain.push(vouching);
  }
  if (isRoot(chain.at(-1))) await checkSignature(chain.at(-1), chain.at(-1));
  checkLengths(chain);
  return new Chain(chain);
}

async function linked(certificates) {
  if (!(certificates.length >= 2 && certificates.length <= LONGEST)) {
    throw new Invalid(`the seal key has ${certificates.length} certificates, and 2 to ${LONGEST} are allowed.`);
  }
  for (let n = 1; n < certificates.length; n++) {
    const fault = await faultOf(certificates[n], certificates[n - 1]);
    if (fault !== null) throw new Invalid(fault);
  }
  const root = certificates.at(-1);
  if (!isRoot(root)) throw new Invalid("the last certificate is no root: another one would have to vouch for it.");
  const fault = await faultOf(root, root);
  if (fault !== null) throw new Invalid(fault);
  if (constraintsOf(certificates[0]).ca) throw new Invalid("the seal key's certificate is that of an authority.");
  checkLengths(certificates);
  return certificates;
}

const isRoot = (certificate) => isSameName(certificate.subject, certificate.issuer);

/** Why `above` does not vouch for `below`; null if it does. */
async function faultOf(above, below) {
  const name = nameOf(above);
  if (!isSameName(below.issuer, above.subject)) return `the certificate of ${nameOf(below)} was not issued by ${name}.`;
  try {
    if (!constraintsOf(above).ca) return `${name} has issued a certificate and is no authority.`;
    if (!usageOf(above, `the certificate of ${name}`).keyCertSign) return `${name} has issued a certificate and may not.`;
    checkHeeded(above);
    checkHeeded(below);
    await checkSignature(above, below);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    return error.message;
  }
  const begins = above.notBefore <= below.notBefore && below.notBefore <= above.notAfter;
  if (!begins || !(below.notBefore < below.notAfter)) {
    return `the certificate of ${nameOf(below)} begins outside the time of that of ${name}.`;
  }
  return null;
}

async function checkSignature(above, below) {
  if (below.hash === null) {
    throw new Invalid(`the certificate of ${nameOf(below)} is signed over a hash that is too weak or not known.`);
  }
  const { key } = above;
  let holds;
  if (key.kind === "EC" && below.by === "EC") holds = await isEcdsa(key, below.hash, below.signature, below.tbs);
  else if (key.kind === "RSA" && key.bits >= SMALLEST_RSA && below.by === "RSA") {
    holds = await isRsa(key, below.hash, below.signature, below.tbs, below.salt);
  } else throw new Invalid(`${nameOf(above)} signs with a kind of key that is too weak or not known.`);
  if (!holds) {
    throw new Invalid(`the signature of ${nameOf(above)} under the certificate of ${nameOf(below)} is wrong.`);
  }
}

function checkLengths(certificates) {
  certificates.slice(1).forEach((certificate, between) => {
    const most = constraintsOf(certificate).pathLength;
    if (most !== null && between > most) {
      throw new Invalid(`${nameOf(certificate)} vouches for more authorities below it than it may.`);
    }
  });
}

function constraintsOf(certificate) {
  const { constraints } = certificate;
  if (constraints.ca && !constraints.critical) {
    throw new Invalid(`the certificate of ${nameOf(certificate)} calls it an authority and not critically so.`);
  }
  return constraints;
}

function usageOf(certificate, name) {
  if (certificate.usage === null) throw new Invalid(`${name} does not say what its key is for.`);
  return certificate.usage;
}

function checkHeeded(certificate) {
  for (const [oid, { critical }] of certificate.extensions) {
    if (critical && !HEEDED.has(oid)) {
      throw new Invalid(
        `the certificate of ${nameOf(certificate)} has the critical extension ${oid}, which nobody here knows.`,
      );
    }
  }
}

const nameOf = (certificate) => nameText(certificate.subject).slice(0, 200) || "a nameless certificate";
