// Arrow keys turn the page of the calendar; every way is a link as well.
"use strict";

const turned = { ArrowLeft: "prev", ArrowRight: "next" };
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]");
  if (typing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !(event.key in turned)) return;
  document.querySelector(`.calendar-bar [rel="${turned[event.key]}"]`)?.click();
});
