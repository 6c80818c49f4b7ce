// A picture that is not there says so; sliders move the times of a span; a form is returned without answers.
// The pages work without this.
document.addEventListener("error", (event) => {
  const image = event.target;
  if (!(image instanceof HTMLImageElement) || !image.dataset.missing) return;
  const said = document.createElement("p");
  said.className = "missing";
  said.setAttribute("role", "status");
  said.textContent = image.dataset.missing;
  image.replaceWith(said);
}, true);

const zhHere = document.documentElement.lang.startsWith("zh");
// The fields hold local times without a zone; counted as if in UTC, so that no summer time of this machine moves them.
const toSeconds = (text) => Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`) / 1000;
const toText = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19);

function slider(field, name, begin, length) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: 0, max: length, step: 1 });
  label.append(name, input);
  const follow = () => {
    const at = toSeconds(field.value) - begin;
    if (Number.isFinite(at)) input.value = at;
    input.setAttribute("aria-valuetext", field.value.replace("T", " "));
  };
  input.addEventListener("input", () => {
    field.value = toText(begin + Number(input.value));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  field.addEventListener("change", follow);
  follow();
  return label;
}

for (const grant of document.querySelectorAll(".grant[data-start]")) {
  const [from, to] = grant.querySelectorAll("input[type=datetime-local]");
  const granted = grant.querySelector("input[type=checkbox]");
  const begin = toSeconds(grant.dataset.start);
  const length = Number(grant.dataset.seconds);
  const box = document.createElement("div");
  box.className = "slider";
  const told = document.createElement("output");
  const first = slider(from, zhHere ? "起点" : "From", begin, length);
  const last = slider(to, zhHere ? "终点" : "To", begin, length);
  const tell = () => {
    const seconds = toSeconds(to.value) - toSeconds(from.value);
    told.textContent = seconds > 0 ? (zhHere ? `批准 ${inWords(seconds)}，共 ${inWords(length)}` : `${inWords(seconds)} of ${inWords(length)}`) : (zhHere ? "结束须晚于开始" : "It has to end after it starts");
    grant.classList.toggle("out", !granted.checked);
    from.disabled = to.disabled = !granted.checked;
  };
  box.append(first, last, told);
  grant.append(box);
  grant.addEventListener("change", tell);
  granted.addEventListener("change", tell);
  tell();
}

// Without this, the button that returns a form has the browser check nothing; with it, all but the answers.
for (const button of document.querySelectorAll("form.decide button[name=outcome]")) {
  const unanswered = "unanswered" in button.dataset;
  if (unanswered) button.formNoValidate = false;
  button.addEventListener("click", () => {
    for (const answer of button.form.querySelectorAll("input[type=radio][name^=answers-]")) answer.required = !unanswered;
  });
}
