// Draws the figures that the page carries, keeps "4 minutes ago" true, and lets the
// arrow keys walk along a chart. Every number is also in the page's tables, so nothing
// is lost without this file.
"use strict";

(() => {
  const plotlyAddress = document.currentScript.dataset.plotly;
  const plots = [...document.querySelectorAll(".plot")];
  const spoken = document.getElementById("spoken");
  const settings = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };

  // --- figures -------------------------------------------------------------------------

  const role = /^var\((--[a-z0-9-]+)\)$/;

  // Figures name colours by role; the theme in force says which colour that is.
  function coloured(value, styles) {
    if (typeof value === "string") {
      const match = role.exec(value);
      return match ? styles.getPropertyValue(match[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => coloured(each, styles));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, coloured(each, styles)]));
    }
    return value;
  }

  function draw(plot) {
    const styles = getComputedStyle(document.documentElement);
    const figure = coloured(JSON.parse(document.getElementById(plot.dataset.figure).textContent), styles);
    figure.layout.font.family = getComputedStyle(document.body).fontFamily;
    if (plot.clientWidth < 480 && figure.layout.xaxis.nticks) figure.layout.xaxis.nticks = 4;
    return Plotly.react(plot, figure.data, figure.layout, settings).then(() => plot.classList.add("drawn"));
  }

  let plotly;
  function withPlotly() {
    plotly ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = plotlyAddress;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return plotly;
  }

  function failed(plot) {
    plot.classList.add("failed");
    plot.textContent = "The chart could not be drawn. The table below has the same numbers.";
  }

  const nearby = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      nearby.unobserve(target);
      withPlotly().then(() => draw(target)).catch(() => failed(target));
    }
  }, { rootMargin: "600px" });
  plots.forEach((plot) => nearby.observe(plot));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plots.filter((plot) => plot.classList.contains("drawn")).forEach(draw);
  });

  // --- keyboard ------------------------------------------------------------------------

  const shownWithinMilliseconds = 120; // Plotly follows at most every 50 ms, and tells nobody.

  // Left and right move from point to point; what appears beside the point is read out.
  function walk(plot, step) {
    const last = plot.data[0].x.length - 1;
    const next = plot.point === undefined ? (step > 0 ? 0 : last) : plot.point + step;
    plot.point = Math.min(Math.max(next, 0), last);
    // Every mark that stands at the same place: the parts of a stack, or lines side by side.
    const beside = plot.data.flatMap(({ x, hoverinfo }, curve) =>
      hoverinfo !== "skip" && x[plot.point] === plot.data[0].x[plot.point] ? [curve] : []);
    Plotly.Fx.hover(plot, beside.map((curve) => ({ curveNumber: curve, pointNumber: plot.point })));
    clearTimeout(plot.speaking);
    plot.speaking = setTimeout(() => speak(plot), shownWithinMilliseconds);
  }

  function speak(plot) {
    if (plot.point === undefined) return;
    const lines = [...plot.querySelectorAll(".hoverlayer .hovertext text.nums")].flatMap((text) => {
      const parts = [...text.querySelectorAll("tspan.line")];
      return parts.length ? parts : [text];
    });
    spoken.textContent = lines.map((line) => line.textContent).join(", ");
  }

  for (const plot of plots) {
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step || !plot.classList.contains("drawn")) return;
      event.preventDefault();
      walk(plot, step);
    });
    plot.addEventListener("blur", () => {
      plot.point = undefined;
      if (plot.classList.contains("drawn")) Plotly.Fx.unhover(plot);
    });
  }

  // --- pages: on a narrow screen they scroll; the present one is in sight ----------------

  const here = document.querySelector(".places [aria-current]");
  if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;

  // --- definitions ---------------------------------------------------------------------

  const meanings = [...document.querySelectorAll(".meaning")];
  document.addEventListener("click", (event) => {
    meanings.filter((meaning) => !meaning.contains(event.target)).forEach((meaning) => { meaning.open = false; });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    meanings.filter((meaning) => meaning.open).forEach((meaning) => {
      meaning.open = false;
      meaning.querySelector("summary").focus();
    });
  });

  // --- time ----------------------------------------------------------------------------

  // The same words as `dashboards/freshness.py`.
  function ago(minutes) {
    const said = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"} ago`;
    if (minutes < 1) return "just now";
    if (minutes < 60) return said(minutes, "minute");
    const hours = Math.floor(minutes / 60);
    return hours < 48 ? said(hours, "hour") : said(Math.floor(hours / 24), "day");
  }

  function tellAges() {
    for (const age of document.querySelectorAll("[data-relative-to]")) {
      age.textContent = ago(Math.floor((Date.now() - Date.parse(age.dataset.relativeTo)) / 60000));
    }
  }
  tellAges();
  setInterval(tellAges, 30000);
})();
