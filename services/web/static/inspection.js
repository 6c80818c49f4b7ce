// In a question of a checklist the keys 1, 2 and 3 choose an answer, and go on to the next question; so does Enter
// after its sentence, which would send the form half answered.
const form = document.querySelector("form[data-checklists]");

function next(fieldset) {
  const all = [...form.querySelectorAll("fieldset.radios")];
  const following = all[all.indexOf(fieldset) + 1];
  return following ? following.querySelector("input[type=radio]") : form.querySelector("input[type=password]");
}

form?.addEventListener("keydown", (event) => {
  const radio = event.target;
  if (radio.name?.startsWith("word.") && event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    next(radio.closest("fieldset")).focus();
    return;
  }
  if (radio.type !== "radio" || event.ctrlKey || event.altKey || event.metaKey || !"123".includes(event.key)) return;
  const fieldset = radio.closest("fieldset");
  const chosen = fieldset.querySelectorAll("input[type=radio]")[Number(event.key) - 1];
  event.preventDefault();
  chosen.checked = true;
  const system = chosen.dataset.system;
  const needsWord = chosen.value === "no" || (system && system !== chosen.value);
  const word = fieldset.querySelector("input:not([type=radio])");
  (needsWord && !word.value ? word : next(fieldset)).focus();
});
