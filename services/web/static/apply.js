// The application form: quick times, and nothing typed is lost when the session ends. The form works without this.
const FORM = "application";
const LENGTH_AT_FIRST = 10 * 60;

const pad = (number) => String(number).padStart(2, "0");
// A local time is counted in UTC, so that the reader's own zone changes nothing.
const seconds = (text) => Date.parse(text + "Z") / 1000;
const local = (count) => {
  const at = new Date(count * 1000);
  return `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())}T${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`;
};

function changed(input) {
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function setTime(input, count) {
  input.value = local(count);
  changed(input);
}

function prepare(root) {
  for (const shifts of root.querySelectorAll(".shifts")) {
    shifts.hidden = false;
    offer(shifts.closest(".item"));
  }
}

// A quick time counts from what is typed: without it there is nothing to count from.
function offer(item) {
  for (const button of item?.querySelectorAll("[data-shift]") ?? []) {
    button.disabled = !item.querySelector(`[name$=-${button.dataset.shift.startsWith("end") ? "end" : "start"}]`).value;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-shift]");
  if (!button) return;
  const item = button.closest(".item");
  const start = item.querySelector("[name$=-start]");
  const end = item.querySelector("[name$=-end]");
  const [which, count] = button.dataset.shift.split(":");
  const from = seconds(start.value);
  const to = seconds(end.value);
  if (which === "start" && from) setTime(start, from + Number(count));
  if (which === "end" && to) setTime(end, to + Number(count));
  if (which === "length" && from) setTime(end, from + Number(count));
});

document.addEventListener("change", (event) => {
  offer(event.target.closest?.(".item"));
  if (!event.target.name?.endsWith("-start")) return;
  const end = event.target.closest(".item")?.querySelector("[name$=-end]");
  const from = seconds(event.target.value);
  if (end && !end.value && from) setTime(end, from + LENGTH_AT_FIRST);
});

// What was typed after the session had ended waits in this tab until its person has signed in again and it is saved.
let unsaved = false;

function keep(form) {
  const fields = [...new FormData(form)].filter(([name, value]) => typeof value === "string" && name !== "csrf_token");
  sessionStorage.setItem(FORM, JSON.stringify({ person: form.dataset.person, id: form.elements.applicationId.value, fields }));
}

const signedOut = (xhr) => (xhr.getResponseHeader("HX-Redirect") || "").startsWith("/login");

document.addEventListener("htmx:beforeOnLoad", (event) => {
  const form = document.getElementById(FORM);
  if (!form || !signedOut(event.detail.xhr)) return;
  keep(form);
  unsaved = true;
  event.preventDefault();
  const back = form.elements.version.value === "0" ? "/apply" : `/applications/${form.elements.applicationId.value}/edit`;
  window.location.assign("/login?next=" + encodeURIComponent(back));
});

// The next page takes a moment to come, and somebody types on.
window.addEventListener("pagehide", () => {
  if (unsaved) keep(document.getElementById(FORM));
});

document.addEventListener("htmx:afterRequest", (event) => {
  const { successful, xhr } = event.detail;
  if (successful && ["autosave", FORM].includes(event.target.id) && !signedOut(xhr)) unsaved = false;
});

function fill(form, names, fields) {
  for (const name of names) {
    if (name === "version") continue;
    const values = fields.filter(([other]) => other === name).map(([, value]) => value);
    for (const element of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (element.type === "checkbox" || element.type === "radio") element.checked = values.includes(element.value);
      else element.value = values[values.length - 1];
    }
  }
}

function takeBack() {
  const form = document.getElementById(FORM);
  const kept = sessionStorage.getItem(FORM);
  if (!form || !kept) return;
  const { person, id, fields } = JSON.parse(kept);
  if (person !== form.dataset.person) {
    sessionStorage.removeItem(FORM);
    return;
  }
  if (form.elements.version.value !== "0" && form.elements.applicationId.value !== id) return;
  sessionStorage.removeItem(FORM);
  fill(form, new Set(fields.map(([name]) => name)), fields);
  unsaved = true;
  changed(form);
}

// Enter in a search takes the only one found, and otherwise leads to the first; it does not send the form.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.dataset.finds) return;
  event.preventDefault();
  const found = document.querySelectorAll(`#${event.target.dataset.finds} button:not(.pin, .star, .further *)`);
  if (found.length === 1) found[0].click();
  else found[0]?.focus();
});

// The form comes anew after each of its buttons: the keyboard goes on where the button led.
let pressed = "";
// Saving and the buttons wait for each other, so that one person alone meets no later version of the own draft. A button
// saves as well: while it waits or is under way nothing else is saved, and it keeps its value if the focus moves on.
let acting = false;
document.addEventListener("submit", (event) => {
  if (event.target.id !== FORM) return;
  pressed = event.submitter?.value ?? "";
  acting = true;
}, true);

// Whoever only looks for a camera or a person has written nothing yet: that makes no draft.
let written = false;
const searches = (element) => element.id === "camera-plan" || Boolean(element.dataset?.finds);
for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => {
    if (event.target.closest?.(`#${FORM}`) && !searches(event.target)) written = true;
  }, true);
}

document.addEventListener("htmx:confirm", (event) => {
  if (event.target.id === "autosave" && (acting || !written)) event.preventDefault();
});

// Somebody types on while a button is under way: what has changed since it was sent is put into the form that comes.
let sent = [];
let typedOn = null;
const OF_THE_SERVER = ["version", "applicationId", "csrf_token"]; // another one after each save
const typed = (form) => [...new FormData(form)].filter(([, value]) => typeof value === "string");
const named = (fields, name) => JSON.stringify(fields.filter(([other]) => other === name));

document.addEventListener("htmx:configRequest", (event) => {
  if (["autosave", FORM].includes(event.target.id)) written = false;
  if (event.target.id !== FORM) return;
  if (pressed) event.detail.parameters.act = pressed;
  sent = typed(event.target);
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id !== FORM) return;
  const fields = typed(event.target);
  const names = new Set([...sent, ...fields].map(([name]) => name));
  typedOn = { fields, names: [...names].filter((name) => !OF_THE_SERVER.includes(name) && named(sent, name) !== named(fields, name)) };
});

function putBack(form) {
  if (typedOn?.names.length) {
    fill(form, typedOn.names, typedOn.fields);
    changed(form);
  }
  typedOn = null;
}

document.addEventListener("htmx:afterRequest", (event) => {
  const { pathInfo, xhr } = event.detail;
  if (pathInfo?.requestPath !== "/apply") return;
  acting = false;
  const form = document.getElementById(FORM);
  if (form && xhr.status === 0) changed(form); // it was not sent: save what it would have saved
});

function goOn() {
  const [act, index] = pressed.split("-");
  pressed = "";
  const place = { camera: `[name=items-${index}-start]`, pick: "#camera-search", add: "#camera-search", remove: "[value=add]", file: "[value=add]", person: `#f-${index}` }[act];
  if (place && document.activeElement === document.body) document.querySelector(place)?.focus();
}

// The next cameras come in place of the button that asked for them: the keyboard goes on at the first of them.
document.addEventListener("htmx:afterSettle", (event) => {
  if (!event.detail.pathInfo?.requestPath?.includes("after=") || document.activeElement !== document.body) return;
  [...document.querySelectorAll("[data-following]")].at(-1)?.querySelector(".choice")?.focus();
});

document.addEventListener("htmx:afterSettle", (event) => {
  prepare(event.target);
  if (event.target.id !== FORM) return;
  putBack(event.target);
  goOn();
});
prepare(document);
window.addEventListener("load", takeBack);
