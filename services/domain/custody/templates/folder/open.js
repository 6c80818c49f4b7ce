// Opens the age file that lies beside this page and saves the footage, piece by piece. Needs age-decrypter.min.js.
"use strict";
(() => {
  const name = document.querySelector("main").dataset.name;
  const form = document.getElementById("open");
  const progress = document.getElementById("progress");

  function tell(told) {
    for (const one of document.querySelectorAll("[data-told]")) one.hidden = one.dataset.told !== told;
  }

  // As it was dictated: small or full-width letters, any spaces and hyphens.
  function password() {
    const typed = document.getElementById("password").value.normalize("NFKC").toUpperCase();
    return (typed.replace(/[^0-9A-Z]/g, "").match(/.{1,4}/g) || []).join("-");
  }

  async function unlock(file) {
    const decrypter = new age.Decrypter();
    decrypter.addPassphrase(password());
    try {
      return await decrypter.decrypt(file.stream());
    } catch (error) {
      tell(/no identity matched/.test(error.message) ? "wrong-password" : "wrong-file");
      return null;
    }
  }

  // Where the browser lets us write a file piece by piece; else it collects the footage itself, and then saves it.
  async function place() {
    if (!window.showSaveFilePicker) return null;
    return (await window.showSaveFilePicker({ suggestedName: name })).createWritable();
  }

  function save(blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
  }

  async function open() {
    const footage = await unlock(document.getElementById("file").files[0]);
    if (!footage) return;
    let damaged = false;
    let done = 0;
    const source = footage.getReader();
    const counted = new ReadableStream({
      async pull(to) {
        try {
          const piece = await source.read();
          if (piece.done) return to.close();
          progress.value = done += piece.value.length;
          return to.enqueue(piece.value);
        } catch (error) {
          damaged = true;
          throw error;
        }
      },
    });
    try {
      const to = await place();
      progress.hidden = false;
      tell("opening");
      if (to) await counted.pipeTo(to);
      else save(await new Response(counted, { headers: { "Content-Type": "video/mp4" } }).blob());
      tell("saved");
    } catch {
      tell(damaged ? "damaged" : "not-saved");
    }
    progress.hidden = true;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    tell("opening");
    await open();
    button.disabled = false;
  });
})();
