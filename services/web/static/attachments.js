// Sends chosen or dropped files one after another, with their progress; without this script the form brings one itself.
"use strict";

for (const form of document.querySelectorAll("form[data-attach]")) {
  const input = form.elements.file;
  const drop = form.querySelector(".drop");
  const list = form.querySelector(".sending");
  const button = form.querySelector("button");
  let sending = false;

  const line = (file) => {
    const item = document.createElement("li");
    const name = document.createElement("span");
    const bar = document.createElement("progress");
    const said = document.createElement("small");
    name.textContent = file.name;
    bar.max = 100;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    item.append(name, " ", bar, " ", said);
    list.append(item);
    const end = (sentence, wrong) => {
      bar.remove();
      said.textContent = sentence;
      item.className = wrong ? "wrong" : "done";
      return !wrong;
    };
    return { bar, end };
  };

  const refusal = (call) => {
    try {
      return JSON.parse(call.responseText)[form.dataset.language] || form.dataset.broken;
    } catch {
      return form.dataset.broken;
    }
  };

  const send = (file) => {
    const { bar, end } = line(file);
    if (file.size > Number(form.dataset.largest)) return Promise.resolve(end(form.dataset.large, true));
    const said = { kind: form.elements.kind.value, name: file.name, note: form.elements.note.value.trim() };
    return new Promise((done) => {
      const call = new XMLHttpRequest();
      call.open("POST", `${form.dataset.attach}?${new URLSearchParams(said)}`);
      call.setRequestHeader("X-CSRF-Token", form.dataset.csrf);
      call.setRequestHeader("Content-Type", "application/octet-stream");
      call.upload.addEventListener("progress", ({ loaded, total }) => {
        bar.value = total ? (100 * loaded) / total : 0;
      });
      call.addEventListener("load", () =>
        done(call.status === 201 ? end(form.dataset.added, false) : end(refusal(call), true)),
      );
      call.addEventListener("error", () => done(end(form.dataset.broken, true)));
      call.send(file);
    });
  };

  const sendAll = async (files) => {
    if (sending || !form.reportValidity() || !files.length) return;
    sending = true;
    button.disabled = true;
    list.replaceChildren();
    let all = true;
    for (const file of files) all = (await send(file)) && all;
    sending = false;
    button.disabled = false;
    form.reset();
    // what was refused stays to be read; the list is fresh at the next visit
    if (all) window.location.reload();
  };

  input.multiple = true;
  form.querySelector(".drag").hidden = false;
  window.addEventListener("beforeunload", (event) => {
    if (sending) event.preventDefault();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sendAll([...input.files]);
  });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (sending) return;
    // the field holds what was dropped, so that the kind can be chosen afterwards as well
    input.files = event.dataTransfer.files;
    if (form.elements.kind.value) sendAll([...input.files]);
    else form.reportValidity();
  });
}
