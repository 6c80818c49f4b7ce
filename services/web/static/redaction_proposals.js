// Asks for proposals of boxes around faces, shows how far the detector has come, and puts what it proposes into the editor.
(() => {
  const editor = document.getElementById("redaction");
  const ask = document.getElementById("propose");
  if (!ask) return;
  const bar = document.getElementById("propose-progress");
  const said = document.getElementById("propose-said");
  const words = ask.dataset;
  const EVERY = 3000; // milliseconds between two questions
  // like every page that asks by itself, it must not keep the session of somebody who has left alive
  const AWAY = 10 * 60 * 1000;
  let lastSeen = Date.now();
  for (const sign of ["pointermove", "pointerdown", "keydown", "scroll", "focusin"]) {
    window.addEventListener(sign, () => { lastSeen = Date.now(); }, { passive: true, capture: true });
  }

  function end(sentence) {
    bar.hidden = true;
    ask.disabled = false;
    said.textContent = sentence;
  }
  function show(view) {
    if (view.state === "made") {
      const added = editor.propose(view);
      let sentence = view.boxes.length ? words.made.replace("{count}", added) : words.none;
      if (view.untilMs !== null) sentence += ` ${words.until.replace("{second}", Math.floor(view.untilMs / 1000))}`;
      return end(sentence);
    }
    if (view.state !== "queued") return end(words.failed);
    bar.hidden = false;
    ask.disabled = true;
    bar.value = view.progress;
    said.textContent = words.working.replace("{share}", `${Math.floor(view.progress * 100)} %`);
    setTimeout(() => follow(view.id), EVERY);
  }
  async function follow(id) {
    if (document.hidden || Date.now() - lastSeen > AWAY) return setTimeout(() => follow(id), EVERY);
    try {
      const answer = await fetch(`${words.detections}/${id}`, { credentials: "same-origin", cache: "no-store" });
      const data = await answer.json();
      if (!answer.ok) return end(data.detail ?? words.failed);
      show(data);
    } catch {
      setTimeout(() => follow(id), EVERY); // the next one may succeed
    }
  }
  ask.addEventListener("click", async () => {
    ask.disabled = true;
    try {
      const headers = { "X-CSRF-Token": words.token };
      const answer = await fetch(words.detections, { method: "POST", credentials: "same-origin", headers });
      const data = await answer.json();
      if (!answer.ok) return end(data.detail ?? words.failed);
      show(data);
    } catch {
      end(words.failed);
    }
  });
  if (words.running) follow(words.running);
})();
