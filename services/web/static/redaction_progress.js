// Shows how far a redacted copy is made; the page is loaded again once it is. It asks the API, which books no reading.
(() => {
  const card = document.getElementById("redacted-copy");
  const bar = card?.querySelector("progress");
  const said = document.getElementById("redacted-progress");
  if (!bar || !card.dataset.progress) return;
  // like every page that asks by itself, it must not keep the session of somebody who has left alive
  const AWAY = 10 * 60 * 1000;
  let lastSeen = Date.now();
  for (const sign of ["pointermove", "pointerdown", "keydown", "scroll", "focusin"]) {
    window.addEventListener(sign, () => { lastSeen = Date.now(); }, { passive: true, capture: true });
  }
  const timer = setInterval(async () => {
    if (document.hidden || Date.now() - lastSeen > AWAY) return;
    try {
      const answer = await fetch(card.dataset.progress, { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) return clearInterval(timer);
      const { state, progress } = await answer.json();
      if (state !== "queued") return location.reload();
      bar.value = progress;
      said.textContent = `${Math.round(progress * 100)} %`;
    } catch { /* the next one may succeed */ }
  }, 5000);
})();
