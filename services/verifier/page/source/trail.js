// Check the case's audit events: signed checkpoint, inclusion of each, consistency with earlier checkpoints.

import { fromBase64, fromHex, sha256Hex, splitLines, utf8 } from "./bytes.js";
import { read } from "./canonical.js";
import * as layout from "./layout.js";
import { leafHash, verifyConsistency, verifyInclusion } from "./merkle.js";
import { MINUTE, isoText, moment } from "./moments.js";
import { keyOf, openCheckpoint } from "./notes.js";
import { checkToken } from "./timestamps.js";
import {
  Invalid, Unshaped, at, failing, get, isObject, isWhole, items, keysAre, number, orNull, quoted, same, shown, text,
} from "./values.js";

export const CLOCKS_APART = 5 * MINUTE; // of the machines that write the events of one case
const FIELDS = ["action", "actor", "application", "at", "detail", "subject"];
const PARTS = ["actor", "detail", "subject"];

/** One audit event; `index` is its position in the tree. */
class Event {
  constructor(index, entry, fields) {
    Object.assign(this, { index, entry, fields });
    this.action = shown(fields.action);
  }

  get detail() {
    return this.fields.detail;
  }

  get subject() {
    return shown(at(this.fields.subject, "id"));
  }

  get actor() {
    return shown(at(this.fields.actor, "id"));
  }

  get at() {
    return shown(this.fields.at);
  }
}

/** The events and the checkpoint that proves them; `signed` and `older` as the other checks use them. */
class Trail {
  constructor() {
    this.events = [];
    this.checkpoint = null;
    this.signed = [];
    this.older = [];
  }

  of(...actions) {
    return this.events.filter((event) => actions.includes(event.action));
  }

  head() {
    if (this.checkpoint === null) throw new Invalid("there is no signed checkpoint to prove it by");
    return this.checkpoint;
  }
}

/** Check the trail and return it. */
export async function examine(found, report) {
  const trail = new Trail();
  await report.check("checkpoint", layout.CHECKPOINT, (finding) => {
    trail.checkpoint = checkpointOf(found, report);
    finding.text = `${trail.checkpoint.size} events, ${trail.checkpoint.origin}`;
  });
  await report.check("checkpoint-stated", layout.SIGNED, () => {
    const stated = at(found.predicate, "checkpoint"), head = trail.head();
    if (!same(stated, { origin: head.origin, size: head.size, root: head.rootBase64 })) {
      throw new Invalid(`the manifest was signed over another checkpoint: one of ${shown(at(stated, "size"))} events`);
    }
  });
  await report.check("events", layout.EVENTS, (finding) => {
    trail.events = eventsOf(found);
    finding.text = `${trail.events.length} events`;
  });
  await report.each("inclusion", inclusions(found, trail), layout.PROOFS);
  const named = namedIn(found);
  trail.signed = named.map(({ checkpoint }) => get(checkpoint, "size")).filter(isWhole);
  await report.each("consistency", consistencies(found, trail, named), layout.CONSISTENCY);
  await report.check("anchors", layout.ANCHORS, async (finding) => {
    [finding.text, finding.noted] = await anchors(found, trail);
  });
  return trail;
}

function checkpointOf(found, report) {
  const keys = keysOf(found);
  if (!keys.length) throw new Invalid("the signed manifest names no log key");
  if (!same(splitLines(found.text(layout.LOG_KEYS)), found.predicate.logKeys)) {
    throw new Invalid(`the log keys of ${layout.LOG_KEYS} are not those of the signed manifest`);
  }
  const { checkpoint, key } = openCheckpoint(found.text(layout.CHECKPOINT), keys);
  report.fingerprints.log = key.fingerprint;
  return checkpoint;
}

/** Every key of the log, by the signed manifest. */
const keysOf = (found) => items(at(found.predicate, "logKeys")).map(keyOf);

function eventsOf(found) {
  const events = [];
  const signed = new Set(found.named("decision").map((name) => orNull(() => signedIn(found, name))));
  const accounts = new Set(orNull(() => items(at(found.json(layout.ACCOUNTS), "events"))) ?? []);
  found.lines(layout.EVENTS).forEach((line, n) => {
    const name = `${layout.EVENTS}, line ${n + 1}`;
    if (!keysAre(line, ["index", "entry"]) || !isWhole(line.index)) throw new Invalid(`${name} is no event`);
    const entry = utf8(text(line.entry));
    const fields = read(entry, name);
    if (!keysAre(fields, FIELDS) || !PARTS.every((part) => isObject(fields[part]))) {
      throw new Invalid(`${name} has other fields than an event`);
    }
    const event = new Event(line.index, entry, fields);
    if (fields.application !== found.applicationId && !isBeside(event, signed, accounts)) {
      throw new Invalid(`${name} is of another case`);
    }
    if (events.length && event.index <= events.at(-1).index) {
      throw new Invalid(`${name} does not come after the one before it`);
    }
    events.push(event);
  });
  if (!events.length) throw new Invalid("there is no event");
  return events;
}

/** Whether the event belongs to no case: a signer's account, or the custodian's confidentiality agreement. */
function isBeside(event, signed, accounts) {
  if (event.fields.application !== null) return false;
  if (accounts.has(event.index)) return true;
  const sha256 = get(event.detail, "statement_sha256");
  return sha256 !== null && signed.has(sha256);
}

function* inclusions(found, trail) {
  const proofs = proofsOf(found, layout.PROOFS, "index");
  for (const event of trail.events) {
    yield [
      `event ${event.index} (${event.action})`,
      () => {
        const head = trail.head(), proof = proofOf(proofs, event.index);
        if (at(proof, "size") !== head.size) {
          throw new Invalid(
            `its proof is for a tree of ${shown(proof.size)} events, and the checkpoint has ${head.size}`,
          );
        }
        verifyInclusion(leafHash(event.entry), event.index, head.size, hashesOf(proof), head.root);
      },
    ];
  }
  const known = new Set(trail.events.map(({ index }) => index));
  for (const index of proofs.keys()) {
    if (!known.has(index)) yield [`event ${shown(index)}`, failing("there is a proof, and no event")];
  }
}

function* consistencies(found, trail, named) {
  const proofs = proofsOf(found, layout.CONSISTENCY, "old");
  const origins = new Set(keysOf(found).map(({ name }) => name));
  for (const { of, checkpoint: stated } of named) {
    yield [
      of,
      () => {
        const head = trail.head(), root = base64Of(at(stated, "root"));
        if (!keysAre(stated, ["origin", "size", "root"]) || !origins.has(stated.origin)) {
          throw new Invalid(`it names a checkpoint of another log: ${quoted(at(stated, "origin"), 80)}`);
        }
        if (number(stated.size) > head.size) {
          throw new Invalid(
            `it names a checkpoint of ${stated.size} events, newer than the package's ${head.size}`,
          );
        }
        const proof = proofOf(proofs, stated.size);
        if (at(proof, "new") !== head.size) {
          throw new Invalid(`its proof leads to ${shown(proof.new)} events, and the checkpoint has ${head.size}`);
        }
        verifyConsistency(stated.size, head.size, hashesOf(proof), root, head.root);
      },
    ];
  }
  const known = new Set(named.map(({ checkpoint }) => at(checkpoint, "size")));
  for (const size of proofs.keys()) {
    if (!known.has(size)) {
      yield [`checkpoint of ${shown(size)} events`, failing("there is a proof, and nothing names this checkpoint")];
    }
  }
}

/** The checkpoints that are named or anchored; unreadable ones are reported by their own checks. */
function namedIn(found) {
  const references = [];
  for (const role of ["master-label", "copy-label", "document-label", "decision"]) {
    for (const name of found.named(role)) {
      references.push({ of: name, checkpoint: orNull(() => checkpointNamed(found, name, role)) });
    }
  }
  for (const line of orNull(() => found.lines(layout.ANCHORS)) ?? []) {
    references.push({ of: layout.ANCHORS, checkpoint: orNull(() => checkpointAnchored(found, line)) });
  }
  return references.filter(({ checkpoint }) => isObject(checkpoint));
}

function checkpointNamed(found, name, role) {
  const content = role === "decision" ? at(found.json(name), "statement") : found.envelope(name).predicate;
  return get(content, "auditCheckpoint");
}

const signedIn = (found, name) => at(found.json(name), "signature", "sha256");

function checkpointAnchored(found, line) {
  const { checkpoint } = openCheckpoint(at(line, "note"), keysOf(found));
  return { origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.rootBase64 };
}

/**
 * Check each anchor's note and time; its tree is checked by the consistency proofs. Second: whether it is a note.
 *
 * When it was anchored is the database's own statement, and events of a while in which its clock was ahead contradict
 * it for good: a note. What the tree and an authority's time stamp say does not rest on it.
 */
async function anchors(found, trail) {
  const lines = found.lines(layout.ANCHORS);
  if (!lines.length) return ["none: nobody else has seen an earlier checkpoint", true];
  const latest = latestOf(trail.events);
  const stamps = new Map(), early = [];
  for (const line of lines) {
    const { size, anchored } = checkAnchor(found, trail, line);
    const last = latest(size);
    if (last !== null && last - CLOCKS_APART > anchored) early.push(quoted(line.key, 100));
    if (at(line, "token") !== null) {
      const { who } = await checkToken(base64Of(line.token), utf8(text(line.note)));
      stamps.set(who, (stamps.get(who) ?? 0) + 1);
    }
  }
  const parts = [`${lines.length} are in the locked store, by the database`];
  for (const [authority, count] of stamps) parts.push(`${count} with a time stamp by ${authority}`);
  if (early.length) {
    parts.push(`${early.length} with events of later than their own time, the first at ${early[0]}: a clock was ahead`);
  }
  return [parts.join("; "), early.length > 0];
}

/** What says of a size, in microseconds, when the latest of the events happened that a tree of it holds; or null. */
function latestOf(events) {
  const latest = []; // of each event and all before it
  for (const event of events) latest.push(Math.max(moment(event.at).micros, latest.at(-1) ?? -Infinity));
  return (size) => {
    let low = 0, high = events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (events[middle].index < size) low = middle + 1;
      else high = middle;
    }
    return low ? latest[low - 1] : null;
  };
}

/** Return the size of the anchor's checkpoint, and when it was anchored by the database, in microseconds. */
function checkAnchor(found, trail, line) {
  const { checkpoint } = openCheckpoint(at(line, "note"), keysOf(found));
  const key = () => quoted(at(line, "key"), 100);
  if (checkpoint.size > trail.head().size) {
    throw new Invalid(`the anchor at ${key()} holds a checkpoint that is newer than the package's`);
  }
  const sha256 = sha256Hex(utf8(line.note)), first = `checkpoints/${checkpoint.size}`;
  // the second key: a restored database has grown to this size with other events than those that were anchored first
  const keys = [first, `${first}-${sha256.slice(0, 16)}`];
  const stated = [at(line, "size"), at(line, "sha256")];
  if (!same(stated, [checkpoint.size, sha256]) || !keys.includes(at(line, "key"))) {
    throw new Invalid(`the anchor at ${key()} states size, SHA-256 or key of another note`);
  }
  const anchored = moment(at(line, "anchoredAt"));
  if (anchored.micros > moment(at(found.predicate, "madeAt")).micros + CLOCKS_APART) {
    throw new Invalid(`the anchor at ${key()} is of ${isoText(anchored)}, later than the package`);
  }
  return { size: checkpoint.size, anchored: anchored.micros };
}

function proofsOf(found, member, by) {
  const proofs = new Map();
  for (const proof of found.lines(member)) {
    const key = at(proof, by);
    if (key !== null && typeof key === "object") throw new Unshaped("TypeError");
    if (proofs.has(key)) throw new Invalid(`${member} has two proofs of ${shown(key)}`);
    proofs.set(key, proof);
  }
  return proofs;
}

function proofOf(proofs, index) {
  if (!proofs.has(index)) throw new Invalid("there is no proof of it");
  return proofs.get(index);
}

const hashesOf = (proof) => items(at(proof, "hashes")).map(fromHex);

function base64Of(value) {
  if (typeof value !== "string") throw new Unshaped("TypeError");
  const data = fromBase64(value);
  if (data === null) throw new Invalid("a root or a token is not in base64");
  return data;
}
