"use strict";
(() => {
  const { rows, words } = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("questions-table");
  const body = table && table.tBodies[0];
  const size = 50;
  let page = 0, key = "id", down = false, marked = null;
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
  function cell(row, name, text, style) {
    const made = row.insertCell();
    made.textContent = text === null ? "–" : text;
    made.className = style || "";
    made.dataset.label = words[name];
    made.setAttribute("role", "cell");
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
      row.id = `question-${item.row}`;
      row.setAttribute("role", "row");
      row.classList.toggle("found", item === marked);
      const first = cell(row, "id", "");
      if (item.href === "#" + row.id) {
        first.append(foreign(item.id));
      } else {
        const link = document.createElement("a");
        link.href = item.href;
        link.append(foreign(item.id));
        first.append(link);
      }
      cell(row, "question", "", "q").append(foreign(item.question));
      cell(row, "set", item.set);
      cell(row, "before", item.before, "n");
      cell(row, "after", item.after, "n");
      cell(row, "change", words[named[item.change] || item.change] || item.change, item.change);
    }
    document.getElementById("where").textContent = `${found.length} · ${page + 1}/${pages}`;
    document.getElementById("previous").disabled = page === 0;
    document.getElementById("next").disabled = page + 1 === pages;
  }
  // The row of a question may be on another page of the table, or not among those that are shown.
  function turnTo(item) {
    marked = item;
    document.getElementById("search").value = document.getElementById("kind").value = "";
    page = Math.floor(chosen().indexOf(item) / size);
    draw();
  }
  function reveal() {
    const name = location.hash.slice(1);
    const item = table && rows.find((row) => name === `question-${row.row}`);
    if (item) turnTo(item);
    const target = document.getElementById(name);
    if (!target) return;
    const details = target.closest("details");
    if (details) {
      details.open = true;
      details.querySelector("summary").focus();
    } else if (item) {
      target.tabIndex = -1;
      target.focus();
    }
    (details || target).scrollIntoView();
  }
  // The points are one stop of the Tab key; arrows go from point to point.
  function points() {
    const links = [...document.querySelectorAll(".points a")];
    const told = document.querySelector(".told");
    const tell = (link) => { told.textContent = link.querySelector("title").textContent; };
    links.forEach((link, number) => {
      link.setAttribute("tabindex", number ? "-1" : "0");
      link.addEventListener("pointerenter", () => tell(link));
      link.addEventListener("focus", () => tell(link));
      // A second click on the point of the question that is open already changes no address.
      link.addEventListener("click", () => { if (link.getAttribute("href") === location.hash) reveal(); });
      link.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        const next = links[event.key === "Home" ? 0 : event.key === "End" ? links.length - 1 : number + step];
        if (!next) return;
        event.preventDefault();
        link.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
      });
    });
  }
  points();
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  if (table) {
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
  }
  reveal();
})();
