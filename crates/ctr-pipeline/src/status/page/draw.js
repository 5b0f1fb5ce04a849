// Numbers and tables. Everything is written as text into elements that stay where they are, so nothing jumps and nothing
// that a record holds can become markup.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const NOTHING = "–";

/** A count with separators. */
export function count(value) {
  return value === null || value === undefined ? NOTHING : whole.format(value);
}

/** A duration in the two largest units that say something. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 0.0005) return "0 s";
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${whole.format(Math.floor(hours / 24))} d ${hours % 24} h`;
}

/** Bytes in binary units. */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A time in UTC; without the day where it is today. */
export function time(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return NOTHING;
  const [day, clock] = new Date(milliseconds).toISOString().slice(0, -1).split("T");
  return day === new Date().toISOString().slice(0, 10) ? clock : `${day} ${clock}`;
}

/** A share of a whole. */
export function share(part, all) {
  if (!all) return NOTHING;
  const percent = (part / all) * 100;
  return percent > 0 && percent < 0.01 ? "< 0.01 %" : `${percent.toFixed(2)} %`;
}

/** Writes a text where it differs. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Writes the value of a field everywhere it is shown. */
export function field(name, text) {
  for (const element of document.querySelectorAll(`[data-field="${name}"]`)) write(element, text);
}

/** A cell: its text, and how it looks (`n` for numbers, `good`, `warn`, `bad`, `long`, `zero`). */
export function cell(text, look = "") {
  return { text: String(text), look };
}

/** A cell with a number; a zero is quiet. */
export function number(value, text = count(value)) {
  return cell(text, value === 0 ? "n zero" : "n");
}

/** Brings a table's rows to these lists of cells, the first of each being its heading; `none` is said where there are none. */
export function table(id, rows, none = "none") {
  const body = document.querySelector(`#${id} tbody`);
  if (rows.length === 0) {
    const columns = document.querySelectorAll(`#${id} thead th`).length || 1;
    body.replaceChildren(emptyRow(none, columns));
    return;
  }
  if (body.querySelector(".empty")) body.replaceChildren();
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, index) => row(body.rows[index] ?? body.insertRow(), cells));
}

function emptyRow(text, columns) {
  const row = document.createElement("tr");
  const only = row.insertCell();
  only.colSpan = columns;
  only.className = "empty";
  only.textContent = text;
  return row;
}

function row(element, cells) {
  cells.forEach(({ text, look }, index) => {
    let target = element.cells[index];
    if (!target) {
      target = document.createElement(index === 0 ? "th" : "td");
      if (index === 0) target.scope = "row";
      element.append(target);
    }
    if (target.className !== look) target.className = look;
    write(target, text);
  });
}

/** Draws the last values of a series, scaled from 0 to their largest. */
export function spark(id, values) {
  const largest = Math.max(1, ...values);
  const begin = 120 - values.length;
  const points = values.map((value, index) => `${begin + index},${(23 - (value / largest) * 22).toFixed(1)}`);
  document.querySelector(`#${id} polyline`).setAttribute("points", points.join(" "));
}
