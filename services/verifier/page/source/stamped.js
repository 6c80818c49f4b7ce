// Note which time stamp authorities confirm signing times, and whether a demo's clock was turned.

import * as layout from "./layout.js";
import { at, get, isOfInput, orNull } from "./values.js";

const LABELS = ["master-label", "copy-label", "document-label"];

/** Add notes only: stamps are checked with what they stamp, and the reader decides whom to trust. */
export async function examine(found, report) {
  await report.check("time-stamps", layout.SIGNED, (finding) => {
    finding.noted = true;
    finding.text = authorities(found);
  });
  if (!isDemo(found)) return;
  await report.check("demo", layout.SIGNED, (finding) => {
    finding.noted = true;
    finding.text = "DEMO: made under a clock that people turned, so its times are not true";
  });
}

/** Whether the manifest says so, or a document, whose hash is in the log. */
function isDemo(found) {
  try {
    for (const data of found.documents.values()) if (at(data, "demo") === true) return true;
  } catch (error) {
    if (!isOfInput(error)) throw error; // documents of other shapes are reported by their own checks
  }
  return found.opened !== null && get(found.opened.predicate, "demo") === true;
}

function authorities(found) {
  const counts = new Map();
  const names = LABELS.flatMap((role) => found.named(role));
  for (const opened of [found.opened, ...names.map((name) => orNull(() => found.envelope(name)))]) {
    if (opened === null || opened.timeStamp === null) continue;
    const { who } = opened.timeStamp;
    counts.set(who, (counts.get(who) ?? 0) + 1);
  }
  if (!counts.size) return "none: signing times are by the organisation's own clock only";
  return [...counts].map(([authority, count]) => `${count} of ${names.length + 1} by ${authority}`).join("; ");
}
