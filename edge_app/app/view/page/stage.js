// The skeleton as the camera sees it: the subject's left side in one colour, the right in another; no picture.

const LEFT = [[11, 13, 15, 19], [23, 25, 27, 31]], RIGHT = [[12, 14, 16, 20], [24, 26, 28, 32]];
const WRISTS = [15, 16];
const TRAIL_MS = 900, GLIDE_MS = 90;

export class Stage {
  #pose = null;
  #from = new Map(); // track -> points drawn last
  #trails = new Map(); // track and wrist -> [{x, y, time}]
  #shown = "";

  constructor(canvas, calm) {
    this.canvas = canvas;
    this.calm = calm;
    this.c = canvas.getContext("2d");
  }

  /** pose: an update, or null where there is none that is fresh. */
  draw(pose, standing, time) {
    const { c, canvas } = this, { width, height } = fit(canvas), style = getComputedStyle(canvas);
    const ink = (name) => style.getPropertyValue(`--${name}`);
    c.clearRect(0, 0, width, height);
    const people = pose?.data.people ?? [], [w, h] = people[0]?.size ?? this.size ?? [640, 480];
    this.size = [w, h];
    const scale = Math.min(width / w, height / h), left = (width - w * scale) / 2, top = (height - h * scale) / 2;
    this.#frame(left, top, w * scale, h * scale, ink, standing.fresh);
    if (pose !== this.#pose) {
      for (const each of people) this.#arrive(each, this.#pose, pose);
      this.#pose = pose;
    }
    const tracks = new Set(people.map(({ track }) => track));
    for (const track of this.#from.keys()) if (!tracks.has(track)) this.#from.delete(track);
    for (const person of people) {
      const glide = this.calm.matches ? 1 : Math.min(1, (time - pose.got) / GLIDE_MS);
      const before = this.#from.get(person.track)?.before ?? person.image;
      const points = person.image.map(([x, y], i) => [
        left + scale * (before[i][0] + glide * (x - before[i][0])), top + scale * (before[i][1] + glide * (y - before[i][1])),
      ]);
      this.#from.get(person.track).now = person.image.map(([x, y], i) => [
        before[i][0] + glide * (x - before[i][0]), before[i][1] + glide * (y - before[i][1]),
      ]);
      if (!this.calm.matches) this.#trail(person.track, points, time, ink, left, top, scale);
      this.#person(points, person.visibility, ink);
    }
    if (!people.length) this.#trails.clear();
    const shown = people.length === 0 ? "Nobody is drawn" : people.length === 1 ? "The skeleton of one person" : `The skeletons of ${people.length} people`;
    if (shown !== this.#shown) canvas.setAttribute("aria-label", this.#shown = shown);
  }

  #arrive({ track, image }) {
    const before = this.#from.get(track)?.now ?? image;
    this.#from.set(track, { before, now: before });
  }

  #frame(x, y, w, h, ink, fresh) {
    const { c } = this, long = 18;
    c.strokeStyle = ink("line");
    c.lineWidth = 2;
    for (const [cx, cy, dx, dy] of [[x, y, 1, 1], [x + w, y, -1, 1], [x, y + h, 1, -1], [x + w, y + h, -1, -1]]) {
      c.beginPath();
      c.moveTo(cx + dx * (long + 6), cy + dy * 6);
      c.lineTo(cx + dx * 6, cy + dy * 6);
      c.lineTo(cx + dx * 6, cy + dy * (long + 6));
      c.stroke();
    }
    if (fresh) return;
    c.save(); // what is not true now is hatched, everywhere on the page
    c.beginPath();
    c.roundRect(x + 6, y + 6, w - 12, h - 12, 10);
    c.clip();
    c.lineWidth = 1.5;
    for (let i = x - h; i < x + w; i += 14) {
      c.beginPath();
      c.moveTo(i, y + h);
      c.lineTo(i + h, y);
      c.stroke();
    }
    c.restore();
  }

  #trail(track, points, time, ink, left, top, scale) {
    const { c } = this;
    for (const wrist of WRISTS) {
      const key = `${track}/${wrist}`, trail = this.#trails.get(key) ?? [];
      trail.push({ x: (points[wrist][0] - left) / scale, y: (points[wrist][1] - top) / scale, time });
      while (trail[0].time < time - TRAIL_MS) trail.shift();
      this.#trails.set(key, trail);
      c.strokeStyle = ink(wrist % 2 ? "cool" : "warm");
      for (let i = 1; i < trail.length; i++) {
        const fade = 1 - (time - trail[i].time) / TRAIL_MS;
        c.globalAlpha = 0.28 * fade ** 2;
        c.lineWidth = 2 + 8 * fade;
        c.beginPath();
        c.moveTo(left + scale * trail[i - 1].x, top + scale * trail[i - 1].y);
        c.lineTo(left + scale * trail[i].x, top + scale * trail[i].y);
        c.stroke();
      }
    }
    c.globalAlpha = 1;
  }

  #person(p, visibility, ink) {
    const { c } = this, mid = (a, b) => [(p[a][0] + p[b][0]) / 2, (p[a][1] + p[b][1]) / 2];
    const far = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);
    const neck = mid(11, 12), hips = mid(23, 24), ears = mid(7, 8);
    const torso = Math.max(far(neck, hips), far(p[11], p[12]), 20), seen = (...at) => Math.min(...at.map((i) => clear(visibility[i])));
    c.lineCap = c.lineJoin = "round";
    const limb = (chain, colour) => {
      for (let i = 1; i < chain.length; i++) {
        c.globalAlpha = seen(chain[i - 1], chain[i]);
        c.strokeStyle = ink(colour);
        c.lineWidth = torso * (i === 1 ? 0.17 : i === 2 ? 0.14 : 0.1);
        c.beginPath();
        c.moveTo(...p[chain[i - 1]]);
        c.lineTo(...p[chain[i]]);
        c.stroke();
      }
    };
    c.globalAlpha = 0.7 * Math.max(seen(27), seen(28));
    c.fillStyle = ink("line");
    c.beginPath();
    c.ellipse((p[27][0] + p[28][0]) / 2, Math.max(p[29][1], p[30][1], p[31][1], p[32][1]), torso * 0.75, torso * 0.1, 0, 0, 7);
    c.fill();
    limb(LEFT[1], "cool");
    limb(RIGHT[1], "warm");
    c.globalAlpha = seen(11, 12, 23, 24);
    c.fillStyle = c.strokeStyle = ink("body");
    c.lineWidth = torso * 0.17;
    c.beginPath();
    for (const [i, to, inwards] of [[11, neck, 0.12], [12, neck, 0.12], [24, hips, 0.25], [23, hips, 0.25]]) {
      c.lineTo(p[i][0] + inwards * (to[0] - p[i][0]), p[i][1] + inwards * (to[1] - p[i][1]));
    }
    c.closePath();
    c.fill();
    c.stroke();
    c.globalAlpha = seen(7, 8);
    c.beginPath();
    c.moveTo(...neck);
    c.lineTo(...ears);
    c.lineWidth = torso * 0.14;
    c.stroke();
    c.beginPath();
    c.ellipse(ears[0], ears[1], torso * 0.2, torso * 0.24, Math.atan2(ears[0] - neck[0], neck[1] - ears[1]), 0, 7);
    c.fill();
    limb(LEFT[0], "cool");
    limb(RIGHT[0], "warm");
    c.globalAlpha = 1;
  }
}

function clear(visibility) {
  return Math.max(0.08, Math.min(1, (visibility - 0.2) / 0.4));
}

/** Makes the canvas as fine as the screen; its size in CSS pixels. */
export function fit(canvas) {
  const fine = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * fine) || canvas.height !== Math.round(height * fine)) {
    canvas.width = Math.round(width * fine);
    canvas.height = Math.round(height * fine);
  }
  canvas.getContext("2d").setTransform(fine, 0, 0, fine, 0, 0);
  return { width, height };
}
