// Bookmarks and stills beside what plays the footage: what is marked stays in the custody log, and a click goes there.
// The element that `data-player` names tells what it shows; see the end of player.js.
document.querySelectorAll(".moments").forEach((desk) => {
  const told = desk.dataset;
  const player = document.getElementById(told.player);
  const ticks = document.getElementById(told.ticks);
  const form = desk.querySelector("form");
  const words = desk.querySelector("[name=text]");
  const at = desk.querySelector(".at");
  const list = desk.querySelector(".marked");
  const none = desk.querySelector(".none");
  const said = desk.querySelector(".said");
  const figure = desk.querySelector("figure");
  const chinese = document.documentElement.lang.startsWith("zh");
  const buttons = [...form.querySelectorAll("button")];
  let marked = JSON.parse(told.now);
  let busy = false;
  let closed = false;

  function say(sentence, bad = false) {
    said.textContent = sentence;
    said.hidden = !sentence;
    said.classList.toggle("refused", bad);
    said.classList.toggle("note", !bad);
  }
  const allow = () => { for (const button of buttons) button.disabled = busy || closed || player.shownAt() === null; };

  function line(moment) {
    const item = document.createElement("li");
    const go = document.createElement("button");
    go.type = "button";
    go.className = "quiet small";
    go.textContent = player.written(moment.atMs);
    go.setAttribute("aria-label", told.go.replace("{time}", player.written(moment.atMs)).replace("{words}", moment.text || told[moment.kind]));
    go.addEventListener("click", () => { player.pause(); player.seekTo(moment.atMs); });
    const text = document.createElement("span");
    text.className = "text";
    text.textContent = moment.text;
    const by = document.createElement("small");
    by.textContent = `${told[moment.kind]} · ${moment.by}${moment.number ? ` · ${moment.number}` : ""}`;
    item.append(go, text, by);
    if (moment.picture) {
      const look = document.createElement("button");
      look.type = "button";
      look.className = "quiet small";
      look.textContent = told.look;
      look.setAttribute("aria-label", `${told.look} ${moment.number}`);
      look.addEventListener("click", () => open(moment));
      item.append(look);
    }
    return item;
  }
  function show() {
    none.hidden = marked.length > 0;
    list.replaceChildren(...marked.map(line));
    ticks.replaceChildren(...marked.map((moment) => {
      const tick = document.createElement("i");
      tick.style.left = `${Math.min(100, Math.max(0, player.shareOf(moment.atMs) * 100))}%`;
      tick.className = moment.kind;
      return tick;
    }));
  }
  function open(moment) {
    const picture = figure.querySelector("img");
    picture.alt = `${moment.number} · ${player.written(moment.atMs)} ${moment.text}`.trim();
    figure.querySelector("figcaption").textContent = `${moment.number} · ${window.footageTimes.exact(window.footageTimes.parts(player.dataset.zone), Date.parse(moment.at))} · ${moment.by}`;
    picture.onerror = () => { figure.hidden = true; say(told.away, true); };
    picture.src = `${moment.picture}?viewing=${told.viewing}`;
    figure.hidden = false;
    figure.querySelector("button").focus();
  }
  figure.querySelector("button").addEventListener("click", () => {
    figure.hidden = true;
    figure.querySelector("img").removeAttribute("src");
    (list.querySelector("button") ?? words).focus();
  });

  async function mark(kind) {
    const moment = player.shownAt();
    if (moment === null || busy) return;
    const from = document.activeElement;
    player.pause();
    busy = true;
    allow();
    say(told.waiting);
    try {
      const answer = await fetch(told[`${kind}s`], {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": told.token },
        body: JSON.stringify({ viewing: told.viewing, atMs: Math.max(0, Math.round(moment)), text: words.value }),
      });
      const answered = await answer.json();
      if (answer.ok) {
        marked = answered;
        words.value = "";
        show();
        say(told[`${kind}Done`]);
      } else {
        say(chinese ? answered.zh : answered.en, true);
        if (answer.status === 422) words.focus();
      }
    } catch {
      say(told.away, true);
    }
    busy = false;
    allow();
    if (!closed && document.activeElement === document.body) from?.focus(); // the button that was off meanwhile
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    mark(event.submitter?.value ?? "bookmark");
  });
  player.addEventListener("footage-moved", () => {
    const moment = player.shownAt();
    at.textContent = moment === null ? "—" : player.written(moment);
    allow();
  });
  player.addEventListener("footage-known", show);
  player.addEventListener("footage-closed", () => {
    closed = true;
    figure.hidden = true;
    figure.querySelector("img").removeAttribute("src");
    for (const control of desk.querySelectorAll("button, input")) control.disabled = true;
  });
  player.keys.b = () => { player.pause(); words.focus(); };
  player.keys.s = () => { player.pause(); buttons[1].focus(); }; // a still stays for good: Enter saves it
});
