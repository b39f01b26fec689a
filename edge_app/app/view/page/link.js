// The stream, one batch at a time: the next is asked for when one has come, so none can grow old in a queue, and an answer
// cannot have been on its way for longer than since it was asked for, less what the server says it waited.

const DEAD_MS = 3500; // the server answers each second, if with nothing

let slept = 0;
const origin = Date.now() - performance.now();

/** Milliseconds, of a clock that goes on where performance.now() stands still: while the machine sleeps. */
export function now() {
  const ahead = Date.now() - performance.now() - origin;
  if (ahead > slept + 500) slept = ahead;
  return performance.now() + slept;
}

/** Calls `take(batch)`, with `got` and `at` (captured, at the latest guess) on our clock in each update, for ever. */
export function follow(take) {
  let socket, asked, pause = 250;
  const url = new URL("live", location.href);
  url.protocol = url.protocol.replace("http", "ws");

  function open() {
    const mine = socket = new WebSocket(url);
    asked = now();
    mine.onopen = () => ask(mine);
    mine.onclose = () => again(mine);
    mine.onmessage = ({ data }) => {
      const batch = JSON.parse(data), got = now();
      const transit = Math.max(0, got - asked - batch.waited_ms);
      ask(mine);
      pause = 250;
      for (const update of batch.updates) {
        update.got = got;
        update.at = update.age_ms === null ? null : got - update.age_ms - transit;
      }
      take(batch);
    };
  }
  function ask(mine) {
    if (mine !== socket || mine.readyState !== WebSocket.OPEN) return;
    asked = now();
    mine.send("more");
  }
  function again(mine) {
    if (mine !== socket) return;
    socket = null;
    setTimeout(open, pause);
    pause = Math.min(pause * 2, 4000);
  }
  setInterval(() => {
    if (!socket || now() - asked < DEAD_MS) return;
    const dead = socket;
    again(dead);
    dead.close();
  }, 500);
  open();
}
