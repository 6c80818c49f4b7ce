// The diagram of the engine's pages: how many stand at each element, or where one instance stands and has been.
const { moment, fetched, drawn, mark, begin } = window.Diagram;
const box = document.getElementById("diagram");
const told = document.getElementById("diagram-told");
const words = box ? box.dataset : {};

function counted(elements) {
  return elements.map(({ elementId, active, incidents }) => ({
    elementId,
    kind: incidents ? "stuck" : "working",
    active,
    incidents,
    told: [active && `${active} ${words.active}`, incidents && `${incidents} ${words.stuck}`].filter(Boolean).join(" · "),
    href: `/admin/engine/instances?definition=${words.definition}&element=${encodeURIComponent(elementId)}`,
  }));
}

function passed({ activeElements, elementInstances, incidents }) {
  const marks = new Map();
  for (const { elementId, state, endDate } of elementInstances) {
    if (state !== "active") marks.set(elementId, { elementId, kind: "passed", told: `${words[state]} · ${moment(endDate, words.zone)}` });
  }
  const stuck = new Set(incidents.map((incident) => incident.elementId));
  for (const { elementId, startDate } of activeElements) {
    const kind = stuck.has(elementId) ? "stuck" : "working";
    marks.set(elementId, { elementId, kind, told: [kind === "stuck" ? words.stuck : words.active, startDate && moment(startDate, words.zone)].filter(Boolean).join(" · ") });
  }
  return [...marks.values()];
}

function count(parts, { elementId, active, incidents, href, told: label }) {
  const link = document.createElement("a");
  link.href = href;
  link.className = "counts";
  link.setAttribute("aria-label", label);
  for (const [number, kind] of [[active, "active"], [incidents, "stuck"]]) {
    if (!number) continue;
    const badge = document.createElement("b");
    badge.className = kind;
    badge.textContent = number;
    link.append(badge);
  }
  parts.overlays.add(elementId, { position: { top: -12, left: -12 }, html: link });
}

async function draw() {
  const [xml, found] = await Promise.all([fetched(words.model, "text"), fetched(words.marks, "json")]);
  const marks = Array.isArray(found) ? counted(found) : passed(found);
  const sentence = (parts, one) => [parts.registry.get(one.elementId).businessObject.name, one.told].filter(Boolean).join(" · ");
  const soonest = (parts) => ["stuck", "working"].flatMap((kind) => marks.filter((one) => one.kind === kind && parts.registry.get(one.elementId)));
  const here = (parts) => {
    // A phase stands where its tasks do: the task says more.
    const shown = soonest(parts);
    const task = shown.find((one) => parts.registry.get(one.elementId).type !== "bpmn:SubProcess") || shown[0];
    if (!task) return;
    parts.turnTo(task.elementId);
    told.textContent = sentence(parts, task);
  };
  const diagram = await drawn(box, xml, here);
  const marked = new Map(marks.filter((one) => diagram.registry.get(one.elementId)).map((one) => [one.elementId, one]));
  for (const one of marked.values()) {
    mark(diagram, one.elementId, `case-${one.kind}`, sentence(diagram, one), told);
    if (one.href) count(diagram, one);
  }
  diagram.bus.on("element.hover", ({ element }) => {
    const one = marked.get(element.id.replace(/_plane$|_label$/, ""));
    if (one) told.textContent = sentence(diagram, one);
  });
  diagram.fit();
  box.dataset.drawn = "yes";
}

if (box) begin(box, draw, () => { told.textContent = words.failed; });
