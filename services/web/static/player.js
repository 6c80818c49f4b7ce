// Plays a sealed copy by its playlist, in the recorder's own time. Needs stage.js.
(() => {
  const player = document.getElementById("player");
  const stage = document.getElementById("stage");
  const video = document.getElementById("video");
  const line = document.getElementById("line");
  const clock = document.getElementById("clock");
  const gapNote = document.getElementById("gap");
  const jumpTo = document.getElementById("jump-to");
  const strip = document.getElementById("strip");
  const volume = document.getElementById("volume"); // only where there is sound
  const told = player.dataset;
  const { parts, written, inZone, exact, fromLocal } = window.footageTimes;
  const recorderParts = parts(told.zone);

  function say(sentence) {
    const place = document.getElementById("player-callout");
    place.textContent = sentence;
    place.hidden = false;
  }
  const footage = window.footageStage({
    told, stage, video, say, taken: take,
    closed: () => {
      for (const control of player.querySelectorAll("button, select, input")) control.disabled = true;
      strip?.remove();
      tellPlaying(); // an element that is emptied does not say that it pauses
      tellWaiting();
      document.exitFullscreen?.call(document).catch(() => {});
      player.dispatchEvent(new Event("footage-closed"));
    },
  });

  function show() {
    if (!footage.ready || footage.closed) return;
    const at = footage.recorderTime(video.currentTime);
    clock.textContent = exact(recorderParts, at);
    if (!line.matches(":active")) line.value = at; // while it is dragged it leads
    line.setAttribute("aria-valuetext", clock.textContent);
    if (document.activeElement !== jumpTo) jumpTo.value = written(recorderParts, at, "T");
    const ahead = footage.gaps.find(({ start }) => start >= at && start - at < 3000);
    gapNote.hidden = !ahead;
    if (ahead) gapNote.textContent = told.gap.replace("{start}", inZone(recorderParts, ahead.start)).replace("{end}", inZone(recorderParts, ahead.end));
  }

  // --- acts
  const usual = Number(told.rate) > 0 ? 1 / Number(told.rate) : 1 / 25;
  let pictureLength = usual;
  let shown = null; // when the picture begins that is shown, in seconds of play
  let stepping = null; // {from, count, tries}: until another picture is shown
  function learn(_now, { mediaTime }) {
    const length = shown === null ? 0 : mediaTime - shown;
    // never more than was told: a busy browser leaves pictures out, and a step would pass over one
    if (!video.paused && video.playbackRate <= 1 && length > usual / 4) pictureLength = Math.min(pictureLength, length);
    shown = mediaTime;
    if (stepping !== null && Math.abs(mediaTime - stepping.from) > 0.001) stepping = null;
    else if (stepping !== null && stepping.tries < 12) reach(); // a picture that is shown longer than most
    video.requestVideoFrameCallback(learn);
  }
  video.requestVideoFrameCallback?.(learn);
  video.addEventListener("seeking", () => { shown = null; });
  /** Seeks to the middle of the next picture, and further where that is the same one. */
  function reach() {
    stepping.tries += 1;
    footage.seek(stepping.from + Math.sign(stepping.count) * stepping.tries * pictureLength + pictureLength / 2);
  }
  function step(count) {
    video.pause();
    if (shown === null || shown > video.currentTime + 0.01 || video.currentTime - shown > 2) { // not told yet, as right after a seek
      stepping = null;
      const number = Math.floor(video.currentTime / pictureLength + 0.01);
      return footage.seek((number + count + 0.5) * pictureLength); // its middle: the edge may show the one before
    }
    stepping = { from: shown, count, tries: 0 };
    reach();
  }
  function faster(by) {
    const speed = document.getElementById("speed");
    speed.selectedIndex = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + by));
    video.playbackRate = Number(speed.value);
  }
  const acts = {
    play: () => { if (video.paused) video.play().catch(() => {}); else video.pause(); },
    back: () => footage.seek(video.currentTime - 10),
    forward: () => footage.seek(video.currentTime + 10),
    previous: () => step(-1),
    next: () => step(1),
    sound: () => { video.muted = !video.muted; },
    full: () => { if (document.fullscreenElement) document.exitFullscreen(); else player.requestFullscreen?.().catch(() => {}); },
  };
  const keys = {
    " ": acts.play, k: acts.play, j: acts.back, l: acts.forward, ",": acts.previous, ".": acts.next, f: acts.full,
    ArrowLeft: () => footage.seek(video.currentTime - 5), ArrowRight: () => footage.seek(video.currentTime + 5),
    "-": () => faster(-1), "+": () => faster(1), "=": () => faster(1), Home: () => footage.seek(0), End: () => footage.seek(footage.end()),
  };
  if (volume) keys.m = acts.sound;
  player.keys = keys; // what stands beside the player adds its own
  player.addEventListener("click", (event) => {
    const act = event.target.closest("[data-do]");
    if (act && !footage.closed) acts[act.dataset.do]();
  });
  document.addEventListener("keydown", (event) => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || window.footageKeyIsTaken(event) || footage.closed || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }, true);
  document.getElementById("speed").addEventListener("change", (event) => { video.playbackRate = Number(event.target.value); });
  video.addEventListener("click", () => { if (!footage.closed) acts.play(); });
  volume?.addEventListener("input", () => { Object.assign(video, { volume: Number(volume.value), muted: false }); });
  document.getElementById("jump").addEventListener("submit", (event) => {
    event.preventDefault();
    if (jumpTo.value && footage.ready) footage.seek(footage.playTime(fromLocal(recorderParts, jumpTo.value)));
  });
  line.addEventListener("input", () => { if (footage.ready) footage.seek(footage.playTime(Number(line.value))); });
  for (const name of ["timeupdate", "seeking", "seeked", "loadeddata", "pause"]) video.addEventListener(name, show);
  for (const name of ["timeupdate", "seeked", "loadeddata", "pause"]) {
    video.addEventListener(name, () => player.dispatchEvent(new Event("footage-moved")));
  }

  // --- what the buttons and the line say of it: the browser's own controls tell another time, and are left out
  const button = (act) => player.querySelector(`[data-do=${act}]`);
  function tellPlaying() { button("play").textContent = video.paused ? button("play").dataset.play : button("play").dataset.pause; }
  function tellSound() {
    button("sound").textContent = video.muted ? button("sound").dataset.on : button("sound").dataset.off;
    volume.value = video.volume;
  }
  let soon = 0;
  function tellWaiting() {
    clearTimeout(soon);
    const waits = !footage.closed && (video.seeking || (!video.paused && !video.ended) || !footage.ready) && video.readyState < 3;
    if (!waits) document.getElementById("waiting").hidden = true;
    else soon = setTimeout(() => { document.getElementById("waiting").hidden = false; }, 400);
  }
  for (const name of ["play", "pause", "ended"]) video.addEventListener(name, tellPlaying);
  for (const name of ["loadstart", "waiting", "seeking", "seeked", "canplay", "playing", "pause", "ended"]) video.addEventListener(name, tellWaiting);
  if (volume) {
    video.addEventListener("volumechange", tellSound);
    video.volume = 0.9;
    volume.parentElement.hidden = video.volume === 1; // a phone that has buttons for it
    video.volume = 1;
  }
  button("full").hidden = !player.requestFullscreen; // a phone that shows a video alone, without its watermark
  document.addEventListener("fullscreenchange", () => {
    if (document.fullscreenElement === video) document.exitFullscreen().then(acts.full);
  });

  // What else draws into the stage, marks moments, or reports what was played, reads times here: milliseconds after the
  // first picture. It hears of footage-known, footage-moved and footage-closed.
  player.pause = () => video.pause();
  player.timeAt = (seconds) => (footage.ready ? footage.recorderTime(seconds) - footage.first : 0);
  player.seekTo = (milliseconds) => { if (footage.ready) footage.seek(footage.playTime(footage.first + milliseconds)); };
  player.written = (milliseconds) => (footage.ready ? written(recorderParts, footage.first + milliseconds).slice(11) : "");
  /** The moment of the picture that is shown; null before there is one. */
  player.shownAt = () => (footage.ready && !footage.closed && video.readyState >= 2
    ? player.timeAt(shown !== null && Math.abs(shown - video.currentTime) < 1 ? shown : video.currentTime) : null);
  /** Where a moment lies on the time bar, 0 to 1. */
  player.shareOf = (milliseconds) => (footage.last > footage.first ? milliseconds / (footage.last - footage.first) : 0);

  let known = false;
  function take() {
    Object.assign(line, { min: footage.first, max: footage.last, disabled: false });
    Object.assign(jumpTo, { min: written(recorderParts, footage.first, "T"), max: written(recorderParts, footage.last, "T") });
    show();
    if (known) return;
    known = true;
    const atShare = (share) => footage.seek(footage.playTime(footage.first + share * (footage.last - footage.first)));
    if (strip) video.addEventListener("loadeddata", () => { if (strip.isConnected) window.footageStrip(strip, atShare); }, { once: true });
    player.dispatchEvent(new Event("footage-known"));
  }
  footage.open();
})();
