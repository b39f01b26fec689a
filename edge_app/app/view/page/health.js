// How it runs: what each stage takes, over the last minutes, and the cameras in numbers. Changes once a second.

import { SAYINGS } from "./camera.js";

const KEEP = 120, LEAST = 30, SVG = "http://www.w3.org/2000/svg";
const past = new Map(); // stage -> [p50 in ms]
let seen = null, drawn = -Infinity;

export function drawHealth(cameras, chosen, time, limit) {
  if (time - drawn < 1000) return;
  drawn = time;
  const status = chosen.status;
  if (status && status !== seen) {
    seen = status;
    drawStages(document.getElementById("stages"), status.data.stages);
    const { version, provider, bundle, labels } = status.data;
    document.getElementById("about").textContent =
      `edge-app ${version} · ${provider} · ${bundle.slice(0, 15)} · ${labels.count} words, version ${labels.version}`;
  }
  document.getElementById("stages").classList.toggle("stale", !status || time - status.got > 4000);
  const sorted = [...cameras.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  drawTable(document.getElementById("camera-rows"), sorted, time, limit);
}

function drawStages(list, stages) {
  for (const [name, { p50_ms: p50, p90_ms: p90, state }] of Object.entries(stages)) {
    if (typeof p50 !== "number") continue;
    if (!past.has(name)) {
      past.set(name, []);
      list.append(makeStage(name));
    }
    const values = past.get(name);
    values.push(p50);
    values.splice(0, values.length - KEEP);
    const box = list.querySelector(`[data-stage="${CSS.escape(name)}"]`), top = Math.max(...values) * 1.15 || 1;
    box.querySelector("b").textContent = `${p50 < 10 ? p50.toFixed(1) : Math.round(p50)} ms`;
    box.title = `median ${p50} ms` + (typeof p90 === "number" ? `, nine of ten under ${p90} ms` : "") + (state === "running" ? "" : `, ${state}`);
    const last = Math.max(values.length, LEAST) - 1, gap = last + 1 - values.length;
    const points = values.map((value, i) => `${(100 * (i + gap)) / last},${24 - (22 * value) / top}`);
    box.querySelector("polyline").setAttribute("points", points.join(" "));
  }
}

function makeStage(name) {
  const box = document.createElement("div"), term = document.createElement("dt"), value = document.createElement("dd");
  const chart = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "polyline");
  box.dataset.stage = term.textContent = name;
  chart.setAttribute("viewBox", "0 0 100 24");
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("aria-hidden", "true");
  chart.append(line);
  value.append(document.createElement("b"), chart);
  box.append(term, value);
  return box;
}

function drawTable(body, cameras, time, limit) {
  const columns = [...body.parentElement.querySelectorAll("thead th")].map((head) => head.textContent);
  body.replaceChildren(...cameras.map((camera) => {
    const row = document.createElement("tr"), about = camera.status?.data.cameras[camera.name] ?? {};
    const { state, fresh } = camera.standing(time, limit);
    const people = fresh && camera.pose && time - camera.pose.at <= limit ? camera.pose.data.people.length : "–";
    const count = (number) => number?.toLocaleString() ?? "–";
    const poses = fresh ? camera.state.data.fps_in.toFixed(1) : "–";
    for (const text of [camera.name, (SAYINGS[state] ?? state).toLowerCase(), people, poses, count(about.frames), count(about.dropped),
      about.flags?.join(", ") ?? ""]) {
      const cell = document.createElement(row.children.length ? "td" : "th");
      cell.textContent = text;
      cell.dataset.column = columns[row.children.length]; // what a phone shows before it
      cell.setAttribute("role", row.children.length ? "cell" : "rowheader");
      row.append(cell);
    }
    row.setAttribute("role", "row"); // a phone shows no rows and columns, but they are read out as such
    row.firstElementChild.scope = "row";
    return row;
  }));
}
