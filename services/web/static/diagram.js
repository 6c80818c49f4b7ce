// A BPMN diagram on a page: bpmn-js draws it, buttons and keys move it. What it marks is the page's own business.
window.Diagram = (() => {
  function moment(iso, zone) {
    const how = { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "shortOffset" };
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", how).formatToParts(new Date(iso)).map(({ type, value }) => [type, value]));
    return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute} ${parts.timeZoneName.replace("GMT", "UTC")}`;
  }

  async function fetched(path, how) {
    const answer = await fetch(path, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer[how]();
  }

  // Draws `xml` into `box`; `look` is called for the button "here" and gets the parts that are returned.
  async function drawn(box, xml, look) {
    const viewer = new window.BpmnJS({ container: box, zoomScroll: { enabled: false } });
    await viewer.importXML(xml);
    const [canvas, registry, overlays, scroll, bus] = ["canvas", "elementRegistry", "overlays", "zoomScroll", "eventBus"].map((name) => viewer.get(name));
    // The wheel scrolls the page until somebody works in the diagram.
    box.addEventListener("pointerdown", () => { if (!scroll._enabled) scroll.toggle(true); });
    document.addEventListener("pointerdown", (event) => { if (!box.contains(event.target) && scroll._enabled) scroll.toggle(false); });

    // Shows the whole plane, below the way to it where that is shown.
    const fit = () => {
      if (!box.clientWidth) return;
      canvas.zoom("fit-viewport", "auto");
      const way = box.querySelector(".bjs-breadcrumbs");
      const { inner, outer, scale, y } = canvas.viewbox();
      if (!way || !way.offsetHeight) return;
      const top = way.offsetTop + way.offsetHeight + 10;
      if ((inner.y - y) * scale >= top) return;
      const less = Math.min(scale, (outer.height - top - 10) / inner.height);
      const [width, height] = [outer.width / less, outer.height / less];
      canvas.viewbox({ x: inner.x + inner.width / 2 - width / 2, y: inner.y - top / less, width, height });
    };
    const step = (factor) => canvas.zoom(Math.min(Math.max(canvas.zoom() * factor, 0.15), 4));
    // Shows the plane, such as a phase, that an element is drawn on.
    const turnTo = (elementId) => { canvas.setRootElement(canvas.findRoot(registry.get(elementId))); fit(); };
    const parts = { canvas, registry, overlays, bus, fit, turnTo };
    const acts = { in: () => step(1.25), out: () => step(0.8), fit, here: () => look(parts) };
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
    bus.on("root.set", () => requestAnimationFrame(fit));
    new ResizeObserver(() => { if (box.clientWidth) { canvas.resized(); fit(); } }).observe(box);
    return parts;
  }

  // Marks an element with a class and a sentence, which is told when it is focused.
  function mark({ canvas, registry }, elementId, kind, sentence, told) {
    canvas.addMarker(elementId, kind);
    const shape = registry.getGraphics(elementId);
    shape.setAttribute("tabindex", "0");
    shape.setAttribute("role", "img");
    shape.setAttribute("aria-label", sentence);
    shape.addEventListener("focus", () => { told.textContent = sentence; });
  }

  // Begins when the fold around the box is open; on a phone it begins folded.
  function begin(box, draw, failed) {
    const details = box.closest("details");
    if (window.matchMedia("(max-width: 40rem)").matches) details.open = false;
    const start = () => draw().catch((error) => { failed(); console.error(error); });
    if (details.open) start();
    else details.addEventListener("toggle", start, { once: true });
  }

  return { moment, fetched, drawn, mark, begin };
})();
