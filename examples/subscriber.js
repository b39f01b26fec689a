// Tell what to act on: node subscriber.js [ENDPOINT]. First: npm install --no-package-lock
const fs = require("fs");
const zmq = require("zeromq");

const boot = fs.readFileSync("/proc/sys/kernel/random/boot_id", "ascii").trim();
const open = new Map(); // event -> its newest message
const states = new Map(); // camera -> state
const newest = new Map(); // topic -> run and seq

function end(event, reason) { // once for every start
  if (open.has(event)) console.log("end", open.get(event).label, reason);
  open.delete(event);
}

function say(camera, state) { // act only while it is "running"
  if (states.get(camera) !== state) console.log("state", state);
  states.set(camera, state);
}

function take(topic, data) {
  const last = newest.get(topic);
  if (last?.run === data.run && data.seq <= last.seq) return; // a copy for a late reader, or a replay
  if (last && last.run !== data.run) for (const event of [...open.keys()]) end(event, "restart");
  newest.set(topic, { run: data.run, seq: data.seq });
  // hrtime is CLOCK_MONOTONIC; a stamp means nothing on another boot, and wall clocks are never compared
  const age = Number(process.hrtime.bigint()) / 1e6 - data.t_capture_mono_ns / 1e6;
  const fresh = data.boot === boot && data.t_capture_mono_ns != null && age >= 0 && age <= 1000;
  const kind = topic.split("/")[2];
  if (kind === "action" && data.type === "end") end(data.event, data.reason);
  else if (kind === "action" && fresh) { // the first sight of it may be an update
    if (!open.has(data.event)) console.log("start", data.label, age.toFixed(1), "ms old");
    open.set(data.event, data);
  } else if (kind === "state") {
    const listed = new Set(data.open.map((each) => each.event));
    for (const [event, its] of [...open]) if (its.camera === data.camera && !listed.has(event)) end(event, "lost");
    say(data.camera, fresh || data.state !== "running" ? data.state : "stale");
  }
}

async function main() {
  const stream = new zmq.Subscriber({ receiveTimeout: 3000, maxMessageSize: 2 ** 20 }); // the heartbeat: 1 Hz
  stream.connect(process.argv[2] ?? "tcp://127.0.0.1:5757");
  stream.subscribe("v1/");
  for (;;) {
    try {
      const [frame] = await stream.receive();
      const zero = frame.indexOf(0);
      take(frame.toString("utf8", 0, zero), JSON.parse(frame.toString("utf8", zero + 1)));
    } catch (error) {
      if (error.code !== "EAGAIN") continue; // not a message of ours
      for (const event of [...open.keys()]) end(event, "liveness"); // nothing heard for 3 s
      for (const camera of states.keys()) say(camera, "stale");
    }
  }
}

main();
