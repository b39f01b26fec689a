// The words that the app looks for: read from it, changed in a box, and said to be in force once they are.

import { list } from "./teach.js";

const lines = document.getElementById("lines"), apply = document.getElementById("apply"), said = document.getElementById("said");
const box = lines.form, none = document.getElementById("no-words");
const lesson = document.getElementById("teach");
let shown = null, asking = false; // run and version of the words in the box

async function ask(method, body) {
  const reply = await fetch("labels", { method, body });
  const data = await reply.json();
  if (data.error) throw new Error(data.error);
  return data;
}

/** state: the newest state message. Words that changed elsewhere are read again, unless somebody is writing here. */
export async function drawWords(state) {
  const key = state && `${state.run}/${state.labels_version}`;
  if (!key || key === shown || asking || lines.dataset.touched) return;
  asking = true;
  shown = key;
  try {
    const { labels, taught } = await ask("GET");
    lines.value = labels.join("\n");
    list(taught ?? {});
    box.hidden = lesson.hidden = false;
    grow();
    none.hidden = true;
  } catch (error) {
    box.hidden = lesson.hidden = true;
    none.hidden = false;
    none.textContent = `They cannot be changed here: ${error.message}.`;
    setTimeout(() => (shown = null), 10_000); // and is asked again
  }
  asking = false;
}

async function change() {
  const words = lines.value.split("\n"); // with blank ones, so that a line that is refused has its number here
  if (!lines.value.trim() && !confirm("There are no words here. Look for nothing from now on?")) return;
  asking = apply.disabled = true;
  say("Reading the words …");
  try {
    const { count, labels_version: version, notes = [] } = await ask("PUT", JSON.stringify({ lines: words }));
    delete lines.dataset.touched;
    say([`In force: ${count} ${count === 1 ? "word" : "words"}, version ${version}`, ...notes].join("; "), "done");
  } catch (error) {
    say(error.message, "error");
  }
  asking = apply.disabled = false;
}

/** As high as the words in it; style.css says how high at most. */
function grow() {
  lines.style.height = "auto";
  lines.style.height = `${lines.scrollHeight + lines.offsetHeight - lines.clientHeight}px`;
}

function say(text, kind = "") {
  said.textContent = text;
  said.dataset.kind = kind;
}

lines.addEventListener("input", () => {
  lines.dataset.touched = "yes";
  grow();
  say("Not in force yet");
});
lines.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) lines.form.requestSubmit();
});
lines.form.addEventListener("submit", (event) => {
  event.preventDefault();
  change();
});
