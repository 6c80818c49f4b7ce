// Inflate (RFC 1950 and 1951), only to compare: what is unpacked is never kept beyond the window of 32 KiB.

const EXTRA_LENGTH = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const LENGTH = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const EXTRA_DISTANCE = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const DISTANCE = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST_CODE = 15;

/** What ends the comparison: the streams differ, or this one is none. */
class Different extends Error {}

/** Whether the zlib stream that starts at `start` unpacks to exactly `expected`; stops at the first difference. */
export function unpacksTo(data, start, expected) {
  try {
    return new Comparison(data, start, expected).run();
  } catch (error) {
    if (error instanceof Different) return false;
    throw error;
  }
}

class Comparison {
  constructor(data, start, expected) {
    Object.assign(this, { data, position: start, expected, done: 0, bits: 0, count: 0 });
  }

  run() {
    const first = this.byte(), second = this.byte();
    if ((first & 0x0f) !== 8 || first >> 4 > 7 || (first * 256 + second) % 31 || second & 0x20) throw new Different();
    let isLast = false;
    while (!isLast) {
      isLast = Boolean(this.take(1));
      const kind = this.take(2);
      if (kind === 0) this.stored();
      else if (kind === 1) this.block(FIXED.lengths, FIXED.distances);
      else if (kind === 2) this.block(...this.tables());
      else throw new Different();
    }
    if (this.done !== this.expected.length) return false;
    this.bits = this.count = 0;
    const stated = [this.byte(), this.byte(), this.byte(), this.byte()].reduce((sum, byte) => sum * 256 + byte, 0);
    return stated === adler32(this.expected);
  }

  byte() {
    if (this.position >= this.data.length) throw new Different();
    return this.data[this.position++];
  }

  take(count) {
    while (this.count < count) {
      this.bits |= this.byte() << this.count;
      this.count += 8;
    }
    const value = this.bits & ((1 << count) - 1);
    this.bits >>>= count;
    this.count -= count;
    return value;
  }

  write(byte) {
    // What was unpacked equals what was expected so far, so the window is read from there.
    if (this.done >= this.expected.length || this.expected[this.done] !== byte) throw new Different();
    this.done++;
  }

  stored() {
    this.bits = this.count = 0;
    const length = this.byte() | (this.byte() << 8), complement = this.byte() | (this.byte() << 8);
    if ((length ^ complement) !== 0xffff) throw new Different();
    for (let n = 0; n < length; n++) this.write(this.byte());
  }

  symbol({ counts, symbols }) {
    let code = 0, first = 0, index = 0;
    for (let length = 1; length <= LONGEST_CODE; length++) {
      code |= this.take(1);
      const count = counts[length];
      if (code - count < first) return symbols[index + (code - first)];
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new Different();
  }

  block(lengths, distances) {
    for (;;) {
      const symbol = this.symbol(lengths);
      if (symbol < 256) this.write(symbol);
      else if (symbol === 256) return;
      else {
        if (symbol - 257 >= LENGTH.length) throw new Different();
        const length = LENGTH[symbol - 257] + this.take(EXTRA_LENGTH[symbol - 257]);
        const far = this.symbol(distances);
        if (far >= DISTANCE.length) throw new Different();
        const distance = DISTANCE[far] + this.take(EXTRA_DISTANCE[far]);
        if (distance > this.done) throw new Different();
        for (let n = 0; n < length; n++) this.write(this.expected[this.done - distance]);
      }
    }
  }

  tables() {
    const lengthCodes = this.take(5) + 257, distanceCodes = this.take(5) + 1, codes = this.take(4) + 4;
    if (lengthCodes > 286 || distanceCodes > 30) throw new Different();
    const widths = new Array(19).fill(0);
    for (let n = 0; n < codes; n++) widths[ORDER[n]] = this.take(3);
    const table = tableOf(widths);
    const all = [];
    while (all.length < lengthCodes + distanceCodes) {
      const symbol = this.symbol(table);
      if (symbol < 16) all.push(symbol);
      else {
        if (symbol === 16 && !all.length) throw new Different();
        const value = symbol === 16 ? all.at(-1) : 0;
        const times = symbol === 16 ? 3 + this.take(2) : symbol === 17 ? 3 + this.take(3) : 11 + this.take(7);
        for (let n = 0; n < times; n++) all.push(value);
      }
    }
    if (all.length > lengthCodes + distanceCodes || !all[256]) throw new Different();
    return [tableOf(all.slice(0, lengthCodes)), tableOf(all.slice(lengthCodes))];
  }
}

function tableOf(widths) {
  const counts = new Array(LONGEST_CODE + 1).fill(0), offsets = [0, 0], symbols = [];
  for (const width of widths) counts[width]++;
  let left = 1;
  for (let length = 1; length <= LONGEST_CODE; length++) {
    left = left * 2 - counts[length];
    if (left < 0) throw new Different();
    offsets.push(offsets[length] + counts[length]);
  }
  widths.forEach((width, symbol) => {
    if (width) symbols[offsets[width]++] = symbol;
  });
  counts[0] = 0;
  return { counts, symbols };
}

const FIXED = {
  lengths: tableOf(Array.from({ length: 288 }, (_, n) => (n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8))),
  distances: tableOf(new Array(30).fill(5)),
};

function adler32(data) {
  let a = 1, b = 0;
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}
