// Plays two copies beside each other at one recorder time. Each has its own watermark and its own rights; when one is
// closed, both are. Needs stage.js.
(() => {
  const pair = document.getElementById("pair");
  const line = document.getElementById("line");
  const clock = document.getElementById("clock");
  const jumpTo = document.getElementById("jump-to");
  const speed = document.getElementById("speed");
  const shift = document.getElementById("shift");
  const { parts, written, inZone, exact, fromLocal } = window.footageTimes;
  const format = parts(pair.dataset.zone);
  const START = Date.parse(pair.dataset.start);
  const END = Date.parse(pair.dataset.end);
  const FAR = 350; // milliseconds apart from which a picture is sought and not caught up
  const NEAR = 5; // while both stand
  let at = START; // the recorder time of both, milliseconds since 1970
  let playing = false;
  let last = performance.now();

  function say(sentence) {
    const place = document.getElementById("player-callout");
    place.textContent = sentence;
    place.hidden = false;
  }
  let halves = [];
  function closeAll(sentence) {
    playing = false;
    for (const half of halves) half.footage.close(sentence);
    for (const control of pair.querySelectorAll("button, select, input")) control.disabled = true;
    for (const { element } of halves) element.dispatchEvent(new Event("footage-closed"));
    for (const strip of pair.querySelectorAll(".strip")) strip.remove();
    document.exitFullscreen?.call(document).catch(() => {});
  }
  halves = [...pair.querySelectorAll(".half")].map((element, place) => {
    const half = {
      element, place, told: element.dataset, video: element.querySelector("video"), note: element.querySelector(".no-footage"),
      time: element.querySelector(".own-time small"), format: parts(element.dataset.zone), sought: null, shown: null,
    };
    half.footage = window.footageStage({
      told: half.told, stage: element.querySelector(".stage"), video: half.video, say, closed: closeAll, taken: know,
    });
    half.video.muted = true;
    return half;
  });
  const closed = () => halves.some(({ footage }) => footage.closed);
  const known = () => halves.every(({ footage }) => footage.ready);
  const rate = () => Number(speed.value);

  // --- where each has to be
  /** By how much the half's own recorder time is later: the second one's clock may be corrected by what was measured. */
  const shiftOf = (half) => (half.place === 1 && shift?.checked ? Number(pair.dataset.shift) : 0);
  const timeOf = (half) => at + shiftOf(half);
  function gapAt({ footage }, moment) {
    if (moment < footage.first) return { start: null, end: footage.first };
    if (moment >= footage.last - 50) return { start: footage.last, end: null };
    return footage.gaps.find(({ start, end }) => moment >= start && moment < end) ?? null;
  }
  /** How far the picture is behind where it has to be, in milliseconds. */
  const behind = (half) => timeOf(half) - half.footage.recorderTime(half.video.currentTime);
  const waits = (half) => half.video.seeking || half.video.readyState < 3;

  function place(half) {
    const moment = timeOf(half);
    const gap = gapAt(half, moment);
    half.element.classList.toggle("in-gap", gap !== null);
    if (half.note.hidden !== (gap === null)) {
      half.note.hidden = gap === null;
      moved(half);
    }
    half.time.textContent = exact(half.format, moment);
    if (gap !== null) {
      const sentence = gap.start === null ? half.told.begins : gap.end === null ? half.told.over : half.told.gap;
      half.note.textContent = sentence.replace("{start}", inZone(half.format, gap.start ?? 0)).replace("{end}", inZone(half.format, gap.end ?? 0));
      if (!half.video.paused) half.video.pause();
      half.sought = null;
      return true;
    }
    const late = behind(half);
    if (Math.abs(late) > FAR || (!playing && Math.abs(late) > NEAR)) {
      const target = half.footage.playTime(moment);
      if (!half.video.seeking && half.sought !== target) { half.sought = target; half.footage.seek(target); }
    }
    return false;
  }
  function drive(half, go) {
    const { video } = half;
    if (!go) { if (!video.paused) video.pause(); return; }
    const late = behind(half);
    // what is a little behind plays a little faster, until both are in step
    const wanted = Math.min(8, Math.max(0.1, rate() * (1 + Math.max(-0.2, Math.min(0.2, late / 1000)))));
    if (Math.abs(video.playbackRate - wanted) > 0.01) video.playbackRate = wanted;
    if (video.paused) video.play().catch(() => {});
  }
  function turn(now) {
    const passed = now - last;
    last = now;
    if (known() && !closed()) {
      const away = halves.map(place);
      const shown = halves.filter((_, index) => !away[index]);
      const ready = shown.every((half) => !waits(half));
      if (playing) {
        if (!shown.length) at = Math.min(END, next());
        else if (ready) at = Math.min(END, at + Math.min(passed, 250) * rate());
        if (at >= END) playing = false;
      }
      for (const half of shown) drive(half, playing && ready);
      show();
    }
    requestAnimationFrame(turn);
  }
  /** Where neither has footage: the next moment at which one has. */
  function next() {
    const begins = halves.flatMap((half) => {
      const gap = gapAt(half, timeOf(half));
      return gap === null || gap.end === null ? [] : [gap.end - (timeOf(half) - at)];
    });
    return begins.length ? Math.max(at, Math.min(...begins)) : END;
  }
  const button = pair.querySelector("[data-do=play]");
  function show() {
    const label = playing ? button.dataset.pause : button.dataset.play;
    if (button.textContent !== label) button.textContent = label;
    clock.textContent = exact(format, at);
    if (!line.matches(":active")) line.value = at; // while it is dragged it leads
    line.setAttribute("aria-valuetext", clock.textContent);
    if (document.activeElement !== jumpTo) jumpTo.value = written(format, at, "T");
  }
  function go(moment) {
    at = Math.max(START, Math.min(END, moment));
    for (const half of halves) half.sought = null;
  }

  // --- acts
  function step(count) {
    playing = false;
    const rates = halves.map(({ told }) => Number(told.rate)).filter((one) => one > 0);
    go(at + count * 1000 / (rates.length ? Math.max(...rates) : 25));
  }
  const acts = {
    play: () => { playing = !playing && at < END; },
    back: () => go(at - 10000),
    forward: () => go(at + 10000),
    previous: () => step(-1),
    next: () => step(1),
    full: () => { if (document.fullscreenElement) document.exitFullscreen(); else pair.requestFullscreen?.().catch(() => {}); },
  };
  pair.querySelector("[data-do=full]").hidden = !pair.requestFullscreen; // a phone that shows a video alone, without its watermark
  function faster(by) { speed.selectedIndex = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + by)); }
  // What marks moments of a half reads times on it, as on the one player; B and S are of the first, with Shift of the second.
  const moved = ({ element }) => element.dispatchEvent(new Event("footage-moved"));
  for (const half of halves) {
    const { element, footage, video } = half;
    const learn = (_now, { mediaTime }) => { half.shown = mediaTime; video.requestVideoFrameCallback(learn); };
    video.requestVideoFrameCallback?.(learn);
    video.addEventListener("seeking", () => { half.shown = null; });
    for (const name of ["timeupdate", "seeked", "loadeddata", "pause"]) video.addEventListener(name, () => moved(half));
    Object.assign(element, {
      keys: {},
      pause: () => { playing = false; },
      seekTo: (milliseconds) => { if (footage.ready) go(footage.first + milliseconds - shiftOf(half)); },
      written: (milliseconds) => (footage.ready ? written(half.format, footage.first + milliseconds).slice(11) : ""),
      shareOf: (milliseconds) => (footage.first + milliseconds - START) / (END - START),
      shownAt: () => (footage.ready && !footage.closed && half.note.hidden && video.readyState >= 2
        ? footage.recorderTime(half.shown !== null && Math.abs(half.shown - video.currentTime) < 1 ? half.shown : video.currentTime) - footage.first : null),
    });
  }
  const keys = {
    " ": acts.play, k: acts.play, j: acts.back, l: acts.forward, ",": acts.previous, ".": acts.next, f: acts.full,
    ArrowLeft: () => go(at - 5000), ArrowRight: () => go(at + 5000),
    "-": () => faster(-1), "+": () => faster(1), "=": () => faster(1), Home: () => go(START), End: () => go(END),
  };
  pair.addEventListener("click", (event) => {
    const act = event.target.closest("[data-do]");
    if (act && !closed()) acts[act.dataset.do]();
  });
  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = keys[key] ?? halves[event.shiftKey ? 1 : 0].element.keys[key];
    if (!act || window.footageKeyIsTaken(event) || closed() || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }, true);
  document.getElementById("jump").addEventListener("submit", (event) => {
    event.preventDefault();
    if (jumpTo.value) go(fromLocal(format, jumpTo.value));
  });
  line.addEventListener("input", () => go(Number(line.value)));

  let opened = false;
  function know() {
    if (opened || !known()) return;
    opened = true;
    Object.assign(line, { min: START, max: END, disabled: false });
    Object.assign(jumpTo, { min: written(format, START, "T"), max: written(format, END, "T") });
    for (const button of pair.querySelectorAll("[data-do]")) button.disabled = false;
    for (const { element } of halves) element.dispatchEvent(new Event("footage-known"));
    strips();
  }
  /** One after the other: a person has one row made at a time. Each lies below its part of the common time. */
  async function strips() {
    for (const [index, holder] of [...pair.querySelectorAll(".strip-place")].entries()) {
      const { footage } = halves[index];
      const strip = holder.querySelector(".strip");
      strip.style.marginLeft = `${((footage.first - START) / (END - START)) * 100}%`;
      strip.style.width = `${((footage.last - footage.first) / (END - START)) * 100}%`;
      await window.footageStrip(strip, (share) => go(footage.first + share * (footage.last - footage.first)));
    }
  }
  for (const half of halves) half.footage.open();
  requestAnimationFrame(turn);
})();
