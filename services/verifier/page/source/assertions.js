// Check a signature by passkey: a WebAuthn assertion over a statement's hash (Level 2, 7.2).

import { base64url, concat, decoded, equal, fromBase64url, fromHex, sha256, utf8 } from "./bytes.js";
import { hasNameTwice } from "./canonical.js";
import { keyOfPem } from "./certificates.js";
import { SMALLEST_RSA } from "./chains.js";
import { isEcdsa, isEd25519, isRsa } from "./signatures.js";
import { Invalid, get, isObject, isOfInput, keysAre, quoted } from "./values.js";

const FIELDS = ["authenticatorData", "clientDataJSON", "credentialId", "origin", "publicKey", "rpId", "signature"];
const MOST = 64 * 1024; // characters of a field; answers of authenticators have some hundreds
const USER_PRESENT = 0x01, USER_VERIFIED = 0x04;
const HEAD = 37; // bytes: hash of the relying party's name, flags, sign count

/** The assertion, `{ rpId, origin }`, if it signs the statement with this hash (hex) at its address; else Invalid. */
export async function checkAssertion(passkey, sum) {
  checkTexts(passkey);
  const clientData = binary(passkey, "clientDataJSON"), authenticatorData = binary(passkey, "authenticatorData");
  checkClientData(clientData, sum, passkey.origin);
  checkOrigin(passkey.rpId, passkey.origin);
  checkAuthenticatorData(authenticatorData, passkey.rpId);
  const signed = concat(authenticatorData, sha256(clientData));
  await checkSignature(passkey.publicKey, binary(passkey, "signature"), signed);
  binary(passkey, "credentialId");
  return { rpId: passkey.rpId, origin: passkey.origin };
}

function checkTexts(passkey) {
  if (!isObject(passkey) || !keysAre(passkey, FIELDS)) {
    throw new Invalid(`a passkey's answer has exactly the fields ${FIELDS.join(", ")}`);
  }
  for (const name of FIELDS) {
    const value = passkey[name];
    if (typeof value !== "string" || !value.length || value.length > MOST) {
      throw new Invalid(`the passkey's ${name} is no text, empty, or too long`);
    }
  }
}

const binary = (texts, name) => fromBase64url(texts[name], `the passkey's ${name}`);

function checkClientData(data, sum, origin) {
  let client;
  try {
    const written = decoded(data);
    client = JSON.parse(written);
    if (hasNameTwice(written)) throw new Invalid("a name occurs twice in one object");
  } catch (error) {
    throw new Invalid(`the passkey's clientDataJSON cannot be read: ${error.message}`);
  }
  if (!isObject(client)) throw new Invalid("the passkey's clientDataJSON is no object");
  if (get(client, "type") !== "webauthn.get") {
    throw new Invalid(`the passkey's answer is a ${quoted(get(client, "type"))} and no signature (webauthn.get)`);
  }
  let expected;
  try {
    expected = fromHex(sum);
  } catch {
    throw new Invalid("the statement's hash is no SHA-256 in hex");
  }
  if (expected.length !== 32 || get(client, "challenge") !== base64url(expected)) {
    throw new Invalid("the passkey has signed another statement than this one");
  }
  if (get(client, "origin") !== origin) {
    throw new Invalid(`the passkey's answer comes from ${quoted(get(client, "origin"))} and not from ${quoted(origin)}`);
  }
  if (get(client, "crossOrigin", false) !== false) {
    throw new Invalid("the passkey was asked from within a page of another origin");
  }
}

/** Check that the relying party is the origin's host or a domain above it, with TLS except on localhost. */
function checkOrigin(rpId, origin) {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(?:[^/?#]*@)?([^/?#:@]*)(?::\d*)?(?:[/?#].*)?$/s.exec(origin);
  const scheme = match === null ? "" : match[1].toLowerCase(), host = match === null ? "" : match[2].toLowerCase();
  if (host !== rpId && !(rpId.includes(".") && host.endsWith(`.${rpId}`))) {
    throw new Invalid(`the origin ${quoted(origin)} does not belong to ${quoted(rpId)}`);
  }
  if (scheme !== "https" && !(scheme === "http" && `${host}.`.endsWith("localhost."))) {
    throw new Invalid(`the origin ${quoted(origin)} is not secure`);
  }
}

function checkAuthenticatorData(data, rpId) {
  if (data.length < HEAD) throw new Invalid("the authenticator's data is cut off");
  if (!equal(data.subarray(0, 32), sha256(utf8(rpId)))) {
    throw new Invalid(`the authenticator signed for another place than ${quoted(rpId)}`);
  }
  if (!(data[32] & USER_PRESENT)) throw new Invalid("the authenticator says that nobody was present");
  if (!(data[32] & USER_VERIFIED)) throw new Invalid("the authenticator did not verify who was present");
}

async function checkSignature(pem, signature, signed) {
  let key;
  try {
    key = keyOfPem(pem);
  } catch (error) {
    if (!isOfInput(error)) throw error;
    throw new Invalid("the passkey's public key cannot be read");
  }
  let holds;
  if (key.curve === "P-256") holds = await isEcdsa(key, "SHA-256", signature, signed);
  else if (key.kind === "RSA" && key.bits >= SMALLEST_RSA) holds = await isRsa(key, "SHA-256", signature, signed);
  else if (key.kind === "Ed25519") holds = isEd25519(signature, signed, key.raw);
  else throw new Invalid("the passkey's public key is of no kind that is taken (ES256, RS256, EdDSA)");
  if (!holds) throw new Invalid("the passkey's signature is not of this statement by this key");
}
