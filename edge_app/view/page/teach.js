// Showing the app a motion: shots of a few seconds by the camera that is looked at, after a countdown each.

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

async function take(shot, camera) {
  const which = `Shot ${shot} of ${SHOTS}`;
  say(`${which}: begin in ${COUNTDOWN} s …`);
  await new Promise((done) => setTimeout(done, COUNTDOWN * 1000));
  say(`${which}: now, for ${SECONDS} s`);
  const body = JSON.stringify({ line: gesture.value, camera, seconds: SECONDS });
  const data = await (await fetch("shot", { method: "POST", body })).json();
  if (data.error) throw new Error(`${which}: ${data.error}`);
  say(`${which}: in force, version ${data.labels_version}`, "done");
}

function say(text, kind = "") {
  taught.textContent = text;
  taught.dataset.kind = kind;
}
