// The store's columns, sent once, and which of its rows are shown in which order.

const TYPES = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };

export async function get(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? `${path}: ${answer.status} ${answer.statusText}`);
  return answer;
}

export async function load() {
  const about = await (await get("about")).json();
  const [videos, marks, ...columns] = await Promise.all([
    get("videos").then(answer => answer.json()),
    get("marks").then(answer => answer.json()),
    ...Object.entries(about.columns).map(async ([name, type]) => [name, new TYPES[type](await (await get(`columns/${name}`)).arrayBuffer())]),
  ]);
  return new Rows(about, videos, marks, Object.fromEntries(columns));
}

export class Rows {
  constructor(about, videos, marks, columns) {
    Object.assign(this, { about, videos, marks, columns, length: about.rows });
    this.orders = {};  // permutations of all rows, made when first asked for
    this.shown = new Uint32Array(0);
    this.places = new Int32Array(this.length);  // place of a row among those shown; -1: not shown
  }

  filter({ split, method, compression, order, bad }) {
    const wanted = ["split", "method", "compression"].map(name => [this.columns[name], this.about.names[name].indexOf({ split, method, compression }[name])]).filter(([, code]) => code >= 0);
    const sorted = order ? this.sorted(order) : null;
    const shown = new Uint32Array(this.length);
    let count = 0;
    for (let at = 0; at < this.length; at++) {
      const row = sorted ? sorted[at] : at;
      if (bad && !(row in this.marks)) continue;
      let fits = true;
      for (const [values, code] of wanted) if (values[row] !== code) { fits = false; break; }
      if (fits) shown[count++] = row;
    }
    this.shown = shown.subarray(0, count);
    this.places.fill(-1);
    for (let at = 0; at < count; at++) this.places[this.shown[at]] = at;
  }

  sorted(name) {
    const values = this.columns[name];
    const key = row => Number.isNaN(values[row]) ? Infinity : values[row];
    return this.orders[name] ??= Uint32Array.from({ length: this.length }, (_, row) => row).sort((one, other) => key(one) - key(other) || one - other);
  }

  name(column, row) { return this.about.names[column][this.columns[column][row]]; }

  video(column, row) { return this.videos[`video_${column}`][this.columns.video[row]]; }

  where(column, value) {  // rows with a value, in the store's order
    const found = [], values = this.columns[column];
    for (let row = values.indexOf(value); row >= 0; row = values.indexOf(value, row + 1)) found.push(row);
    return found;
  }

  isReal(row) { return this.columns.method[row] === 0; }

  title(row) { return `${this.name("method", row)} ${this.name("compression", row)}`; }

  async mark(row, bad, note = "") {
    const answer = await get(`marks/${row}`, bad ? { method: "PUT", body: JSON.stringify({ note }) } : { method: "DELETE" });
    this.marks = await answer.json();
  }
}
