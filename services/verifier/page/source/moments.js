// Moments with their offset from UTC, in microseconds, which are exact as long as a database counts them.

import { Invalid, quoted } from "./values.js";

const PATTERN = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(Z|[+-]\d\d:?\d\d(?::?\d\d)?)?$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
export const MINUTE = 60_000_000;
export const DAY = 24 * 60 * MINUTE;

/** Microseconds of a UTC date; raises Invalid where the calendar has no such day. */
export function ofDate(year, month, day, hour, minute, second, micro = 0) {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const last = DAYS[month - 1] + (month === 2 && isLeap ? 1 : 0);
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= last && hour < 24 && minute < 60 && second < 60)) {
    throw new Invalid("there is no such day or time");
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return (date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000) * 1000 + micro;
}

/** Parse a moment with its offset, `{ micros, offset }`; raises Invalid. */
export function moment(value) {
  const match = typeof value === "string" ? PATTERN.exec(value) : null;
  const none = () => new Invalid(`${quoted(value, 60)} is no moment`);
  if (match === null) throw none();
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  if (zone === undefined) throw new Invalid(`${quoted(value, 60)} has no offset from UTC`);
  const micro = Number((fraction ?? "").padEnd(6, "0").slice(0, 6));
  const [hours, minutes, seconds] = zone === "Z" ? [0, 0, 0] : [zone.slice(1, 3), ...(zone.slice(3).match(/\d\d/g) ?? []), 0].slice(0, 3).map(Number);
  if (hours > 23 || minutes > 59 || seconds > 59) throw none();
  const offset = (zone[0] === "-" ? -1 : 1) * (hours * 60 + minutes) * MINUTE + (zone[0] === "-" ? -1 : 1) * seconds * 1e6;
  let micros;
  try {
    micros = ofDate(...[year, month, day, hour, minute, second ?? "0"].map(Number), micro);
  } catch {
    throw none();
  }
  return { micros: micros - offset, offset };
}

export const micros = (value) => moment(value).micros;

export const isSameMoment = (a, b) => a.micros === b.micros;

/** A moment as verify.pyz writes it: ISO 8601 with its offset. */
export function isoText({ micros: at, offset }) {
  const local = at + offset;
  const millis = Math.floor(local / 1000), rest = local - Math.floor(local / 1e6) * 1e6;
  const base = new Date(millis).toISOString().slice(0, 19);
  const size = Math.abs(offset) / MINUTE;
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const seconds = (Math.abs(offset) / 1e6) % 60;
  return `${base}${rest ? `.${String(rest).padStart(6, "0")}` : ""}${offset < 0 ? "-" : "+"}${two(size / 60)}:${two(size % 60)}${seconds ? `:${two(seconds)}` : ""}`;
}
