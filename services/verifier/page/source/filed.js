// Check the numbered documents: data and PDF match their signed labels, this case, and the audit events.

import { equal, utf8 } from "./bytes.js";
import * as bindings from "./bindings.js";
import { checkType } from "./envelopes.js";
import { unpacksTo } from "./inflate.js";
import * as layout from "./layout.js";
import { numberOf } from "./package.js";
import { Invalid, at, get, least, must, quoted, same, sorted, text } from "./values.js";

const PREDICATE = "urn:footage-desk:document:v1";
const MOST_STREAMS = 2000; // of a PDF; ours have some dozens
const STREAM = utf8("stream");

export async function examine(found, trail, report) {
  for (const name of found.named("document-label")) {
    await report.check("document", name, (finding) => {
      finding.text = check(found, trail, name);
    });
  }
  await report.each("document-data", data(found), "documents");
  await report.check("documents-complete", layout.EVENTS, (finding) => {
    finding.text = complete(found, trail);
  });
}

function check(found, trail, name) {
  const opened = found.envelope(name);
  const stem = stemOf(name), label = opened.predicate, document = must(found.documents, stem);
  checkType(opened, PREDICATE, "a document");
  checkSubjects(found, opened, stem);
  const labelled = text(at(label, "number"));
  if (layout.fileName(labelled) !== stem || numberOf(document) !== labelled) {
    throw new Invalid(`it is the document ${quoted(labelled, 60)} and is stored as ${stem}`);
  }
  if (at(label, "demo") !== at(document, "demo")) {
    throw new Invalid("label and document differ in whether it is a demonstration's");
  }
  if (![found.applicationId, at(found.predicate, "application")].includes(at(label, "application"))) {
    throw new Invalid("it is a document of another case");
  }
  if (at(label, "kind") === "retrieval-record" && !same(get(label, "item"), at(document, "item"))) {
    throw new Invalid("label and record are of different items");
  }
  const written = `${label.kind}-written`;
  const own = trail.of(written).filter((event) => event.subject === labelled);
  const hashes = own.map((event) => at(event.detail, "sha256"));
  if (!hashes.includes(found.hash(`documents/${stem}.json`))) {
    throw new Invalid(`no audit event (${written}) names a document with this number and this text`);
  }
  const filed = trail.of("document-filed").filter((event) => event.subject === labelled);
  const both = filed.map((event) => [at(event.detail, "sha256"), at(event.detail, "pdf_sha256")]);
  const here = ["json", "pdf"].map((form) => found.hash(`documents/${stem}.${form}`));
  if (!both.some((one) => same(one, here))) throw new Invalid("no audit event (document-filed) names this PDF");
  if (!bindings.isNamed(opened.payloadSha256, filed)) trail.older.push(name);
  return `${label.kind} ${labelled}`;
}

function checkSubjects(found, opened, stem) {
  const subjects = new Map([...opened.subjects].map(([name, sum]) => [layout.fileName(name), sum]));
  const wanted = [`${stem}.pdf`, `${stem}.json`];
  if (subjects.size !== 2 || !wanted.every((name) => subjects.has(name))) {
    throw new Invalid(`it signs ${sorted(subjects.keys()).join(", ")}, and not ${sorted(wanted).join(" and ")}`);
  }
  for (const [name, sum] of subjects) {
    const here = found.hashes.get(`documents/${name}`) ?? null;
    if (here !== sum) throw new Invalid(`documents/${name} has the SHA-256 ${here ?? "None"}, and its label says ${sum}`);
  }
}

function* data(found) {
  for (const name of found.named("document-pdf")) {
    yield [
      name,
      async () => {
        if (!found.hashes.has(name)) throw new Invalid(`${name} is not in the package`);
        const pdf = await found.archive.read(name, layout.MOST);
        if (!carries(pdf, found.content(`${name.slice(0, -".pdf".length)}.json`))) {
          throw new Invalid("none of the files in it is the document's data");
        }
      },
    ];
  }
}

/** Whether a stream of the PDF, raw or inflated, equals the data. */
function carries(pdf, expected) {
  if (!equal(pdf.subarray(0, 5), utf8("%PDF-"))) throw new Invalid("it is no PDF");
  let position = 0;
  for (let count = 0; count < MOST_STREAMS; count++) {
    position = nextStream(pdf, position);
    if (position < 0) break;
    if (equal(pdf.subarray(position, position + expected.length), expected)) return true;
    if (unpacksTo(pdf, position, expected)) return true;
  }
  return false;
}

/** The offset behind the next word `stream` and its line's end; -1 if there is none. */
function nextStream(pdf, position) {
  for (;;) {
    position = pdf.indexOf(STREAM[0], position);
    if (position < 0) return -1;
    if (equal(pdf.subarray(position, position + STREAM.length), STREAM)) {
      const end = position + STREAM.length;
      if (pdf[end] === 10) return end + 1;
      if (pdf[end] === 13 && pdf[end + 1] === 10) return end + 2;
    }
    position++;
  }
}

/** Check that every document in the audit events is in the package. */
function complete(found, trail) {
  const { documents } = found;
  const included = new Set();
  for (const [stem, document] of documents) {
    included.add(JSON.stringify([numberOf(document), found.hash(`documents/${stem}.json`)]));
  }
  for (const event of trail.events) {
    const isWritten = event.action.endsWith("-written") && at(event.fields.subject, "kind") === "document";
    if (isWritten && !included.has(JSON.stringify([event.subject, at(event.detail, "sha256")]))) {
      throw new Invalid(`the document ${event.subject} of the audit event ${event.index} is not in the package`);
    }
  }
  const labels = new Set(found.named("document-label").map(stemOf));
  const pdfs = new Set(found.named("document-pdf").map((name) => name.slice("documents/".length, -".pdf".length)));
  for (const stem of documents.keys()) {
    if (!labels.has(stem) || !pdfs.has(stem)) throw new Invalid(`the document ${stem} has no PDF, or no label`);
  }
  const strange = [...labels, ...pdfs].filter((stem) => !documents.has(stem));
  if (strange.length) throw new Invalid(`the data of the document ${least(strange)} are not in the package`);
  return `${included.size} documents`;
}

const stemOf = (name) => name.slice("documents/".length, -".label.json".length);
