// The last minute (half of it on a phone), now at the right: actions as bars, below them the state; and a list of what has ended.

import { SAYINGS } from "./camera.js";
import { fit } from "./stage.js";

const LISTED = 30;

export class Timeline {
  #listed = "";
  #drawn = 0;

  constructor(canvas, list, calm) {
    this.canvas = canvas;
    this.list = list;
    this.calm = calm;
  }

  draw(camera, time) {
    if (time - this.#drawn < (this.calm.matches ? 1000 : 80)) return;
    this.#drawn = time;
    const { width, height } = fit(this.canvas), c = this.canvas.getContext("2d"), style = getComputedStyle(this.canvas);
    const ink = (name) => style.getPropertyValue(`--${name}`), span = width < 500 ? 30_000 : 60_000, x = (at) => width - ((time - at) / span) * width;
    const bar = height - 44, ribbon = bar + 8;
    c.clearRect(0, 0, width, height);
    c.font = `500 12px ${style.fontFamily}`;
    c.textBaseline = "middle";
    c.fillStyle = ink("mute");
    for (let s = 10; s < span / 1000; s += 10) {
      const at = x(time - s * 1000);
      c.fillStyle = ink("line");
      c.fillRect(at, 0, 1, bar + 18);
      c.fillStyle = ink("mute");
      c.fillText(`−${s} s`, at + 5, height - 9);
    }
    for (const { state, from, to } of camera.states) this.#state(c, state, x(from), x(to), ribbon, ink);
    let edge = -20;
    for (const event of camera.events.values()) {
      const left = Math.max(edge, x(event.from)), right = x(event.to ?? camera.lived), now = event.to === null && camera.live;
      if (right > 0) this.#event(c, event.label, now, left, right, bar, ink);
      edge = Math.max(edge, right);
    }
    this.#list(camera.events);
  }

  #event(c, label, now, left, right, height, ink) {
    const wide = Math.max(right - left - 2, 4), spare = wide - c.measureText(label).width;
    c.fillStyle = ink(now ? "accent" : "soft");
    c.beginPath();
    c.roundRect(left, 4, wide, height - 8, 7);
    c.fill();
    c.fillStyle = ink(now ? "on-accent" : "on-soft");
    if (spare > 4) c.fillText(label, left + Math.min(10, spare / 2), height / 2 + 1);
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
    this.list.replaceChildren(...ended.map(({ label, from, to, wall, reason, reps }) => {
      const row = document.createElement("li"), name = document.createElement("b"), rest = document.createElement("span");
      name.textContent = label;
      const at = wall ? new Date(wall).toLocaleTimeString() : "";
      rest.textContent = `${reps ? `${reps} ×  ` : ""}${((to - from) / 1000).toFixed(1)} s  ${at}${REASONS[reason] ? `  ${REASONS[reason]}` : ""}`;
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
