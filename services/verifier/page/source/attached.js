// Check the attachments: each is listed, of the hash that was signed or recorded, and what is left out is said.

import * as layout from "./layout.js";
import { Invalid, at, failing, get, isObject, items, keysAre, quoted, same, shown, sorted } from "./values.js";

// Why an attachment is not in the package.
const BECAUSE = ["identity-card", "footage", "purged", "not-submitted", "too-large"];
const LISTED = ["id", "of", "kind", "sha256", "member", "name", "size", "addedAt"];
const LEFT_OUT = ["id", "of", "kind", "sha256", "because"];

/** Compare files, list, audit events and signatures; packages of the first format have no attachments. */
export async function examine(found, trail, report) {
  if (found.manifest.format === layout.FORMATS[0]) return;
  await report.each("attachment", files(found), "attachments");
  await report.check("attachments-complete", layout.ATTACHMENTS, (finding) => {
    finding.text = complete(found, trail);
  });
}

function listOf(found) {
  const content = found.json(layout.ATTACHMENTS);
  if (!keysAre(content, ["attachments", "leftOut"])) throw new Invalid("it has other fields than a list of attachments");
  const listed = items(content.attachments), leftOut = items(content.leftOut);
  for (const line of listed) {
    if (!keysAre(line, LISTED) || at(line, "kind") === "identity-card") {
      throw new Invalid(`it has a line of ${quoted(get(line, "member"), 60)} that is none of an attachment`);
    }
  }
  for (const line of leftOut) {
    if (!keysAre(line, LEFT_OUT) || !BECAUSE.includes(at(line, "because"))) {
      throw new Invalid(`it leaves ${quoted(get(line, "id"), 60)} out for no reason that there is`);
    }
  }
  return [listed, leftOut];
}

function* files(found) {
  const [listed] = listOf(found);
  const lines = new Map(listed.map((line) => [line.member, line]));
  const names = found.named("attachment");
  if (lines.size !== listed.length) yield [layout.ATTACHMENTS, failing("it names a member twice")];
  for (const name of names) {
    yield [
      name,
      () => {
        if (!lines.has(name)) throw new Invalid("it is not on the list of attachments");
        const stated = [lines.get(name).sha256, lines.get(name).size];
        if (!same(stated, [found.hash(name), found.archive.byName.get(name).size])) {
          throw new Invalid("the list states another SHA-256 or size of it");
        }
      },
    ];
  }
  for (const name of sorted([...lines.keys()].filter((one) => !names.includes(one)))) {
    yield [name, failing("it is on the list of attachments, and not in the package")];
  }
}

/** Check that what was added to the case, and what people signed for, is here or said to be left out. */
function complete(found, trail) {
  const [listed, leftOut] = listOf(found);
  const byId = new Map([...listed, ...leftOut].map((line) => [line.id, line.sha256]));
  const hashes = new Set(byId.values());
  const removed = new Set(trail.of("attachment-removed").map(({ subject }) => subject));
  const recorded = new Set();
  for (const event of trail.of("attachment-added")) {
    if (removed.has(event.subject)) continue;
    const sum = at(event.detail, "sha256");
    if (!byId.has(event.subject) || byId.get(event.subject) !== sum) {
      throw new Invalid(`the attachment of the audit event ${event.index} is neither here nor said to be left out`);
    }
    recorded.add(sum);
  }
  for (const [name, sum] of signed(found)) {
    if (!hashes.has(sum)) {
      throw new Invalid(
        `${name} names the attachment ${quoted(sum, 70)}, which is neither here nor said to be left out`,
      );
    }
    recorded.add(sum);
  }
  const known = listed.filter((line) => recorded.has(line.sha256)).length;
  const cards = leftOut.filter((line) => line.because === "identity-card").length;
  return (
    `${listed.length} files, ${known} of them named by an audit event or under a signature; ${leftOut.length} left out, ` +
    `of which ${cards} are copies of identity cards`
  );
}

/** Yield each hash of an attachment that a signed statement, a filed form or a reply names, with where. */
function* signed(found) {
  for (const name of found.named("decision")) {
    for (const sum of items(get(at(found.json(name), "statement"), "attachments", []))) yield [name, shown(sum)];
  }
  for (const [stem, data] of found.documents) {
    const facts = get(data, "facts");
    const replies = isObject(facts) ? items(get(facts, "replies", [])) : [];
    for (const one of [data, ...replies]) {
      for (const file of items(get(one, "attachments", []))) yield [stem, shown(at(file, "sha256"))];
    }
  }
}
