// Cameras are moved on a floor plan by the mouse, a finger or the arrow keys. The number fields work without this.
const form = document.getElementById("pins");
const sheet = form?.querySelector(".plan-sheet");
const STEP = 0.5;
const LARGE_STEP = 5;
const AWAY = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const fieldOf = (pin, side) => form.querySelector(`[data-${side}="${CSS.escape(pin.dataset.pin)}"]`);
const within = (percent) => Math.round(Math.min(100, Math.max(0, percent)) * 10) / 10;
const typed = (input) => Number(input.value.replace(",", "."));

// The drawings beside a pin are as wide and as high as it is away from the left and the top.
function show(pin) {
  const [x, y] = ["x", "y"].map((side) => within(typed(fieldOf(pin, side)) || 0));
  pin.previousElementSibling.setAttribute("width", `${x}%`);
  pin.closest("li").firstElementChild.setAttribute("height", `${y}%`);
}

function move(pin, x, y) {
  fieldOf(pin, "x").value = within(x);
  fieldOf(pin, "y").value = within(y);
  show(pin);
  for (const note of form.querySelectorAll("[data-moved]")) note.hidden = false;
}

function follow(pin, event) {
  const box = sheet.getBoundingClientRect();
  move(pin, ((event.clientX - box.left) / box.width) * 100, ((event.clientY - box.top) / box.height) * 100);
}

if (sheet) {
  for (const hint of form.querySelectorAll("[data-scripted]")) hint.hidden = false;
  let held = null;
  sheet.addEventListener("pointerdown", (event) => {
    held = event.target.closest("[data-pin]");
    if (!held) return;
    held.setPointerCapture(event.pointerId);
    held.focus();
    event.preventDefault();
  });
  sheet.addEventListener("pointermove", (event) => {
    if (held) follow(held, event);
  });
  for (const end of ["pointerup", "pointercancel"]) sheet.addEventListener(end, () => (held = null));
  sheet.addEventListener("keydown", (event) => {
    const pin = event.target.closest("[data-pin]");
    const away = AWAY[event.key];
    if (!pin || !away) return;
    event.preventDefault();
    const step = event.shiftKey ? LARGE_STEP : STEP;
    move(pin, typed(fieldOf(pin, "x")) + away[0] * step, typed(fieldOf(pin, "y")) + away[1] * step);
  });
  form.addEventListener("input", (event) => {
    const id = event.target.dataset.x ?? event.target.dataset.y;
    const pin = id && sheet.querySelector(`[data-pin="${CSS.escape(id)}"]`);
    if (pin) move(pin, typed(fieldOf(pin, "x")), typed(fieldOf(pin, "y")));
  });
  // After a refusal the fields have what was typed, and the plan what is stored.
  for (const pin of sheet.querySelectorAll("[data-pin]")) show(pin);
  sheet.querySelector("[data-placed]")?.focus();
}
