// Plays a sealed copy by its playlist, in the recorder's own time, under a watermark that stays. Needs hls.light.min.js.
(() => {
  const player = document.getElementById("player");
  const stage = document.getElementById("stage");
  const video = document.getElementById("video");
  const line = document.getElementById("line");
  const clock = document.getElementById("clock");
  const gapNote = document.getElementById("gap");
  const jumpTo = document.getElementById("jump-to");
  const told = player.dataset;
  const chinese = document.documentElement.lang.startsWith("zh");
  let fragments = []; // {start, duration, at}: seconds of play, seconds, milliseconds since 1970
  let gaps = []; // {start, end}: milliseconds since 1970
  let closed = false;
  let hls = null;

  // --- time: play time has no gaps, recorder time has
  const parts = (zone) => new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const recorderParts = parts(told.zone);
  const markParts = parts(told.markZone);
  function written(format, at, joint = " ") {
    const found = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
    return `${found.year}-${found.month}-${found.day}${joint}${found.hour}:${found.minute}:${found.second}`;
  }
  const offset = (format, at) => Math.round((Date.parse(`${written(format, at, "T")}Z`) - Math.floor(at / 1000) * 1000) / 60000);
  function named(minutes) {
    const size = Math.abs(minutes);
    return `UTC${minutes < 0 ? "-" : "+"}${Math.floor(size / 60)}${size % 60 ? `:${String(size % 60).padStart(2, "0")}` : ""}`;
  }
  const inZone = (format, at) => `${written(format, at)} ${named(offset(format, at))}`;
  function fromLocal(text) {
    const guess = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
    const once = guess - offset(recorderParts, guess) * 60000;
    return guess - offset(recorderParts, once) * 60000;
  }

  function fragmentAt(seconds) {
    let low = 0;
    let high = fragments.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (fragments[middle].start <= seconds + 0.001) low = middle; else high = middle - 1;
    }
    return fragments[low];
  }
  function recorderTime(seconds) {
    const found = fragmentAt(seconds);
    return found.at + Math.max(0, Math.min(seconds - found.start, found.duration)) * 1000;
  }
  /** Where to play from for a recorder time; inside a gap that is the first picture after it. */
  function playTime(at) {
    const next = fragments.find((one) => at < one.at + one.duration * 1000);
    if (!next) return Math.max(0, end() - 0.1);
    return next.start + Math.max(0, at - next.at) / 1000;
  }
  const end = () => (fragments.length ? fragments.at(-1).start + fragments.at(-1).duration : 0);

  // --- what is shown
  function say(sentence) {
    const place = document.getElementById("player-callout");
    place.textContent = sentence;
    place.hidden = false;
  }
  /** Stops for good: what was loaded goes as well. */
  function close(sentence) {
    if (closed) return;
    closed = true;
    video.pause();
    if (hls) hls.destroy();
    video.removeAttribute("src");
    video.load();
    for (const control of player.querySelectorAll("button, select, input")) control.disabled = true;
    document.exitFullscreen?.call(document).catch(() => {});
    say(sentence);
  }
  function show() {
    if (!fragments.length || closed) return;
    const at = recorderTime(video.currentTime);
    clock.textContent = `${written(recorderParts, at)}.${Math.floor((at % 1000) / 100)} ${named(offset(recorderParts, at))}`;
    if (document.activeElement !== line) line.value = at;
    line.setAttribute("aria-valuetext", clock.textContent);
    if (document.activeElement !== jumpTo) jumpTo.value = written(recorderParts, at, "T");
    const ahead = gaps.find(({ start }) => start >= at && start - at < 3000);
    gapNote.hidden = !ahead;
    if (ahead) gapNote.textContent = told.gap.replace("{start}", inZone(recorderParts, ahead.start)).replace("{end}", inZone(recorderParts, ahead.end));
  }

  // --- the watermark: text nodes over the picture, made again when something takes them away
  let marks = null;
  const watcher = new MutationObserver(mark);
  function markText() { return `${told.mark} · ${inZone(markParts, serverNow + Date.now() - started)}`; }
  function mark() {
    watcher.disconnect();
    marks?.remove();
    for (const other of stage.querySelectorAll(".marks")) other.remove();
    marks = document.createElement("div");
    marks.className = "marks";
    marks.setAttribute("aria-hidden", "true");
    for (let place = 0; place < 7; place += 1) {
      const text = document.createElement("span");
      if (place === 6) text.className = "moving";
      text.append(document.createTextNode(markText()));
      marks.append(text);
    }
    stage.append(marks);
    watcher.observe(stage, { childList: true, subtree: true, attributes: true, characterData: true, attributeFilter: ["class", "style", "hidden"] });
  }
  function tick() {
    if (closed) return;
    watcher.disconnect();
    for (const text of marks.children) text.firstChild.data = markText();
    watcher.observe(stage, { childList: true, subtree: true, attributes: true, characterData: true, attributeFilter: ["class", "style", "hidden"] });
    const seen = marks.checkVisibility?.({ opacityProperty: true, visibilityProperty: true }) ?? true;
    if (!marks.isConnected || !seen) close(told.hidden);
    const now = Date.parse(document.body.dataset.now) + performance.now();
    if (now >= Date.parse(told.due)) close(told.ended);
    const closes = document.getElementById("presence")?.dataset.sittingCloses;
    if (closes !== undefined && now >= (Date.parse(closes) || 0)) close(told.lapsed);
  }

  // --- whether the footage may still be seen
  async function refused() {
    try {
      const answer = await fetch(told.playlist, { cache: "no-store" });
      if (answer.ok) return false;
      if (answer.status === 401) return close(told.loggedOut) ?? true;
      const problem = await answer.json();
      close(chinese ? problem.zh : problem.en);
      return true;
    } catch {
      return false;
    }
  }
  // What is loaded to its end asks for nothing more, so the player asks whether it may go on.
  const askAgain = () => { if (!closed && fragments.length) refused(); };
  setInterval(askAgain, 15000);
  video.addEventListener("play", askAgain);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) askAgain(); });

  // --- acts
  let pictureLength = 1 / 25;
  let lastPicture = 0;
  function learn(_now, { mediaTime }) {
    const length = mediaTime - lastPicture;
    if (length > 0.005 && length < 0.5) pictureLength = length;
    lastPicture = mediaTime;
    video.requestVideoFrameCallback(learn);
  }
  video.requestVideoFrameCallback?.(learn);
  const seek = (seconds) => { video.currentTime = Math.max(0, Math.min(seconds, Math.max(0, end() - 0.05))); };
  function step(count) {
    video.pause();
    seek(video.currentTime + count * pictureLength);
  }
  function faster(by) {
    const speed = document.getElementById("speed");
    speed.selectedIndex = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + by));
    video.playbackRate = Number(speed.value);
  }
  const acts = {
    play: () => { if (video.paused) video.play().catch(() => {}); else video.pause(); },
    back: () => seek(video.currentTime - 10),
    forward: () => seek(video.currentTime + 10),
    previous: () => step(-1),
    next: () => step(1),
    full: () => { if (document.fullscreenElement) document.exitFullscreen(); else player.requestFullscreen?.().catch(() => {}); },
  };
  const keys = {
    " ": acts.play, k: acts.play, j: acts.back, l: acts.forward, ",": acts.previous, ".": acts.next, f: acts.full,
    ArrowLeft: () => seek(video.currentTime - 5), ArrowRight: () => seek(video.currentTime + 5),
    "-": () => faster(-1), "+": () => faster(1), "=": () => faster(1), Home: () => seek(0), End: () => seek(end()),
  };
  player.addEventListener("click", (event) => {
    const act = event.target.closest("[data-do]");
    if (act && !closed) acts[act.dataset.do]();
  });
  document.addEventListener("keydown", (event) => {
    const inField = event.target.closest("input, select, textarea, button, a, summary");
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || inField || closed || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }, true);
  document.getElementById("speed").addEventListener("change", (event) => { video.playbackRate = Number(event.target.value); });
  document.getElementById("jump").addEventListener("submit", (event) => {
    event.preventDefault();
    if (jumpTo.value && fragments.length) seek(playTime(fromLocal(jumpTo.value)));
  });
  line.addEventListener("input", () => { if (fragments.length) seek(playTime(Number(line.value))); });
  line.addEventListener("change", () => line.blur());
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  for (const name of ["timeupdate", "seeking", "seeked", "loadeddata", "pause"]) video.addEventListener(name, show);
  document.addEventListener("fullscreenchange", () => {
    if (document.fullscreenElement === video) document.exitFullscreen().then(acts.full);
  });

  // What else draws into the stage, or reports what was played, reads times here: milliseconds after the first picture.
  player.timeAt = (seconds) => (fragments.length ? recorderTime(seconds) - fragments[0].at : 0);
  player.seekTo = (milliseconds) => { if (fragments.length) seek(playTime(fragments[0].at + milliseconds)); };
  player.written = (milliseconds) => (fragments.length ? written(recorderParts, fragments[0].at + milliseconds).slice(11) : "");

  function take(details) {
    fragments = details.fragments.map(({ start, duration, programDateTime }) => ({ start, duration, at: programDateTime }));
    gaps = fragments.slice(1).map((one, place) => ({ start: fragments[place].at + fragments[place].duration * 1000, end: one.at }))
      .filter(({ start, end: stop }) => stop - start > 200);
    const first = fragments[0].at;
    const last = recorderTime(end());
    Object.assign(line, { min: first, max: last, disabled: false });
    Object.assign(jumpTo, { min: written(recorderParts, first, "T"), max: written(recorderParts, last, "T") });
    show();
  }

  mark();
  setInterval(tick, 1000);
  if (!window.Hls || !Hls.isSupported()) return close(told.unplayable);
  const source = window.ManagedMediaSource || window.MediaSource;
  if (told.codecs.includes("hevc") && !source.isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"')) return close(told.hevc);
  // No browser plays Motion JPEG or G.711, which is what a part in MOV holds.
  if (/mjpeg|pcm_/.test(told.codecs)) return close(told.download);
  hls = new Hls({ enableWorker: false, maxBufferLength: 15, maxMaxBufferLength: 30, backBufferLength: 30, startPosition: 0 });
  hls.on(Hls.Events.LEVEL_LOADED, (_name, { details }) => take(details));
  hls.on(Hls.Events.LEVEL_UPDATED, (_name, { details }) => take(details));
  hls.on(Hls.Events.ERROR, async (_name, error) => {
    const status = error.response?.code;
    if (status === 401) close(told.loggedOut);
    else if (status >= 400 && status < 500) { if (!(await refused())) close(told.away); }
    else if (/codec|Codec/.test(error.details)) close(told.codecs.includes("hevc") ? told.hevc : told.unplayable);
    else if (error.fatal) {
      if (await refused()) return;
      if (error.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
      else close(told.away);
    }
  });
  hls.loadSource(told.playlist);
  hls.attachMedia(video);
})();
