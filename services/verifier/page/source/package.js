// A package: its manifest, its small members in memory, everything else read once in slices and hashed.

import { crc32, decoded, hex, sha256Hex, sha256Stream } from "./bytes.js";
import { read } from "./canonical.js";
import { Opened, checkType, openEnvelope } from "./envelopes.js";
import * as layout from "./layout.js";
import { isoText, moment } from "./moments.js";
import { Invalid, at, get, isObject, isOfInput, isTrue, items, keysAre, must, same, shown, sorted, text, whole } from "./values.js";

const PREDICATE = "urn:footage-desk:package:v1";
const HOW = ["clear", "sealed", "hash"];
const FIELDS = ["format", "application", "applicationId", "madeAt", "footage", "members"];
const ENTRY = ["name", "size", "sha256", "crc32", "role"];
const LABELS = ["master-label", "copy-label", "document-label"];
// Of these only the hash counts, or they are read again where they are compared: they may be large.
const NOT_KEPT = ["footage", "attachment", "verifier", "document-pdf"];

export class Package {
  constructor(archive, manifest) {
    Object.assign(this, { archive, manifest });
    this.contents = new Map();
    this.hashes = new Map();
    this.envelopes = new Map(); // by name: Opened, or the error that it has
    this.parsed = new Map();
    this.opened = null;
  }

  /** The signed manifest; raises Invalid for a bad signature. */
  get seal() {
    if (this.opened === null) throw new Invalid("it rests on the signed manifest, which is not valid");
    return this.opened;
  }

  get predicate() {
    return this.seal.predicate;
  }

  get applicationId() {
    return shown(at(this.predicate, "applicationId"));
  }

  /** The names of the members with this role, in order. */
  named(role) {
    return this.manifest.members.filter((member) => member.role === role).map(({ name }) => name);
  }

  content(name) {
    if (!this.contents.has(name)) throw new Invalid(`${name} is not in the package`);
    return this.contents.get(name);
  }

  text(name) {
    return decoded(this.content(name));
  }

  json(name) {
    if (!this.parsed.has(name)) this.parsed.set(name, read(this.content(name), name));
    return this.parsed.get(name);
  }

  /** A member with one canonical JSON text a line. */
  lines(name) {
    const data = this.content(name);
    if (data.length && data.at(-1) !== 10) throw new Invalid(`${name} does not end with a line's end`);
    const lines = [];
    for (let start = 0; start < data.length; ) {
      const end = data.indexOf(10, start);
      lines.push(read(data.subarray(start, end), `${name}, line ${lines.length + 1}`));
      start = end + 1;
    }
    return lines;
  }

  /** A signed statement under the package's root. */
  envelope(name) {
    const opened = this.envelopes.get(name);
    if (opened === undefined) this.content(name);
    if (!(opened instanceof Opened)) throw opened ?? new Invalid(`${name} is not in the package`);
    if (opened.chain.rootFingerprint !== this.seal.chain.rootFingerprint) {
      throw new Invalid("it is signed under another root than the package");
    }
    return opened;
  }

  /** Open all labels, once. */
  async openLabels(chains) {
    for (const name of LABELS.flatMap((role) => this.named(role))) {
      if (!this.contents.has(name)) continue;
      try {
        this.envelopes.set(name, await openEnvelope(this.contents.get(name), chains));
      } catch (error) {
        if (!isOfInput(error)) throw error;
        this.envelopes.set(name, error);
      }
    }
  }

  /** The data of each document, by the common part of its member names. */
  get documents() {
    const names = this.named("document-json");
    return new Map(names.map((name) => [name.slice("documents/".length, -".json".length), this.json(name)]));
  }

  /** The filed form of the last round; raises Invalid where there is none. */
  get form() {
    const { forms } = this;
    if (!forms.length) throw new Invalid("there is no filed form in the package");
    const round = (form) => whole(at(form, "round"));
    return forms.reduce((last, form) => (round(form) > round(last) ? form : last), (round(forms[0]), forms[0]));
  }

  /** The filed forms; a case whose footage was seen before its approval may have none. */
  get forms() {
    const { documents } = this;
    return [...documents.keys()]
      .filter((stem) => at(this.envelope(`documents/${stem}.label.json`).predicate, "kind") === "application-form")
      .map((stem) => documents.get(stem));
  }

  hash(name) {
    return must(this.hashes, name);
  }
}

/** Open the package with manifest and contents; null if no further check is possible. */
export async function openPackage(archive, report, progress) {
  let found = null;
  const chains = new Map();
  await report.check("manifest", layout.MANIFEST, async (finding) => {
    found = new Package(archive, await manifestOf(archive));
    finding.text = `${archive.members.length} members`;
  });
  if (found === null) return null;
  await report.check("manifest-signed", layout.SIGNED, async (finding) => {
    found.opened = await signed(found, chains);
    finding.text = `${found.opened.chain.organisation ?? "None"}, ${stampedText(found.opened)}`;
  });
  await report.each("bytes", reading(found, progress), layout.MANIFEST);
  await found.openLabels(chains);
  return found;
}

async function manifestOf(archive) {
  const names = archive.members.map(({ name }) => name);
  if (names.at(-2) !== layout.MANIFEST || names.at(-1) !== layout.SIGNED) {
    throw new Invalid(`the last two members have to be ${layout.MANIFEST} and ${layout.SIGNED}`);
  }
  const manifest = read(await archive.read(layout.MANIFEST, layout.MOST), layout.MANIFEST);
  if (!isObject(manifest) || !layout.FORMATS.includes(get(manifest, "format"))) {
    throw new Invalid(`it is of none of the formats ${layout.FORMATS.join(", ")}, which this verifier reads`);
  }
  if (!keysAre(manifest, FIELDS)) throw new Invalid("it has other fields than a manifest");
  if (!HOW.includes(manifest.footage)) {
    throw new Invalid(`it does not say how the footage is here: ${HOW.join(", ")}`);
  }
  const entries = items(manifest.members);
  const listed = entries.map((entry) => at(entry, "name")), present = names.slice(0, -2);
  if (!same(listed, present)) throw new Invalid(differenceOf(listed, present));
  entries.forEach((entry, n) => checkEntry(entry, archive.members[n]));
  const missing = sorted(layout.needed(manifest.format).filter((name) => !names.includes(name)));
  if (missing.length) throw new Invalid(`${missing.join(", ")} is not in the package`);
  if (manifest.format === layout.FORMATS[0] && names.some((name) => name.startsWith("attachments/"))) {
    throw new Invalid("it has attachments, which packages of its format do not have");
  }
  const small = entries.filter(({ role }) => role !== "footage").reduce((sum, { size }) => sum + size, 0);
  if (small > layout.MOST_IN_ALL) throw new Invalid(`what is no footage has more than ${layout.MOST_IN_ALL} bytes`);
  return manifest;
}

function checkEntry(entry, member) {
  if (!keysAre(entry, ENTRY) || entry.role !== layout.roleOf(member.name)) {
    throw new Invalid(`its entry of ${member.name} is not one of such a member`);
  }
  if (!/^[0-9a-f]{64}$/.test(text(entry.sha256)) || !/^[0-9a-f]{8}$/.test(text(entry.crc32))) {
    throw new Invalid(`its entry of ${member.name} has no hashes`);
  }
  if (entry.size !== member.size) {
    throw new Invalid(`${member.name} has ${member.size} bytes, and the manifest says ${shown(entry.size)}`);
  }
  if (entry.crc32 !== member.crc.toString(16).padStart(8, "0")) {
    throw new Invalid(`${member.name} has another CRC-32 in the ZIP than in the manifest`);
  }
}

function differenceOf(listed, present) {
  const missing = listed.find((name) => !present.includes(name));
  if (missing !== undefined) return `${shown(missing)} is in the manifest and not in the package`;
  const added = present.find((name) => !listed.includes(name));
  if (added !== undefined) return `${added} is in the package and not in the manifest`;
  const n = Math.max(listed.findIndex((name, index) => index < present.length && name !== present[index]), 0);
  return `${present[n]} is where the manifest has ${listed[n]}`;
}

async function signed(found, chains) {
  const raw = await found.archive.read(layout.MANIFEST, layout.MOST);
  const sealed = await found.archive.read(layout.SIGNED, layout.MOST);
  for (const [name, data] of [[layout.MANIFEST, raw], [layout.SIGNED, sealed]]) {
    if (crc32(data) !== found.archive.byName.get(name).crc) {
      throw new Invalid(`the bytes of ${name} do not have the CRC-32 that the ZIP states`);
    }
  }
  const opened = await openEnvelope(sealed, chains);
  checkType(opened, PREDICATE, "a package");
  if (opened.subjects.size !== 1 || opened.subjects.get(layout.MANIFEST) !== sha256Hex(raw)) {
    throw new Invalid("the signature is over another manifest than the one in the package");
  }
  for (const name of ["application", "applicationId", "madeAt"]) {
    if (!same(at(opened.predicate, name), found.manifest[name])) {
      throw new Invalid(`manifest and signed statement differ in ${name}`);
    }
  }
  if (!opened.chain.validAt(opened.timeStamp?.moment ?? moment(at(opened.predicate, "sealedAt")))) {
    throw new Invalid("the certificates were not valid when the package was made");
  }
  return opened;
}

const stampedText = ({ timeStamp, predicate }) =>
  timeStamp === null
    ? `says it was made at ${shown(at(predicate, "madeAt"))}`
    : `an authority saw it at ${isoText(timeStamp.moment)}`;

/** Yield each member with a check of its hash; every byte of the package is read once. */
function* reading(found, progress) {
  const { archive, manifest } = found;
  let done = 0;
  for (const entry of manifest.members) {
    yield [
      entry.name,
      async () => {
        const sum = await hashOf(found, entry, (bytes) => {
          done += bytes;
          progress?.(done, archive.size, entry.name);
        });
        if (sum !== entry.sha256) throw new Invalid(`it has the SHA-256 ${sum}, and the manifest says ${entry.sha256}`);
      },
    ];
  }
}

async function hashOf(found, entry, advance) {
  const { name, role } = entry;
  const member = found.archive.byName.get(name);
  if (role !== "footage" && member.size > layout.MOST) {
    throw new Invalid(`it has ${member.size} bytes, and ${layout.MOST} are the most for such a member`);
  }
  let sum;
  if (NOT_KEPT.includes(role)) {
    const stream = sha256Stream();
    for await (const block of found.archive.blocks(member)) {
      stream.update(block);
      advance(block.length);
    }
    sum = hex(stream.digest());
  } else {
    const data = await found.archive.read(name, layout.MOST);
    found.contents.set(name, data);
    sum = sha256Hex(data);
    advance(data.length);
  }
  found.hashes.set(name, sum);
  return sum;
}

/** A document's number by its data; a corrected form has the round after the application's number. */
export function numberOf(document) {
  const round = get(document, "round", 0);
  const number = shown(at(document, "number"));
  return isTrue(round) ? `${number}/${shown(round)}` : number;
}
