// The members of a package, their roles, and their largest sizes.

import { Invalid } from "./values.js";

export const FORMATS = ["footage-desk-package/1", "footage-desk-package/2"];
export const MANIFEST = "manifest.json";
export const SIGNED = "manifest.dsse.json";
export const README = "README.txt";
export const VERIFIER = "verify.pyz";
export const CHAIN = "keys/seal-chain.pem";
export const LOG_KEYS = "keys/log-vkeys.txt";
export const CHECKPOINT = "audit/checkpoint.txt";
export const EVENTS = "audit/events.jsonl";
export const PROOFS = "audit/proofs.jsonl";
export const CONSISTENCY = "audit/consistency.jsonl";
export const ANCHORS = "audit/anchors.jsonl";
export const ACCOUNTS = "audit/accounts.json";
export const CUSTODY = "custody/log.json";
export const RETURN = "custody/return.json";
export const ATTACHMENTS = "attachments/list.json";

const NEEDED = new Map([
  [README, "readme"], [CHAIN, "keys"], [LOG_KEYS, "keys"], [CHECKPOINT, "checkpoint"], [EVENTS, "events"],
  [PROOFS, "proofs"], [CONSISTENCY, "consistency"], [ANCHORS, "anchors"], [CUSTODY, "custody-log"],
  [VERIFIER, "verifier"],
]);
const ITEM = "[1-9]\\d*(?:-issue-[2-9]\\d*)?";
const ROLES = [
  ["audit/accounts\\.json", "accounts"],
  ["attachments/list\\.json", "attachments"],
  ["attachments/\\d{2,4}\\.(?:jpg|png|pdf)", "attachment"],
  ["custody/return\\.json", "return"],
  [`footage/${ITEM}-master\\.(?:mp4|mov|age)`, "footage"],
  [`footage/${ITEM}-master\\.label\\.json`, "master-label"],
  [`footage/${ITEM}-copy-[1-9]\\d*\\.label\\.json`, "copy-label"],
  ["documents/[A-Z0-9-]+\\.pdf", "document-pdf"],
  ["documents/[A-Z0-9-]+\\.json", "document-json"],
  ["documents/[A-Z0-9-]+\\.label\\.json", "document-label"],
  ["decisions/\\d{2,4}-[a-z-]+\\.json", "decision"],
].map(([pattern, role]) => [new RegExp(`^(?:${pattern})$`), role]);

export const MOST = 64 * 2 ** 20; // bytes of a member that is no footage
export const MOST_IN_ALL = 512 * 2 ** 20;

/** A member's role; raises Invalid for an unknown member. */
export function roleOf(name) {
  if (NEEDED.has(name)) return NEEDED.get(name);
  for (const [pattern, role] of ROLES) if (pattern.test(name)) return role;
  throw new Invalid(`no package has a member ${name}`);
}

/** The members that each package of this format has. */
export const needed = (format) => [...NEEDED.keys(), ...(format === FORMATS[0] ? [] : [ATTACHMENTS])];

/** A document's number as it is written in member names. */
export const fileName = (number) => number.replaceAll("/", "-");
