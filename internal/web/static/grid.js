// Rows of an answer as a table that sorts, and scrolls however many there are: only those
// that are seen are in the page.

import { h } from "./dom.js";

const rowHeight = 28;
const ahead = 20; // rows beyond the screen

export function grid(answer) {
  const { columns } = answer;
  let rows = answer.rows, by = -1, down = false, first = -1, last = -1;
  const body = h("tbody");
  const heads = columns.map((c, i) => h("th", { scope: "col", class: c.number && "num", title: c.type, "aria-sort": "none" }, h("button", { onclick: () => sort(i) }, c.name)));
  const cols = columns.map((c, i) => {
    const col = h("col");
    const long = answer.rows.slice(0, 200).reduce((n, r) => Math.max(n, r[i] === null ? 4 : r[i].length), c.name.length + 2);
    col.style.width = Math.min(long, 48) + 4 + "ch";
    return col;
  });
  const table = h("table", { class: "list rows" }, h("colgroup", null, cols), h("thead", null, h("tr", null, heads)), body);
  table.style.width = cols.reduce((n, c) => n + parseFloat(c.style.width), 0) + "ch";
  const el = h("div", { class: "grid scroll", tabindex: 0, role: "region", "aria-label": "Rows", onscroll: draw }, table);

  function sort(i) {
    down = by === i ? !down : false;
    by = i;
    const sign = down ? -1 : 1;
    const value = columns[i].number ? Number : String;
    rows = [...answer.rows].sort((a, b) => {
      if (a[i] === null || b[i] === null) return (a[i] === null) - (b[i] === null); // last, whatever the order
      const x = value(a[i]), y = value(b[i]);
      return x < y ? -sign : x > y ? sign : 0;
    });
    heads.forEach((th, n) => { th.setAttribute("aria-sort", n !== i ? "none" : down ? "descending" : "ascending"); });
    first = -1;
    draw();
  }

  const space = (n) => { const td = h("td", { colspan: columns.length, class: "space" }); td.style.height = n * rowHeight + "px"; return h("tr", { "aria-hidden": true }, td); };

  function draw() {
    const from = Math.max(0, Math.floor(el.scrollTop / rowHeight) - ahead) & ~7;
    const to = Math.min(rows.length, from + Math.ceil((el.clientHeight || 700) / rowHeight) + 2 * ahead + 8);
    if (from === first && to === last) return;
    first = from;
    last = to;
    body.replaceChildren(from > 0 ? space(from) : "", ...rows.slice(from, to).map((r) => h("tr", null, r.map((v, i) => (
      v === null ? h("td", { class: "null" + (columns[i].number ? " num" : "") }, "NULL") : h("td", { class: columns[i].number && "num", title: v.length > 48 ? v : null }, v))))),
      to < rows.length ? space(rows.length - to) : "");
  }

  draw();
  new ResizeObserver(draw).observe(el);
  return el;
}
