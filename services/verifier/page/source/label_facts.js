// Compare a label with the retrieval record and the printed label, which are in the audit tree.

import { Invalid, at, get, has, isTrue, quoted, same, shown } from "./values.js";

// facts from the database that label, record and printed label share
const SAME = ["source", "recorderClock", "asked", "operator", "secondPersons", "tools", "organisation", "policyVersion"];
const PRINTED = [...SAME, "searched", "item", "zone", "retrievedAt", "madeAt", "importance", "handling"];
// what was measured when it was sealed
const MEASURED = ["covered", "gaps", "leadInMs", "tailMs", "codecs", "firstFrame", "lastFrame", "driftMs"];
const TRIMMED = ["trimmedBeforeMs", "trimmedAfterMs"];
const MASTERS = [
  ...MEASURED, ...TRIMMED, "lost", "packets", "droppedPackets", "fingerprint", "problems", "requested", "sources",
];
const COUNTED = "pictures"; // by releases since labels say their version

const picked = (value, names) => Object.fromEntries(names.map((name) => [name, at(value, name)]));

/** Raise Invalid for the first difference. `kind`: master or copy. */
export function check(found, opened, record, kind) {
  const label = opened.predicate, facts = at(label, "database");
  if (at(facts, "kind") !== kind) {
    throw new Invalid(`it says that it is of a ${quoted(facts.kind, 20)}, and is stored as that of a ${kind}`);
  }
  const number = shown(at(record, "number"));
  compare(facts, ofRecord(record), `the record ${number}`);
  compare(label, printedFacts(facts), `the record ${number}`);
  if (kind === "master") {
    // a copy is measured anew when it is cut
    const obtained = at(record, "obtained");
    const measured = { ...picked(obtained, MASTERS), searched: at(obtained, "asked") };
    compare(label, { ...measured, cameraSignature: at(record, "cameraSignature") }, `the record ${number}`);
    comparePictures(label, obtained, `the record ${number}`);
  }
  for (const data of printed(found, opened)) {
    const by = `the printed label ${shown(at(data, "number"))}`;
    compare(facts, picked(data, PRINTED), by);
    const measured = picked(at(data, "obtained"), [...MEASURED, ...TRIMMED]);
    compare(label, { ...measured, outcome: at(data, "outcome") }, by);
    comparePictures(label, data.obtained, by);
  }
}

/** The printed labels of the object: by its bytes, and by its key where another one has the same bytes. */
function printed(found, opened) {
  const [stored, cipher] = [...opened.subjects].find(([name]) => !name.endsWith("#footage"));
  const all = [...found.documents.values()].filter((data) => has(data, "object"));
  const alike = all.filter((data) => at(data, "object", "sha256Cipher") === cipher);
  const own = alike.filter((data) => stored.endsWith(`/${shown(at(data, "object", "key"))}`));
  return own.length ? own : alike;
}

/** The facts that label and record have in common, as in the label. */
function ofRecord(record) {
  return {
    ...picked(record, SAME),
    demo: at(record, "demo"),
    searched: get(record, "searched", at(record, "asked")),
    recorderSegments: at(record, "obtained", "sources"),
    retrievedAt: at(record, "finishedAt"),
    applicationNumber: at(record, "form", "number"),
    formSha256: at(record, "form", "sha256"),
  };
}

/** The facts that the label prints for people. */
function printedFacts(facts) {
  const source = at(facts, "source"), clock = at(facts, "recorderClock");
  const camera = at(source, "camera"), recorder = at(source, "recorder");
  const either = (first, second) => (isTrue(first) ? first : second);
  return {
    applicationNumber: at(facts, "applicationNumber"),
    recordNumber: at(facts, "recordNumber"),
    operator: at(facts, "operator", "name"),
    retrievedAt: at(facts, "retrievedAt"),
    site: at(source, "site"),
    camera: `${shown(at(camera, "nameZh"))} ${shown(at(camera, "nameEn"))}`,
    channel: at(camera, "channel"),
    recorder: {
      make: either(at(recorder, "make"), at(recorder, "kind")),
      model: either(at(recorder, "model"), ""),
      identity: either(at(recorder, "identity"), at(recorder, "name")),
      zone: at(clock, "zone"),
      clock: {
        offsetMs: at(clock, "offsetMs"),
        method: either(at(clock, "method"), "not measured"),
        uncertaintyMs: at(clock, "uncertaintyMs"),
        measuredAt: get(clock, "measuredAt"),
      },
    },
    asked: [at(facts, "asked", "start"), at(facts, "asked", "end")],
  };
}

/** Of a label of version 1 neither says them, and of one from the vault of before nobody counted them. */
function comparePictures(label, obtained, by) {
  if (!same(get(label, COUNTED), get(obtained, COUNTED))) throw new Invalid(`label and ${by} differ in ${COUNTED}`);
}

function compare(label, expected, by) {
  for (const [name, value] of Object.entries(expected)) {
    if (!same(at(label, name), value)) throw new Invalid(`label and ${by} differ in ${name}`);
  }
}
