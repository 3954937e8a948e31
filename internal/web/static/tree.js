// The list of domains, products and ports.

import { mesh, sorted } from "./mesh.js";
import { count, fare, h, keyed, mark, set, short } from "./dom.js";

export const keysOf = [
  ["↑ ↓", "move in the list of products"],
  ["← →", "fold and unfold a domain"],
  ["ctrl+enter", "run the statement"],
];

// unfoldedAt is how many products are shown below their domains at first.
const unfoldedAt = 40;

export function tree(el) {
  const folded = new Map(); // by domain, as a person chose
  let here = "";

  const isFolded = (domain) => (folded.has(domain) ? folded.get(domain) : mesh.products.size > unfoldedAt && domain !== domainOf(here));
  const domainOf = (address) => (mesh.products.get(address.split(".")[0]) || {}).domain;

  function rows() {
    const out = [];
    let domain = null;
    for (const p of sorted()) {
      if (!domain || domain.name !== p.domain) {
        domain = { key: "/" + p.domain, name: p.domain, domain: true, n: 0, health: { rank: 0, text: "" } };
        out.push(domain);
      }
      domain.n++;
      if (p.health.rank > domain.health.rank) domain.health = p.health;
      if (isFolded(p.domain)) continue;
      out.push({ key: p.name, name: p.name, to: p.name, health: p.health, records: p.ports.reduce((n, o) => n + o.records, 0) });
      if (p.ports.length > 1) {
        for (const o of p.ports) out.push({ key: o.address, name: o.address.slice(p.name.length + 1), to: o.address, port: true, health: o.health, records: o.records });
      }
    }
    return out;
  }

  function make(r) {
    const parts = { sign: mark(r.health, true), name: h("span", { class: "name" }), more: h("span", { class: "more" }) };
    const row = h(r.domain ? "button" : "a", { role: "treeitem", tabindex: -1, class: r.domain ? "domain" : r.port ? "port" : "product", "aria-level": r.domain ? 1 : r.port ? 3 : 2 },
      r.domain && h("span", { class: "fold", "aria-hidden": true }), parts.sign, parts.name, parts.more);
    if (r.domain) row.addEventListener("click", () => { folded.set(r.name, !isFolded(r.name)); update(); });
    else row.setAttribute("href", "#/" + encodeURIComponent(r.to));
    return Object.assign(row, { parts });
  }

  function refresh(row, r) {
    set(row.parts.name, r.name);
    set(row.parts.more, r.domain ? String(r.n) : short(r.records));
    if (r.domain) {
      row.setAttribute("aria-expanded", !isFolded(r.name));
      row.parts.sign.hidden = r.health.rank < 2;
      row.title = count(r.n, "product");
    }
    fare(row.parts.sign, r.health, true);
    if (r.to === here) row.setAttribute("aria-current", "page"); else row.removeAttribute("aria-current");
  }

  function update() {
    const all = rows();
    keyed(el, all, (r) => r.key, make, refresh);
    const stops = items();
    if (!stops.some((i) => i.tabIndex === 0) && stops.length) (el.querySelector("[aria-current]") || stops[0]).tabIndex = 0;
  }

  const items = () => [...el.querySelectorAll("[role=treeitem]")];

  // stop makes an item the one that tab stops at.
  function stop(item) {
    for (const i of items()) i.tabIndex = -1;
    item.tabIndex = 0;
  }

  function focus(item) {
    stop(item);
    item.focus();
  }

  el.addEventListener("keydown", (e) => {
    const all = items();
    const i = all.indexOf(document.activeElement);
    if (i < 0) return;
    const domain = all[i].getAttribute("aria-level") === "1";
    const open = all[i].getAttribute("aria-expanded") === "true";
    const above = () => { let a = i; while (a > 0 && all[a].getAttribute("aria-level") !== "1") a--; return all[a]; };
    const to = {
      ArrowDown: () => all[i + 1] && focus(all[i + 1]),
      ArrowUp: () => all[i - 1] && focus(all[i - 1]),
      Home: () => focus(all[0]),
      End: () => focus(all[all.length - 1]),
      ArrowRight: () => (domain && !open ? all[i].click() : all[i + 1] && focus(all[i + 1])),
      ArrowLeft: () => (domain ? open && all[i].click() : focus(above())),
    }[e.key];
    if (to) { e.preventDefault(); to(); }
  });

  return {
    update,
    at(address) {
      here = address;
      update();
      const current = el.querySelector("[aria-current]");
      if (current) stop(current);
    },
    focus() { const item = el.querySelector("[tabindex='0']"); if (item) item.focus(); },
  };
}
