// What comes in goes to its camera; what is shown is drawn anew from what is known now, at every turn.

import { Camera, SAYINGS } from "./camera.js";
import { drawBeliefs } from "./beliefs.js";
import { drawHealth } from "./health.js";
import { follow, now } from "./link.js";
import { Stage } from "./stage.js";
import { listen } from "./teach.js";
import { Timeline } from "./timeline.js";
import { drawWords } from "./words.js";

const by = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const cameras = new Map();
const stage = new Stage(by("stage"), calm), timeline = new Timeline(by("timeline"), by("log"), calm);
const nobody = new Camera("");
let chosen = null, limit = 1000, stream = "", heard = -Infinity, believed = null;

listen(() => chosen ?? "");
follow((batch) => {
  ({ limit_ms: limit, stream } = batch);
  heard = now();
  for (const update of batch.updates) {
    const name = update.topic.split("/")[1];
    if (name === "*") continue; // the server hears nothing at all: so will we
    if (!cameras.has(name)) cameras.set(name, new Camera(name));
    cameras.get(name).take(update, limit);
  }
  if (by("cameras").children.length !== cameras.size) drawCameras();
});

function drawCameras() {
  const names = [...cameras.keys()].sort();
  chosen ??= names[0];
  by("cameras").hidden = names.length < 2;
  by("cameras").replaceChildren(...names.map((name) => {
    const button = document.createElement("button");
    button.textContent = button.dataset.camera = name;
    button.setAttribute("aria-pressed", name === chosen);
    button.onclick = () => {
      chosen = name;
      for (const each of by("cameras").children) each.setAttribute("aria-pressed", each === button);
      draw();
    };
    return button;
  }));
}

function draw() {
  const time = now();
  for (const camera of cameras.values()) camera.mark(time, camera.standing(time, limit));
  for (const button of by("cameras").children) {
    button.dataset.state = cameras.get(button.dataset.camera).standing(time, limit).state;
  }
  const camera = cameras.get(chosen) ?? nobody, standing = camera.standing(time, limit);
  drawHeadline(camera, standing, time);
  drawPulse(standing, time);
  stage.draw(standing.fresh && camera.pose && time - camera.pose.at <= limit ? camera.pose : null, standing, time);
  if (camera.state !== believed || !standing.fresh) drawBeliefs(by("bars"), camera.belief, standing);
  believed = camera.state;
  timeline.draw(camera, time);
  drawHealth(cameras, camera, time, limit);
  drawWords(camera.state?.data);
}

function drawHeadline(camera, standing, time) {
  const { state, label, since, reps, age, fresh } = standing;
  const text = label ?? SAYINGS[state] ?? state;
  const ago = camera.state ? seconds(time - (camera.state.at ?? camera.state.got)) : "";
  const detail = label ? `${reps ? `${reps} × · ` : ""}for ${seconds(time - since)}`
    : state === "silent" ? `last heard ${ago} ago`
    : state === "waiting" ? stream && `at ${stream}`
    : fresh || age === null ? "" : `last view ${ago} ago`;
  set(by("label"), text);
  set(by("detail"), detail);
  by("now").dataset.kind = label ? "action" : fresh ? "quiet" : "stale";
  document.title = `${label ?? text.toLowerCase()} · edge-app`;
  announce(text);
}

function drawPulse({ state, fresh, age, exact }, time) {
  const gone = time - heard > 3500;
  by("pulse").dataset.pulse = gone ? "gone" : fresh ? "live" : state === "waiting" ? "waiting" : "stale";
  const text = gone ? "page disconnected" : fresh ? `live, ${exact ? "" : "at least "}${Math.round(age / 10) * 10} ms old` : SAYINGS[state].toLowerCase();
  set(by("pulse").lastElementChild, text);
}

let announced = "", due = 0;
/** For screen readers: what is seen, when it changes, at most every two seconds. */
function announce(text) {
  if (text === announced || now() < due) return;
  due = now() + 2000;
  by("announcer").textContent = announced = text;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function seconds(ms) {
  return ms < 9950 ? `${Math.max(0, ms / 1000).toFixed(1)} s` : ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

let drawn = 0;
function turn(time) {
  if (time - drawn > 30) {
    drawn = time;
    draw();
  }
  requestAnimationFrame(turn);
}
requestAnimationFrame(turn);
setInterval(draw, 500); // where no frames are drawn: a hidden page too must not keep an old label
for (const event of ["visibilitychange", "pageshow"]) addEventListener(event, draw);
