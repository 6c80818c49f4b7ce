// The names of signers, by the documents in the audit tree, and the addresses of their passkeys.

import { checkAssertion } from "./assertions.js";
import * as layout from "./layout.js";
import { at, isObject, isOfInput, keysAre, least, quoted } from "./values.js";

/** The person's name, and whether to note that it is unproven: `claimed` is not signed. */
export function nameOf(found, person, claimed) {
  const known = new Set();
  for (const data of found.documents.values()) for (const named of people(data)) if (named.id === person) known.add(named.name);
  if (known.has(claimed)) return [String(claimed), false];
  if (!known.size) return [person, false];
  return [`${least(known)} (called ${quoted(claimed, 40)} beside the signature alone)`, true];
}

/** Yield each person with id and name in a document's data. */
function* people(value) {
  if (isObject(value)) {
    if (keysAre(value, ["id", "name"])) yield value;
    value = Object.values(value);
  }
  if (Array.isArray(value)) for (const part of value) yield* people(part);
}

/** Note the addresses at which passkeys signed; an organisation has one. */
export async function examineAddresses(found, report) {
  const counts = new Map();
  for (const name of found.named("decision")) {
    const origin = await addressOf(found, name);
    if (origin !== null) counts.set(origin, (counts.get(origin) ?? 0) + 1);
  }
  if (!counts.size) return;
  await report.check("passkeys", layout.EVENTS, (finding) => {
    finding.noted = counts.size > 1;
    finding.text = [...counts].map(([origin, count]) => `${count} at ${origin}`).join(", ");
  });
}

/** The address, or null, also for an invalid assertion, which its own check reports. */
async function addressOf(found, name) {
  try {
    const signature = at(found.json(name), "signature");
    const { origin, rpId } = await checkAssertion(at(signature, "passkey"), at(signature, "sha256"));
    return `${origin} (for ${rpId})`;
  } catch (error) {
    if (isOfInput(error)) return null;
    throw error;
  }
}
