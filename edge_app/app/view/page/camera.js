// What is known of one camera, and what may be said of it now. Nothing old is ever given as true.

const SELF_TOLD = ["stale", "camera_lost", "camera_frozen", "failed"]; // true without a fresh picture
const SILENT_MS = 3000;
const SMOOTH_MS = 400; // as the app's own event stage
const KEEP_MS = 70_000;

export const SAYINGS = {
  waiting: "Waiting for the app", silent: "Not hearing the app", stale: "Nothing new", no_person: "Nobody in view",
  idle: "Standing still", unknown: "None of the words", camera_lost: "Camera lost", camera_frozen: "Camera frozen",
  degraded: "Degraded", failed: "Failed", running: "Watching",
};

export class Camera {
  state = null; // the newest update
  pose = null;
  status = null;
  belief = new Map(); // label -> share; "" is none of the words
  events = new Map(); // event -> {label, from, to, score, reason, wall, reps}
  states = []; // {state, from, to}, of the last minute
  live = false; // whether the view is fresh, and when it was so last
  lived = 0;
  #believed = 0;

  constructor(name) {
    this.name = name;
  }

  take(update, limit) {
    const { data } = update, kind = update.topic.split("/")[2];
    if (kind === "action") this.#action(update);
    else if (kind === "pose") this.pose = update;
    else if (kind === "status") this.status = update;
    else if (kind === "state") {
      if (this.state?.data.run !== data.run) this.#end((event) => event.run !== data.run, update.got, "restart");
      this.state = update;
      const open = new Set(data.open.map((each) => each.event));
      this.#end((event, name) => !open.has(name) && event.seen < (update.at ?? update.got), update.got, "lost");
      if (this.standing(update.got, limit).fresh) this.#believe(data, update.got);
    }
  }

  /** {state, fresh, age, label, since, reps}: `label` only where an action is going on and the view is fresh. */
  standing(time, limit) {
    if (!this.state) return { state: "waiting", fresh: false, age: null };
    const { data, got, at } = this.state, age = at === null ? null : time - at;
    if (time - got > SILENT_MS) return { state: "silent", fresh: false, age };
    if (SELF_TOLD.includes(data.state)) return { state: data.state, fresh: false, age };
    if (age === null || age > limit) return { state: age === null ? "waiting" : "stale", fresh: false, age };
    const open = data.open.at(-1);
    return {
      state: data.state, fresh: true, age, exact: this.state.exact, label: open?.label,
      since: open ? at - (data.t_capture_mono_ns - open.onset_mono_ns) / 1e6 : null,
      reps: this.events.get(open?.event)?.reps,
    };
  }

  /** Remembers the standing for the ribbon, and forgets what is over. */
  mark(time, { state, fresh }) {
    this.live = fresh;
    if (fresh) this.lived = time;
    const last = this.states.at(-1);
    if (last) last.to = time;
    if (last?.state !== state) this.states.push({ state, from: time, to: time });
    while (this.states[0].to < time - KEEP_MS) this.states.shift();
    const past = [...this.events].filter(([, event]) => event.to !== null).map(([name]) => name);
    for (const name of past.slice(0, -100)) this.events.delete(name);
  }

  #action({ data, at, got }) {
    const seen = at ?? got, known = this.events.get(data.event);
    const event = known ?? { label: data.label, from: seen - (data.t_capture_mono_ns - data.onset_mono_ns) / 1e6, to: null };
    if (known && known.to !== null) return;
    Object.assign(event, { run: data.run, seen, score: data.score, wall: data.t_capture_wall, reps: data.reps ?? 0 });
    if (data.type === "end") Object.assign(event, { to: seen, reason: data.reason });
    this.events.set(data.event, event);
  }

  #end(which, time, reason) {
    for (const [name, event] of this.events) {
      if (event.to === null && which(event, name)) Object.assign(event, { to: Math.min(time, event.seen + 1500), reason });
    }
  }

  #believe({ topk, known }, time) {
    const keep = topk.length ? Math.exp((this.#believed - time) / SMOOTH_MS) : 0;
    this.#believed = time;
    const news = new Map(topk.map(([label, score]) => [label, score * (known ?? 0)]));
    if (topk.length) news.set("", 1 - (known ?? 0));
    for (const label of new Set([...this.belief.keys(), ...news.keys()])) {
      const share = keep * (this.belief.get(label) ?? 0) + (1 - keep) * (news.get(label) ?? 0);
      if (share > 0.02 || news.has(label)) this.belief.set(label, share);
      else this.belief.delete(label);
    }
  }
}
