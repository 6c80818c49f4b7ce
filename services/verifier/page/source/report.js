// The report: a line for each check (pass, fail or note), and the verdict.

import { Invalid, Unshaped, isOfInput } from "./values.js";

export const SOUND = 0;
export const BROKEN = 1;
export const UNKNOWN = 2;
const MOST_FAULTS = 20; // of one check over many things; the rest is counted

/** The sentence of an error of the input; others are errors of the machine or of this page, and end the check. */
function sentenceOf(error) {
  if (error instanceof Invalid || error instanceof Unshaped) return error.message;
  if (!isOfInput(error)) throw error;
  return `it has an unexpected structure (${error.name})`;
}

export class Report {
  constructor() {
    this.lines = []; // { status, check, of, found }
    this.fingerprints = {};
    this.facts = {};
    this.trusted = false;
  }

  /** Run one check; it fails with the sentence of an Invalid, else it passes. */
  async check(code, of, run) {
    const finding = { text: "", noted: false };
    try {
      await run(finding);
    } catch (error) {
      this.fail(code, of, sentenceOf(error));
      return;
    }
    this.lines.push({ status: finding.noted ? "note" : "pass", check: code, of, found: finding.text });
  }

  /** Run one check over many things: one line for all that pass, and one for each that fails. */
  async each(code, things, what) {
    let count = 0, faults = 0;
    const fault = (of, error) => {
      faults++;
      if (faults <= MOST_FAULTS) this.fail(code, of, sentenceOf(error));
    };
    const rest = things[Symbol.asyncIterator]?.() ?? things[Symbol.iterator]();
    for (;;) {
      let next;
      try {
        next = await rest.next();
      } catch (error) {
        fault(what, error);
        break;
      }
      if (next.done) break;
      const [of, run] = next.value;
      count++;
      try {
        await run();
      } catch (error) {
        fault(of, error);
      }
    }
    if (faults > MOST_FAULTS) this.fail(code, what, `${faults} of ${count} are not valid`);
    if (!faults) this.lines.push({ status: "pass", check: code, of: what, found: `${count} of ${count}` });
  }

  fail(code, of, found) {
    this.lines.push({ status: "fail", check: code, of, found });
  }

  /** 0 if all passed under a trusted key, 1 if something failed, 2 if all passed under an unknown key. */
  get exitCode() {
    if (!this.lines.length || this.lines.some(({ status }) => status === "fail")) return BROKEN;
    return this.trusted ? SOUND : UNKNOWN;
  }
}
