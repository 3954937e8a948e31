// A product and its ports: overview, contract, sample rows, lineage.

import { ago, ask, copier, count, fare, h, mark, number, problem, rate, set, spark } from "./dom.js";
import { mesh } from "./mesh.js";
import { graph } from "./graph.js";
import { grid } from "./grid.js";

export const tabs = ["Overview", "Contract", "Sample", "Lineage"];

export function product(address, tab) {
  const name = address.split(".")[0];
  let all = null, port = null, at = "", failed = "", asking = false;
  const state = mark({ rank: 1, text: "" });
  const title = h("h1", null, h("span", null, address), " ", state);
  const above = h("p", { class: "crumbs" });
  const what = h("p", { class: "what" });
  const ports = h("nav", { class: "ports", "aria-label": "Ports" });
  const bar = h("nav", { class: "tabs", "aria-label": "About the port" });
  const body = h("div", { class: "body" });
  const el = h("div", { class: "page" }, above, title, what, ports, bar, body);

  const statement = () => (port ? `SELECT *\nFROM ${port.sql}\nLIMIT 100` : "");
  const link = (t) => "#/" + encodeURIComponent(port ? port.address : address) + "/" + t.toLowerCase();

  async function load() {
    if (asking) return;
    asking = true;
    try {
      all = await ask("/api/product/" + encodeURIComponent(name));
      port = all.ports.find((p) => p.address === address) || all.ports.find((p) => p.address === name + "." + name) || all.ports[0] || null;
      if (address.includes(".") && (!port || port.address !== address)) throw Object.assign(new Error(`product ${name} has no port ${address}`), { hint: "Use one of " + all.ports.map((p) => p.address).join(", ") });
      failed = "";
      head();
    } catch (err) {
      if (failed !== err.message) { failed = err.message; at = ""; body.replaceChildren(problem(err)); }
    }
    asking = false;
  }

  function head() {
    fare(state, port ? port.health : all.health);
    set(title.firstChild, port ? port.address : name);
    above.replaceChildren(h("a", { href: "#/" }, "mesh"), " / ", all.domain, " / ", name);
    set(what, (port && port.description) || all.description || "");
    ports.hidden = all.ports.length < 2;
    ports.replaceChildren(...all.ports.map((p) => h("a", { href: "#/" + encodeURIComponent(p.address) + "/" + tab, "aria-current": p === port && "page" }, mark(p.health, true), " ", p.address)));
    bar.replaceChildren(...tabs.map((t) => h("a", { href: link(t), "aria-current": t.toLowerCase() === tab && "page" }, t)),
      port && h("a", { class: "button", href: "#/sql/" + encodeURIComponent(statement()) }, "Query"));
    open();
  }

  // open shows the tab; what lives is shown anew each time, the rest once.
  function open() {
    const key = tab + " " + (port ? port.address : "");
    if (tab === "overview") body.replaceChildren(overview(all, port));
    else if (!port) body.replaceChildren(h("p", { class: "dim" }, "The product has not announced its ports yet."));
    else if (key !== at) body.replaceChildren(tab === "contract" ? contract(port) : tab === "sample" ? sample(port) : lineage(port));
    at = key;
  }

  function go(to) {
    tab = tabs.some((t) => t.toLowerCase() === to) ? to : "overview";
    if (all) head();
  }

  go(tab);
  load();
  const aging = setInterval(() => { if (all && tab === "overview" && !document.hidden && !getSelection().toString()) head(); }, 1000);
  return {
    el, title: address, statement, go, address: () => (port ? port.address : address),
    update() { if (!all || mesh.changed.has(name)) load(); },
    close() { clearInterval(aging); },
  };
}

const facts = (...pairs) => h("dl", { class: "facts" }, pairs.filter((p) => p && p[1]).map(([name, ...value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
const card = (title, ...kids) => h("section", { class: "card" }, h("h2", null, title), kids);
const wide = (el) => { el.classList.add("wide"); return el; };
const told = (rank, text) => fare(h("span"), { rank, text });

const holdsFiles = (port) => port && port.type === "object";
const published = (port) => holdsFiles(port) ? "files are put into it" : "records are published to it";

function overview(all, port) {
  const now = mesh.now();
  return h("div", { class: "cards" },
    port && card("State", facts(
      [holdsFiles(port) ? "files" : "records", number(port.records)],
      ["position", `${number(port.visible)} of ${number(port.last)} `, port.lag ? told(2, count(port.lag, "record") + " behind the log") : told(0, "every store is up to date")],
      ["rate", rate(port.rate) + " records/s ", spark(port.rates)],
      ["freshness", port.lastTime ? `newest record ${ago(now, port.lastTime)} ago ` : "no record yet ", port.fresh && told(port.stale ? 2 : 0, "promised " + port.fresh)],
      ["dead letters", port.dead ? told(2, number(port.dead) + " wait") : "none"],
      port.error && ["last error", told(3, port.error)])),
    card("Product", facts(
      ["owner", all.owner], ["domain", all.domain], ["version", all.version + " " + all.status], ["tags", (all.tags || []).join(", ")],
      ["what", port && port.description && all.description],
      ["heartbeat", `${ago(now, all.seen)} ago, started ${ago(now, all.started)} ago, meshctl ${all.meshctl}`])),
    card("Reads", all.inputs.length ? h("ul", { class: "links" }, all.inputs.map((i) => h("li", null,
      i.port ? h("a", { href: "#/" + encodeURIComponent(i.port) }, i.port) : "published records", " ", h("span", { class: "dim" }, "as " + i.name), " ",
      i.error ? told(3, i.error) : i.lag ? told(2, count(i.lag, "record") + " behind") : i.port && told(0, "up to record " + number(i.last)))))
      : h("p", { class: "dim" }, `Nothing: ${published(port)}.`)),
    port && card("Read by", port.readers.length ? h("ul", { class: "links" }, port.readers.map((r) => h("li", null,
      h("a", { href: "#/" + encodeURIComponent(r.product) }, r.product), " ", h("span", { class: "dim" }, r.owner), " ",
      r.gone ? told(4, "gone") : r.error ? told(3, r.error) : r.lag ? told(2, count(r.lag, "record") + " behind") : told(0, "up to record " + number(r.last)))))
      : h("p", { class: "dim" }, "No product of this mesh.")),
    port && wide(card("Use it", facts(...[
      ["SQL", port.sql], ["shell", `meshctl query 'SELECT * FROM ${port.sql} LIMIT 10'`], ["log", `meshctl tail ${port.address} --follow`],
      holdsFiles(port) && ["files", `meshctl object ls ${port.address}`],
      all.http && ["HTTP", all.http], ["NATS", all.nats], ["stream", `${port.stream} in domain ${all.name}`], ["subject", port.subject],
    ].filter(Boolean).map(([k, text]) => [k, h("code", null, text), " ", copier(text)])))));
}

function contract(port) {
  const heads = ["column", "type", "role", "class", "rules", "description"];
  const list = (all) => facts(...all.map((p) => [p.name, p.text || "–"]));
  return h("div", null,
    h("div", { class: "card scroll" }, h("table", { class: "list" }, h("thead", null, h("tr", null, heads.map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", null, port.columns.map((c) => h("tr", null,
        h("td", null, h("code", null, c.path)), h("td", { class: "dim" }, c.type), h("td", null, c.key ? h("strong", null, c.role) : c.role),
        h("td", { class: c.classification && !["public", "internal"].includes(c.classification) && "rank2" }, c.classification),
        h("td", null, c.rules), h("td", { class: "long" }, c.description)))))),
    port.promises.length > 0 && card("Promises", list(port.promises)),
    port.quality.length > 0 && card("Quality", list(port.quality)));
}

function sample(port) {
  const el = h("div");
  async function load() {
    el.replaceChildren(h("p", { class: "dim" }, "asking " + port.address + " …"));
    try {
      const rows = await ask("/api/sample/" + encodeURIComponent(port.address));
      el.replaceChildren(h("p", { class: "row" }, h("span", { class: "dim" }, rows.more ? `${count(rows.rows.length, "row")}; there are more` : count(rows.rows.length, "row")),
        h("button", { class: "button", onclick: load }, "Ask again")), rows.rows.length ? grid(rows) : h("p", { class: "dim" }, "The port has no rows yet."));
    } catch (err) {
      el.replaceChildren(problem(err), h("button", { class: "button", onclick: load }, "Try again"));
    }
  }
  load();
  return el;
}

function lineage(port) {
  const el = h("div", { class: "card" }, h("p", { class: "dim" }, "…"));
  ask("/api/lineage?of=" + encodeURIComponent(port.address)).then((d) => {
    const up = d.edges.some((e) => e.to === port.address), down = d.edges.some((e) => e.from === port.address);
    el.replaceChildren(h("p", { class: "dim" }, [up ? "Made of what stands to its left" : `Made of nothing else: ${published(port)}`, down ? "; read by what stands to its right." : "; no product of this mesh reads it."].join("")), graph(d));
  }, (err) => el.replaceChildren(problem(err)));
  return el;
}
