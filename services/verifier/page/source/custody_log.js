// Check the custody log against the audit events, the destruction of loan keys, and the order of the steps.

import { sha256Hex } from "./bytes.js";
import { canonical } from "./canonical.js";
import * as layout from "./layout.js";
import { moment } from "./moments.js";
import * as returned from "./returned.js";
import { CLOCKS_APART } from "./trail.js";
import { Invalid, at, items, least, same, shown } from "./values.js";

const NOTHING_BEFORE = "0".repeat(64);
// In this order, as far as each was reached; an application that was corrected was submitted more than once.
const STEPS = [
  "application-submitted", "application-filed", "retrieval-ordered", "retrieval-recorded", "custody-offered",
  "custody-received", "custody-returned", "custody-inspected", "case-closed",
];

export async function examine(found, trail, report) {
  await report.check("custody", layout.CUSTODY, (finding) => {
    const entries = items(at(found.json(layout.CUSTODY), "entries"));
    const loans = new Map();
    for (const entry of entries) {
      const key = JSON.stringify(at(entry, "handOver"));
      loans.set(key, [...(loans.get(key) ?? []), entry]);
    }
    for (const own of loans.values()) checkChain(own);
    checkEvents(entries, trail.events.filter(isOfEntry));
    finding.text = `${entries.length} entries`;
  });
  await report.check("return", layout.RETURN, (finding) => {
    finding.text = returned.check(found, trail);
    finding.noted = !found.contents.has(layout.RETURN);
  });
  await report.check("loan-keys", layout.EVENTS, (finding) => {
    [finding.text, finding.noted] = loanKeys(trail);
  });
  await report.check("times", layout.EVENTS, (finding) => {
    finding.text = checkTimes(found, trail);
  });
}

function checkChain(entries) {
  let before = NOTHING_BEFORE;
  entries.forEach((entry, n) => {
    const { sha256: stated, ...content } = entry;
    if (at(entry, "seq") !== n + 1 || at(entry, "previous") !== before) {
      throw new Invalid(`entry ${n + 1} does not follow the one before it`);
    }
    before = sha256Hex(canonical(content));
    if (at(entry, "sha256") !== before) throw new Invalid(`entry ${n + 1} does not have the hash that it states`);
  });
}

function checkEvents(entries, events) {
  const fromEvents = events.map(({ subject, detail, action }) => [subject, at(detail, "seq"), action, at(detail, "sha256")]);
  const fromLog = entries.map((entry) => [
    at(entry, "handOver"), at(entry, "seq"), `custody-${shown(at(entry, "event"))}`, at(entry, "sha256"),
  ]);
  for (const expected of fromEvents) {
    if (!fromLog.some((logged) => same(logged, expected))) {
      throw new Invalid(
        `the audit events name entry ${shown(expected[1])} (${expected[2]}), which the log does not have unchanged`,
      );
    }
  }
  for (const logged of fromLog) {
    if (!fromEvents.some((expected) => same(logged, expected))) {
      throw new Invalid(`entry ${shown(logged[1])} (${logged[2]}) is in the log, and no audit event names it`);
    }
  }
  if (fromEvents.length !== fromLog.length) throw new Invalid("an audit event names the same entry twice");
}

/** Whether the event is of an entry, and not of the log's document. */
const isOfEntry = ({ action }) => action.startsWith("custody-") && !action.startsWith("custody-log-");

function loanKeys(trail) {
  const made = new Set(trail.of("copy-issued").map(({ subject }) => subject));
  const destroyed = new Set(trail.of("loan-key-destroyed").map(({ subject }) => subject));
  const strange = [...destroyed].filter((copy) => !made.has(copy));
  if (strange.length) {
    throw new Invalid(`the loan key of ${least(strange)} was destroyed, and no copy of that name was made`);
  }
  if (!trail.of("case-closed").length) return [`${destroyed.size} of ${made.size}; the case is open`, true];
  const left = [...made].filter((copy) => !destroyed.has(copy));
  if (left.length) {
    throw new Invalid(`the case is closed, and nothing says that the loan key of ${least(left)} was destroyed`);
  }
  return [`${destroyed.size} of ${made.size}`, !made.size];
}

/** Check that the steps are in order, in the tree and by time, and none is later than the package. */
function checkTimes(found, trail) {
  const reached = STEPS.map((action) => trail.of(action)[0]).filter((event) => event !== undefined);
  for (let n = 1; n < reached.length; n++) {
    const before = reached[n - 1], after = reached[n];
    if (after.index < before.index) {
      throw new Invalid(`${after.action} precedes ${before.action} in the audit tree`);
    }
    if (moment(after.at).micros < moment(before.at).micros - CLOCKS_APART) {
      throw new Invalid(`${after.action} was at ${after.at}, before ${before.action} at ${before.at}`);
    }
  }
  const madeAt = moment(at(found.predicate, "madeAt")).micros;
  for (const event of trail.events) {
    if (moment(event.at).micros > madeAt + CLOCKS_APART) {
      throw new Invalid(`event ${event.index} (${event.action}) is later than the package`);
    }
  }
  if (!reached.length) return "no step";
  return `${reached.length} steps, from ${reached[0].at} to ${reached.at(-1).at}`;
}
