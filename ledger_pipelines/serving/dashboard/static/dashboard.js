// Draws the charts, keeps parts of the page fresh, and opens what a link points at. All of it can be read without.
"use strict";

// A figure names colours of the stylesheet, such as var(--line); here they become what they are at the moment.
function coloured(value, style) {
  if (typeof value === "string" && value.startsWith("var(--")) return style.getPropertyValue(value.slice(4, -1)).trim();
  if (Array.isArray(value)) return value.map((item) => coloured(item, style));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
  }
  return value;
}

function drawCharts() {
  const style = getComputedStyle(document.documentElement);
  for (const place of document.querySelectorAll("[data-chart]")) {
    const figure = coloured(JSON.parse(document.getElementById(place.dataset.chart).textContent), style);
    Plotly.react(place, figure.data, figure.layout, { displayModeBar: false, responsive: true });
  }
}

async function refresh(part) {
  let answer;
  try {
    answer = await fetch(part.dataset.fragment, { headers: { Accept: "text/html" } });
  } catch {
    return true; // the server is away for a moment
  }
  if (answer.status === 401) {
    location.reload(); // the session is over
    return false;
  }
  if (!answer.ok) return true;
  const text = await answer.text();
  const finished = answer.headers.has("X-Finished");
  if (finished && "reload" in part.dataset) {
    location.reload(); // the page shows more of what has ended
    return false;
  }
  if (part.innerHTML !== text) part.innerHTML = text;
  return !finished;
}

async function keepFresh(part) {
  const pause = Number(part.dataset.every);
  while (await refresh(part)) await new Promise((resume) => setTimeout(resume, pause));
}

function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

if (document.querySelector("[data-chart]")) {
  drawCharts();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
}
document.querySelectorAll("[data-fragment][data-every]").forEach(keepFresh);
openTarget();
addEventListener("hashchange", openTarget);
addEventListener("beforeprint", () => document.querySelectorAll(".explanation").forEach((one) => (one.open = true)));
