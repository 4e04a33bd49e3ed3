// Draws the charts, refreshes parts of the page, and opens the details that a link targets. Pages work without it.
"use strict";

// Replaces custom properties in a figure, such as var(--line), with their current values.
function resolveColours(value, style) {
  if (typeof value === "string" && value.startsWith("var(--")) return style.getPropertyValue(value.slice(4, -1)).trim();
  if (Array.isArray(value)) return value.map((item) => resolveColours(item, style));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolveColours(item, style)]));
  }
  return value;
}

function drawCharts() {
  const style = getComputedStyle(document.documentElement);
  for (const place of document.querySelectorAll("[data-chart]")) {
    const figure = resolveColours(JSON.parse(document.getElementById(place.dataset.chart).textContent), style);
    Plotly.react(place, figure.data, figure.layout, { displayModeBar: false, responsive: true });
  }
}

async function refresh(part) {
  let answer;
  try {
    answer = await fetch(part.dataset.fragment, { headers: { Accept: "text/html" } });
  } catch {
    return true; // the server does not respond; try again
  }
  if (answer.status === 401) {
    location.reload(); // the session has ended
    return false;
  }
  if (!answer.ok) return true;
  const text = await answer.text();
  const finished = answer.headers.has("X-Finished");
  if (finished && "reload" in part.dataset) {
    location.reload(); // the full page shows the result
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
addEventListener("beforeprint", () => document.querySelectorAll(".explanation").forEach((details) => (details.open = true)));
