// The part of DER that certificates and time stamps need (ITU-T X.690): elements of definite, minimal length.

import { Invalid } from "./values.js";

export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTETS = 0x04;
export const NULL = 0x05;
export const OID = 0x06;
export const UTC_TIME = 0x17;
export const TIME = 0x18;
export const SEQUENCE = 0x30;
export const SET = 0x31;
const DEEPEST_LENGTH = 4;

/** One element: `tag` is the first byte, `raw` the whole, `content` its content. */
class Element {
  constructor(tag, raw, content) {
    Object.assign(this, { tag, raw, content });
  }

  parts() {
    return new Parts(this.content);
  }

  number() {
    if (!this.content.length) throw new Invalid("the time stamp is not in DER: a number is empty.");
    let value = 0n;
    for (const byte of this.content) value = (value << 8n) | BigInt(byte);
    return BigInt.asIntN(8 * this.content.length, value);
  }

  /** The object identifier in dotted form. */
  oid() {
    const numbers = [];
    let value = 0n, isOpen = false;
    for (const byte of this.content) {
      value = (value << 7n) | BigInt(byte & 0x7f);
      isOpen = Boolean(byte & 0x80);
      if (!isOpen) {
        numbers.push(value);
        value = 0n;
      }
    }
    if (isOpen || !numbers.length) throw new Invalid("the time stamp is not in DER: an identifier is cut off.");
    const first = numbers[0] >= 80n ? 2n : numbers[0] / 40n;
    return [first, numbers[0] - 40n * first, ...numbers.slice(1)].join(".");
  }
}

/** Reads elements one after another. */
class Parts {
  constructor(data) {
    this.data = data;
    this.position = 0;
  }

  *[Symbol.iterator]() {
    while (this.position < this.data.length) yield this.next();
  }

  /** The next element, which must have one of these tags. */
  require(...tags) {
    const element = this.optional(...tags);
    if (element === null) {
      throw new Invalid("the time stamp is not built as one: something is missing, or in another place.");
    }
    return element;
  }

  /** The next element if it has one of these tags, else null. */
  optional(...tags) {
    if (this.position >= this.data.length || !tags.includes(this.data[this.position])) return null;
    return this.next();
  }

  any() {
    if (this.position >= this.data.length) throw new Invalid("the time stamp is cut off, or not in DER.");
    return this.next();
  }

  end() {
    if (this.position !== this.data.length) throw new Invalid("the time stamp has more in it than one has.");
  }

  next() {
    const start = this.position, { data } = this;
    const cutOff = () => new Invalid("the time stamp is cut off, or not in DER.");
    if (start + 2 > data.length || (data[start] & 0x1f) === 0x1f) throw cutOff();
    let length = data[start + 1], at = start + 2;
    if (length & 0x80) {
      const width = length & 0x7f;
      length = 0;
      for (const byte of data.subarray(at, at + width)) length = length * 256 + byte;
      if (!(width > 0 && width <= DEEPEST_LENGTH) || length < 0x80 || data[at] === 0) throw cutOff();
      at += width;
    }
    if (at + length > data.length) throw cutOff();
    this.position = at + length;
    return new Element(data[start], data.subarray(start, this.position), data.subarray(at, this.position));
  }
}

/** Parse data that is exactly one element. */
export function only(data, tag) {
  const parts = new Parts(data);
  const element = parts.require(tag);
  parts.end();
  return element;
}

export const partsOf = (data) => new Parts(data);
