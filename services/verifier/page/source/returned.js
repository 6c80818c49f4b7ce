// Check the return and its inspection against signatures, custody log and the inspection's document.

import * as layout from "./layout.js";
import { Invalid, at, get, isTrue, items, same, shown } from "./values.js";

const INSPECTION = "return-inspection";
// By stage, the outcomes that end a loan; copies that cannot be replaced any more are recalled.
const RECALLS = { recall: ["signed"], problem: ["recall", "replace"] };

/** Describe the return; the custody log is compared with the audit events elsewhere. */
export function check(found, trail) {
  const back = entryOf(found, "returned"), recalled = entryOf(found, "recalled");
  if (!found.contents.has(layout.RETURN)) {
    if (back !== null || recalled !== null || trail.of("custody-returned", "custody-recalled").length) {
      throw new Invalid("the copies were returned, and the return is not in the package");
    }
    return "there was no return";
  }
  const returned = found.json(layout.RETURN);
  if (recalled !== null && back === null && trail.of("custody-recalled").length) checkRecalled(found, returned, recalled);
  else if (back !== null && recalled === null && trail.of("custody-returned").length) checkSigned(found, trail, returned, back);
  else throw new Invalid("no audit event names a return");
  checkArchived(trail, at(returned, "archived"));
  const inspection = at(returned, "inspection"), inspected = entryOf(found, "inspected", at(returned, "handOver"));
  if ((inspection === null) !== (inspected === null)) {
    throw new Invalid("return and custody log differ in whether there was an inspection");
  }
  if (inspection === null) return "returned, not inspected yet";
  checkInspection(found, trail, returned, inspected);
  const hashes = Object.values(at(inspection, "hashes")), findings = items(at(inspection, "findings")).length;
  const differing = hashes.filter((matches) => !isTrue(matches)).length;
  if (differing) return `the bytes of ${differing} copies differed at the inspection, ${findings} findings`;
  return `${hashes.length} copies as they were issued, ${findings} findings`;
}

/** The entry of this kind: of the case, or of one loan, as replaced copies may be inspected besides. */
function entryOf(found, event, handOver = null) {
  const entries = items(at(found.json(layout.CUSTODY), "entries")).filter(
    (entry) => at(entry, "event") === event && (handOver === null || same(at(entry, "handOver"), handOver)),
  );
  if (entries.length > 1) throw new Invalid(`the custody log has ${entries.length} entries of the kind ${event}`);
  return entries[0] ?? null;
}

/** Check that log entry, signature event and signed statement are of the same return. */
function checkSigned(found, trail, returned, entry) {
  const sum = at(returned, "statementSha256");
  const signed = trail
    .of("return-signed")
    .filter(({ subject }) => subject === at(returned, "handOver"))
    .map(({ detail }) => at(detail, "statement_sha256"));
  if (sum !== at(entry, "detail", "statement_sha256") || !signed.includes(sum)) {
    throw new Invalid("the return was signed over another statement than the audit event names");
  }
  const written = [at(entry, "handOver"), at(entry, "person"), at(entry, "at"), at(entry, "detail", "return_to")];
  if (!same(written, ["handOver", "returnedBy", "returnedAt", "returnTo"].map((name) => at(returned, name)))) {
    throw new Invalid("the custody log has a return by somebody else, at another time or to another place");
  }
  const statement = statementOf(found, sum);
  for (const [name, expected] of [
    ["kind", "return"],
    ["handOver", returned.handOver],
    ["person", returned.returnedBy],
    ["returnTo", returned.returnTo],
    ["attestation", at(returned, "attestation")],
  ]) {
    if (!same(at(statement, name), expected)) throw new Invalid(`return and signed statement differ in ${name}`);
  }
}

/** Check that copies which nobody gave back were recalled by a signed decision; the trail is compared elsewhere. */
function checkRecalled(found, returned, entry) {
  const matter = get(at(returned, "attestation"), "recalled"), sum = at(returned, "statementSha256");
  const written = [at(entry, "handOver"), at(entry, "at"), at(entry, "detail", "matter"), at(entry, "detail", "statement_sha256")];
  if (!same(written, [at(returned, "handOver"), at(returned, "returnedAt"), matter, sum])) {
    throw new Invalid("the custody log has a recall at another time, or by another decision");
  }
  const statement = statementOf(found, sum);
  const outcomes = RECALLS[at(statement, "stage")] ?? [];
  if (!outcomes.includes(at(statement, "outcome")) || !same(at(statement, "person"), at(returned, "returnedBy"))) {
    throw new Invalid("the recall was signed by somebody else, or decided otherwise");
  }
}

/** Whether it has this hash is checked with the signatures. */
function statementOf(found, sum) {
  for (const name of found.named("decision")) {
    const act = found.json(name);
    if (at(act, "signature", "sha256") === sum) return at(act, "statement");
  }
  throw new Invalid("the statement that the return was signed over is not in the package");
}

function checkInspection(found, trail, returned, entry) {
  const { inspection } = returned;
  const written = [at(entry, "handOver"), at(entry, "at"), at(entry, "detail", "hashes"), at(entry, "detail", "findings")];
  const findings = items(at(inspection, "findings")).length;
  if (!same(written, [returned.handOver, at(inspection, "inspectedAt"), at(inspection, "hashes"), findings])) {
    throw new Invalid("the custody log has an inspection with another result");
  }
  const document = inspectionDocument(found, returned.handOver);
  if (document === null) {
    if (trail.of("case-closed").length) {
      throw new Invalid("the case is closed, and the document of the inspection is not in the package");
    }
    return;
  }
  const matches = Object.fromEntries(items(at(document, "copies")).map((copy) => [at(copy, "id"), at(copy, "matches")]));
  const documented = [at(document, "inspectedAt"), matches, at(document, "findings")];
  if (!same(documented, [inspection.inspectedAt, inspection.hashes, inspection.findings])) {
    throw new Invalid(`the document ${shown(at(document, "number"))} has an inspection with another result`);
  }
  if (!same(at(document, "return", "statement"), at(returned, "statementSha256"))) {
    throw new Invalid(`the document ${shown(at(document, "number"))} names another return`);
  }
}

function inspectionDocument(found, handOver) {
  for (const [stem, data] of found.documents) {
    const kind = at(found.envelope(`documents/${stem}.label.json`).predicate, "kind");
    if (kind === INSPECTION && same(at(data, "handOver"), handOver)) return data;
  }
  return null;
}

function checkArchived(trail, archived) {
  const events = trail.of("master-archived");
  if (archived === null || !events.length) return;
  const stated = () => [at(archived, "inOrder"), at(archived, "disposeAfter")];
  if (events.some(({ detail }) => same([at(detail, "in_order"), at(detail, "dispose_after")], stated()))) return;
  throw new Invalid("the audit events say that the footage was archived in another state, or for another time");
}
