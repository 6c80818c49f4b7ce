// The page of a walk works without this: it scrolls the diagram to where the case stands, and asks whether a file was saved.
const box = document.querySelector(".bpmn-box");
const fit = document.getElementById("fit");
if (fit) {
  fit.checked = sessionStorage.getItem("play-fit") === "yes";
  fit.addEventListener("change", () => sessionStorage.setItem("play-fit", fit.checked ? "yes" : ""));
}
const here = box?.querySelector(".stuck") || box?.querySelector(".here") || box?.querySelector(".inside, .missed");
if (here) {
  const at = here.getBoundingClientRect();
  const frame = box.getBoundingClientRect();
  box.scrollLeft += at.left + at.width / 2 - frame.left - frame.width / 2;
  box.scrollTop += at.top + at.height / 2 - frame.top - frame.height / 2;
}
const page = document.querySelector("main[data-changed]");
const offer = document.getElementById("changed");
async function ask() {
  if (document.hidden) return;
  try {
    const answer = await fetch(page.dataset.changed, { credentials: "same-origin" });
    if (answer.ok) offer.hidden = !(await answer.json()).changed;
  } catch { /* the command was ended: the next act says so */ }
}
setInterval(ask, 2000);
