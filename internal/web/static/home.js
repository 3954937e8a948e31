// The whole mesh: its figures, its products, how they hang together, what happened. And what a search finds.

import { ago, ask, count, fare, h, keyed, mark, number, problem, rate, set, short, sign } from "./dom.js";
import { mesh, sorted } from "./mesh.js";
import { graph } from "./graph.js";

// mostDrawn is how many ports a picture of the whole mesh may have.
const mostDrawn = 60;

const columns = [
  ["product", (p) => p.name, false],
  ["state", (p) => p.health.rank, false],
  ["records", (p) => sum(p, "records"), true],
  ["rate/s", (p) => sum(p, "rate"), true],
  ["lag", (p) => sum(p, "lag"), true],
  ["updated", (p) => -Math.max(0, ...p.ports.map((o) => Date.parse(o.lastTime) || 0)), true],
  ["dead", (p) => sum(p, "dead"), true],
  ["domain", (p) => p.domain, false],
  ["owner", (p) => p.owner, false],
];

const sum = (p, what) => p.ports.reduce((n, o) => n + o[what], 0);
const newest = (p) => p.ports.map((o) => o.lastTime).filter(Boolean).sort().at(-1);

export function home() {
  let by = 0, down = false, drawn = "", shown = 100;
  const tiles = h("dl", { class: "tiles" });
  const body = h("tbody");
  const heads = columns.map(([name, , numeric], i) => h("th", { scope: "col", class: numeric && "num" },
    h("button", { onclick: () => { down = by === i ? !down : numeric; by = i; update(); } }, name)));
  const more = h("button", { class: "button", onclick: () => { shown += 500; update(); } });
  const picture = h("section", { class: "card" });
  const events = h("ol", { class: "events" });
  const el = h("div", { class: "page" },
    h("h1", null, "The mesh"), tiles,
    h("section", { class: "card" }, h("h2", null, "Products"), h("div", { class: "scroll" }, h("table", { class: "list" }, h("thead", null, h("tr", null, heads)), body)), more),
    picture,
    h("section", { class: "card" }, h("h2", null, "Events"), events));

  function row(p) {
    const cells = columns.map(([, , numeric]) => h("td", { class: numeric && "num" }));
    cells[0].append(h("a", { href: "#/" + encodeURIComponent(p.name), title: p.description }, p.name));
    cells[1].append(mark(p.health));
    return Object.assign(h("tr", null, cells), { parts: cells });
  }

  function refresh(tr, p) {
    const texts = [number(sum(p, "records")), rate(sum(p, "rate")), number(sum(p, "lag")), ago(mesh.now(), newest(p)), number(sum(p, "dead")), p.domain, p.owner];
    texts.forEach((text, i) => set(tr.parts[i + 2], text));
    fare(tr.parts[1].firstChild, p.health);
  }

  function draw() {
    const links = [...mesh.products.keys()].join() + [...mesh.products.values()].map((p) => p.version).join();
    if (links === drawn) return;
    drawn = links;
    ask("/api/lineage").then((d) => {
      picture.hidden = d.nodes.length === 0;
      picture.replaceChildren(h("h2", null, "Who reads whom"), d.nodes.length <= mostDrawn ? graph(d)
        : h("p", { class: "dim" }, `${count(d.nodes.length, "port")} read or are read, which is too many for one picture. The lineage of each product shows its part.`));
    }, (err) => { drawn = ""; picture.replaceChildren(problem(err)); });
  }

  function update() {
    const all = sorted();
    const worst = [0, 0, 0, 0, 0];
    for (const p of all) worst[p.health.rank]++;
    const total = (what) => all.reduce((n, p) => n + sum(p, what), 0);
    const figures = [
      ["products", number(all.length)], ["ports", number(all.reduce((n, p) => n + p.ports.length, 0))], ["records", short(total("records"))],
      ["records/s", rate(total("rate"))], ["dead letters", number(total("dead")), total("dead") ? 2 : 0],
      ["in trouble", number(worst[3] + worst[4]), worst[3] + worst[4] ? 3 : 0],
    ];
    keyed(tiles, figures, (f) => f[0], (f) => h("div", null, h("dt", null, f[0]), h("dd")), (t, f) => {
      set(t.lastChild, (f[2] ? sign(f[2]) + " " : "") + f[1]);
      t.lastChild.className = f[2] ? "rank" + f[2] : "";
    });
    heads.forEach((th, i) => { th.setAttribute("aria-sort", i !== by ? "none" : down ? "descending" : "ascending"); });
    const key = columns[by][1];
    all.sort((a, b) => { const x = key(a), y = key(b); return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); });
    keyed(body, all.slice(0, shown), (p) => p.name, row, refresh);
    more.hidden = all.length <= shown;
    set(more, `Show more of ${number(all.length)}`);
    const happened = mesh.events.slice(-12).reverse();
    keyed(events, happened.length ? happened : [null], (e) => (e ? e.at + e.what + e.text : ""), (e) => (e
      ? h("li", null, h("time", null, new Date(e.at).toLocaleTimeString("en-GB")), h("span", { class: "rank" + e.rank }, sign(e.rank) + " " + e.what), h("span", null, e.text))
      : h("li", { class: "dim" }, "Nothing has happened since the page was started: no product came, went or failed.")), () => {});
    draw();
  }

  return { el, title: "", update };
}

export function search(words) {
  const list = h("ol", { class: "hits" });
  const said = h("p", { class: "dim", role: "status" });
  const title = h("h1");
  const el = h("div", { class: "page" }, title, said, list);
  let asked = "", waiting = false, entered = false;

  async function go(to) {
    asked = to || "";
    set(title, "Search: " + asked);
    if (waiting) return;
    waiting = true;
    for (let done = null; done !== asked;) { // what was typed meanwhile is asked next
      done = asked;
      try {
        const { hits, more } = await ask("/api/search?q=" + encodeURIComponent(done));
        set(said, hits.length === 0 ? "No product has all these words in a name, column, owner, tag or description." : (more ? "The best " : "") + count(hits.length, "product"));
        list.replaceChildren(...hits.map(hit));
      } catch (err) {
        list.replaceChildren(h("li", null, problem(err)));
      }
    }
    waiting = false;
    if (entered) enter();
  }

  // enter opens the best hit, once it is there.
  function enter() {
    const first = list.querySelector(".hit a");
    entered = waiting;
    if (!waiting && first) first.click();
  }

  go(words);
  return { el, title: "search", go, enter };
}

function hit(p) {
  return h("li", { class: "hit card" },
    h("div", null, h("a", { href: "#/" + encodeURIComponent(p.name) }, p.name), mark(p.health), h("span", { class: "dim" }, p.domain + " · " + p.owner)),
    p.description && h("p", null, p.description),
    h("ul", { class: "places" }, p.places.slice(0, 8).map((t) => h("li", null, t)), p.places.length > 8 && h("li", null, `and ${p.places.length - 8} more`)));
}
