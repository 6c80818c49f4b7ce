// Draws the boxes of a recipe over the player, by pointer and by keyboard; the fields beside it say and change the same.
(() => {
  const editor = document.getElementById("redaction");
  const player = document.getElementById("player");
  const stage = document.getElementById("stage");
  const video = document.getElementById("video");
  const form = document.getElementById("redaction-form");
  const list = document.getElementById("boxes");
  const said = document.getElementById("redaction-said");
  const refused = document.getElementById("redaction-refused");
  const words = editor.dataset;
  const AHEAD = 2; // milliseconds by which a box begins before its picture and ends behind it: times are rounded
  const LEAST = 8;
  const given = JSON.parse(words.recipe || "null");
  // ``proposed`` is the number of the proposal that a box was made from; ``open``: nobody has looked at it yet
  const regions = (given?.regions ?? []).map((one) => ({ ...one, keyframes: one.keyframes.map((place) => ({ ...place })) }));
  let detection = given?.detection ?? null; // whose proposals they are
  const soundField = form.querySelector("input[name=sound]");
  let chosen = regions.length ? 0 : -1;
  let drag = null;
  let pictureTime = null; // of the picture that is shown, in seconds of play

  const canvas = document.createElement("canvas");
  canvas.className = "boxes";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words.canvas);
  stage.insertBefore(canvas, video.nextSibling);
  const pen = canvas.getContext("2d");
  const small = document.createElement("canvas");

  // --- places and times
  const width = () => video.videoWidth;
  const height = () => video.videoHeight;
  const ready = () => width() > 0;
  function content() {
    const box = video.getBoundingClientRect();
    const scale = Math.min(box.width / width(), box.height / height());
    return { scale, left: (box.width - width() * scale) / 2, top: (box.height - height() * scale) / 2 };
  }
  const now = () => Math.max(0, player.timeAt(pictureTime !== null && Math.abs(pictureTime - video.currentTime) < 0.5 ? pictureTime : video.currentTime));
  const whole = (number) => Math.max(0, Math.round(number));
  const within = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
  function watchPictures(_now, { mediaTime }) {
    pictureTime = mediaTime;
    video.requestVideoFrameCallback(watchPictures);
  }
  video.requestVideoFrameCallback?.(watchPictures);

  function placeAt(region, at) {
    if (at < region.start || at > region.end) return null;
    const { keyframes } = region;
    const after = keyframes.findIndex((one) => one.at >= at);
    if (after < 0) return keyframes.at(-1);
    if (after === 0) return keyframes[0];
    const [a, b] = [keyframes[after - 1], keyframes[after]];
    const share = (at - a.at) / (b.at - a.at);
    const between = (name) => a[name] + (b[name] - a[name]) * share;
    return { x: between("x"), y: between("y"), width: between("width"), height: between("height") };
  }
  function inside(place) {
    const wide = within(whole(place.width), LEAST, width());
    const high = within(whole(place.height), LEAST, height());
    return { x: within(whole(place.x), 0, width() - wide), y: within(whole(place.y), 0, height() - high), width: wide, height: high };
  }
  /** Moves the chosen box at the moment that is shown: a position of its own there. */
  function put(region, place) {
    look(region);
    const at = within(whole(now()), region.start, region.end);
    const found = region.keyframes.find((one) => Math.abs(one.at - at) <= AHEAD);
    if (found) Object.assign(found, inside(place));
    else region.keyframes.push({ at, ...inside(place) });
    region.keyframes.sort((a, b) => a.at - b.at);
  }
  /** A position that the time of its box no longer holds goes to its edge. */
  function settle(region) {
    region.end = Math.max(region.start, region.end);
    const moved = region.keyframes.map((one) => ({ ...one, at: within(one.at, region.start, region.end) }));
    region.keyframes = moved.filter((one, place) => place === moved.length - 1 || moved[place + 1].at !== one.at);
  }
  function add(place) {
    const at = whole(now());
    regions.push({ start: whole(at - AHEAD), end: at + AHEAD, keyframes: [{ at, ...inside(place) }] });
    chosen = regions.length - 1;
    say(words.added.replace("{number}", regions.length));
  }
  /** Adds the boxes that a detection proposes, once; how many there are to look at. */
  editor.propose = (view) => {
    if (!ready()) {
      video.addEventListener("loadeddata", () => editor.propose(view), { once: true });
      return view.boxes.length;
    }
    if (detection === view.id) return regions.filter((one) => one.open).length;
    detection = view.id;
    for (let place = regions.length - 1; place >= 0; place -= 1) {
      if (regions[place].open) regions.splice(place, 1); // of an older detection, and not looked at
      else delete regions[place].proposed;
    }
    const [across, down] = view.picture ? [width() / view.picture.width, height() / view.picture.height] : [1, 1];
    view.boxes.forEach(({ start, end, score, keyframes }, proposed) => {
      const places = keyframes.map((one) => ({
        at: one.at,
        ...inside({ x: one.x * across, y: one.y * down, width: one.width * across, height: one.height * down }),
      }));
      regions.push({ start, end, keyframes: places, proposed, score, open: true });
    });
    chosen = within(chosen, 0, regions.length - 1);
    show();
    return view.boxes.length;
  };
  const look = (region) => { region.open = false; };
  function say(sentence) { said.textContent = sentence; }
  /** Beside the button: whoever presses it may not see the top of the form. */
  function refuse(sentence) { refused.textContent = sentence; refused.hidden = !sentence; }
  const isShort = ({ start, end }) => end - start <= 2 * AHEAD; // as drawn: nobody has set its time yet

  // --- what is drawn
  const mode = () => form.querySelector("input[name=mode]:checked").value;
  const style = () => form.querySelector("input[name=style]:checked").value;
  const previews = () => document.getElementById("f-preview").checked;
  /** How long a cell of a mosaic is at least, as in the redacted copy (services/vault/redaction/drawing.py). */
  const cellOf = (side, count) => Math.max(16, Math.ceil(side / count / 8) * 8);
  const cells = (side, cell) => Math.max(2, Math.floor(side / cell / 2) * 2);
  function hide(region, cell) {
    if (style() === "solid") {
      pen.fillStyle = "#000";
      pen.fill(region);
      return;
    }
    small.width = cells(width(), cell);
    small.height = cells(height(), cell);
    const sketch = small.getContext("2d");
    sketch.imageSmoothingEnabled = true;
    sketch.drawImage(video, 0, 0, small.width, small.height);
    pen.save();
    pen.clip(region);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, width(), height());
    pen.restore();
  }
  function paint() {
    requestAnimationFrame(paint);
    if (!ready()) return;
    const box = video.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(box.width * ratio) || canvas.height !== Math.round(box.height * ratio)) {
      canvas.width = Math.round(box.width * ratio);
      canvas.height = Math.round(box.height * ratio);
    }
    const { scale, left, top } = content();
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(scale * ratio, 0, 0, scale * ratio, left * ratio, top * ratio);
    const places = regions.map((region) => placeAt(region, now()));
    if (drag?.place) places.push(drag.place);
    if (previews()) {
      const boxed = places.filter(Boolean);
      if (mode() === "keep-one") {
        const region = new Path2D();
        region.rect(0, 0, width(), height());
        pen.save();
        const outside = new Path2D();
        outside.addPath(region);
        for (const place of boxed) outside.rect(place.x, place.y, place.width, place.height);
        pen.clip(outside, "evenodd");
        hide(region, cellOf(Math.min(width(), height()), 8));
        pen.restore();
      } else {
        for (const place of boxed) {
          const region = new Path2D();
          region.rect(place.x, place.y, place.width, place.height);
          hide(region, cellOf(Math.min(place.width, place.height), 4));
        }
      }
      return;
    }
    places.forEach((place, index) => {
      if (!place) return;
      pen.lineWidth = (index === chosen ? 3 : 2) / scale;
      pen.strokeStyle = index === chosen ? "#ffd54a" : "#fff";
      pen.setLineDash(regions[index]?.open ? [6 / scale, 4 / scale] : []);
      pen.strokeRect(place.x, place.y, place.width, place.height);
      pen.setLineDash([]);
      pen.font = `${16 / scale}px sans-serif`;
      pen.fillStyle = pen.strokeStyle;
      pen.fillText(String(index + 1), place.x + 4 / scale, place.y + 18 / scale);
    });
  }

  // --- by pointer
  function point(event) {
    const box = video.getBoundingClientRect();
    const { scale, left, top } = content();
    return { x: within((event.clientX - box.left - left) / scale, 0, width()), y: within((event.clientY - box.top - top) / scale, 0, height()) };
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (!ready() || event.button !== 0) return;
    video.pause();
    canvas.setPointerCapture(event.pointerId);
    const at = point(event);
    const edge = 12 / content().scale;
    const hit = regions.findLastIndex((region) => {
      const place = placeAt(region, now());
      return place && at.x >= place.x - edge && at.x <= place.x + place.width + edge && at.y >= place.y - edge && at.y <= place.y + place.height + edge;
    });
    if (hit < 0) {
      drag = { from: at, place: null };
      return;
    }
    chosen = hit;
    const place = placeAt(regions[hit], now());
    const resizes = Math.abs(at.x - place.x - place.width) <= edge && Math.abs(at.y - place.y - place.height) <= edge;
    drag = { from: at, region: regions[hit], before: { ...place }, resizes };
    show();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const at = point(event);
    if (!drag.region) {
      drag.place = { x: Math.min(at.x, drag.from.x), y: Math.min(at.y, drag.from.y), width: Math.abs(at.x - drag.from.x), height: Math.abs(at.y - drag.from.y) };
      return;
    }
    const [right, down] = [at.x - drag.from.x, at.y - drag.from.y];
    const { x, y, width: wide, height: high } = drag.before;
    put(drag.region, drag.resizes ? { x, y, width: wide + right, height: high + down } : { x: x + right, y: y + down, width: wide, height: high });
  });
  canvas.addEventListener("pointerup", () => {
    if (drag?.place && drag.place.width >= LEAST && drag.place.height >= LEAST) add(drag.place);
    drag = null;
    show();
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });

  // --- by keyboard: before the player's own keys
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  window.addEventListener("keydown", (event) => {
    if (document.activeElement !== canvas || event.ctrlKey || event.metaKey || !ready()) return;
    const move = moves[event.key];
    const region = regions[chosen];
    if (move && region) {
      const place = placeAt(region, now());
      if (!place) return say(words.elsewhere);
      const far = event.shiftKey ? 10 : 1;
      const [right, down] = [move[0] * far, move[1] * far];
      put(region, event.altKey
        ? { ...place, width: place.width + right, height: place.height + down }
        : { ...place, x: place.x + right, y: place.y + down });
    } else if (event.key === "Enter") {
      add({ x: width() / 4, y: height() / 4, width: width() / 4, height: height() / 4 });
    } else if (event.key === "Tab" || !move) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    show();
  }, true);

  // --- the fields beside it
  const boxTemplate = document.getElementById("box-template");
  const placeTemplate = document.getElementById("place-template");
  const seconds = (milliseconds) => (milliseconds / 1000).toFixed(3);
  const fromSeconds = (text) => whole(Number(text) * 1000);
  function fill(node, name, value, change) {
    const field = node.querySelector(`[data-field=${name}]`);
    field.value = value;
    field.addEventListener("change", () => { if (field.value !== "" && Number.isFinite(Number(field.value))) change(field.value); show(); });
  }
  function onClick(node, name, act) {
    node.querySelector(`[data-act=${name}]`).addEventListener("click", () => { act(); show(); });
  }
  function show() {
    refuse("");
    const focused = document.activeElement?.dataset?.key;
    list.replaceChildren(...regions.map((region, index) => {
      const node = boxTemplate.content.cloneNode(true).firstElementChild;
      node.querySelector("[data-name]").textContent = words.box.replace("{number}", index + 1);
      node.classList.toggle("chosen", index === chosen);
      node.querySelector("[data-times]").textContent = `${player.written(region.start)} – ${player.written(region.end)}`;
      const proposal = node.querySelector("[data-proposal]");
      proposal.hidden = !region.open;
      proposal.querySelector("[data-score]").textContent = region.open ? words.proposed.replace("{score}", region.score.toFixed(2)) : "";
      onClick(node, "accept", () => look(region));
      fill(node, "start", seconds(region.start), (text) => { look(region); region.start = fromSeconds(text); settle(region); });
      fill(node, "end", seconds(region.end), (text) => { look(region); region.end = fromSeconds(text); settle(region); });
      onClick(node, "choose", () => { chosen = index; canvas.focus(); });
      onClick(node, "start", () => { look(region); region.start = Math.max(0, Math.floor(now()) - AHEAD); settle(region); });
      onClick(node, "end", () => { look(region); region.end = Math.ceil(now()) + AHEAD; settle(region); });
      onClick(node, "go", () => player.seekTo(region.start + AHEAD));
      onClick(node, "remove", () => { regions.splice(index, 1); chosen = Math.min(chosen, regions.length - 1); });
      onClick(node, "place", () => {
        const at = within(whole(now()), region.start, region.end);
        put(region, placeAt(region, at));
      });
      const places = node.querySelector("[data-places]");
      region.keyframes.forEach((keyframe, place) => {
        const row = placeTemplate.content.cloneNode(true).firstElementChild;
        fill(row, "at", seconds(keyframe.at), (text) => {
          look(region);
          keyframe.at = within(fromSeconds(text), region.start, region.end);
          region.keyframes.sort((a, b) => a.at - b.at);
          settle(region);
        });
        for (const name of ["x", "y", "width", "height"]) {
          fill(row, name, keyframe[name], (text) => { look(region); if (ready()) Object.assign(keyframe, inside({ ...keyframe, [name]: Number(text) })); });
        }
        onClick(row, "remove", () => { look(region); if (region.keyframes.length > 1) region.keyframes.splice(place, 1); else say(words.last); });
        onClick(row, "go", () => player.seekTo(keyframe.at));
        places.append(row);
      });
      node.querySelectorAll("input, button").forEach((field, place) => { field.dataset.key = `${index}-${place}`; });
      return node;
    }));
    document.getElementById("no-boxes").hidden = regions.length > 0;
    const open = regions.filter((one) => one.open).length;
    const left = document.getElementById("proposals");
    if (left) left.hidden = !open;
    if (left && open) document.getElementById("proposals-left").textContent = words.open.replace("{count}", open);
    if (focused) list.querySelector(`[data-key="${focused}"]`)?.focus();
  }
  document.getElementById("accept-all")?.addEventListener("click", () => { regions.forEach(look); show(); });
  document.getElementById("add-box").addEventListener("click", () => {
    if (!ready()) return say(words.wait);
    add({ x: width() / 4, y: height() / 4, width: width() / 4, height: height() / 4 });
    show();
    canvas.focus();
  });
  form.addEventListener("submit", (event) => {
    if (!regions.length || !ready()) {
      event.preventDefault();
      return refuse(ready() ? words.none : words.wait);
    }
    const short = regions.findIndex(isShort);
    if (short >= 0) {
      event.preventDefault();
      chosen = short;
      show();
      return refuse(words.short.replace("{number}", short + 1));
    }
    const unseen = regions.findIndex((one) => one.open);
    if (unseen >= 0) {
      event.preventDefault();
      chosen = unseen;
      show();
      return refuse(words.open.replace("{count}", regions.filter((one) => one.open).length));
    }
    form.elements.recipe.value = JSON.stringify({
      version: 1, mode: mode(), style: style(), sound: soundField.checked,
      picture: { width: width(), height: height() },
      detection: detection ?? undefined, // what is undefined is not written
      regions: regions.map(({ start, end, keyframes, proposed }) => ({ start, end, keyframes, proposed })),
    });
  });

  if (given) {
    for (const [name, value] of [["mode", given.mode], ["style", given.style]]) {
      const field = form.querySelector(`input[name=${name}][value="${value}"]`);
      if (field) field.checked = true;
    }
    soundField.checked = given.sound === true && !soundField.disabled;
  }
  video.addEventListener("loadeddata", show, { once: true });
  show();
  paint();
})();
