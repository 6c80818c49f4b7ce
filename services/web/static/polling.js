// A page that asks for news by itself stops when nobody is there: it must not keep a session alive. Nor does it take away
// what somebody has ticked.
const AWAY = 10 * 60 * 1000;
let lastSeen = Date.now();
for (const sign of ["pointermove", "pointerdown", "keydown", "scroll", "focusin"]) {
  window.addEventListener(sign, () => { lastSeen = Date.now(); }, { passive: true, capture: true });
}
document.addEventListener("htmx:beforeRequest", (event) => {
  const polls = event.detail.elt.matches("[data-polls]");
  const ticked = polls && event.detail.elt.querySelector("input[type=checkbox]:checked");
  if (polls && (ticked || document.hidden || Date.now() - lastSeen > AWAY)) event.preventDefault();
});
// The box of a list that ticks them all.
document.addEventListener("change", ({ target }) => {
  const { all } = target.dataset;
  if (all) for (const box of target.form.querySelectorAll(`input[name=${all}]`)) box.checked = target.checked;
  else if (target.form) for (const box of target.form.querySelectorAll(`[data-all="${target.name}"]`)) box.checked = false;
});
