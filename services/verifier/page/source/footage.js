// Check footage and labels: the bytes are those that were sealed, of the granted item.

import * as bindings from "./bindings.js";
import { checkType } from "./envelopes.js";
import * as labelFacts from "./label_facts.js";
import * as layout from "./layout.js";
import { numberOf } from "./package.js";
import { Invalid, at, get, isOfInput, isTrue, least, must, number, quoted, shown, text } from "./values.js";

const PREDICATE = "urn:footage-desk:label:v1";
const FOOTAGE = "#footage";
const stemOf = (name) => name.slice(0, -".label.json".length);
const withoutEnding = (name) => name.slice(0, name.lastIndexOf("."));

/** Check each label, its footage, and that none is missing. */
export async function examine(found, trail, report) {
  for (const name of found.named("master-label")) {
    await report.check("label", name, (finding) => {
      finding.text = checkLabel(found, trail, name, "footage-retrieved");
    });
  }
  const copies = found.named("copy-label").map((name) => [name, () => checkLabel(found, trail, name, "copy-issued")]);
  await report.each("label", copies, "copies");
  const late = withoutCheckpoint(found, trail);
  if (late.length) {
    await report.check("label", late.join(", "), (finding) => {
      Object.assign(finding, { text: "names no checkpoint, and one of before was signed", noted: true });
    });
  }
  const how = found.manifest.footage;
  for (const name of found.named("master-label")) {
    await report.check("footage", name, (finding) => {
      finding.text = checkBytes(found, name, how);
      finding.noted = how === "hash";
    });
  }
  await report.check("footage-complete", layout.EVENTS, (finding) => {
    finding.text = complete(found, trail);
  });
}

function checkLabel(found, trail, name, action) {
  const opened = found.envelope(name);
  checkType(opened, PREDICATE, "a label");
  const label = opened.predicate, facts = at(label, "database");
  const [cipher, plain] = hashesOf(opened);
  checkApplication(found, at(label, "applicationNumber"));
  if (at(facts, "formSha256") !== formSha256(found)) throw new Invalid("it rests on another form than the filed one");
  const position = Number(/[1-9]\d*/.exec(name)[0]);
  if (at(facts, "item", "position") !== position) {
    throw new Invalid(`it is of item ${shown(facts.item.position)}, and is stored as that of item ${position}`);
  }
  const recordNumber = at(label, "recordNumber");
  const stem = layout.fileName(isTrue(recordNumber) ? text(recordNumber) : "");
  const record = found.documents.get(stem);
  if (record === undefined) throw new Invalid(`its retrieval record ${shown(recordNumber)} is not in the package`);
  if (at(record, "item") !== at(facts, "item", "id")) {
    throw new Invalid(`its retrieval record ${recordNumber} is of another item`);
  }
  if (found.hash(`documents/${stem}.json`) !== at(facts, "recordSha256")) {
    throw new Invalid(`it was made for another text of the record ${recordNumber}`);
  }
  labelFacts.check(found, opened, record, action === "copy-issued" ? "copy" : "master");
  // footage that a later issue took from the master of before has its bytes: then the key tells them apart
  const events = trail.of(action).map((event) => ({ event, isOwn: isNamed(opened, event) }));
  for (const { event } of [...events.filter(({ isOwn }) => isOwn), ...events.filter(({ isOwn }) => !isOwn)]) {
    const { detail } = event;
    if (at(detail, "sha256_plain") !== plain || at(detail, "sha256_cipher") !== cipher) continue;
    checkEvent(opened, event);
    const written = trail.of("label-written").filter((one) => get(one.detail, "key") === at(detail, "key"));
    const required = number(get(detail, "evidence", 1)) >= bindings.EVIDENCE;
    if (!bindings.isNamed(opened.payloadSha256, written, required)) trail.older.push(name);
    return `${shown(at(label, "camera"))}, ${shown(at(label, "outcome"))}`;
  }
  throw new Invalid("no audit event names an object with its hashes");
}

/** Check that the event is of this object, and of this item and outcome, or this copy. */
function checkEvent(opened, event) {
  const { detail } = event, label = opened.predicate, facts = label.database;
  if (!isNamed(opened, event)) {
    throw new Invalid(
      `the audit event ${event.index} names the object ${shown(at(detail, "key"))}, and the label of another one`,
    );
  }
  const isSame =
    event.action === "copy-issued"
      ? at(facts, "copy") === event.subject
      : at(detail, "item") === at(facts, "item", "id") && at(detail, "outcome") === at(label, "outcome");
  if (!isSame) {
    throw new Invalid(`the audit event ${event.index} names another item, copy or outcome than the label`);
  }
}

/** Whether the label is of the object that the event names. */
const isNamed = (opened, event) =>
  [...opened.subjects.keys()].some((name) => name.endsWith(`/${shown(at(event.detail, "key"))}`));

function checkApplication(found, stated) {
  const own = numberOf(found.form);
  if (stated !== own) throw new Invalid(`it is of the application ${quoted(stated, 60)}, and the package of ${own}`);
}

/** The SHA-256 of the filed form's data. */
function formSha256(found) {
  const { form } = found;
  for (const [stem, data] of found.documents) if (data === form) return found.hash(`documents/${stem}.json`);
  throw new Invalid("there is no filed form in the package");
}

/** The SHA-256 of the stored object and of the footage in it. */
function hashesOf(opened) {
  const names = [...opened.subjects.keys()].filter((name) => !name.endsWith(FOOTAGE));
  if (names.length !== 1 || opened.subjects.size !== 2 || !opened.subjects.has(`${names[0]}${FOOTAGE}`)) {
    throw new Invalid("it does not name one object and the footage in it");
  }
  return [opened.subjects.get(names[0]), opened.subjects.get(`${names[0]}${FOOTAGE}`)];
}

function checkBytes(found, name, how) {
  const opened = found.envelope(name);
  const [cipher, plain] = hashesOf(opened);
  const members = found.named("footage").filter((one) => withoutEnding(one) === stemOf(name));
  if (how === "hash") {
    if (members.length) throw new Invalid(`${members[0]} is here, and the manifest says that there is no footage`);
    return `the footage itself is not here, its SHA-256 is ${plain}`;
  }
  if (members.length !== 1 || members[0].endsWith(".age") !== (how === "sealed")) {
    throw new Invalid(`its footage is not here as the manifest says: ${how}`);
  }
  const member = found.archive.byName.get(members[0]);
  const size = at(opened.predicate, "size", how === "sealed" ? "object" : "footage");
  if (member.size !== size) throw new Invalid(`${member.name} has ${member.size} bytes, and the label says ${shown(size)}`);
  const expected = how === "sealed" ? cipher : plain, here = found.hash(member.name);
  if (here !== expected) throw new Invalid(`${member.name} has the SHA-256 ${here}, and the label says ${expected}`);
  return `${member.name}, ${member.size} bytes, sha256 ${expected}`;
}

/** The labels that name no checkpoint although the log had one when they were made. */
function withoutCheckpoint(found, trail) {
  const names = [];
  try {
    const made = new Map();
    for (const event of trail.of("footage-retrieved", "copy-issued")) made.set(get(event.detail, "sha256_cipher"), event.index);
    for (const name of [...found.named("master-label"), ...found.named("copy-label")]) {
      const opened = found.envelope(name);
      const index = Math.max(...[...opened.subjects.values()].map((sum) => made.get(sum) ?? 0));
      if (get(opened.predicate, "auditCheckpoint") === null && trail.signed.some((size) => size <= index)) names.push(name);
    }
  } catch (error) {
    if (!isOfInput(error)) throw error; // events and labels of other shapes are reported by their own checks
  }
  return names;
}

/** Check that every master and copy that was not discarded has its label, and all footage a label. */
function complete(found, trail) {
  const opened = (role) => found.named(role).map((name) => found.envelope(name));
  const labels = { "master-label": opened("master-label"), "copy-label": opened("copy-label") };
  const labelled = new Map(Object.entries(labels).map(([role, all]) => [role, new Set(all.map((one) => hashesOf(one)[0]))]));
  const objects = Object.values(labels).flat().map((one) => least(one.subjects.keys()));
  if (new Set(objects).size !== objects.length) throw new Invalid("two labels are of one object");
  const gone = new Set(trail.of("master-discarded", "copy-discarded").map(({ subject }) => subject));
  for (const [action, role] of [["footage-retrieved", "master-label"], ["copy-issued", "copy-label"]]) {
    for (const event of trail.of(action)) {
      if (!gone.has(at(event.detail, "key")) && !must(labelled, role).has(at(event.detail, "sha256_cipher"))) {
        throw new Invalid(`the object of the audit event ${event.index} (${action}) has no label in the package`);
      }
    }
  }
  const stems = new Set(found.named("master-label").map(stemOf));
  for (const name of found.named("footage")) if (!stems.has(withoutEnding(name))) throw new Invalid(`${name} has no label`);
  return `${labelled.get("master-label").size} masters, ${labelled.get("copy-label").size} copies`;
}
