// Sends the chosen file as it is, with its progress; without this script the form itself brings it.
"use strict";

for (const form of document.querySelectorAll("form[data-send]")) {
  const [bar, said, refusal] = ["progress", "output", "[role=alert]"].map((what) => form.querySelector(what));
  const button = form.querySelector("button");
  let sending = false;

  const refuse = (sentence) => {
    sending = false;
    bar.hidden = true;
    said.textContent = "";
    refusal.textContent = sentence;
    refusal.hidden = false;
    form.querySelector("[data-again]").hidden = false;
  };

  window.addEventListener("beforeunload", (event) => {
    if (sending) event.preventDefault();
  });

  form.addEventListener("submit", (event) => {
    const file = form.elements.file.files[0];
    if (!file) return;
    event.preventDefault();
    const call = new XMLHttpRequest();
    call.open("PUT", form.dataset.send);
    call.setRequestHeader("X-CSRF-Token", form.dataset.csrf);
    call.setRequestHeader("Content-Type", "application/octet-stream");
    call.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = total ? (100 * loaded) / total : 0;
      said.textContent = `${Math.floor(bar.value)} % – ${form.dataset.stay}`;
    });
    call.addEventListener("load", () => {
      if (call.status === 200) {
        sending = false;
        window.location.reload();
        return;
      }
      let problem = {};
      try {
        problem = JSON.parse(call.responseText);
      } catch {
        problem = {};
      }
      refuse(problem[form.dataset.language] || form.dataset.broken);
    });
    call.addEventListener("error", () => refuse(form.dataset.broken));
    sending = true;
    button.disabled = true;
    refusal.hidden = true;
    bar.hidden = false;
    call.send(file);
  });
}
