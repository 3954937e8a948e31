// The frame of the page: where one is, the bar, the tree and the keys. Places are in the
// address after #, so that they can be kept and gone back to.

import { follow, listen, mesh } from "./mesh.js";
import { keysOf, tree } from "./tree.js";
import { home, search } from "./home.js";
import { product, tabs } from "./product.js";
import { sql } from "./sql.js";
import { h, problem, set, sign } from "./dom.js";

const main = document.getElementById("main");
const words = document.getElementById("words");
const side = document.getElementById("side");
const menu = document.getElementById("menu");
const keys = document.getElementById("keys");
const theme = document.getElementById("theme");
const status = document.getElementById("status");
const branches = tree(document.getElementById("tree"));

let view = null; // what main shows: { el, title, update, close }
let at = [];

// place is where the address says that one is.
const place = () => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);

function show() {
  const before = at;
  at = place();
  const [first, second] = at;
  if (view && view.go && before[0] === first && first !== "") {
    view.go(second);
  } else {
    if (view && view.close) view.close();
    try {
      view = first === "" ? home() : first === "search" ? search(second || "") : first === "sql" ? sql(second) : product(first, second);
    } catch (err) {
      view = { el: problem(err), title: "" };
    }
    main.replaceChildren(view.el);
    main.scrollTop = 0;
  }
  if (first !== "search") {
    words.value = "";
    if (document.activeElement === words) main.focus();
  }
  document.title = (view.title ? view.title + " · " : "") + "meshctl";
  drawer(false);
  branches.at(first);
  if (view.update && mesh.loaded) view.update();
}

function drawer(open) {
  side.classList.toggle("open", open);
  menu.setAttribute("aria-expanded", open);
}

listen(() => {
  const rank = mesh.trouble ? 3 : mesh.loaded ? 0 : 1;
  set(status.firstChild, sign(rank));
  set(status.lastChild, " " + (mesh.trouble || (mesh.loaded ? "live" : "reading")));
  status.className = "status rank" + rank;
  status.title = mesh.trouble || mesh.where;
  branches.update();
  if (view && view.update && mesh.loaded) view.update();
});

// Colours are those of the system, or as chosen.
const themes = ["auto", "light", "dark"];
const themeSigns = { auto: "◐", light: "☀", dark: "☾" };
function paint(name) {
  document.documentElement.dataset.theme = name;
  theme.textContent = themeSigns[name];
  theme.title = "Colours: " + name + " (t)";
  localStorage.setItem("theme", name);
}
function turnTheme() {
  paint(themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length]);
}
paint(themes.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");

const bindings = [
  ["/", "search", () => { words.focus(); words.select(); }],
  ["e", "SQL, about the product that is shown", () => { location.hash = view && view.statement ? "#/sql/" + encodeURIComponent(view.statement()) : "#/sql"; }],
  ["g", "the whole mesh", () => { location.hash = "#/"; }],
  ["p", "the list of products; arrows move in it, enter opens", () => { drawer(true); branches.focus(); }],
  ["t", "the next colours", turnTheme],
  ["?", "these keys", () => keys.showModal()],
  ...tabs.map((t, i) => [String(i + 1), t, () => { if (view && view.go && view.address) location.hash = "#/" + encodeURIComponent(view.address()) + "/" + t.toLowerCase(); }]),
];

document.addEventListener("keydown", (e) => {
  if (e.key === "Escape") {
    drawer(false);
    if (document.activeElement === words) main.focus();
    return;
  }
  const typing = e.target.closest("input, textarea, select");
  if (typing || e.ctrlKey || e.metaKey || e.altKey || keys.open) return;
  const found = bindings.find(([key]) => key === e.key);
  if (found) { e.preventDefault(); found[2](); }
});

document.getElementById("keys-list").append(...[...bindings.map(([k, does]) => [k, does]), ...keysOf,
  ["esc", "leave what is typed into, close the list"]].map(([k, does]) => h("div", null, h("dt", null, h("kbd", null, k)), h("dd", null, does))));
document.getElementById("help").addEventListener("click", () => keys.showModal());
document.getElementById("skip").addEventListener("click", (e) => { e.preventDefault(); main.focus(); });
theme.addEventListener("click", turnTheme);
menu.addEventListener("click", () => drawer(!side.classList.contains("open")));

let searching = 0;
function find() {
  clearTimeout(searching);
  const to = words.value.trim() ? "#/search/" + encodeURIComponent(words.value.trim()) : "#/";
  if (to === location.hash) return;
  history[at[0] === "search" ? "replaceState" : "pushState"](null, "", to); // a search is one step back, however it was typed
  show();
}
words.addEventListener("input", () => {
  clearTimeout(searching);
  searching = setTimeout(find, 120);
});
document.getElementById("search").addEventListener("submit", (e) => {
  e.preventDefault();
  find();
  if (view.enter) view.enter();
});

window.addEventListener("hashchange", show);
show();
if (at[0] === "search") words.value = at[1] || "";
follow();
