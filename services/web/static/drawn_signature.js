// A signature drawn with a finger, a pen or the mouse: its strokes go with the form as points.
"use strict";

for (const place of document.querySelectorAll("[data-drawn]")) {
  const canvas = place.querySelector("canvas");
  const kept = place.querySelector("input");
  const pen = canvas.getContext("2d");
  const choices = place.closest("form").elements[`${place.dataset.drawn}-how`];
  let strokes = [];
  let drawing = false;

  const paint = () => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.lineWidth = 4;
    pen.lineCap = pen.lineJoin = "round";
    for (const points of strokes) {
      pen.beginPath();
      pen.moveTo(...points[0]);
      for (const point of points) pen.lineTo(...point);
      pen.stroke();
    }
    kept.value = strokes.length ? JSON.stringify(strokes) : "";
  };
  const pointOf = (event) => {
    const box = canvas.getBoundingClientRect();
    const inside = (part, whole, most) => Math.max(0, Math.min(most, Math.round((part / whole) * most)));
    return [inside(event.clientX - box.left, box.width, canvas.width), inside(event.clientY - box.top, box.height, canvas.height)];
  };
  const follow = () => { place.hidden = choices.value !== "drawn"; };

  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    strokes.push([pointOf(event)]);
    paint();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    strokes.at(-1).push(pointOf(event));
    paint();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { drawing = false; });
  place.querySelector("[data-clear]").addEventListener("click", () => {
    strokes = [];
    paint();
  });
  for (const choice of choices) choice.addEventListener("change", follow);
  follow();
}
