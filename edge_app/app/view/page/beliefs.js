// The ranked labels as bars; below the line, the share that none of the words explains.

const ROWS = 5, MARGIN = 0.02; // two labels change places only when it is by more than this: noise must not shuffle them
let order = [];

export function drawBeliefs(list, belief, { fresh }) {
  list.classList.toggle("stale", !fresh);
  order = rank(fresh ? belief : new Map());
  const shown = [...order.slice(0, ROWS), ""], rows = new Map([...list.children].map((row) => [row.dataset.label, row]));
  for (const [label, row] of rows) if (!shown.includes(label)) row.remove();
  shown.forEach((label, place) => {
    const row = rows.get(label) ?? makeRow(label), share = fresh ? 100 * (belief.get(label) ?? 0) : 0;
    if (list.children[place] !== row) put(list, row, list.children[place] ?? null); // as it is read aloud
    row.style.transform = `translateY(${(label ? place : ROWS) * 100}%)`;
    row.querySelector("i").style.clipPath = `inset(0 ${(100 - share).toFixed(1)}% 0 0 round 3px)`;
    row.querySelector("b").textContent = fresh ? `${Math.round(share)} %` : "–";
  });
}

function rank(belief) {
  const ranked = order.filter((label) => belief.has(label));
  ranked.push(...[...belief.keys()].filter((label) => label && !ranked.includes(label)));
  for (let end = 1; end < ranked.length; end++) {
    for (let i = end; i > 0 && belief.get(ranked[i]) > belief.get(ranked[i - 1]) + MARGIN; i--) {
      [ranked[i - 1], ranked[i]] = [ranked[i], ranked[i - 1]];
    }
  }
  return ranked;
}

/** A row that is moved, not put in anew, glides to its place. */
function put(list, row, before) {
  if (row.parentNode === list && list.moveBefore) list.moveBefore(row, before);
  else list.insertBefore(row, before);
}

function makeRow(label) {
  const row = document.createElement("li"), name = document.createElement("span"), track = document.createElement("div");
  row.dataset.label = label;
  if (!label) row.className = "none";
  name.textContent = label || "none of the words";
  track.append(document.createElement("i"));
  row.append(name, document.createElement("b"), track);
  return row;
}
