// A page that asks for news by itself stops when nobody is there: it must not keep a session alive.
const AWAY = 10 * 60 * 1000;
let lastSeen = Date.now();
for (const sign of ["pointermove", "pointerdown", "keydown", "scroll", "focusin"]) {
  window.addEventListener(sign, () => { lastSeen = Date.now(); }, { passive: true, capture: true });
}
document.addEventListener("htmx:beforeRequest", (event) => {
  const polls = event.detail.elt.matches("[data-polls]");
  if (polls && (document.hidden || Date.now() - lastSeen > AWAY)) event.preventDefault();
});
