// State, its place in the URL, keys and wiring; what is drawn stands in panes.js.

import { get, load } from "./rows.js";
import * as panes from "./panes.js";

const by = id => document.getElementById(id);
const DEFAULTS = { view: "grid", row: 0, split: "", method: "", compression: "", order: "", bad: "", show: "", opacity: 55, line: 0, stage: "", text: "" };
const FILTERS = ["split", "method", "compression", "order", "bad"];
const PAGE = 60, STEP = 10;

const app = {
  state: { ...DEFAULTS, show: new Set(), cut: 50 },
  rows: null, lost: null, lines: [], seen: new Map(),
  page: () => PAGE,
  pageStart: () => { const place = Math.max(app.rows.places[app.state.row] ?? 0, 0); return place - place % PAGE; },
  details(row) {
    if (!app.seen.has(row)) app.seen.set(row, get(`rows/${row}`).then(answer => answer.json()));
    if (app.seen.size > 500) app.seen.delete(app.seen.keys().next().value);
    return app.seen.get(row);
  },
  go(row) { app.state.row = row; draw(); },
  view(name) { app.state.view = name; draw(true); },
};

function say(error) {
  by("error").textContent = error.message;
  by("error").hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { by("error").hidden = true; }, 8000);
}

// ---- the URL

function write(push) {
  const { state } = app, words = new URLSearchParams();
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const value = name === "show" ? [...state.show].join(",") : state[name];
    if (name === "row" || name === "view" || String(value) !== String(usual)) words.set(name, value);
  }
  const hash = `#${words}`;
  if (hash !== location.hash) history[push ? "pushState" : "replaceState"](null, "", hash);
}

function readURL() {
  const words = new URLSearchParams(location.hash.slice(1)), { state, rows } = app;
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const said = words.get(name) ?? usual;
    if (name === "show") state.show = new Set(String(said).split(",").filter(Boolean));
    else state[name] = typeof usual === "number" ? Number(said) || 0 : said;
  }
  state.row = Math.min(Math.max(Math.trunc(state.row), 0), rows.length - 1);
  state.opacity = Math.min(Math.max(state.opacity, 0), 100);
  if (!by("views").querySelector(`[data-view="${CSS.escape(state.view)}"]`)) state.view = "grid";
  for (const name of FILTERS.slice(0, 4)) by("filters").elements[name].value = state[name];
  by("filters").elements.bad.checked = Boolean(state.bad);
  rows.filter(state);
  if (rows.places[state.row] < 0 && words.has("row")) clear();  // a row that is asked for is shown
}

function clear() {
  for (const name of FILTERS) app.state[name] = "";
  by("filters").reset();
  app.rows.filter(app.state);
}

// ---- drawing

let drawing = 0;
function draw(push = false) {
  write(push);
  cancelAnimationFrame(drawing);  // keys that repeat faster than the screen draw once
  drawing = requestAnimationFrame(() => paint().catch(say));
}

function current(element, is, value) {
  if (is) element.setAttribute("aria-current", value);
  else element.removeAttribute("aria-current");
}

let drawn = "";  // what the grid shows: moving inside a page draws no picture again
async function paint() {
  const { state, rows } = app, lost = state.view === "rejects";
  if (lost) await findRejects();
  for (const button of by("views").children) current(button, button.dataset.view === state.view, "page");
  const focused = document.activeElement?.id === "cut";
  const thumb = document.activeElement?.classList.contains("thumb");
  const wanted = JSON.stringify([state.view, app.pageStart(), FILTERS.map(name => state[name]), [...state.show], Object.keys(rows.marks)]);
  const same = state.view === "grid" && wanted === drawn;
  drawn = wanted;
  by("filters").hidden = lost;
  by("missed").hidden = !lost;
  document.querySelector("main").classList.toggle("wide", lost);
  if (same) for (const each of by("pane").querySelectorAll(".thumb")) current(each, Number(each.dataset.row) === state.row, "true");
  else by("pane").replaceChildren(...panes[state.view](app));
  if (focused) by("cut")?.focus();
  if (thumb) by("pane").querySelector("[aria-current]")?.focus({ preventScroll: true });
  if (state.view === "grid") by("pane").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  scrubber(lost);
  if (!lost) { facts(); verdict(); ahead(); }
}

function scrubber(lost) {
  const { state, rows } = app;
  const length = lost ? app.lines.length : rows.shown.length, place = lost ? state.line : rows.places[state.row];
  by("place").max = Math.max(length - 1, 0);
  by("place").value = Math.max(place, 0);
  by("row").max = rows.length - 1;
  by("row").value = state.row;
  by("row").closest("label").hidden = lost;
  for (const [id, off] of [["first", place <= 0], ["back", place <= 0], ["next", place + (lost ? panes.LINES : 1) >= length], ["last", place + (lost ? panes.LINES : 1) >= length]]) by(id).disabled = off;
  const number = value => value.toLocaleString("en");
  const of = length === rows.length ? number(length) : `${number(length)} of ${number(rows.length)}`;
  by("count").textContent = length ? `${number(place + 1)} of ${of} rows` : `0 of ${number(rows.length)} rows`;
  by("missing").textContent = `${number(app.lines.length)} rejects`;
}

async function facts() {
  const { state: { row }, rows } = app, { columns } = rows;
  const about = await app.details(row);
  if (row !== app.state.row) return;
  const pair = panes.pairOf(rows, row), of = name => columns[name]?.[row];
  const round = value => value === undefined ? "" : Number.isNaN(value) ? "none" : value.toFixed(3);
  const known = {
    method: rows.name("method", row), compression: rows.name("compression", row), split: rows.name("split", row), label: of("label") ? "fake" : "real",
    video: rows.video("path", row), frame: of("frame"), person: rows.video("identity", row), donor: rows.video("donor", row), score: round(of("score")), alignment: round(of("alignment")),
    box: about.box?.map(edge => Math.round(edge)).join(", "), pair: pair ? `rows ${pair.join(" and ")}` : "none",
  };
  const more = Object.keys(columns).filter(name => !["method", "compression", "split", "label", "video", "frame", "score", "alignment", "real"].includes(name));
  for (const name of more) known[name] = columns[name] instanceof Float32Array ? round(of(name)) : of(name);
  by("facts").replaceChildren(...Object.entries(known).filter(([, value]) => value !== "" && value !== undefined).flatMap(([name, value]) => [panes.make("dt", {}, name), panes.make("dd", {}, String(value))]));
}

function verdict() {
  const { state: { row }, rows } = app, bad = row in rows.marks;
  by("mark").setAttribute("aria-pressed", bad);
  by("mark").textContent = bad ? "Marked bad" : "Mark bad";
  if (document.activeElement !== by("note")) by("note").value = rows.marks[row] ?? "";
  const marked = Object.keys(rows.marks).length;
  by("marked").textContent = `${marked} marked, in ${rows.about.marks_file}`;
}

function ahead() {  // the rows beside this one, before they are asked for
  const { state, rows } = app, place = rows.places[state.row];
  if (state.view === "grid" || state.view === "video") return;
  for (const row of [rows.shown[place + 1], rows.shown[place - 1]]) if (row !== undefined) new Image().src = `pictures/image/${row}`;
}

function layers() {
  const list = [...app.rows.about.layers, { name: "landmarks", about: "68 points of the face", colour: "#ffffff" }];
  by("layers").replaceChildren(...list.map(({ name, about, colour }, place) => {
    const box = panes.make("input", { type: "checkbox", "data-layer": name, onchange: () => toggle(name) });
    const chip = panes.make("span", { class: "chip" });
    chip.style.background = colour || "linear-gradient(90deg, #000, #fff)";
    return panes.make("label", { class: "layer", title: about }, box, chip, panes.make("span", {}, name), panes.make("kbd", {}, place + 1));
  }));
  const chip = panes.make("span", { class: "chip" });
  chip.style.background = app.rows.about.unknown;
  by("layers").append(panes.make("p", { class: "soft layer" }, chip, panes.make("span", {}, "unknown")));
}

function checks() { for (const box of by("layers").querySelectorAll("input")) box.checked = app.state.show.has(box.dataset.layer); by("opacity").value = app.state.opacity; }

// ---- what a person does

function toggle(name) {
  if (!app.state.show.delete(name)) app.state.show.add(name);
  checks();
  draw();
}

function opacity(value) {
  app.state.opacity = Math.min(Math.max(value, 0), 100);
  checks();
  for (const over of document.querySelectorAll(".over")) over.style.opacity = app.state.opacity / 100;
  write();
}

function step(by, whole = false) {
  const { state, rows } = app;
  if (state.view === "rejects") return turn(state.line + by * panes.LINES);
  const length = rows.shown.length;
  if (length) app.go(rows.shown[Math.min(Math.max(whole ? by : rows.places[state.row] + by, 0), length - 1)]);
}

function turn(line) {
  const last = Math.max(Math.ceil(app.lines.length / panes.LINES) - 1, 0) * panes.LINES;
  app.state.line = Math.min(Math.max(line - line % panes.LINES, 0), last);
  draw();
}

function end(last) { if (app.state.view === "rejects") turn(last ? app.lines.length : 0); else step(last ? app.rows.shown.length - 1 : 0, true); }

function film(direction) {  // the first row of the video before or after this one's, among those shown
  const { state, rows } = app, video = rows.columns.video, here = video[state.row];
  let place = rows.places[state.row];
  while (rows.shown[place] !== undefined && video[rows.shown[place]] === here) place += direction;
  if (rows.shown[place] === undefined) return;
  while (direction < 0 && place > 0 && video[rows.shown[place - 1]] === video[rows.shown[place]]) place -= 1;
  app.go(rows.shown[place]);
}

async function mark(bad) {
  const { row } = app.state;
  await app.rows.mark(row, bad, by("note").value).catch(say);
  draw();
}

function refilter() {
  const { state, rows } = app, form = by("filters").elements;
  for (const name of FILTERS.slice(0, 4)) state[name] = form[name].value;
  state.bad = form.bad.checked ? "1" : "";
  rows.filter(state);
  if (rows.places[state.row] < 0 || state.order) state.row = rows.shown[0] ?? state.row;
  draw(true);
}

async function findRejects() {
  const { state } = app, form = by("missed").elements;
  if (!app.lost) {
    app.lost = await (await get("rejects")).json();
    form.stage.replaceChildren(...["", ...new Set(app.lost.stage)].map(name => new Option(name || "all", name)));
  }
  form.stage.value = state.stage;
  if (document.activeElement !== form.text) form.text.value = state.text;
  const text = state.text.toLowerCase(), { lost } = app;
  app.lines = Array.from(lost.reason.keys()).filter(line => (!state.stage || lost.stage[line] === state.stage) && (!text || `${lost.video[line]} ${lost.reason[line]}`.toLowerCase().includes(text)));
  if (state.line >= app.lines.length) state.line = 0;
}

const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), PageUp: () => step(-PAGE), PageDown: () => step(PAGE), Home: () => end(false), End: () => end(true),
  ArrowUp: () => film(-1), ArrowDown: () => film(1), "0": () => { app.state.show.clear(); checks(); draw(); }, "-": () => opacity(app.state.opacity - STEP), "+": () => opacity(app.state.opacity + STEP), "=": () => opacity(app.state.opacity + STEP),
  b: () => mark(!(app.state.row in app.rows.marks)), n: () => by("note").focus(), x: () => { app.state.cut = app.state.cut < 50 ? 100 : 0; draw(); }, "/": () => by("row").select(), "?": () => by("keys").showModal(),
  g: () => app.view("grid"), f: () => app.view("face"), p: () => app.view("pair"), v: () => app.view("video"), r: () => app.view("rejects"),
};

function key(event) {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || by("keys").open) return;
  if (target.matches?.("input:not([type=checkbox]), select")) { if (event.key === "Escape") target.blur(); return; }
  const digit = /^[1-9]$/.test(event.key) && by("layers").querySelectorAll("input")[event.key - 1];
  const act = digit ? () => toggle(digit.dataset.layer) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function wire() {
  document.addEventListener("keydown", key);
  window.addEventListener("popstate", () => { readURL(); checks(); draw(); });
  window.addEventListener("hashchange", () => { readURL(); checks(); draw(); });
  for (const button of by("views").children) button.addEventListener("click", () => app.view(button.dataset.view));
  for (const form of document.querySelectorAll("#filters, #missed")) form.addEventListener("submit", event => event.preventDefault());
  by("filters").addEventListener("change", refilter);
  by("missed").addEventListener("input", () => { const form = by("missed").elements; Object.assign(app.state, { stage: form.stage.value, text: form.text.value, line: 0 }); draw(); });
  for (const [id, act] of [["first", () => end(false)], ["back", () => step(app.state.view === "grid" ? -PAGE : -1)], ["next", () => step(app.state.view === "grid" ? PAGE : 1)], ["last", () => end(true)], ["help", () => by("keys").showModal()]]) by(id).addEventListener("click", act);
  by("place").addEventListener("input", event => { const place = Number(event.target.value); if (app.state.view === "rejects") turn(place); else step(place, true); });
  by("row").addEventListener("change", event => { const row = Math.min(Math.max(Math.trunc(Number(event.target.value)) || 0, 0), app.rows.length - 1); if (app.rows.places[row] < 0) clear(); app.go(row); });
  by("opacity").addEventListener("input", event => opacity(Number(event.target.value)));
  by("mark").addEventListener("click", () => mark(!(app.state.row in app.rows.marks)));
  by("note").addEventListener("change", () => mark(true));
}

async function begin() {
  app.rows = await load();
  const { about } = app.rows;
  document.title = `${about.title}: viewer`;
  by("title").textContent = about.title;
  by("store").textContent = about.store;
  for (const name of FILTERS.slice(0, 3)) by("filters").elements[name].replaceChildren(...["", ...about.names[name]].map(each => new Option(each || "all", each)));
  layers();
  readURL();
  checks();
  wire();
  draw();
  document.body.dataset.ready = "yes";
}

begin().catch(say);
