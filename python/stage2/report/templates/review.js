"use strict";
(() => {
  const root = document.getElementById("review");
  if (!root) return;
  const { pairs, words } = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const keys = { 1: "answer", a: "answer", 2: "not", n: "not", 3: "unsure", u: "unsure" };
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const named = (pair) => JSON.stringify([pair.question_hash, pair.chunk_id]);
  const places = new Map(pairs.map((pair, place) => [named(pair), place]));
  const fresh = () => ({ at: 0, judged: {}, past: [], by: $("by").value });
  let state = fresh();
  let kept = true;
  let scrolled = false;

  // A page that is opened from a disk may have no storage.
  try {
    const text = localStorage.getItem(root.dataset.key);
    if (text !== null) state = { ...state, ...JSON.parse(text) };
  } catch { kept = false; }
  $("by").value = state.by;

  function keep() {
    try {
      localStorage.setItem(root.dataset.key, JSON.stringify(state));
      kept = true;
    } catch { kept = false; }
  }
  const tell = (text) => { $("said").textContent = kept ? text : `${text} · ${words.not_kept}`; };
  const told = (judgement) => fill(words.said, { judgement: words[`judge_${judgement}`] });

  // `news` is what has just happened; a screen reader then hears it with the new question.
  function draw(news) {
    state.at = Math.min(Math.max(0, state.at), pairs.length - 1);
    const pair = pairs[state.at];
    const now = state.judged[named(pair)];
    const judged = pairs.filter((one) => state.judged[named(one)]).length;
    const count = pairs.length;
    $("where").textContent = fill(words.where, { number: state.at + 1, count });
    $("done").textContent = fill(words.done, { judged, count });
    $("progress").value = judged;
    $("question").textContent = pair.question;
    $("answer").textContent = pair.answer ? `${words.answer_is}: ${pair.answer}` : "";
    $("asked").textContent = words[pair.kind];
    $("passage").textContent = pair.passage;
    $("compare").textContent = pair.beside === null ? words.no_beside : words[`beside_${pair.kind}`];
    $("beside").textContent = pair.beside ?? "";
    $("reasons").replaceChildren(...pair.reasons.map((reason) => {
      const made = document.createElement("li");
      made.textContent = reason;
      return made;
    }));
    for (const button of root.querySelectorAll("[data-judgement]")) {
      button.setAttribute("aria-pressed", String(Boolean(now) && now.judgement === button.dataset.judgement));
    }
    $("note").value = now ? now.note : "";
    $("previous").disabled = state.at === 0;
    $("next").disabled = state.at === count - 1;
    $("undo").disabled = state.past.length === 0;
    const here = `${fill(words.where, { number: state.at + 1, count })}: ${now ? told(now.judgement) : words.not_judged}`;
    tell(news ? `${news} · ${here}` : here);
    // A long passage was read to its end; the next pair is read from its question on.
    if (scrolled) $("where").parentElement.scrollIntoView();
    scrolled = true;
  }
  function judge(judgement) {
    const name = named(pairs[state.at]);
    state.past.push([state.at, state.judged[name] ?? null]);
    state.judged[name] = {
      judgement, by: $("by").value.trim() || words.by_default, note: $("note").value.trim(),
      at: new Date().toISOString(),
    };
    state.at += 1;
    keep();
    draw(told(judgement));
  }
  function undo() {
    const last = state.past.pop();
    if (!last) { tell(words.nothing_to_undo); return; }
    const [place, before] = last;
    const name = named(pairs[place]);
    if (before) state.judged[name] = before; else delete state.judged[name];
    state.at = place;
    keep();
    draw(words.undone);
  }
  function move(step) {
    state.at += step;
    keep();
    draw();
  }
  function nextOpen() {
    const order = pairs.map((_, step) => (state.at + 1 + step) % pairs.length);
    const found = order.find((place) => !state.judged[named(pairs[place])]);
    if (found !== undefined) move(found - state.at);
  }
  function rows() {
    return pairs.filter((pair) => state.judged[named(pair)]).map((pair) => {
      const { judgement, by, note, at } = state.judged[named(pair)];
      const row = {
        question_id: pair.question_id, question_hash: pair.question_hash,
        chunk_id: pair.chunk_id, judgement, by, at,
      };
      return JSON.stringify(note ? { ...row, note } : row) + "\n";
    });
  }
  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(rows(), { type: "application/x-ndjson" }));
    link.download = "judgements.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  // Nothing of a file is taken if a line of it is wrong.
  async function load() {
    const [file] = $("load").files;
    $("load").value = "";
    if (!file) return;
    const found = [];
    let left = 0;
    for (const [number, line] of (await file.text()).split("\n").entries()) {
      if (!line.trim()) continue;
      let row = null;
      try { row = JSON.parse(line); } catch { /* told below */ }
      if (!row || !Object.values(keys).includes(row.judgement)) {
        tell(fill(words.not_loaded, { line: number + 1 }));
        return;
      }
      const text = (value) => (typeof value === "string" ? value : "");
      const pair = pairs.find((one) => String(row.chunk_id) === one.chunk_id
        && (row.question_hash ? row.question_hash === one.question_hash
          : String(row.question_id) === one.question_id));
      if (!pair) { left += 1; continue; }
      found.push([named(pair), {
        judgement: row.judgement, by: text(row.by) || words.by_default, note: text(row.note), at: text(row.at),
      }]);
    }
    for (const [name, judged] of found) {
      state.past.push([places.get(name), state.judged[name] ?? null]);
      state.judged[name] = judged;
    }
    keep();
    draw(fill(words.loaded, { count: found.length, left }));
  }
  for (const button of root.querySelectorAll("[data-judgement]")) {
    button.addEventListener("click", () => judge(button.dataset.judgement));
  }
  $("previous").addEventListener("click", () => move(-1));
  $("next").addEventListener("click", () => move(1));
  $("undo").addEventListener("click", undo);
  $("open").addEventListener("click", nextOpen);
  $("save").addEventListener("click", save);
  $("load").addEventListener("change", load);
  $("by").addEventListener("change", () => { state.by = $("by").value; keep(); });
  // A note that is written after the judgement belongs to it too.
  $("note").addEventListener("change", () => {
    const now = state.judged[named(pairs[state.at])];
    if (now) { now.note = $("note").value.trim(); keep(); }
  });
  addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || event.ctrlKey || event.target.matches("input:not([type=file])")) return;
    const key = event.key.toLowerCase();
    if (keys[key]) judge(keys[key]);
    else if (key === "z") undo();
    else if (key === "arrowleft") move(-1);
    else if (key === "arrowright") move(1);
    else return;
    event.preventDefault();
  });
  root.hidden = false;
  draw();
})();
