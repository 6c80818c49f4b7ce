// One sealed copy in one video element: its times, its watermark, and whether it may still be seen. Needs hls.light.min.js.
// What plays it (player.js, pair.js) decides when; nothing is shown without what stands here.
window.footageTimes = (() => {
  const parts = (zone) => new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
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
  const exact = (format, at) => `${written(format, at)}.${Math.floor((((at % 1000) + 1000) % 1000) / 100)} ${named(offset(format, at))}`;
  function fromLocal(format, text) {
    const guess = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
    const once = guess - offset(format, guess) * 60000;
    return guess - offset(format, once) * 60000;
  }
  return { parts, written, inZone, exact, fromLocal };
})();

// Whether what has the focus needs a key itself. A button that was clicked keeps the focus, and the player its other keys.
window.footageKeyIsTaken = ({ target, key }) => {
  const field = target.closest("input, select, textarea, button, a, summary");
  if (!field) return false;
  if (field.matches("button, a, summary, [type=checkbox]")) return key === " " || key === "Enter";
  if (field.id === "line") return /^(ArrowUp|ArrowDown|Page)/.test(key); // the time bar goes by the player's own steps
  if (field.matches("[type=range]")) return /^(Arrow|Page|Home|End)/.test(key);
  return true;
};

// Plays fragmented MP4 and MOV without their sound. In what was loaded, and nowhere else, the boxes that tell of sound
// become free space: no length and no offset changes, and what lies in the vault and is served stays as it is.
window.footageWithoutSound = (() => {
  const word = (view, at) => String.fromCharCode(...new Uint8Array(view.buffer, at, 4));
  const put = (view, at, four) => [...four].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  const free = (view, { start }) => put(view, start + 4, "free");
  /** The boxes of a kind in another one, or in all of it; the content of a box is from `at` to `end`. */
  function boxes(view, kind, { at, end } = { at: 0, end: view.byteLength }) {
    const found = [];
    for (let start = at, size; start + 8 <= end; start += size) {
      size = view.getUint32(start);
      if (size < 8) break;
      if (word(view, start + 4) === kind) found.push({ start, at: start + 8, end: Math.min(start + size, end) });
    }
    return found;
  }
  const inside = (view, kinds) => kinds.reduce((outer, kind) => outer.flatMap((box) => boxes(view, kind, box)), [undefined]);

  /** Of a part's first boxes; the numbers of its sound tracks. */
  function first(view) {
    const sounds = new Set();
    for (const { at, end } of boxes(view, "ftyp")) {
      for (let brand = at; brand < end; brand += 4) if (word(view, brand) === "qt  ") put(view, brand, "iso5");
    }
    for (const track of inside(view, ["moov", "trak"])) {
      const [head] = boxes(view, "tkhd", track);
      const [handler] = boxes(view, "mdia", track).flatMap((media) => boxes(view, "hdlr", media));
      if (word(view, handler.at + 8) === "soun") {
        sounds.add(view.getUint32(head.at + (view.getUint8(head.at) === 1 ? 20 : 12)));
        free(view, track);
      } else {
        view.setUint32(handler.at + 4, 0); // MOV says there what MP4 has no word for
      }
    }
    for (const track of inside(view, ["moov", "mvex", "trex"])) if (sounds.has(view.getUint32(track.at + 4))) free(view, track);
    return sounds;
  }
  function further(view, sounds) {
    for (const track of inside(view, ["moof", "traf"])) {
      const [head] = boxes(view, "tfhd", track);
      if (sounds.has(view.getUint32(head.at + 4))) free(view, track);
    }
  }

  /** A loader of fragments for hls.js, beside the one that it has. */
  return (Loader) => {
    // The sound tracks of a part, by where its first boxes lie: hls.js has other objects for these after it read the
    // list again. It loads them beside the first fragment, which may come before them and waits then.
    const parts = new Map();
    function part({ url, byteRange }) {
      const place = `${url} ${byteRange}`;
      if (!parts.has(place)) {
        const made = {};
        made.sounds = new Promise((resolve) => { made.tell = resolve; });
        parts.set(place, made);
      }
      return parts.get(place);
    }
    return class extends Loader {
      load(context, config, callbacks) {
        super.load(context, config, {
          ...callbacks,
          onSuccess: async (answer, ...rest) => {
            const view = new DataView(answer.data);
            const { frag } = context;
            if (frag.sn === "initSegment") part(frag).tell(first(view));
            else further(view, await part(frag.initSegment).sounds);
            if (!this.left) callbacks.onSuccess(answer, ...rest);
          },
        });
      }
      abort() {
        this.left = true;
        super.abort();
      }
      destroy() {
        this.left = true;
        super.destroy();
      }
    };
  };
})();

// `told` are the data attributes of _stage_data.html; `say` shows a sentence; `closed` is called once when it is closed
// for good; `taken` when its times are known or better known.
window.footageStage = ({ told, stage, video, say, closed: onClosed = () => {}, taken = () => {} }) => {
  const { parts, inZone } = window.footageTimes;
  const markParts = parts(told.markZone);
  const chinese = document.documentElement.lang.startsWith("zh");
  let fragments = []; // {start, duration, at}: seconds of play, seconds, milliseconds since 1970
  let gaps = []; // {start, end}: milliseconds since 1970
  let closed = false;
  let hls = null;

  // --- time: play time has no gaps, recorder time has
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
  const end = () => (fragments.length ? fragments.at(-1).start + fragments.at(-1).duration : 0);
  /** Where to play from for a recorder time; inside a gap that is the first picture after it. */
  function playTime(at) {
    const next = fragments.find((one) => at < one.at + one.duration * 1000);
    if (!next) return Math.max(0, end() - 0.1);
    return next.start + Math.max(0, at - next.at) / 1000;
  }

  // --- closed for good: what was loaded goes as well
  function close(sentence) {
    if (closed) return;
    closed = true;
    video.pause();
    if (hls) hls.destroy();
    video.removeAttribute("src");
    video.load();
    say(sentence);
    onClosed(sentence);
  }

  // --- the watermark: text nodes over the picture, made again when something takes them away
  const WATCHED = { childList: true, subtree: true, attributes: true, characterData: true, attributeFilter: ["class", "style", "hidden"] };
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
    watcher.observe(stage, WATCHED);
  }
  function tick() {
    if (closed) return;
    watcher.disconnect();
    for (const text of marks.children) text.firstChild.data = markText();
    watcher.observe(stage, WATCHED);
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
  stage.addEventListener("contextmenu", (event) => event.preventDefault());

  function take(details) {
    fragments = details.fragments.map(({ start, duration, programDateTime }) => ({ start, duration, at: programDateTime }));
    gaps = fragments.slice(1).map((one, place) => ({ start: fragments[place].at + fragments[place].duration * 1000, end: one.at }))
      .filter(({ start, end: stop }) => stop - start > 200);
    taken();
  }
  function open() {
    mark();
    setInterval(tick, 1000);
    if (!window.Hls || !Hls.isSupported()) return close(told.unplayable);
    const source = window.ManagedMediaSource || window.MediaSource;
    if (told.codecs.includes("hevc") && !source.isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"')) return close(told.hevc);
    if (told.codecs.includes("mjpeg")) return close(told.download); // no browser plays it
    if (told.unheard) return close(told.unheard);
    const options = { enableWorker: false, maxBufferLength: 15, maxMaxBufferLength: 30, backBufferLength: 30, startPosition: 0 };
    // nor G.711, and a copy some of whose parts have it is played without sound, since a browser takes no track away
    if (told.codecs.includes("pcm_")) options.fLoader = window.footageWithoutSound(Hls.DefaultConfig.loader);
    hls = new Hls(options);
    hls.on(Hls.Events.LEVEL_LOADED, (_name, { details }) => take(details));
    hls.on(Hls.Events.LEVEL_UPDATED, (_name, { details }) => take(details));
    hls.on(Hls.Events.ERROR, async (_name, error) => {
      const status = error.response?.code;
      if (status === 401) close(told.loggedOut);
      else if (status >= 400 && status < 500) { if (!(await refused())) close(told.away); }
      else if (/codec|Codec/.test(error.details)) close(told.codecs.includes("hevc") ? told.hevc : told.unplayable);
      else if (error.fatal) {
        if (await refused()) return;
        if (error.type !== Hls.ErrorTypes.MEDIA_ERROR) return close(told.away);
        hls.recoverMediaError();
      }
    });
    // After an error of the browser hls.js, as often as not unasked, empties the element, which stops it and says nothing.
    let plays = false;
    video.addEventListener("play", () => { plays = true; });
    video.addEventListener("pause", () => { plays = false; });
    hls.on(Hls.Events.MEDIA_ATTACHED, () => { if (plays) video.play().catch(() => {}); });
    hls.loadSource(told.playlist);
    hls.attachMedia(video);
  }

  return {
    open, close, recorderTime, playTime, end,
    get closed() { return closed; },
    get ready() { return fragments.length > 0; },
    get first() { return fragments.length ? fragments[0].at : 0; },
    get last() { return fragments.length ? recorderTime(end()) : 0; },
    get gaps() { return gaps; },
    seek: (seconds) => { video.currentTime = Math.max(0, Math.min(seconds, Math.max(0, end() - 0.05))); },
  };
};

// Small pictures below a time bar: made for this viewing, marked, one row. `place` is an element with data-source.
window.footageStrip = (place, seekTo) => {
  const picture = place.querySelector("img");
  const cells = window.matchMedia("(max-width: 40rem)").matches ? 6 : 12;
  let left = 4;
  return new Promise((resolve) => {
    function load() {
      left -= 1;
      picture.src = `${place.dataset.source}&cells=${cells}`;
    }
    picture.addEventListener("load", () => { place.hidden = false; resolve(); });
    // another picture may be in the making: it is asked for again, and left out where that does not help
    picture.addEventListener("error", () => { if (left > 0) setTimeout(load, 3000); else { place.remove(); resolve(); } });
    place.addEventListener("click", ({ clientX }) => {
      const box = place.getBoundingClientRect();
      seekTo((clientX - box.left) / box.width);
    });
    load();
  });
};
