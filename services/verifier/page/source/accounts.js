// Check what happened to the accounts of those who signed, in the 30 days before each signature.

import * as layout from "./layout.js";
import { DAY, micros } from "./moments.js";
import { Invalid, at, get, items, keysAre, same, shown, sorted } from "./values.js";

const DAYS = 30;
const ACTIONS = new Set([
  "account-locked", "account-unlocked", "change-carried-out", "change-confirmed", "change-objected",
  "change-requested", "change-withdrawn", "directory-linked", "identity-bound", "identity-unbound", "leaving-begun",
  "leaving-ended", "passkey-added", "passkey-cloned", "passkey-ended", "passkey-removed", "password-changed",
  "password-reset", "person-added", "person-changed", "post-assigned", "post-ended", "recovery-code-used",
  "recovery-codes-renewed", "second-factor-ended", "second-factor-enrolled", "second-factor-reset",
  "signatures-held", "signatures-released",
]);
// of the signer, or of whom they stand in for
const ABSENCES = new Set(["absence-added", "absence-confirmed", "absence-ended"]);
const ORGANISATION = new Set(["calendar-imported", "department-changed", "rule-changed"]); // before every signature
const SHOWN = 5;

/** Compare the list of these events with the signatures; packages of older releases have none. */
export async function examine(found, trail, report) {
  if (!found.named("accounts").length) return;
  await report.check("accounts", layout.ACCOUNTS, (finding) => {
    finding.text = check(found, trail);
  });
}

function check(found, trail) {
  const stated = found.json(layout.ACCOUNTS);
  const signed = new Map(), replaced = new Map();
  const add = (map, person, moment) => map.set(person, [...(map.get(person) ?? []), moment]);
  for (const name of found.named("decision")) {
    const signature = at(found.json(name), "signature"), statement = at(found.json(name), "statement");
    const moment = micros(at(signature, "signedAt"));
    add(signed, shown(at(signature, "person")), moment);
    for (const person of represented(statement)) add(replaced, person, moment);
  }
  if (!keysAre(stated, ["days", "signers", "events"]) || stated.days !== DAYS) {
    throw new Invalid("it has another structure, or names another time, than this verifier reads");
  }
  if (!same(stated.signers, sorted(signed.keys()))) throw new Invalid("it does not name exactly those who signed");
  const own = trail.events.filter(({ fields }) => isListed(fields));
  if (!same(own.map(({ index }) => index), stated.events)) {
    throw new Invalid("the events that it names are not those in the package");
  }
  for (const event of own) {
    if (!concerns(event, signed, replaced)) {
      throw new Invalid(`event ${event.index} (${event.action}) is of no signer, or of another time`);
    }
  }
  if (!own.length) return `none in the ${DAYS} days before a signature`;
  const first = own.slice(0, SHOWN).map((event) => `${event.action} of ${personOf(event.fields) || event.subject} at ${event.at}`);
  const more = own.length > SHOWN ? `, and ${own.length - SHOWN} more` : "";
  return `${own.length} in the ${DAYS} days before a signature: ${first.join(", ")}${more}`;
}

/** In whose place the statement was signed; those of older releases name the first one alone. */
function represented(statement) {
  const all = [...items(get(statement, "represented", [])), get(statement, "standsInFor")];
  return [...new Set(all.filter((person) => person !== null).map(shown))];
}

/** Whether the event lies in the 30 days before a signature that it is about. */
function concerns({ fields, at: when }, signed, replaced) {
  const moment = micros(when), person = personOf(fields);
  if (person === null) return isBefore(moment, [...signed.values()].flat());
  const others = ABSENCES.has(fields.action) ? replaced.get(person) ?? [] : [];
  return isBefore(moment, [...(signed.get(person) ?? []), ...others]);
}

/** Whether it is an event of the list: of an account, an absence or the organisation, and of no case. */
const isListed = (fields) => personOf(fields) !== null || (ORGANISATION.has(fields.action) && fields.application === null);

/** Whose account or absence an event is about; null if it is about neither. */
function personOf({ action, application, subject, detail }) {
  if (!(ACTIONS.has(action) || ABSENCES.has(action)) || application !== null) return null;
  const person = at(subject, "kind") === "person" ? at(subject, "id") : get(detail, "person");
  return person === null ? null : shown(person);
}

const isBefore = (moment, signatures) => signatures.some((signed) => signed - DAYS * DAY <= moment && moment <= signed);
