// Run all checks of one package, in the order of their dependencies.

import * as accounts from "./accounts.js";
import * as approvals from "./approvals.js";
import * as attached from "./attached.js";
import * as bindings from "./bindings.js";
import { base64, equal, utf8 } from "./bytes.js";
import { pemOf } from "./certificates.js";
import * as custodyLog from "./custody_log.js";
import * as filed from "./filed.js";
import * as footage from "./footage.js";
import * as layout from "./layout.js";
import { Archive } from "./members.js";
import { openPackage } from "./package.js";
import { Report } from "./report.js";
import * as stamped from "./stamped.js";
import * as trail from "./trail.js";
import { Invalid, get, quoted } from "./values.js";

/** Report on a package, a File or Blob. `trust`: fingerprints of its root, seal or log key, as people write them. */
export async function examine(file, trust = [], progress = null) {
  const report = new Report();
  let archive = null;
  await report.check("structure", file.name ?? "", async (finding) => {
    archive = await Archive.open(file);
    finding.text = `${archive.members.length} members, ${archive.size} bytes`;
  });
  if (archive === null) return report;
  const found = await openPackage(archive, report, progress);
  if (found === null) return report;
  await examineAll(found, report);
  await compare(report, trust);
  return report;
}

/** Normalise a fingerprint to 64 digits; `sha256:`, colons, blanks and case are ignored; raises Invalid. */
export function fingerprint(written) {
  const digits = written.toLowerCase().replace(/^sha256:/, "").replace(/[\s:]/g, "");
  if (!/^[0-9a-f]{64}$/.test(digits)) {
    throw new Invalid(
      `${quoted(written, 100)} is no fingerprint: it has 64 hexadecimal digits, with or without sha256: before`,
    );
  }
  return digits;
}

async function examineAll(found, report) {
  if (found.opened !== null) {
    const { chain, predicate } = found.opened;
    Object.assign(report.fingerprints, { root: chain.rootFingerprint, seal: chain.sealFingerprint });
    Object.assign(report.facts, {
      application: get(predicate, "application"),
      madeAt: get(predicate, "madeAt"),
      footage: found.manifest.footage,
      organisation: chain.organisation,
      demo: get(predicate, "demo"),
    });
  }
  await report.check("chain", layout.CHAIN, () => {
    if (!equal(utf8(pemOf(found.seal.chain.certificates, base64)), found.content(layout.CHAIN))) {
      throw new Invalid("its certificates are not those that the manifest was signed with");
    }
  });
  const events = await trail.examine(found, report);
  await filed.examine(found, events, report);
  await attached.examine(found, events, report);
  await footage.examine(found, events, report);
  await approvals.examine(found, events, report);
  await accounts.examine(found, events, report);
  await custodyLog.examine(found, events, report);
  await bindings.examine(found, events, report);
  await stamped.examine(found, report);
}

/** Compare fingerprints that were given with those of the package; the lines are added to the report. */
export async function compare(report, trust) {
  for (const written of trust) {
    await report.check("trust", written, (finding) => {
      const expected = fingerprint(written);
      const name = Object.keys(report.fingerprints).find((one) => report.fingerprints[one] === expected);
      if (name === undefined) {
        throw new Invalid("it is neither the root's nor the seal key's nor the log key's of this package");
      }
      finding.text = name;
      report.trusted ||= ["root", "seal"].includes(name);
    });
  }
}
