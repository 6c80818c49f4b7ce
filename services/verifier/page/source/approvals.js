// Check people's signatures, their audit events, and that all approvals came before the retrieval.

import { sha256Hex } from "./bytes.js";
import { checkAssertion } from "./assertions.js";
import * as bindings from "./bindings.js";
import { canonical } from "./canonical.js";
import * as granted from "./granted.js";
import * as layout from "./layout.js";
import { moment } from "./moments.js";
import { numberOf } from "./package.js";
import * as people from "./people.js";
import { CLOCKS_APART } from "./trail.js";
import { Invalid, at, failing, get, has, isTrue, items, keysAre, number, orNull, quoted, same, shown } from "./values.js";

const NEEDED = [["security", "approved"], ["security-signature", "signed"]];
// Who decides first: of a form on behalf of people outside Security checks their credentials, else the department.
const FIRST = [["preliminary", "approved"]], CREDENTIALS = [["credentials", "approved"]];
const MANAGEMENT = [["management", "approved"]];
const RELEASE = [["storage-release", "approved"]];
const RELEASING = "storage-release";
// What the database adds to the form when it is filed; the rest is the form that people signed for.
const ADDED = [
  "filedAt", "importance", "managementNeeded", "secondPerson", "backupNeeded", "granted", "findings", "decisions", "demo",
];

const sumOf = (value) => sha256Hex(canonical(value));

export async function examine(found, trail, report) {
  const byHash = new Map();
  for (const event of trail.events) {
    if (!has(event.detail, "statement_sha256")) continue;
    const sum = shown(event.detail.statement_sha256);
    byHash.set(sum, [...(byHash.get(sum) ?? []), event]);
  }
  const acts = [];
  for (const name of found.named("decision")) {
    await report.check("decision", name, async (finding) => {
      const act = await actOf(found, name, byHash, trail);
      acts.push(act);
      [finding.text, finding.noted] = described(found, act);
    });
  }
  await report.check("decisions-complete", layout.EVENTS, (finding) => {
    const signed = new Set(found.named("decision").map((name) => at(found.json(name), "signature", "sha256")));
    for (const [sum, [event]] of byHash) {
      if (!signed.has(sum)) {
        throw new Invalid(`the signature of the audit event ${event.index} (${event.action}) is not in the package`);
      }
    }
    finding.text = `${signed.size} signatures`;
  });
  await people.examineAddresses(found, report);
  const number_ = orNull(() => numberOf(found.form)) ?? "";
  await report.each("approvals", approvals(found, trail, acts), `documents/${layout.fileName(number_)}`);
  const decisions = acts
    .filter(({ event, statement }) => event.action === "review-decided" && has(statement, "stage"))
    .map(({ statement }) => statement);
  await report.each("granted", granted.checks(found, decisions), "footage, records and forms");
}

async function actOf(found, name, byHash, trail) {
  const member = found.json(name);
  if (!keysAre(member, ["statement", "signature", "people"])) throw new Invalid("it has other fields than a signed act");
  const { statement, signature } = member;
  const sum = sumOf(statement);
  if (at(signature, "sha256") !== sum) {
    throw new Invalid(`the signature is over the SHA-256 ${quoted(signature.sha256, 70)}, and the statement has ${sum}`);
  }
  if (!same(at(signature, "person"), at(statement, "person"))) {
    throw new Invalid("somebody else has signed than the person whom the statement names");
  }
  if ((at(signature, "method") === "passkey") !== has(signature, "passkey")) {
    throw new Invalid("it does not say by what it was signed");
  }
  if (has(signature, "passkey")) await checkAssertion(signature.passkey, sum);
  const events = byHash.get(sum) ?? [];
  // a release that a second person confirmed has two: as it was proposed, and as it became the decision
  const own = events.find((event) => event.actor === statement.person);
  if (own === undefined) throw new Invalid("no audit event names this signature by this person");
  if (!bindings.isSignatureNamed(signature, own, events)) trail.older.push(name);
  if (get(statement, "application", found.applicationId) !== found.applicationId) {
    throw new Invalid("it was signed in another case");
  }
  const named = get(statement, "auditCheckpoint");
  if (named !== null && number(at(named, "size")) > own.index) {
    throw new Invalid(`it names a checkpoint that is younger than its own audit event ${own.index}`);
  }
  return { name, statement, method: shown(signature.method), event: events.at(-1) };
}

function described(found, { name, statement, method }) {
  const { person } = statement;
  const [called, isNoted] = people.nameOf(found, person, get(at(found.json(name), "people"), person));
  const words = [get(statement, "stage"), get(statement, "outcome")].filter(isTrue).map(shown);
  return [[shown(called), ...words, `by ${method}`].join(", "), isNoted];
}

/** Yield a check of each stage that the policy requires: signed for the filed form, before any retrieval. */
function* approvals(found, trail, acts) {
  if (!found.forms.length) {
    yield [layout.EVENTS, () => checkUnapproved(trail)];
    return;
  }
  const { form } = found;
  const sum = sumOf(Object.fromEntries(Object.entries(form).filter(([name]) => !ADDED.includes(name))));
  const ofRound = acts.filter((act) => isOfRound(act, form));
  // what is released again, because copies had to be replaced, is checked with its own records
  const last = new Map(ofRound.filter(({ statement }) => get(statement, "issue", 1) === 1).map((act) => [at(act.statement, "stage"), act]));
  const decisions = new Map(items(at(form, "decisions")).map((decision) => [at(decision, "stage"), decision]));
  const first = isTrue(get(form, "onBehalf")) ? CREDENTIALS : FIRST;
  const beforeFiling = new Map([...first, ...NEEDED, ...(isTrue(at(form, "managementNeeded")) ? MANAGEMENT : [])]);
  const retrieved = trail.of("footage-retrieved", "retrieval-recorded");
  for (const [stage, outcome] of [...beforeFiling, ...(retrieved.length ? RELEASE : [])]) {
    yield [
      stage,
      () => {
        const act = last.get(stage);
        if (act === undefined) throw new Invalid("nobody has decided this stage for the filed form");
        if (at(act.statement, "outcome") !== outcome) {
          throw new Invalid(`it ended with ${quoted(act.statement.outcome, 40)} and not with ${quoted(outcome)}`);
        }
        if (at(act.statement, "form") !== sum) {
          throw new Invalid("it was decided for another form than the one that was filed");
        }
        if (beforeFiling.has(stage) && get(decisions.get(stage) ?? {}, "statement") !== sumOf(act.statement)) {
          throw new Invalid("the filed form names another decision");
        }
        for (const event of retrieved) {
          const isBefore = moment(event.at).micros < moment(act.event.at).micros - CLOCKS_APART;
          if (event.index < act.event.index || isBefore) {
            throw new Invalid(`it was decided after the retrieval (event ${event.index})`);
          }
        }
      },
    ];
  }
  for (const act of ofRound) {
    if (at(act.statement, "form") !== sum) {
      yield [act.name, failing("it was decided for another form than the one that was filed")];
    }
  }
  const isSecondNeeded = isTrue(at(form, "secondPerson"));
  if (isSecondNeeded && retrieved.length) yield ["second person", () => checkSecond(last.get(RELEASING), acts)];
  for (const act of ofRound) {
    if (at(act.statement, "stage") === RELEASING && number(get(act.statement, "issue", 1)) > 1) {
      yield [act.name, () => checkAgain(act, retrieved, trail)];
      if (isSecondNeeded && at(act.statement, "outcome") === "approved") yield ["second person", () => checkSecond(act, acts)];
    }
  }
}

/** Check that a case without a filed form was never approved, and that nothing was retrieved in it. */
function checkUnapproved(trail) {
  for (const event of trail.of("application-filed", "footage-retrieved", "retrieval-recorded", "custody-offered")) {
    throw new Invalid(
      `there is no filed form in the package, and the audit event ${event.index} is ${quoted(event.action)}`,
    );
  }
}

/** Whether the act is a decision of the form's round; a release that the second person refused is none. */
const isOfRound = ({ statement, event }, form) =>
  at(statement, "kind") === "decision" && event.action === "review-decided" && same(at(statement, "round"), at(form, "round"));

/** Check that what this release names was retrieved after it, once the copies of before were to be replaced. */
function checkAgain(act, retrieved, trail) {
  const begun = trail.of("copies-reissued").filter((event) => same(at(event.detail, "issue"), at(act.statement, "issue")));
  if (!begun.length || begun[0].index > act.event.index) {
    throw new Invalid("nothing says before it that the copies were to be replaced");
  }
  const own = new Set(items(at(act.statement, "granted")).map((line) => at(line, "item")));
  const replaced = new Set(Object.values(at(begun[0].detail, "items")));
  if (![...own].every((item) => replaced.has(item))) throw new Invalid("it releases an item that replaces none");
  for (const event of retrieved) {
    if (own.has(get(event.detail, "item")) && event.index < act.event.index) {
      throw new Invalid(`it was decided after the retrieval (event ${event.index})`);
    }
  }
}

function checkSecond(release, acts) {
  if (release === undefined) throw new Invalid("there is no release to confirm");
  const sum = sumOf(release.statement);
  for (const { statement } of acts) {
    if (at(statement, "kind") !== "confirmation" || at(statement, "confirms") !== sum || at(statement, "agrees") !== true) continue;
    if (same(at(statement, "person"), at(release.statement, "person"))) {
      throw new Invalid("the release was confirmed by the person who gave it");
    }
    return;
  }
  throw new Invalid("no second person has confirmed the release");
}
