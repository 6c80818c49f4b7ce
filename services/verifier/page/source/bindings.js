// What audit events name of labels, documents, signatures and packages, so that the seal key alone changes none.
//
// Events of older releases lack these fields; what they do not name is reported as older, and not as a fault.

import { sha256Hex } from "./bytes.js";
import { canonical } from "./canonical.js";
import * as layout from "./layout.js";
import { Invalid, at, failing, has, quoted, same, sorted } from "./values.js";

export const EVIDENCE = 2; // of footage-retrieved and copy-issued: from 2 on, label-written names the label's signed text
const STARTED = "package-started";
const MARKS = ["evidence", "payload_sha256", "signature_sha256"];
const SHOWN = 3; // of the older members
// What the event cannot name, because it is made later; footage is named by its label.
const LATER = [layout.CHECKPOINT, layout.EVENTS, layout.PROOFS, layout.CONSISTENCY];

/** Whether an event names this signed text by its SHA-256; false if they are older; Invalid if they name another. */
export function isNamed(sum, events, required = false) {
  const named = new Map();
  for (const event of events) {
    if (Object.hasOwn(event.detail, "payload_sha256")) named.set(event.detail.payload_sha256, event);
  }
  if (named.has(sum)) return true;
  for (const [other, event] of named) {
    throw new Invalid(
      `its signed text has the SHA-256 ${sum}, and the audit event ${event.index} (${event.action}) names ${quoted(other, 70)}`,
    );
  }
  if (required) throw new Invalid("no audit event names its signed text");
  return false;
}

/** Whether `own` names method and moment of the signature; raises Invalid if an event names others. */
export function isSignatureNamed(signature, own, events) {
  const { statement: _, ...signed } = signature;
  const fields = [
    ["method", "method", at(signed, "method")],
    ["signed_at", "moment", at(signed, "signedAt")],
    ["signature_sha256", "SHA-256", sha256Hex(canonical(signed))],
  ];
  for (const event of events) {
    if (!Object.hasOwn(event.detail, "signature_sha256")) continue;
    for (const [name, word, value] of fields) {
      if (!same(at(event.detail, name), value)) {
        throw new Invalid(
          `its ${word} is ${quoted(value, 70)}, and the audit event ${event.index} (${event.action}) names ` +
            quoted(event.detail[name], 70),
        );
      }
    }
  }
  return Object.hasOwn(own.detail, "signature_sha256");
}

/** Compare the package with what was named when it was made, and say what is older than that. */
export async function examine(found, trail, report) {
  const isMarked = ({ detail }) => MARKS.some((mark) => Object.hasOwn(detail, mark));
  if (trail.of(STARTED).length || trail.events.some(isMarked)) {
    await report.each("as-made", members(found, trail), "members");
  } else {
    trail.older.push(layout.README);
  }
  await report.check(trail.older.length ? "older" : "named", layout.EVENTS, (finding) => {
    finding.noted = trail.older.length > 0;
    finding.text = described(trail.older);
  });
}

function described(older) {
  if (!older.length) return "";
  const more = older.length > SHOWN ? ` and ${older.length - SHOWN} more` : "";
  return `${older.slice(0, SHOWN).join(", ")}${more}; whether the holder of the seal key alone has changed them is not seen`;
}

/** Yield a check of each member, and of the signed manifest, against the event of when the package was made. */
function* members(found, trail) {
  const starts = trail.of(STARTED);
  if (!starts.length) throw new Invalid(`no audit event (${STARTED}) names what is in the package`);
  // more than one if packages were made before, or at the same time
  const all = [...starts].reverse().map((start) => differences(found, start));
  const fewest = all.reduce((best, one) => (one.size < best.size ? one : best));
  for (const name of [...present(found).keys(), layout.SIGNED]) if (!fewest.has(name)) yield [name, () => {}];
  for (const [name, sentence] of fewest) yield [name, failing(sentence)];
}

/** The SHA-256 of each member that was there before the checkpoint; its label names footage. */
function present(found) {
  const own = found.manifest.members.filter(({ name, role }) => role !== "footage" && !LATER.includes(name));
  return new Map(own.map(({ name }) => [name, found.hashes.get(name) ?? null]));
}

/** A sentence for each member, or for the signed manifest, that differs from the event. */
function differences(found, start) {
  const by = `the audit event ${start.index} (${STARTED})`;
  const { detail } = start, { predicate } = found, here = present(found), named = at(detail, "members");
  const differing = new Map();
  for (const name of sorted(new Set([...Object.keys(named), ...here.keys()]))) {
    if (!here.has(name)) differing.set(name, `${by} names it, and it is not in the package`);
    else if (!has(named, name)) differing.set(name, `${by} does not name it`);
    else if (here.get(name) !== named[name]) {
      differing.set(name, `it has the SHA-256 ${here.get(name)}, and ${by} names ${quoted(named[name], 70)}`);
    }
  }
  const facts = [
    ["madeAt", at(predicate, "madeAt"), start.at],
    ["sealedAt", at(predicate, "sealedAt"), at(detail, "sealed_at")],
    ["madeBy", at(predicate, "madeBy"), at(detail, "made_by")],
    ["demo", at(predicate, "demo"), at(detail, "demo")],
    ["footage", found.manifest.footage, at(detail, "footage")],
  ];
  const different = facts.filter(([, stated, expected]) => !same(stated, expected)).map(([name]) => name);
  if (different.length) differing.set(layout.SIGNED, `${by} has another ${different.join(", ")}`);
  return differing;
}
