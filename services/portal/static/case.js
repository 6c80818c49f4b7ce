// The diagram of the case page: bpmn-js draws the model, the books say what is passed and where the case is.
const box = document.getElementById("diagram");
const told = document.getElementById("diagram-told");
const words = box ? box.dataset : {};
const SOONEST = ["stuck", "waiting", "working"];

function length(seconds) {
  const zh = words.language === "zh";
  const units = [[86400, zh ? "天" : "d"], [3600, zh ? "小时" : "h"], [60, zh ? "分钟" : "min"], [1, zh ? "秒" : "s"]];
  let rest = Math.floor(seconds);
  const parts = [];
  for (const [size, name] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${name}`);
  }
  return parts.slice(0, 2).join(" ") || `0 ${units[3][1]}`;
}

function moment(iso) {
  const how = { timeZone: words.zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "shortOffset" };
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", how).formatToParts(new Date(iso)).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute} ${parts.timeZoneName.replace("GMT", "UTC")}`;
}

function sentence(marker) {
  const parts = [marker[words.language], words[marker.kind]];
  if (marker.since) parts.push(marker.until && marker.until !== marker.since ? `${moment(marker.since)} – ${moment(marker.until)}` : moment(marker.since));
  if (marker.seconds) parts.push(`${marker.kind === "passed" ? words.took : words.sofar} ${length(marker.seconds)}`);
  if (marker.times > 1) parts.push(`${marker.times} ${words.times}`);
  return parts.join(" · ");
}

async function fetched(path, how) {
  const answer = await fetch(path, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer[how]();
}

async function draw() {
  const [xml, steps] = await Promise.all([fetched(words.model, "text"), fetched(words.steps, "json")]);
  const viewer = new window.BpmnJS({ container: box, zoomScroll: { enabled: false } });
  await viewer.importXML(xml);
  const [canvas, registry, overlays, scroll] = ["canvas", "elementRegistry", "overlays", "zoomScroll"].map((name) => viewer.get(name));
  const marked = new Map(steps.markers.map((marker) => [marker.elementId, marker]));
  for (const marker of marked.values()) {
    if (!registry.get(marker.elementId)) continue;
    canvas.addMarker(marker.elementId, `case-${marker.kind}`);
    const shape = registry.getGraphics(marker.elementId);
    shape.setAttribute("tabindex", "0");
    shape.setAttribute("role", "img");
    shape.setAttribute("aria-label", sentence(marker));
    shape.addEventListener("focus", () => { told.textContent = sentence(marker); });
    if (marker.reviewId && !words.steps.includes("review=")) {
      const link = document.createElement("a");
      link.href = `${words.case}?review=${encodeURIComponent(marker.reviewId)}#process`;
      link.textContent = "↗";
      link.className = "called";
      link.setAttribute("aria-label", marker[words.language]);
      overlays.add(marker.elementId, { position: { top: -10, right: 14 }, html: link });
    }
  }
  viewer.get("eventBus").on("element.hover", ({ element }) => {
    const marker = marked.get(element.id.replace(/_plane$|_label$/, ""));
    if (marker) told.textContent = sentence(marker);
  });
  // The wheel scrolls the page until somebody works in the diagram.
  box.addEventListener("pointerdown", () => { if (!scroll._enabled) scroll.toggle(true); });
  document.addEventListener("pointerdown", (event) => { if (!box.contains(event.target) && scroll._enabled) scroll.toggle(false); });

  const fit = () => box.clientWidth && canvas.zoom("fit-viewport", "auto");
  const step = (factor) => canvas.zoom(Math.min(Math.max(canvas.zoom() * factor, 0.15), 4));
  const here = () => {
    const here = SOONEST.flatMap((kind) => steps.markers.filter((marker) => marker.kind === kind && registry.get(marker.elementId)));
    const task = here.find((marker) => !marker.elementId.startsWith("Phase_")) || here[0] || steps.markers.findLast((marker) => marker.since && registry.get(marker.elementId));
    if (!task) return;
    const element = registry.get(task.elementId);
    canvas.setRootElement(canvas.findRoot(element));
    fit();
    told.textContent = sentence(task);
  };
  const acts = { in: () => step(1.25), out: () => step(0.8), fit, here };
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", acts[button.dataset.zoom]);
  const keys = { "+": acts.in, "=": acts.in, "-": acts.out, 0: fit, ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  box.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (typeof act === "function") act();
    else canvas.scroll({ dx: act[0], dy: act[1] });
  }, true);
  viewer.get("eventBus").on("root.set", () => requestAnimationFrame(fit));
  new ResizeObserver(() => { if (box.clientWidth) { canvas.resized(); fit(); } }).observe(box);
  fit();
  const soonest = SOONEST.flatMap((kind) => steps.markers.filter((marker) => marker.kind === kind)).find((marker) => !marker.elementId.startsWith("Phase_"));
  if (soonest) told.textContent = sentence(soonest);
  box.dataset.drawn = "yes";
}

// On paper what is folded on the screen is open.
window.addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open], .no-print)")) {
    folded.open = true;
    folded.dataset.folded = "yes";
  }
});
window.addEventListener("afterprint", () => {
  for (const unfolded of document.querySelectorAll("[data-folded]")) {
    unfolded.open = false;
    delete unfolded.dataset.folded;
  }
});


if (box) {
  const phone = window.matchMedia("(max-width: 40rem)").matches;
  const details = box.closest("details");
  if (phone) details.open = false;
  const start = () => draw().catch((error) => { told.textContent = words.failed; console.error(error); });
  if (details.open) start();
  else details.addEventListener("toggle", start, { once: true });
}
