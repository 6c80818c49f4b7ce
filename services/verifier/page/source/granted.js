// Compare the approval with the retrieval: Security's approval, the filed form, the release, records, labels.

import { isSameMoment, isoText, moment } from "./moments.js";
import { Invalid, at, get, isTrue, items, number, pair, quoted, same } from "./values.js";

const RELEASE = "storage-release";

const keyOf = (round, stage, issue) => JSON.stringify([round, stage, issue]);

/** Yield the checks; of `decisions`, in order, the last one of each stage, round and issue counts. */
export function* checks(found, decisions) {
  const last = new Map();
  for (const decision of decisions) {
    const stage = at(decision, "stage");
    last.set(keyOf(at(decision, "round"), stage, stage === RELEASE ? get(decision, "issue", 1) : 1), decision);
  }
  for (const [stem, data] of found.documents) {
    const kind = at(found.envelope(`documents/${stem}.label.json`).predicate, "kind");
    if (kind === "application-form") yield [`documents/${stem}.json`, () => checkForm(last, data)];
    if (kind === "retrieval-record") yield [`documents/${stem}.json`, () => checkRecord(found, last, data)];
  }
  for (const name of [...found.named("master-label"), ...found.named("copy-label")]) {
    yield [name, () => checkLabel(found, last, name)];
  }
}

/** Check that the form grants no item, span, day or use beyond Security's approval. */
function checkForm(last, form) {
  const approved = decided(last, at(form, "round"), "security");
  const spans = new Map(items(at(approved, "granted")).map((item) => [at(item, "item"), spanOf(item)]));
  for (const item of items(at(form, "granted", "items"))) {
    const span = spanOf(item), own = spans.get(at(item, "id"));
    if (own === undefined || !isSameSpan(own, span)) {
      throw new Invalid(`it grants an item or a span that Security has not approved: ${quoted(at(item, "id"), 60)}`);
    }
  }
  const variables = at(approved, "variables"), { granted } = form;
  const way = at(granted, "wayOfUse"), approvedWay = at(variables, "wayOfUse");
  const isWay = same(way, approvedWay);
  const days = isWay ? number(at(granted, "useDays")) : get(granted, "useDays");
  if (!isWay || !(days >= 1 && days <= number(at(variables, "usePeriodDays")))) {
    throw new Invalid(
      `it grants ${quoted(way, 40)} for ${quoted(at(granted, "useDays"), 10)} days, and Security has approved ` +
        `${quoted(approvedWay, 40)} for ${quoted(at(variables, "usePeriodDays"), 10)}`,
    );
  }
}

function checkRecord(found, last, record) {
  const span = [moment(at(record, "asked", "start")), moment(at(record, "asked", "end"))];
  const camera = at(record, "source", "camera", "id");
  check(found, last, at(record, "form", "sha256"), { item: at(record, "item"), camera, span });
}

function checkLabel(found, last, name) {
  const label = found.envelope(name).predicate;
  const facts = at(label, "database"), span = pair(at(label, "asked")).map(moment);
  const camera = at(facts, "source", "camera", "id");
  check(found, last, at(facts, "formSha256"), { item: at(facts, "item", "id"), camera, span });
}

/** Check that the item with its camera and span is in the form and in its signed release. */
function check(found, last, formSha256, { item, camera, span }) {
  const { documents } = found;
  const stem = [...documents.keys()].find((one) => found.hash(`documents/${one}.json`) === formSha256);
  if (stem === undefined) throw new Invalid("the form that it rests on is not in the package");
  const form = documents.get(stem), round = at(form, "round");
  decided(last, round, RELEASE);
  const releases = [...last.values()].filter((one) => same(one.round, round) && one.stage === RELEASE);
  const entries = releases.flatMap((one) => items(at(one, "granted")));
  const released = entries.find((entry) => same(at(entry, "item"), item));
  if (released === undefined) throw new Invalid(`the signed release has no item ${quoted(item, 60)}`);
  if (!same(at(released, "camera"), camera)) throw new Invalid("the signed release is of another camera");
  if (!isSameSpan(spanOf(released), span)) {
    throw new Invalid(
      `it is of ${isoText(span[0])} to ${isoText(span[1])}, and the signed release of ` +
        `${quoted(released.from, 40)} to ${quoted(released.to, 40)}`,
    );
  }
  const lines = new Map(items(at(form, "granted", "items")).map((entry) => [at(entry, "id"), spanOf(entry)]));
  if (isTrue(get(released, "replaces")) && !lines.has(item)) {
    const cameras = new Map(items(at(form, "items")).map((entry) => [at(entry, "id"), at(entry, "camera", "id")]));
    const isWithin = [...lines].some(
      ([line, [from, to]]) =>
        same(cameras.get(line) ?? null, camera) &&
        from.micros <= span[0].micros && span[0].micros < span[1].micros && span[1].micros <= to.micros,
    );
    if (!isWithin) throw new Invalid("the filed form grants no camera and span that this replacement lies within");
  } else if (!lines.has(item) || !isSameSpan(lines.get(item), span)) {
    throw new Invalid("the filed form grants no such item and span");
  }
}

function decided(last, round, stage) {
  const key = keyOf(round, stage, 1);
  if (!last.has(key)) throw new Invalid(`nobody has decided the stage ${stage} of its round`);
  return last.get(key);
}

const spanOf = (record) => [moment(at(record, "from")), moment(at(record, "to"))];

const isSameSpan = (a, b) => isSameMoment(a[0], b[0]) && isSameMoment(a[1], b[1]);
