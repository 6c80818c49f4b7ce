// Countdowns tick, an act is sent once, and a wrong form leads the eye to its sentence. Pages work without this.
const started = Date.now();
const serverNow = Date.parse(document.body.dataset.now || "") || started;
const zh = document.documentElement.lang.startsWith("zh");
const UNITS = [[86400, zh ? "天" : "d"], [3600, zh ? "小时" : "h"], [60, zh ? "分钟" : "min"], [1, zh ? "秒" : "s"]];

function inWords(seconds) {
  const told = [];
  for (const [size, name] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count || told.length) told.push([count, name]);
    if (told.length === 2) break;
  }
  return told.filter(([count]) => count).map(([count, name]) => `${count} ${name}`).join(" ") || `0 ${UNITS[3][1]}`;
}

function tick() {
  const now = serverNow + Date.now() - started;
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Math.floor((Date.parse(element.dataset.until) - now) / 1000);
    const level = left <= 0 ? "past" : left <= 86400 ? "soon" : left <= 259200 ? "near" : "far";
    element.classList.remove("past", "soon", "near", "far");
    element.classList.add(level);
    const text = element.querySelector("b") || element;
    const words = left <= 0 ? element.dataset.past : inWords(left);
    if (text.textContent !== words) text.textContent = words;
  }
}

// What was typed waits in this tab, without passwords, in case the session has ended meanwhile: forms with data-keep.
const KEPT = "typed:";
const SECRET = ["csrf_token", "formSha256", "password", "code"];

function keepTyped(form) {
  const fields = [...new FormData(form)].filter(([name, value]) => typeof value === "string" && !SECRET.includes(name));
  sessionStorage.setItem(KEPT + form.action, JSON.stringify({ person: form.dataset.keep, fields }));
}

function takeTyped(form) {
  const { person, fields } = JSON.parse(sessionStorage.getItem(KEPT + form.action) || "{}");
  if (!fields || person !== form.dataset.keep) return;
  for (const element of form.elements) {
    if (!element.name || element.type === "hidden" || SECRET.includes(element.name)) continue;
    const values = fields.filter(([name]) => name === element.name).map(([, value]) => value);
    if (element.type === "checkbox" || element.type === "radio") element.checked = values.includes(element.value);
    else if (values.length && element.type !== "submit") element.value = values[values.length - 1];
  }
}

const answered = document.querySelector("#refusal, #callouts .callout");
for (const form of document.querySelectorAll("form[data-keep]")) {
  if (!answered) takeTyped(form);
  form.addEventListener("submit", () => keepTyped(form));
  sessionStorage.removeItem(KEPT + form.action);
}
if (answered) for (const key of Object.keys(sessionStorage)) if (key.startsWith(KEPT)) sessionStorage.removeItem(key);

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.dataset.sent) {
    if (form.dataset.sent) event.preventDefault();
    return;
  }
  if (form.method === "post" && !form.hasAttribute("hx-post")) {
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, 8000);
  }
});
window.addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog")?.close();
  if (event.target.closest("[data-print]")) window.print();
});
const wrong = document.querySelector("[aria-invalid=true]");
(wrong?.matches("fieldset") ? wrong.querySelector("input") : wrong)?.focus();
const refusal = document.getElementById("refusal");
if (wrong && refusal?.getBoundingClientRect().bottom < 0) { // a long page shows the field without its top: say it there too
  const again = refusal.cloneNode(true);
  for (const name of ["id", "role"]) again.removeAttribute(name);
  again.setAttribute("aria-hidden", "true");
  wrong.closest(".field").prepend(again);
}
// Where the menu or the tabs are wider than a phone, the page that is shown stands in the middle of them.
for (const shown of document.querySelectorAll(".menu [aria-current], .tabs [aria-current]")) {
  const strip = shown.closest("nav");
  strip.scrollLeft = shown.offsetLeft - strip.offsetLeft - (strip.clientWidth - shown.offsetWidth) / 2;
}
tick();
setInterval(tick, 1000);
