// Showing the app a motion: shots of a few seconds by the camera that is looked at, after a countdown each; and
// forgetting it.

const SHOTS = 3, SECONDS = 5, COUNTDOWN = 3;
const form = document.getElementById("teach"), gesture = document.getElementById("gesture");
const button = form.querySelector("button"), taught = document.getElementById("taught");

/** camera: gives the name of the camera that is looked at. */
export function listen(camera) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      for (let shot = 1; shot <= SHOTS; shot++) await take(shot, camera());
    } catch (error) {
      say(error.message, "error");
    }
    button.disabled = false;
  });
}

/** shots: how many each motion has that was shown, by its name. */
export function list(shots) {
  document.getElementById("motions").replaceChildren(...Object.entries(shots).map(([name, count]) => {
    const row = document.createElement("li"), forget = document.createElement("button");
    forget.type = "button";
    forget.textContent = "Forget";
    forget.setAttribute("aria-label", `Forget ${name}`);
    forget.onclick = () => drop(name, forget);
    row.append(`${name}, ${count} ${count === 1 ? "shot" : "shots"}`, forget);
    return row;
  }));
}

async function drop(name, button) {
  button.disabled = true;
  try {
    await ask("DELETE", { line: name });
    button.parentElement.remove();
    say(`${name}: forgotten`, "done");
  } catch (error) {
    button.disabled = false;
    say(error.message, "error");
  }
}

async function ask(method, body) {
  const data = await (await fetch("shot", { method, body: JSON.stringify(body) })).json();
  if (data.error) throw new Error(data.error);
  return data;
}

async function take(shot, camera) {
  const which = `Shot ${shot} of ${SHOTS}`;
  say(`${which}: begin in ${COUNTDOWN} s …`);
  await new Promise((done) => setTimeout(done, COUNTDOWN * 1000));
  say(`${which}: now, for ${SECONDS} s`);
  const { labels_version: version } = await ask("POST", { line: gesture.value, camera, seconds: SECONDS });
  say(`${which}: in force, version ${version}`, "done");
}

function say(text, kind = "") {
  taught.textContent = text;
  taught.dataset.kind = kind;
}
