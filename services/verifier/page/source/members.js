// The ZIP, read so that every byte is accounted for (PKWARE's APPNOTE 6.3, stored members only).
//
// A package's ZIP is what follows from its members' names, sizes and contents: headers first, no compression, no gaps,
// no comments, no time but ZIP's first day. The reader writes each header again and compares, so that a byte which
// differs anywhere is found. Members are never extracted, and the file is read in slices.

import { concat, equal, utf8 } from "./bytes.js";
import * as layout from "./layout.js";
import { Invalid, quoted } from "./values.js";

const MOST_MEMBERS = 20_000;
const LONGEST_NAME = 120;
const LARGEST_DIRECTORY = 8 * 2 ** 20; // bytes of another program's, which is read for its names alone
const BLOCK = 4 * 2 ** 20;
const WINDOW = 2 ** 18; // bytes that are read at once where headers and small members follow one another
const NAME = /^(?:[A-Za-z0-9][A-Za-z0-9._-]*\/)?[A-Za-z0-9][A-Za-z0-9._-]*$/;
const LARGE = 0xffffffff; // from here on a length is in the fields of ZIP64
const FIRST_DAY = 0x0021; // 1 January 1980
const PLAIN = 20, NEEDS_64 = 45;
const MADE_BY = (3 << 8) | NEEDS_64; // Unix
const MODE = 0o100644 * 0x10000;
const CENTRAL = 46, END = 22, END_64 = 56, LOCATOR_64 = 20;

const WIDTHS = { h: 2, l: 4, q: 8 };

/** Fields in little-endian order: `form` has h, l or q for each value. */
function packed(form, ...values) {
  const out = new DataView(new ArrayBuffer([...form].reduce((sum, kind) => sum + WIDTHS[kind], 0)));
  let position = 0;
  [...form].forEach((kind, n) => {
    if (kind === "h") out.setUint16(position, values[n], true);
    else if (kind === "l") out.setUint32(position, values[n], true);
    else out.setBigUint64(position, BigInt(values[n]), true);
    position += WIDTHS[kind];
  });
  return new Uint8Array(out.buffer);
}

const signature = (kind) => utf8(`PK${kind}`);

/** The local header of a member. */
function local(name, size, crc) {
  const large = size >= LARGE;
  const extra = large ? packed("hhqq", 1, 16, size, size) : new Uint8Array();
  const field = large ? LARGE : size;
  const raw = utf8(name);
  const head = packed("hhhhhlllhh", large ? NEEDS_64 : PLAIN, 0, 0, 0, FIRST_DAY, crc, field, field, raw.length, extra.length);
  return concat(signature("\x03\x04"), head, raw, extra);
}

/** A member's entry in the central directory. */
function entry({ name, size, crc, offset }) {
  const large = [size, size, offset].filter((value) => value >= LARGE);
  const extra = large.length ? packed(`hh${"q".repeat(large.length)}`, 1, 8 * large.length, ...large) : new Uint8Array();
  const field = Math.min(size, LARGE);
  const raw = utf8(name);
  const head = packed(
    "hhhhhhlllhhhhhll",
    ...[MADE_BY, large.length ? NEEDS_64 : PLAIN, 0, 0, 0, FIRST_DAY, crc, field, field],
    ...[raw.length, extra.length, 0, 0, 0, MODE, Math.min(offset, LARGE)],
  );
  return concat(signature("\x01\x02"), head, raw, extra);
}

/** The end of the central directory. */
function end(count, length, offset) {
  const parts = [];
  if (offset >= LARGE) {
    parts.push(signature("\x06\x06"), packed("qhhllqqqq", 44, MADE_BY, NEEDS_64, 0, 0, count, count, length, offset));
    parts.push(signature("\x06\x07"), packed("lql", 0, offset + length, 1));
  }
  parts.push(signature("\x05\x06"), packed("hhhhllh", 0, 0, count, count, length, Math.min(offset, LARGE), 0));
  return concat(...parts);
}

/** Read into one buffer again and again: others add up to hundreds of MiB before a browser collects them. */
function readerOf(part) {
  try {
    return part.stream().getReader({ mode: "byob" });
  } catch {
    return null; // an older browser
  }
}

async function unlessUnreadable(reading) {
  try {
    return await reading;
  } catch (error) {
    throw new Invalid(`the file cannot be read (${error.name}); was it changed or removed meanwhile?`);
  }
}

/** The members of a package, in order: `name`, `size`, `crc`, `offset` of the header and `start` of the bytes. */
export class Archive {
  constructor(file) {
    this.file = file;
    this.size = file.size;
    this.members = [];
    this.byName = new Map();
    this.window = { start: 0, data: new Uint8Array() };
  }

  /** Open a file; raises Invalid if its structure is wrong. */
  static async open(file) {
    const archive = new Archive(file);
    archive.members = await archive.readMembers();
    archive.byName = new Map(archive.members.map((member) => [member.name, member]));
    return archive;
  }

  /** A small member's bytes; raises Invalid if it is missing, or larger than `most`. */
  async read(name, most) {
    const member = this.byName.get(name);
    if (member === undefined) throw new Invalid("it is not in the package");
    if (member.size > most) {
      throw new Invalid(`it has ${member.size} bytes, and ${most} are the most for such a member`);
    }
    return this.bytes(member.start, member.size);
  }

  /** Yield a member's bytes in blocks; each holds until the next one is asked for. */
  async *blocks(member) {
    const part = this.file.slice(member.start, member.start + member.size);
    const reader = readerOf(part);
    if (reader === null) {
      for (let position = 0; position < member.size; position += BLOCK) {
        yield await this.slice(member.start + position, Math.min(BLOCK, member.size - position));
      }
      return;
    }
    let buffer = new ArrayBuffer(BLOCK), position = 0;
    for (;;) {
      const { done, value } = await unlessUnreadable(reader.read(new Uint8Array(buffer)));
      if (done) break;
      yield value;
      position += value.length;
      buffer = value.buffer;
    }
    if (position !== member.size) throw new Invalid("the file ended while it was read");
  }

  async slice(start, length) {
    const data = new Uint8Array(await unlessUnreadable(this.file.slice(start, start + length).arrayBuffer()));
    if (data.length !== length) throw new Invalid("the file ended while it was read");
    return data;
  }

  async bytes(start, length) {
    if (length > WINDOW) return this.slice(start, length);
    const { window } = this;
    if (start < window.start || start + length > window.start + window.data.length) {
      const data = await this.slice(start, Math.min(WINDOW, this.size - start));
      this.window = { start, data };
      if (data.length < length) throw new Invalid("the file ended while it was read");
    }
    const from = start - this.window.start;
    return this.window.data.slice(from, from + length);
  }

  async readMembers() {
    try {
      return await this.readStructure();
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      throw new Invalid((await this.packedByOthers()) ?? error.message);
    }
  }

  /** What was done where another program has packed the file; null where it is a package's, or no ZIP. */
  async packedByOthers() {
    try {
      const { length, offset } = await this.readEnd();
      return length <= LARGEST_DIRECTORY ? packedByOthers(await this.slice(offset, length)) : null;
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      return null;
    }
  }

  async readStructure() {
    const { count, length, offset } = await this.readEnd();
    if (!(count > 0 && count <= MOST_MEMBERS) || !(length > 0 && length <= count * (CENTRAL + LONGEST_NAME + 28))) {
      throw new Invalid(`the ZIP's end states ${count} members in a directory of ${length} bytes, which is impossible`);
    }
    const tail = end(count, length, offset);
    if (offset + length + tail.length !== this.size) {
      throw new Invalid("the ZIP has bytes before its first member, between its parts, or behind its end");
    }
    if (!equal(await this.bytes(offset + length, tail.length), tail)) {
      throw new Invalid("the ZIP's end is not as a package ends: a byte of it was changed, or it has a comment");
    }
    const raw = await this.slice(offset, length);
    const members = parsed(raw, count);
    if (!equal(concat(...members.map(entry)), raw)) {
      throw new Invalid("the ZIP's directory is not as it follows from its members: a byte of it was changed");
    }
    let position = 0;
    for (const member of members) {
      const head = local(member.name, member.size, member.crc);
      if (member.offset !== position || position + head.length + member.size > offset) {
        throw new Invalid(`the member ${member.name} is not where it has to be: behind the one before it`);
      }
      if (!equal(await this.bytes(position, head.length), head)) {
        throw new Invalid(`the header of the member ${member.name} differs from the directory`);
      }
      member.start = position + head.length;
      position += head.length + member.size;
    }
    if (position !== offset) throw new Invalid("the ZIP has bytes between its last member and its directory");
    return members;
  }

  async readEnd() {
    if (this.size < END || !equal(await this.slice(0, 4), signature("\x03\x04"))) {
      throw new Invalid("this is no package: it does not begin as a ZIP does");
    }
    const raw = await this.slice(this.size - END, END);
    if (!equal(raw.subarray(0, 4), signature("\x05\x06"))) {
      throw new Invalid("the ZIP has no end where its end has to be: it was cut off, or something was added");
    }
    const view = new DataView(raw.buffer);
    const count = view.getUint16(10, true), length = view.getUint32(12, true);
    let offset = view.getUint32(16, true);
    if (offset === LARGE) {
      const start = this.size - END - LOCATOR_64 - END_64;
      if (start < 0) throw new Invalid("the ZIP's end states an impossible directory");
      offset = large(new DataView((await this.slice(start, END_64)).buffer), 48);
    }
    if (offset + length > this.size) throw new Invalid("the ZIP's end states a directory behind the file's end");
    return { count, length, offset };
  }
}

/** A number of 64 bits; what is larger than any file counts as the largest whole number. */
function large(view, position) {
  const value = view.getBigUint64(position, true);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

function packedByOthers(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const names = [];
  let position = 0;
  while (position + CENTRAL <= raw.length && equal(raw.subarray(position, position + 4), signature("\x01\x02"))) {
    const fields = [4, 8, 10, 12, 14].map((at) => view.getUint16(position + at, true));
    // one entry is as in a package, so it was packed as one, and changed
    if (fields.every((value, n) => value === [MADE_BY, 0, 0, 0, FIRST_DAY][n])) return null;
    const lengths = [28, 30, 32].map((at) => view.getUint16(position + at, true));
    position += CENTRAL;
    names.push(nameOf(raw.subarray(position, position + lengths[0])).replaceAll("\\", "/"));
    position += lengths[0] + lengths[1] + lengths[2];
  }
  const files = names.filter((name) => !name.endsWith("/") && !name.startsWith("__MACOSX/"));
  if (files.length === 1 && files[0].toLowerCase().endsWith(".zip")) {
    return "this ZIP holds another ZIP: unpack it once, and choose the one inside";
  }
  if (files.some((name) => [layout.MANIFEST, layout.SIGNED].includes(name.split("/").at(-1)))) {
    return "it was unpacked and packed again: take the file as you received it";
  }
  return null;
}

const nameOf = (raw) => String.fromCharCode(...[...raw].map((byte) => (byte < 128 ? byte : 0xfffd)));

function parsed(raw, count) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const members = [], seen = new Set();
  let position = 0;
  for (let n = 1; n <= count; n++) {
    if (position + CENTRAL > raw.length) throw new Invalid(`the ZIP's directory ends before its entry ${n} of ${count}`);
    const crc = view.getUint32(position + 16, true), nameLength = view.getUint16(position + 28, true);
    const extraLength = view.getUint16(position + 30, true);
    let size = view.getUint32(position + 24, true), offset = view.getUint32(position + 42, true);
    position += CENTRAL;
    const name = nameOf(raw.subarray(position, position + nameLength));
    if (name.length > LONGEST_NAME || !NAME.test(name)) {
      throw new Invalid(`${quoted(name.slice(0, LONGEST_NAME))} is no name of a member`);
    }
    if (seen.has(name.toLowerCase())) throw new Invalid(`the member ${name} is there twice`);
    seen.add(name.toLowerCase());
    position += nameLength;
    [size, offset] = withZip64(raw.subarray(position, position + extraLength), size, offset);
    position += extraLength;
    members.push({ name, size, crc, offset, start: 0 });
  }
  return members;
}

/** Lengths from ZIP64's field; whether it is the right one shows when the directory is written again. */
function withZip64(extra, size, offset) {
  if (![0, 12, 20, 28].includes(extra.length)) throw new Invalid("the ZIP's directory has a field that no package has");
  const view = new DataView(extra.buffer, extra.byteOffset, extra.length);
  let values = [];
  for (let n = 4; n < extra.length; n += 8) values.push(large(view, n));
  if (size === LARGE && values.length >= 2) {
    size = values[0];
    values = values.slice(2);
  }
  if (offset === LARGE && values.length) offset = values[0];
  return [size, offset];
}
