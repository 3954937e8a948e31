// SQL over all products: an editor, the answer as rows and as a chart.

import { ago, ask, count, h, number, problem, set } from "./dom.js";
import { mesh } from "./mesh.js";
import { grid } from "./grid.js";
import { chart } from "./chart.js";

const historyKey = "statements";
const mostHistory = 50;

export function sql(statement) {
  let running = null, answer = null, shown = "rows";
  const history = JSON.parse(localStorage.getItem(historyKey) || "[]");
  const editor = h("textarea", { id: "statement", rows: 3, spellcheck: false, autocapitalize: "off", autocomplete: "off", "aria-label": "SQL statement", placeholder: "SELECT … FROM product.port" });
  const run = h("button", { class: "button main", title: "ctrl+enter", onclick: start }, "Run");
  const stop = h("button", { class: "button", hidden: true, onclick: () => running && running.abort() }, "Stop");
  const earlier = h("select", { "aria-label": "Earlier statements", onchange: () => { if (earlier.value) editor.value = history[earlier.value]; earlier.selectedIndex = 0; size(); editor.focus(); } });
  const said = h("span", { class: "dim", role: "status" });
  const marks = h("p", { class: "dim marks" });
  const bar = h("nav", { class: "tabs", hidden: true, "aria-label": "The answer as" }, ["rows", "chart"].map((t) => h("button", { onclick: () => open(t) }, t[0].toUpperCase() + t.slice(1))),
    h("button", { class: "button", onclick: save }, "Save CSV"));
  const result = h("div", { class: "result" });
  const el = h("div", { class: "page" }, h("h1", null, "SQL"),
    h("div", { class: "card editor" }, editor, h("div", { class: "row" }, run, stop, said, earlier)), bar, result, marks);

  editor.value = statement || history[0] || "";
  editor.addEventListener("input", size);
  editor.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); start(); }
    if (e.key === "Escape") document.getElementById("main").focus();
  });

  function size() { editor.rows = Math.min(20, Math.max(3, editor.value.split("\n").length)); }

  function remember(text) {
    const i = history.indexOf(text);
    if (i >= 0) history.splice(i, 1);
    history.unshift(text);
    history.length = Math.min(history.length, mostHistory);
    localStorage.setItem(historyKey, JSON.stringify(history));
    offer();
  }

  function offer() {
    earlier.hidden = history.length === 0;
    earlier.replaceChildren(h("option", { value: "" }, "Earlier statements"), ...history.map((t, i) => h("option", { value: i }, t.replace(/\s+/g, " ").slice(0, 80))));
  }

  async function start() {
    const text = editor.value.trim().replace(/;$/, "");
    if (running || !text) { if (!text) set(said, "Write a SELECT first."); return; }
    remember(text);
    running = new AbortController();
    const began = performance.now();
    const timer = setInterval(() => set(said, `asking … ${((performance.now() - began) / 1000).toFixed(1)} s`), 100);
    run.disabled = true;
    stop.hidden = false;
    try {
      answer = await ask("/api/query", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ sql: text }), signal: running.signal });
      clearInterval(timer);
      set(said, `${answer.more ? "the first " : ""}${count(answer.rows.length, "row")} in ${number(Math.round(performance.now() - began))} ms${answer.more ? "; there are more: aggregate, or use meshctl query for all" : ""}`);
      set(marks, Object.entries(answer.watermarks).map(([t, m]) => `${t} as of record ${number(m.seq)}${m.time ? ", " + ago(mesh.now(), m.time) + " ago" : ""}`).join(" · "));
      open(shown);
    } catch (err) {
      clearInterval(timer);
      if (err.name === "AbortError") set(said, "stopped");
      else { answer = null; set(said, ""); set(marks, ""); bar.hidden = true; result.replaceChildren(problem(err)); }
    }
    running = null;
    run.disabled = false;
    stop.hidden = true;
  }

  function open(what) {
    shown = what;
    bar.hidden = false;
    for (const b of bar.querySelectorAll("button:not(.button)")) b.setAttribute("aria-pressed", b.textContent.toLowerCase() === what);
    if (answer.rows.length === 0) result.replaceChildren(h("p", { class: "dim" }, "No row."));
    else result.replaceChildren(what === "rows" ? grid(answer) : chart(answer));
  }

  function save() {
    const cell = (v) => (v === null ? "" : v === "" || /[",\r\n]/.test(v) ? '"' + v.replaceAll('"', '""') + '"' : v);
    const lines = [answer.columns.map((c) => cell(c.name)), ...answer.rows.map((r) => r.map(cell))].map((r) => r.join(","));
    const url = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    h("a", { href: url, download: "answer.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  offer();
  size();
  if (matchMedia("(min-width: 50rem)").matches) setTimeout(() => editor.focus());
  if (statement) start();
  return { el, title: "SQL", go(to) { if (to) { editor.value = to; size(); start(); } }, close() { if (running) running.abort(); } };
}
