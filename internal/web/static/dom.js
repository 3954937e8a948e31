// Elements by hand, so that text from the mesh is never markup; and how figures are written.

export function h(tag, props, ...kids) {
  return fill(document.createElement(tag), props, kids);
}

export function svg(tag, props, ...kids) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, kids);
}

function fill(el, props, kids) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...kids.flat(Infinity).filter((k) => k !== null && k !== undefined && k !== false));
  return el;
}

// set changes a text only where it is another, so that what is selected stays selected.
export function set(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

// keyed makes parent's children those of items, keeping the elements of the items that stay.
export function keyed(parent, items, key, make, update) {
  const old = parent.kept || new Map();
  parent.kept = new Map();
  let at = parent.firstChild;
  for (const item of items) {
    const k = key(item);
    const el = old.get(k) || make(item);
    old.delete(k);
    parent.kept.set(k, el);
    update(el, item);
    if (el === at) at = at.nextSibling;
    else parent.insertBefore(el, at);
  }
  for (const el of old.values()) el.remove();
}

const signs = ["●", "◌", "▲", "✖", "○"];

// mark is how something fares: a sign with a shape of its own, and a word.
export function mark(health, wordless) {
  return fare(h("span", { class: "mark" }), health, wordless);
}

export function fare(el, health, wordless) {
  const text = signs[health.rank] + (wordless ? "" : " " + health.text);
  el.className = "mark rank" + health.rank;
  if (wordless) { el.title = health.text; el.setAttribute("role", "img"); el.setAttribute("aria-label", health.text); }
  set(el, text);
  return el;
}

export const sign = (rank) => signs[rank];

const whole = new Intl.NumberFormat("en-US");
export const number = (n) => whole.format(n);
export const count = (n, thing) => number(n) + " " + thing + (n === 1 ? "" : "s");

// short is a number in few characters.
export function short(v) {
  const a = Math.abs(v);
  if (a >= 1e12 || (a > 0 && a < 1e-3)) return v.toPrecision(3);
  if (a >= 1e9) return trim(v / 1e9) + "G";
  if (a >= 1e6) return trim(v / 1e6) + "M";
  if (a >= 1e4) return trim(v / 1e3) + "k";
  return a >= 1000 ? number(Math.round(v)) : trim(v);
}
const trim = (v) => String(Number(v.toPrecision(4)));

export const rate = (r) => (r < 0.05 ? "0" : r < 10 ? r.toFixed(1) : number(Math.round(r)));

// ago is how long before now a time was, in its largest unit.
export function ago(now, time) {
  if (!time) return "never";
  const s = Math.max(0, (now - Date.parse(time)) / 1000);
  if (s < 60) return Math.floor(s) + "s";
  if (s < 3600) return Math.floor(s / 60) + "m";
  if (s < 172800) return Math.floor(s / 3600) + "h";
  return Math.floor(s / 86400) + "d";
}

// spark is values as a small line, the newest to the right.
export function spark(values, width = 120, height = 24) {
  const last = values.slice(-width / 2);
  const top = Math.max(...last, 1e-9);
  const step = width / Math.max(last.length - 1, 1);
  const points = last.map((v, i) => (i * step).toFixed(1) + "," + (height - 2 - (v / top) * (height - 4)).toFixed(1)).join(" ");
  return svg("svg", { class: "spark", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "rate over the last minutes" },
    last.length > 1 && svg("polyline", { points }));
}

// copier is a button that copies a text.
export function copier(text) {
  const b = h("button", { class: "copy", title: "Copy", "aria-label": "Copy", onclick: async () => {
    await navigator.clipboard.writeText(text);
    b.textContent = "copied";
    setTimeout(() => { b.textContent = "copy"; }, 1500);
  } }, "copy");
  return b;
}

// problem says what went wrong, and what to do about it.
export function problem(err) {
  return h("div", { class: "problem", role: "alert" }, h("strong", null, "✖ " + err.message), err.hint && h("p", null, err.hint));
}

// ask gives what the server answers; an error has a hint where there is one.
export async function ask(path, options) {
  let r;
  try {
    r = await fetch(path, options);
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw Object.assign(new Error("the server of this page does not answer"), { hint: "See whether meshctl ui --web still runs." });
  }
  const body = await r.json();
  if (!r.ok) throw Object.assign(new Error(body.detail), { hint: body.hint, kind: body.kind });
  return body;
}
