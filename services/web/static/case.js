// The diagram of the case page: the books say what is passed and where the case is.
const { moment, fetched, drawn, mark, begin } = window.Diagram;
const box = document.getElementById("diagram");
const told = document.getElementById("diagram-told");
const words = box ? box.dataset : {};
const SOONEST = ["stuck", "unserved", "waiting", "event", "working"];

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

function sentence(marker) {
  const parts = [marker[words.language], words[marker.kind]];
  if (marker.since) parts.push(marker.until && marker.until !== marker.since ? `${moment(marker.since, words.zone)} – ${moment(marker.until, words.zone)}` : moment(marker.since, words.zone));
  if (marker.seconds) parts.push(`${marker.kind === "passed" ? words.took : words.sofar} ${length(marker.seconds)}`);
  if (marker.times > 1) parts.push(`${marker.times} ${words.times}`);
  return parts.join(" · ");
}

async function draw() {
  const [xml, steps] = await Promise.all([fetched(words.model, "text"), fetched(words.steps, "json")]);
  const here = ({ registry, turnTo }) => {
    const here = SOONEST.flatMap((kind) => steps.markers.filter((marker) => marker.kind === kind && registry.get(marker.elementId)));
    const task = here.find((marker) => marker.elementKind !== "subProcess") || here[0] || steps.markers.findLast((marker) => marker.since && registry.get(marker.elementId));
    if (!task) return;
    turnTo(task.elementId);
    told.textContent = sentence(task);
  };
  const diagram = await drawn(box, xml, here);
  const marked = new Map(steps.markers.map((marker) => [marker.elementId, marker]));
  for (const marker of marked.values()) {
    if (!diagram.registry.get(marker.elementId)) continue;
    mark(diagram, marker.elementId, `case-${marker.kind}`, sentence(marker), told);
    const called = marker.reviewId && !words.steps.includes("review=") ? ["review", marker.reviewId] : ["process", marker.called];
    if (called[1]) {
      const link = document.createElement("a");
      link.href = `${words.case}?${called[0]}=${encodeURIComponent(called[1])}#process`;
      link.textContent = "↗";
      link.className = "called";
      link.setAttribute("aria-label", marker[words.language]);
      diagram.overlays.add(marker.elementId, { position: { top: -10, right: 14 }, html: link });
    }
  }
  diagram.bus.on("element.hover", ({ element }) => {
    const marker = marked.get(element.id.replace(/_plane$|_label$/, ""));
    if (marker) told.textContent = sentence(marker);
  });
  diagram.fit();
  if (steps.markers.some((marker) => SOONEST.includes(marker.kind))) here(diagram);
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

if (box) begin(box, draw, () => { told.textContent = words.failed; });
