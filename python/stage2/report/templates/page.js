"use strict";
(() => {
  const { rows, words } = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("questions-table");
  const body = table && table.tBodies[0];
  const size = 50;
  let page = 0, key = "id", down = false;
  const named = { better: "better_rank", worse: "worse_rank" };
  const compare = (a, b) =>
    a === b ? 0 : a === null ? 1 : b === null ? -1
    : typeof a === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });

  function chosen() {
    const text = document.getElementById("search").value.toLowerCase();
    const kind = document.getElementById("kind").value;
    const found = rows.filter((row) => (!kind || row.kind === kind)
      && (row.id + "\n" + row.question).toLowerCase().includes(text));
    return found.sort((a, b) => (down ? -1 : 1) * compare(a[key], b[key]));
  }
  function cell(row, text, name) {
    const made = row.insertCell();
    made.textContent = text === null ? "–" : text;
    made.className = name || "";
    return made;
  }
  // Foreign text stands by itself: no mark in it turns round what is beside it.
  function foreign(text) {
    const made = document.createElement("bdi");
    made.textContent = text;
    return made;
  }
  function draw() {
    const found = chosen();
    const pages = Math.max(1, Math.ceil(found.length / size));
    page = Math.min(page, pages - 1);
    body.replaceChildren();
    for (const item of found.slice(page * size, (page + 1) * size)) {
      const row = body.insertRow();
      const first = cell(row, "");
      if (item.case) {
        const link = document.createElement("a");
        link.href = "#" + item.case;
        link.append(foreign(item.id));
        first.append(link);
      } else {
        first.append(foreign(item.id));
      }
      cell(row, "", "q").append(foreign(item.question));
      cell(row, item.set);
      cell(row, item.before, "n");
      cell(row, item.after, "n");
      cell(row, words[named[item.change] || item.change] || item.change, item.change);
    }
    document.getElementById("where").textContent = `${found.length} · ${page + 1}/${pages}`;
    document.getElementById("previous").disabled = page === 0;
    document.getElementById("next").disabled = page + 1 === pages;
  }
  function reveal() {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  }
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  reveal();
  if (!table) return;
  for (const button of table.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      down = key === button.dataset.key ? !down : false;
      key = button.dataset.key;
      table.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
      button.closest("th").setAttribute("aria-sort", down ? "descending" : "ascending");
      page = 0; draw();
    });
  }
  for (const id of ["search", "kind"]) document.getElementById(id).addEventListener("input", () => { page = 0; draw(); });
  document.getElementById("previous").addEventListener("click", () => { page -= 1; draw(); });
  document.getElementById("next").addEventListener("click", () => { page += 1; draw(); });
  draw();
})();
