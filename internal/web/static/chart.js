// An answer as a chart: bars, a line or a histogram, of a column by another.

import { count, h, number, short, svg } from "./dom.js";

const left = 56, right = 20, top = 16, bottom = 52;
const mostBars = 40;

export function chart(answer) {
  const { columns } = answer;
  const numbers = columns.map((c, i) => (c.number ? i : -1)).filter((i) => i >= 0);
  if (numbers.length === 0) return h("p", { class: "dim" }, "There is no column of numbers to draw. Count something: SELECT column, count(*) … GROUP BY 1.");
  const timed = columns.findIndex((c) => c.time);
  const texts = columns.findIndex((c) => !c.number && !c.time);
  let x = timed >= 0 ? timed : texts >= 0 ? texts : numbers.length > 1 ? numbers[0] : -1;
  let y = numbers.find((i) => i !== x);
  let kind = x < 0 ? "histogram" : timed >= 0 ? "line" : texts >= 0 ? "bars" : "line";

  const area = h("div", { class: "chart" });
  const choose = (label, options, get, put) => {
    const s = h("select", { onchange: () => { put(s.value); draw(); } }, options.map(([value, text]) => h("option", { value, selected: String(value) === String(get()) }, text)));
    return h("label", null, label, " ", s);
  };
  const el = h("div", { class: "card" }, h("div", { class: "row" },
    choose("draw", [["bars", "bars"], ["line", "line"], ["histogram", "histogram"]], () => kind, (v) => { kind = v; }),
    choose("of", numbers.map((i) => [i, columns[i].name]), () => y, (v) => { y = Number(v); }),
    choose("by", [[-1, "row"], ...columns.map((c, i) => [i, c.name])], () => x, (v) => { x = Number(v); })), area);

  function draw() {
    const size = { width: Math.max(320, Math.min(1100, area.clientWidth || 900)), height: Math.max(260, Math.min(440, innerHeight - 430)) };
    const points = answer.rows.filter((r) => r[y] !== null && isFinite(Number(r[y]))).map((r, i) => ({ v: Number(r[y]), at: x < 0 ? String(i + 1) : r[x] === null ? "NULL" : r[x] }));
    const name = columns[y].name, by = x < 0 ? "row" : columns[x].name;
    if (points.length === 0) area.replaceChildren(h("p", { class: "dim" }, "No row has a value of " + name + "."));
    else if (kind === "histogram") area.replaceChildren(...histogram(size, points, name));
    else if (kind === "bars") area.replaceChildren(...bars(size, points, name, by));
    else area.replaceChildren(...line(size, points, name, by, x >= 0 && columns[x].time, x < 0 || columns[x].number));
  }

  let drawn = 0;
  new ResizeObserver(() => { if (Math.abs(area.clientWidth - drawn) > 4) { drawn = area.clientWidth; draw(); } }).observe(area);
  return el;
}

// ticks are round numbers that cover a range.
function ticks(low, high, about = 5) {
  if (low === high) { low -= Math.abs(low) / 2 || 1; high += Math.abs(high) / 2 || 1; }
  const raw = (high - low) / about, unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((m) => unit * m >= raw * 0.9999);
  const all = [];
  for (let i = Math.floor(low / step); ; i++) {
    all.push(i * step);
    if (i * step >= high - step * 1e-9) return all;
  }
}

// frame is the axes with the grid, and what is drawn in it; tips are told below the pointer.
function frame({ width, height }, ys, title, xLabels, by, ...drawn) {
  const y = (v) => height - bottom - ((v - ys[0]) / (ys.at(-1) - ys[0])) * (height - top - bottom);
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title },
    svg("title", null, title),
    ys.map((v) => [svg("line", { class: "rule", x1: left, x2: width - right, y1: y(v), y2: y(v) }), svg("text", { class: "tick", x: left - 8, y: y(v) + 4, "text-anchor": "end" }, short(v))]),
    drawn.map((make) => make(y)),
    xLabels.map(([at, text, anchor]) => svg("text", { class: "tick", x: at, y: height - bottom + 20, "text-anchor": anchor || "middle" }, text)),
    svg("text", { class: "axis", x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, by));
}

const tip = (text) => svg("title", null, text);
const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

// bars lie on their side where there are many, or names are long: so they can be read.
function bars({ width }, points, name, by) {
  const shown = points.slice(0, mostBars);
  const row = 26, label = Math.min(width / 3, Math.max(...shown.map((p) => Math.min(p.at.length, 28))) * 7.5 + 16);
  const low = Math.min(0, ...shown.map((p) => p.v)), xs = ticks(low, Math.max(0, ...shown.map((p) => p.v)), width / 150);
  const tall = shown.length * row + 44;
  const x = (v) => label + ((v - xs[0]) / (xs.at(-1) - xs[0])) * (width - label - 64);
  const title = `${name} by ${by}, ${count(shown.length, "bar")}`;
  return [svg("svg", { width, height: tall, viewBox: `0 0 ${width} ${tall}`, role: "img", "aria-label": title }, tip(title),
    xs.map((v) => [svg("line", { class: "rule", x1: x(v), x2: x(v), y1: 4, y2: tall - 36 }), svg("text", { class: "tick", x: x(v), y: tall - 18, "text-anchor": "middle" }, short(v))]),
    shown.map((p, i) => svg("g", { class: "bar" }, tip(`${p.at}: ${number(p.v)}`),
      svg("rect", { class: "hit", x: 0, y: 4 + i * row, width, height: row }),
      svg("text", { class: "tick name", x: label - 8, y: i * row + 21, "text-anchor": "end" }, cut(p.at, Math.floor((label - 16) / 7))),
      svg("rect", { class: "mass", x: Math.min(x(p.v), x(0)), y: 7 + i * row, width: Math.max(1, Math.abs(x(p.v) - x(0))), height: row - 6, rx: 2 }),
      svg("text", { class: "tick value", x: Math.max(x(p.v), x(0)) + 6, y: i * row + 21 }, short(p.v)))),
    svg("text", { class: "axis", x: width / 2, y: tall - 2, "text-anchor": "middle" }, name)),
  points.length > shown.length && h("p", { class: "dim" }, `The first ${mostBars} of ${number(points.length)} are drawn; ORDER BY decides which.`)].filter(Boolean);
}

function line(size, points, name, by, timed, numeric) {
  const { width } = size;
  const place = points.map((p, i) => (timed ? Date.parse(utc(p.at)) : numeric ? Number(p.at) : i));
  const order = points.map((_, i) => i).filter((i) => isFinite(place[i])).sort((a, b) => place[a] - place[b]);
  const lost = points.length - order.length;
  if (order.length === 0) return [h("p", { class: "dim" }, `No row has a value of ${by}.`)];
  const first = place[order[0]], span = place[order.at(-1)] - first || 1;
  const x = (i) => left + ((place[i] - first) / span) * (width - left - right);
  const values = order.map((i) => points[i].v);
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  const ys = ticks(low > 0 && low < high / 2 ? 0 : low, high);
  const wording = (i) => (timed ? day(place[i], span) : numeric ? short(place[i]) : cut(points[i].at, 16));
  const marked = [0, 0.25, 0.5, 0.75, 1].map((f) => order[Math.round(f * (order.length - 1))]);
  const labels = timed || numeric ? (width < 500 ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]).map((f) => [left + f * (width - left - right), timed ? day(first + f * span, span) : short(first + f * span), ends(f)])
    : [...new Set(marked)].map((i, n, all) => [x(i), wording(i), ends(all.length > 1 ? n / (all.length - 1) : 0.5)]);
  return [frame(size, ys, `${name} by ${by}, ${count(order.length, "point")}`, labels, by,
    (y) => svg("path", { class: "stroke", d: order.map((i, n) => (n ? "L" : "M") + x(i).toFixed(1) + " " + y(points[i].v).toFixed(1)).join("") }),
    (y) => order.length <= 400 && order.map((i) => svg("circle", { class: "point", cx: x(i), cy: y(points[i].v), r: order.length > 100 ? 2 : 3.5 }, tip(`${points[i].at}: ${number(points[i].v)}`)))),
  lost > 0 && h("p", { class: "dim" }, `${count(lost, "row")} without a value of ${by} are not drawn.`)].filter(Boolean);
}

const ends = (f) => (f === 0 ? "start" : f === 1 ? "end" : "middle");
const utc = (text) => (/T.*(Z|[+-]\d\d:?\d\d)$/.test(text) || !text.includes("T") ? text : text + "Z");

function day(ms, span) {
  const t = new Date(ms).toISOString();
  return span > 3 * 86400e3 ? t.slice(0, 10) : span > 300e3 ? t.slice(5, 16).replace("T", " ") : t.slice(11, 19);
}

// histogram is how often the values fall into ranges of equal width.
function histogram(size, points, name) {
  const { width, height } = size;
  const values = points.map((p) => p.v).sort((a, b) => a - b);
  const rank = (f) => values[Math.min(values.length - 1, Math.floor(values.length * f))];
  const far = rank(0.995) > rank(0.005); // the few far out go into the ranges at the ends
  const xs = ticks(far ? rank(0.005) : values[0], far ? rank(0.995) : values.at(-1), Math.min(width / 24, Math.max(8, Math.ceil(Math.sqrt(values.length)))));
  const step = xs[1] - xs[0], counts = new Array(xs.length - 1).fill(0);
  for (const v of values) counts[Math.max(0, Math.min(counts.length - 1, Math.floor((v - xs[0]) / step + 1e-9)))]++;
  const range = (i) => (i === 0 && values[0] < xs[0] ? "below " + short(xs[1]) : i === counts.length - 1 && values.at(-1) > xs.at(-1) ? "from " + short(xs[i]) : short(xs[i]) + " … " + short(xs[i + 1]));
  const w = (width - left - right) / counts.length;
  const each = Math.ceil(xs.length / (width / 80));
  const mean = values.reduce((a, b) => a + b / values.length, 0);
  return [frame(size, ticks(0, Math.max(...counts)), `how often ${name} has which value, ${count(values.length, "row")}`,
    xs.map((v, i) => [left + i * w, short(v), "middle"]).filter((_, i) => i % each === 0), name,
    (y) => counts.map((n, i) => svg("rect", { class: "mass", x: left + i * w + 1, width: Math.max(1, w - 2), y: y(n), height: height - bottom - y(n) }, tip(`${range(i)}: ${count(n, "row")}`)))),
  h("p", { class: "dim" }, `least ${short(values[0])} · median ${short(rank(0.5))} · mean ${short(mean)} · 99 % below ${short(rank(0.99))} · greatest ${short(values.at(-1))}`)];
}
