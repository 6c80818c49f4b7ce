// The page: a file is chosen or dropped, read in slices, and the report is shown.

import { compare, examine } from "./examination.js";
import { isAble } from "./signatures.js";

const SHOWN = 12; // lines of a check in the summary; all are in the table below
const VERDICTS = ["sound", "broken", "unknown"];
const MARKS = ["M14 25l7 7 14-15", "M15 15l18 18M33 15L15 33", "M24 12v15M24 34v1"];
const LANGUAGES = { zh: "zh-Hans", en: "en" };
const BARE = /[\p{C}\p{Zl}\p{Zp}]/gu;

let language = (navigator.languages ?? [navigator.language]).map((one) => one.slice(0, 2).toLowerCase()).find((one) => one in LANGUAGES) ?? "en";
let shown = null; // the report and the file that the page shows
let run = 0; // the number of the latest check; an older one that still reads is stopped

const byId = (id) => document.getElementById(id);

function word(name, values = {}) {
  const [group, key] = name.split(".");
  const text = words[group][key][language === "zh" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, one) => values[one]);
}

/** The forms of texts, with those first that say most themselves: others may fit by what their places take. */
function formsOf(texts) {
  const saidBy = (english) => english.replace(/\{\d\}/g, "").length;
  const sorted = Object.entries(texts).sort(([a], [b]) => saidBy(b) - saidBy(a));
  return sorted.map(([english, chinese]) => {
    const pattern = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\d\}/g, "([^]+?)");
    return [new RegExp(`^${pattern}$`), [...english.matchAll(/\{(\d)\}/g)].map(([, n]) => n), chinese];
  });
}

const FORMS = formsOf(sentences);
// what a sentence names, or whole sentences inside another one; not more, since a place holds names from the package too
const WHOLE = Object.entries(sentences).filter(([english]) => !/\{\d\}/.test(english));
const PARTS = formsOf({ ...Object.fromEntries(WHOLE), ...parts });

/** A text in Chinese by the first form that fits; null where none does. */
function inChinese(english, forms) {
  for (const [pattern, places, chinese] of forms) {
    const match = pattern.exec(english);
    if (match === null) continue;
    return chinese.replace(/\{(\d)\}/g, (_, n) => {
      const value = match[places.indexOf(n) + 1];
      return inChinese(value, PARTS) ?? value;
    });
  }
  return null;
}

/** What was found, in the language of the page; an element that says which language it is. */
function told(name, found, attributes = {}) {
  const english = plain(found);
  const chinese = language === "zh" ? inChinese(english, FORMS) : null;
  if (chinese !== null) return element(name, { ...attributes, text: chinese });
  return element(name, { ...attributes, ...(language === "zh" ? { lang: "en" } : {}), text: english });
}

/** What a line is about, in the language of the page. */
const about = (of) => (language === "zh" ? inChinese(plain(of), PARTS) : null) ?? plain(of);

/** Names and texts come from the package: what cannot be printed is replaced. */
const plain = (text) => String(text ?? "").replace(BARE, "\ufffd");

function element(name, { text, children = [], ...attributes } = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?([+-]\d\d:\d\d|Z)$/;

/** A moment by the reader's own clock, and as the package has it. */
function when(text) {
  const at = MOMENT.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at)) return plain(text);
  const own = new Intl.DateTimeFormat(LANGUAGES[language], { dateStyle: "long", timeStyle: "long" });
  return `${own.format(at)} (${text})`;
}

const size = (bytes) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let n = 0;
  while (bytes >= 1024 && n < units.length - 1) [bytes, n] = [bytes / 1024, n + 1];
  return `${n ? bytes.toFixed(1) : bytes} ${units[n]}`;
};

function speak() {
  document.documentElement.lang = LANGUAGES[language];
  document.title = word("page.title");
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = word(one.dataset.word);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", word(one.dataset.label));
  for (const one of Object.keys(LANGUAGES)) byId(one).setAttribute("aria-pressed", String(one === language));
  if (!isAble()) alarm(word("page.no-crypto"));
  if (shown !== null) show();
}

function alarm(text) {
  byId("alert").textContent = text;
  byId("alert").hidden = !text;
}

const given = () => byId("trust").value.split(/[\n,;]/).map((line) => line.trim()).filter(Boolean);

async function start(files) {
  alarm("");
  if (!isAble()) {
    alarm(word("page.no-crypto"));
    return;
  }
  if (files.length !== 1) {
    if (files.length) alarm(word("page.one-file"));
    return;
  }
  const [file] = files, own = ++run;
  shown = null;
  byId("result").replaceChildren();
  byId("announced").textContent = word("page.working");
  byId("chosen").textContent = `${plain(file.name)} · ${size(file.size)}`;
  byId("chosen").hidden = byId("working").hidden = false;
  byId("compare").hidden = true;
  byId("bar").value = 0;
  byId("read").textContent = "";
  let painted = 0;
  try {
    const report = await examine(file, given(), (done, all) => {
      if (own !== run) throw new Stopped();
      if (performance.now() - painted < 200 && done < all) return;
      painted = performance.now();
      byId("bar").value = Math.round((1000 * done) / all);
      byId("read").textContent = word("page.progress", { done: size(done), all: size(all) });
    });
    if (own !== run) return;
    shown = { report, file };
    byId("compare").hidden = false;
    show();
    byId("verdict").focus();
  } catch (error) {
    if (own !== run) return;
    alarm(word("page.failed", { error: `${error.name}: ${error.message}` }));
  } finally {
    if (own === run) byId("working").hidden = true;
  }
}

/** The reader has stopped the check, or chosen another file. */
class Stopped extends Error {}

function stop() {
  run++;
  byId("working").hidden = true;
  byId("chosen").hidden = true;
  byId("announced").textContent = word("page.stopped");
}

async function compareAgain(event) {
  event.preventDefault();
  if (shown === null) return;
  const { report } = shown;
  report.lines = report.lines.filter(({ check }) => check !== "trust");
  report.trusted = false;
  await compare(report, given());
  show();
  byId("verdict").focus();
}

const title = (check) => word(`checks.${check}`);

/** The word for the result: of what is no package as it was made nothing can be said but that. */
const outcome = ({ exitCode, lines }) =>
  lines.some(({ check, status }) => check === "structure" && status === "fail") ? "no-package" : exitCode;

const tag = (status) => element("span", { class: `tag ${status}`, text: word(`status.${status}`) });

function show() {
  const { report, file } = shown;
  const parts = [verdict(report), acts(), facts(report, file)];
  const failures = report.lines.filter(({ status }) => status === "fail");
  if (failures.length) parts.splice(1, 0, failing(failures));
  if (Object.keys(report.fingerprints).length) parts.push(prints(report));
  parts.push(summary(report), everything(report));
  byId("result").replaceChildren(...parts);
  byId("announced").textContent = word(`result.${outcome(report)}`);
}

function verdict(report) {
  const { exitCode } = report;
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  mark.setAttribute("viewBox", "0 0 48 48");
  mark.setAttribute("aria-hidden", "true");
  mark.innerHTML = `<circle cx="24" cy="24" r="22" fill="currentColor"/><path d="${MARKS[exitCode]}" fill="none" stroke="#fff" stroke-width="4.5" stroke-linecap="round" stroke-linejoin="round"/>`;
  const children = [
    element("h2", { id: "verdict", tabindex: "-1", text: word(`result.${outcome(report)}`) }),
    element("p", { text: word(`result.${outcome(report)}-text`) }),
  ];
  if (report.lines.some(({ check }) => check === "demo")) children.push(element("p", { class: "demo", text: word("result.demo") }));
  return element("section", { class: `verdict ${VERDICTS[exitCode]}`, "aria-labelledby": "verdict", children: [mark, element("div", { children })] });
}

function card(name, children, kind = "") {
  return element("section", { class: `card ${kind}`.trim(), children: [element("h2", { text: word(`result.${name}`) }), ...children] });
}

function acts() {
  const another = element("button", { type: "button", class: "second", text: word("page.another") });
  another.addEventListener("click", () => byId("file").click());
  const paper = element("button", { type: "button", class: "second", text: word("page.print") });
  paper.addEventListener("click", () => window.print());
  const save = element("button", { type: "button", class: "second", text: word("page.save") });
  save.addEventListener("click", saveReport);
  return element("div", { class: "acts", children: [another, paper, save] });
}

function described(pairs) {
  const children = pairs.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { children: [value] })]);
  return element("dl", { children });
}

function facts({ facts: stated }, file) {
  const pairs = [
    [word("result.file"), plain(file.name)],
    [word("result.size"), `${size(file.size)} (${file.size.toLocaleString(LANGUAGES[language])} ${word("result.bytes")})`],
  ];
  for (const name of ["application", "organisation", "madeAt"]) {
    if (typeof stated[name] === "string") pairs.push([word(`result.${name}`), name === "madeAt" ? when(stated[name]) : plain(stated[name])]);
  }
  if (stated.footage) pairs.push([word("result.footage"), word(`result.footage-${stated.footage}`)]);
  return card("facts", [described(pairs)]);
}

function prints({ fingerprints, lines }) {
  const confirmed = new Set(lines.filter(({ check, status }) => check === "trust" && status === "pass").map(({ found }) => found));
  const pairs = Object.entries(fingerprints).map(([name, value]) => {
    const inner = element("span", { children: [element("code", { text: `sha256:${value}` })] });
    if (confirmed.has(name)) inner.append(" ", element("span", { class: "tag", text: word("result.confirmed") }));
    return [word(`keys.${name}`), inner];
  });
  return card("fingerprints", [described(pairs)], "prints");
}

function line({ of, found }) {
  const children = [element("span", { class: "of", text: about(of) })];
  if (found) children.push(of ? " — " : "", told("span", found));
  return element("p", { children });
}

function entry(status, heading, lines) {
  const children = [element("b", { text: heading }), ...lines.slice(0, SHOWN).map(line)];
  if (lines.length > SHOWN) children.push(element("p", { text: word("result.more", { count: lines.length - SHOWN }) }));
  return element("li", { children: [element("span", { children: [tag(status)] }), element("div", { children })] });
}

function grouped(lines) {
  const groups = new Map();
  for (const one of lines) groups.set(one.check, [...(groups.get(one.check) ?? []), one]);
  return groups;
}

function failing(lines) {
  const children = [...grouped(lines)].map(([check, own]) => entry("fail", title(check), own));
  return card("failures", [element("ul", { class: "list", children })], "failures");
}

function summary(report) {
  const count = (status) => report.lines.filter((one) => one.status === status).length;
  const counted = word("result.count", { passed: count("pass"), failed: count("fail"), noted: count("note") });
  const children = [...grouped(report.lines)].map(([check, own]) => {
    const worst = ["fail", "note", "pass"].find((status) => own.some((one) => one.status === status));
    return entry(worst, title(check), worst === "note" ? own.filter(({ status }) => status === "note") : []);
  });
  return card("checked", [element("p", { class: "hint", text: counted }), element("ul", { class: "list", children })]);
}

function everything({ lines }) {
  const heads = ["status", "check", "of", "found"].map((name) => element("th", { scope: "col", text: word(`result.${name}`) }));
  const rows = lines.map(({ status, check, of, found }) =>
    element("tr", {
      children: [
        element("td", { children: [tag(status)] }),
        element("td", { text: title(check) }),
        element("td", { text: about(of) }),
        told("td", found),
      ],
    }),
  );
  const table = element("table", {
    children: [
      element("thead", { children: [element("tr", { children: heads })] }),
      element("tbody", { children: rows }),
    ],
  });
  const details = element("details", {
    class: "card",
    children: [
      element("summary", { text: `${word("result.all")} (${lines.length})` }),
      element("p", { class: "hint", text: word("result.all-hint") }),
      element("div", { class: "scroll", children: [table] }),
    ],
  });
  return details;
}

/** The lines that verify.pyz prints, in the language of the page. */
function reportText({ report, file }) {
  const lines = report.lines.map(({ status, check, of, found }) => {
    const start = `${word(`status.${status}`)}  ${title(check)}  [${about(of)}]`;
    return found ? `${start}  ${told("span", found).textContent}` : start;
  });
  const keys = Object.entries(report.fingerprints).map(([name, value]) => `${name.padEnd(5)} sha256:${value}  ${word(`keys.${name}`)}`);
  return [plain(file.name), "", ...lines, "", ...keys, word(`result.${outcome(report)}`), word(`result.${outcome(report)}-text`), ""].join("\n");
}

function saveReport() {
  const address = URL.createObjectURL(new Blob(["\ufeff", reportText(shown)], { type: "text/plain;charset=utf-8" }));
  const link = element("a", { href: address, download: `${shown.file.name.replace(/\.zip$/i, "")}.verify.txt` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

for (const one of Object.keys(LANGUAGES)) {
  byId(one).addEventListener("click", () => {
    language = one;
    speak();
  });
}
byId("file").addEventListener("change", ({ target }) => {
  const files = [...target.files];
  target.value = ""; // the same file may be chosen again
  start(files);
});
byId("cancel").addEventListener("click", stop);
byId("trusting").addEventListener("submit", compareAgain);
const drop = byId("drop");
// A file that misses the field would replace the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, () => drop.classList.add("over"));
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
window.addEventListener("drop", (event) => start([...(event.dataTransfer?.files ?? [])]));
speak();

// For programs and tests: the report of a File or Blob, as verify.pyz --json has it.
window.verifyPackage = async (file, trust = []) => {
  const report = await examine(file, trust);
  const fingerprints = Object.fromEntries(Object.entries(report.fingerprints).map(([name, value]) => [name, `sha256:${value}`]));
  return { exitCode: report.exitCode, trusted: report.trusted, fingerprints, ...report.facts, checks: report.lines };
};
