// The mesh as the server tells it: what is known of each product, and what happened.

import { ask } from "./dom.js";

export const mesh = {
  products: new Map(),
  events: [],
  loaded: false,
  where: "",
  trouble: "", // why what is shown may be old
  changed: new Set(), // products, since the last time that listeners were told
  now: () => Date.now() + skew,
};

let skew = 0; // of the server's clock
const listeners = new Set();

// listen calls back whenever something has changed, until what it returns is called.
export function listen(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

function tell() {
  for (const fn of [...listeners]) fn(mesh);
  mesh.changed.clear();
}

// sorted are all products by domain and name.
export function sorted() {
  return [...mesh.products.values()].sort((a, b) => a.domain.localeCompare(b.domain) || a.name.localeCompare(b.name));
}

export function follow() {
  const source = new EventSource("/api/live");
  source.onmessage = (e) => {
    const n = JSON.parse(e.data);
    skew = Date.parse(n.now) - Date.now();
    if (n.whole) mesh.products.clear();
    for (const p of n.products) { mesh.products.set(p.name, p); mesh.changed.add(p.name); }
    for (const name of n.removed) { mesh.products.delete(name); mesh.changed.add(name); }
    mesh.events = n.events;
    mesh.loaded = n.loaded;
    mesh.where = n.where;
    mesh.trouble = n.down || "";
    tell();
  };
  source.onerror = async () => {
    mesh.trouble = "the server of this page is away";
    tell();
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    try {
      await ask("/api/search?q=");
      follow();
    } catch (err) {
      mesh.trouble = err.kind === "denied" ? "meshctl ui --web was started anew: open the address that it wrote" : mesh.trouble;
      tell();
      if (err.kind !== "denied") setTimeout(follow, 2000);
    }
  };
}
