// What stands in the middle of the page: a grid, one face, a pair, a video, the rejects.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

const LANDMARKS = "landmarks";

function picture(path, alt, kind) {
  const image = make("img", { src: path, alt, class: kind, decoding: "async", draggable: "false" });
  image.addEventListener("error", async () => {
    const said = await fetch(path).then(answer => answer.json()).catch(() => ({}));
    image.replaceWith(make("div", { class: "broken" }, said.error ?? `${alt} cannot be shown`));
  });
  return image;
}

// A crop with the layers that are on: layers are see-through and have no name of their own.
export function stack(app, row, side = "", overlaid = true) {
  const { rows, state } = app;
  const found = make("div", { class: "stack" }, picture(`pictures/image/${row}${side}`, `row ${row}, ${rows.title(row)}`));
  if (!overlaid) return found;
  for (const layer of rows.about.layers.filter(each => state.show.has(each.name))) {
    const over = picture(`pictures/${layer.name}/${row}`, "", "over");
    over.style.opacity = state.opacity / 100;
    found.append(over);
  }
  if (state.show.has(LANDMARKS) && !side) app.details(row).then(about => found.append(points(about.landmarks, rows.about.size)));
  return found;
}

function points(landmarks, size) {
  const space = "http://www.w3.org/2000/svg", drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", `0 0 ${size} ${size}`);
  drawing.setAttribute("class", "points");
  drawing.setAttribute("aria-hidden", "true");
  for (const [x, y] of landmarks ?? []) {
    if (x === null) continue;
    const dot = document.createElementNS(space, "circle");
    for (const [name, value] of Object.entries({ cx: x, cy: y, r: size / 130 })) dot.setAttribute(name, value);
    drawing.append(dot);
  }
  return drawing;
}

function thumb(app, row, first, second) {
  const current = row === app.state.row;
  const element = make("button", {
    type: "button", class: row in app.rows.marks ? "thumb bad" : "thumb", "data-row": row, "aria-current": current ? "true" : null,
    onclick: () => app.go(row), ondblclick: () => app.view("face"),
  }, stack(app, row, "?side=160"), make("span", {}, first), make("span", {}, second));
  return element;
}

const thumbs = (app, list, first, second) => make("div", { class: "thumbs" }, ...list.map(row => thumb(app, row, first(row), second(row))));
const nothing = text => make("p", { class: "empty" }, text);

export function grid(app) {
  const { rows } = app, start = app.pageStart();
  const list = Array.from(rows.shown.subarray(start, start + app.page()));
  if (!list.length) return [nothing("No row fits these filters.")];
  return [thumbs(app, list, row => rows.title(row), row => `row ${row}`)];
}

export function face(app) {
  const { rows, state: { row } } = app;
  const about = make("div", { class: "caption" }, make("strong", {}, rows.title(row)), make("span", {}, `${rows.video("id", row)}, frame ${rows.columns.frame[row]}`));
  return [make("div", { class: "big" }, stack(app, row), about), ...versions(app)];
}

// The same face in every method and compression.
function versions(app) {
  const { rows, state: { row } } = app, list = rows.where("face", rows.columns.face[row]);
  if (list.length < 2) return [];
  return [make("h2", {}, "The same face"), thumbs(app, list, each => rows.title(each), each => `row ${each}`)];
}

// The pair of a row: of a fake its real; of a real the first fake made from it.
export function pairOf(rows, row) {
  if (!rows.isReal(row)) return rows.columns.real[row] >= 0 ? [rows.columns.real[row], row] : null;
  const fake = rows.where("real", row).find(each => each !== row);
  return fake === undefined ? null : [row, fake];
}

export function pair(app) {
  const { rows, state } = app, found = pairOf(rows, state.row);
  if (!found) return [nothing("This row has no pair."), ...versions(app)];
  const [real, fake] = found, both = stack(app, real, "", false);
  const top = stack(app, fake);
  top.classList.add("cut");
  both.classList.add("two");
  both.append(top, make("div", { class: "line" }));
  both.style.setProperty("--cut", `${state.cut}%`);
  const slider = make("input", { type: "range", id: "cut", min: 0, max: 100, value: state.cut, "aria-label": "Real left of the line, fake right of it" });
  slider.addEventListener("input", () => { state.cut = Number(slider.value); both.style.setProperty("--cut", `${state.cut}%`); });
  const about = make("div", { class: "caption" }, make("span", {}, `real, row ${real}`), make("strong", {}, `${rows.title(fake)}, row ${fake}`));
  return [make("div", { class: "big" }, both, make("label", { class: "slide" }, slider), about), ...versions(app)];
}

export function video(app) {
  const { rows, state: { row } } = app, list = rows.where("video", rows.columns.video[row]);
  const title = `${rows.video("path", row)}: ${list.length} faces`;
  return [make("h2", {}, title), thumbs(app, list, each => `frame ${rows.columns.frame[each]}`, each => `row ${each}`), ...versions(app)];
}

export const LINES = 100;

export function rejects(app) {
  const { lost, lines, state, rows } = app;
  if (!lines.length) return [nothing(lost.reason.length ? "No reject fits." : "Nothing was rejected.")];
  const paths = rows.videos.video_path;
  const body = lines.slice(state.line, state.line + LINES).map(line => {
    const place = paths.indexOf(lost.video[line]);
    const row = place < 0 ? -1 : rows.columns.video.indexOf(place);
    const name = row < 0 ? lost.video[line] : make("button", { type: "button", title: "Show what there is of it", onclick: () => { app.go(row); app.view("video"); } }, lost.video[line]);
    const frame = lost.frame[line] < 0 ? "all" : lost.frame[line];
    return make("tr", {}, make("td", {}, name), make("td", { class: "n" }, frame), make("td", {}, lost.stage[line]), make("td", {}, lost.reason[line]), make("td", { class: "n" }, lost.rows[line]));
  });
  const head = make("tr", {}, ...[["video"], ["frame", "n"], ["stage"], ["reason"], ["rows lost", "n"]].map(([name, kind]) => make("th", { scope: "col", class: kind }, name)));
  return [make("div", { class: "table" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)))];
}
