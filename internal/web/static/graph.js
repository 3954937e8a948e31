// A lineage as the server placed it.

import { h, sign, svg } from "./dom.js";

export function graph(d) {
  const edges = d.edges.map((e) => svg("path", { d: curve(e.points), class: "edge", "marker-end": "url(#arrow)" }, svg("title", null, `${e.to} reads ${e.from} as ${e.input}`)));
  const nodes = d.nodes.map((n) => {
    const box = svg("g", { class: "node rank" + n.health.rank + (n.asked ? " asked" : "") + (n.missing ? " missing" : ""), transform: `translate(${n.x} ${n.y})` },
      svg("title", null, `${n.address}: ${n.health.text}${n.owner ? ", " + n.owner : ""}`),
      svg("rect", { width: n.width, height: n.height, rx: 8 }),
      svg("rect", { class: "edge-of", width: 4, height: n.height - 16, x: 8, y: 8, rx: 2 }),
      svg("text", { x: 22, y: 22, class: "address" }, cut(n.address, 26)),
      svg("text", { x: 22, y: 40, class: "state" }, cut(sign(n.health.rank) + " " + n.health.text + (n.owner ? " · " + n.owner : ""), 33)));
    const link = n.missing ? box : svg("a", { href: "#/" + encodeURIComponent(n.address) + "/lineage", "aria-label": `${n.address}, ${n.health.text}` }, box);
    return link;
  });
  return h("div", { class: "graph scroll", tabindex: 0, role: "group", "aria-label": "Lineage, from left to right" },
    svg("svg", { width: d.width, height: d.height, viewBox: `0 0 ${d.width} ${d.height}` },
      svg("defs", null, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" }, svg("path", { d: "M0 0 8 4 0 8z", class: "arrow" }))),
      edges, nodes));
}

const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

function curve(points) {
  let path = `M${points[0][0]} ${points[0][1]}`;
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1], [x1, y1] = points[i];
    const mid = (x0 + x1) / 2;
    path += `C${mid} ${y0} ${mid} ${y1} ${x1 - (i === points.length - 1 ? 2 : 0)} ${y1}`;
  }
  return path;
}
