// The ranked labels as bars; below the line, the share that none of the words explains.

const ROWS = 5;

export function drawBeliefs(list, belief, { fresh }) {
  list.classList.toggle("stale", !fresh);
  const words = fresh ? [...belief].filter(([label]) => label).sort((a, b) => b[1] - a[1]).slice(0, ROWS) : [];
  const shown = [...words, ["", fresh ? belief.get("") ?? 0 : 0]];
  const rows = new Map([...list.children].map((row) => [row.dataset.label, row]));
  shown.forEach(([label, share], place) => {
    const row = rows.get(label) ?? list.appendChild(makeRow(label));
    rows.delete(label);
    const at = label ? place : ROWS;
    row.style.transform = `translateY(${at * 100}%)`;
    row.lastElementChild.firstElementChild.style.transform = `scaleX(${share.toFixed(3)})`;
    const percent = fresh ? `${Math.round(share * 100)} %` : "–";
    if (row.children[1].textContent !== percent) row.children[1].textContent = percent;
  });
  for (const row of rows.values()) row.remove();
  const order = [...list.children].sort((a, b) => shown.findIndex(([l]) => l === a.dataset.label) - shown.findIndex(([l]) => l === b.dataset.label));
  order.forEach((row, i) => list.children[i] !== row && list.insertBefore(row, list.children[i])); // as read aloud
}

function makeRow(label) {
  const row = document.createElement("li"), name = document.createElement("span"), share = document.createElement("b");
  const track = document.createElement("div");
  row.dataset.label = label;
  if (!label) row.className = "none";
  name.textContent = label || "none of the words";
  track.append(document.createElement("i"));
  row.append(name, share, track);
  return row;
}
