// Reports what the player has played of a redacted copy, so that the system knows what somebody has watched.
(() => {
  const desk = document.getElementById("watched");
  const player = document.getElementById("player");
  const video = document.getElementById("video");
  const bar = document.getElementById("watched-bar");
  const share = document.getElementById("watched-share");
  const left = document.getElementById("unwatched");
  const chinese = document.documentElement.lang.startsWith("zh");
  const EVERY = 4000; // milliseconds of footage in one report
  const LONGEST = 60000;
  let from = null;
  let last = null;
  let begins = null; // where it stood before it plays: the first event comes some milliseconds later
  let waiting = Promise.resolve();

  function show({ watchedShare, unwatched }) {
    bar.value = watchedShare;
    share.textContent = `${Math.floor(watchedShare * 1000) / 10} %`;
    left.replaceChildren(...unwatched.slice(0, 20).map(({ startMs, endMs }) => {
      const item = document.createElement("li");
      const go = document.createElement("button");
      go.type = "button";
      go.className = "quiet small";
      go.textContent = `${player.written(startMs)} – ${player.written(endMs)}`;
      go.addEventListener("click", () => player.seekTo(startMs));
      item.append(go);
      return item;
    }));
    desk.classList.toggle("done", unwatched.length === 0);
    document.getElementById("watched-all").hidden = unwatched.length > 0;
  }
  function say(sentence) {
    const place = document.getElementById("watched-said");
    place.textContent = sentence;
    place.hidden = !sentence;
  }
  async function report(start, end) {
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": desk.dataset.token };
    const startMs = Math.max(0, Math.floor(start));
    const lengthMs = Math.min(LONGEST, Math.ceil(end) + 1 - startMs);
    if (lengthMs < 1) return;
    try {
      const answer = await fetch(desk.dataset.played, { method: "POST", headers, body: JSON.stringify({ startMs, lengthMs }) });
      const told = await answer.json();
      if (answer.ok) { show(told); say(""); } else say(chinese ? told.zh : told.en);
    } catch {
      say(desk.dataset.away);
    }
  }
  function flush() {
    if (from === null || last === null) { from = last = null; return; }
    const [start, end] = [from, last];
    from = last = null;
    waiting = waiting.then(() => report(start, end));
  }
  function follow() {
    if (video.paused || video.seeking) return;
    const at = player.timeAt(video.currentTime);
    if (from === null) { from = begins !== null && at >= begins && at - begins < 500 ? begins : at; begins = null; }
    // what jumps was not played
    if (last !== null && (at < last || at - last > 2500 * Math.max(1, video.playbackRate) + 500)) { flush(); from = at; }
    last = at;
    if (last - from >= EVERY) { flush(); from = last = at; }
  }
  video.addEventListener("timeupdate", follow);
  // where it begins: on a busy machine "playing" and the first "timeupdate" come when pictures were shown already
  video.addEventListener("play", follow);
  video.addEventListener("playing", follow);
  video.addEventListener("pause", () => { if (!video.seeking) last = last === null ? null : player.timeAt(video.currentTime); flush(); });
  video.addEventListener("seeking", flush);
  for (const name of ["loadeddata", "seeked"]) video.addEventListener(name, () => { begins = player.timeAt(video.currentTime); });
  video.addEventListener("ended", () => { last = player.timeAt(video.duration); flush(); });
  window.addEventListener("pagehide", flush);
  video.addEventListener("loadeddata", () => show(JSON.parse(desk.dataset.now)), { once: true });
})();
