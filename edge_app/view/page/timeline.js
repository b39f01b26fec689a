// The last minute from right to left: actions as bars, below them the state; and a list of what has ended.

import { SAYINGS } from "./camera.js";
import { fit } from "./stage.js";

const SPAN_MS = 60_000, LISTED = 30;

export class Timeline {
  #listed = "";
  #drawn = 0;

  constructor(canvas, list, calm) {
    this.canvas = canvas;
    this.list = list;
    this.calm = calm;
  }

  draw(camera, time) {
    if (this.calm.matches && time - this.#drawn < 1000) return;
    this.#drawn = time;
    const { width, height } = fit(this.canvas), c = this.canvas.getContext("2d"), style = getComputedStyle(this.canvas);
    const ink = (name) => style.getPropertyValue(`--${name}`), x = (at) => width - ((time - at) / SPAN_MS) * width;
    const bar = height - 44, ribbon = bar + 8;
    c.clearRect(0, 0, width, height);
    c.font = `500 12px ${style.fontFamily}`;
    c.textBaseline = "middle";
    c.fillStyle = ink("mute");
    const step = width < 500 ? 20 : 10;
    for (let s = step; s < 60; s += step) {
      const at = x(time - s * 1000);
      c.globalAlpha = 0.5;
      c.fillRect(at, 0, 1, bar + 18);
      c.globalAlpha = 1;
      c.fillText(`−${s} s`, at + 5, height - 9);
    }
    for (const { state, from, to } of camera.states) this.#state(c, state, x(from), x(to), ribbon, ink);
    for (const event of camera.events.values()) {
      const left = x(event.from), right = x(event.to ?? time);
      if (right < 0) continue;
      this.#event(c, event, Math.max(left, -20), right, bar, ink);
    }
    this.#list(camera.events);
  }

  #event(c, { label, to }, left, right, height, ink) {
    const wide = Math.max(right - left - 2, 4);
    c.fillStyle = ink(to === null ? "accent" : "soft");
    c.beginPath();
    c.roundRect(left, 4, wide, height - 8, 7);
    c.fill();
    c.save();
    c.clip();
    c.fillStyle = ink(to === null ? "on-accent" : "on-soft");
    if (wide > 26) c.fillText(label, Math.max(left, 0) + 9, height / 2 + 1);
    c.restore();
  }

  #state(c, state, left, right, top, ink) {
    if (right <= 0 || right - left < 0.5) return;
    const known = ["running", "idle", "unknown", "no_person"].includes(state), heights = { running: 8, unknown: 5, idle: 3, no_person: 1 };
    if (known) {
      c.fillStyle = ink(state === "running" ? "accent" : "mute");
      c.fillRect(left, top + 8 - heights[state], right - left, heights[state]);
      return;
    }
    c.save();
    c.beginPath();
    c.rect(left, top, right - left, 8);
    c.clip();
    c.strokeStyle = ink("alarm");
    c.lineWidth = 2;
    for (let i = Math.floor(left / 7) * 7 - 8; i < right; i += 7) {
      c.beginPath();
      c.moveTo(i, top + 8);
      c.lineTo(i + 8, top);
      c.stroke();
    }
    c.restore();
  }

  #list(events) {
    const ended = [...events.values()].filter(({ to }) => to !== null).slice(-LISTED).reverse();
    const key = ended.map(({ from }) => from).join();
    if (key === this.#listed) return;
    this.#listed = key;
    this.list.replaceChildren(...ended.map(({ label, from, to, wall, reason }) => {
      const row = document.createElement("li"), name = document.createElement("b"), rest = document.createElement("span");
      name.textContent = label;
      const at = wall ? new Date(wall).toLocaleTimeString() : "";
      rest.textContent = `${((to - from) / 1000).toFixed(1)} s  ${at}${REASONS[reason] ? `  ${REASONS[reason]}` : ""}`;
      row.append(name, rest);
      return row;
    }));
  }
}

const REASONS = {
  ...Object.fromEntries(["stale", "no_person", "camera_lost", "camera_frozen", "failed"].map((state) => [state, SAYINGS[state].toLowerCase()])),
  track_lost: "another person", labels_changed: "words changed", stopped: "app stopped", liveness: "app not heard",
  restart: "app restarted", lost: "end not heard",
};
