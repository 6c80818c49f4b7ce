// Plays the footage that lies beside this page, or one that is chosen, and says why it does not play.
"use strict";
(() => {
  const video = document.getElementById("video");
  const codecs = document.querySelector("main").dataset.codecs;
  const hevc = codecs.includes("hevc") && !video.canPlayType('video/mp4; codecs="hvc1.1.6.L93.B0"');

  function tell(...told) {
    for (const one of document.querySelectorAll("[data-told]")) one.hidden = !told.includes(one.dataset.told);
  }
  function explain() {
    if (hevc || codecs.includes("mjpeg")) tell(hevc ? "hevc" : "unplayable");
    else if (codecs.includes("pcm_")) tell("absent", "telephone"); // some browsers play it, and none says which it lacks
    else tell("absent");
  }

  video.addEventListener("error", explain);
  video.addEventListener("loadeddata", () => tell());
  if (hevc || video.error) explain();
  document.getElementById("file").addEventListener("change", ({ target }) => {
    if (target.files.length) video.src = URL.createObjectURL(target.files[0]);
  });
})();
