// A line plot in SVG: time to the right, figures up, axes with units.

import { h, put, svg } from "./dom.js";
import { SPAN } from "./figures.js";

const LEFT = 56;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 20;
const HEIGHT = 150; // at least
const STEP = 60; // seconds between marks of time

/**
 * Plot draws some figures of each point. series are {key, name, format?}; format
 * writes a value with its unit; cursor is shared by plots that point at one time;
 * scale(values) says where the axis has its marks, from below, and which part of its
 * height a value has.
 */
export class Plot {
  #width = 400;
  #height = HEIGHT;
  #drawn = null;

  constructor({ title, unit, series, format, cursor, scale = linear((n) => niceDecimal(Math.max(n, 1))) }) {
    Object.assign(this, { title, unit, series, format, cursor, scale });
    this.canvas = svg("svg", { class: "canvas", role: "img", tabindex: "0", "aria-label": title });
    const frame = h("div", { class: "frame" }, this.canvas);
    this.values = series.map(() => h("span", { class: "value" }, "–"));
    this.element = h("section", { class: "plot", "aria-label": title },
      h("header", {},
        h("h3", {}, title, h("span", { class: "unit" }, ` ${unit}`)),
        h("dl", { class: "legend" }, series.map((s, i) => h("div", {},
          h("dt", {}, swatch(i), s.name), h("dd", {}, this.values[i]))))),
      frame);
    this.#point();
    new ResizeObserver(([entry]) => {
      this.#width = Math.max(200, Math.round(entry.contentRect.width));
      this.#height = Math.max(HEIGHT, Math.round(entry.contentRect.height));
      if (this.#drawn) this.draw(...this.#drawn);
    }).observe(frame);
  }

  /** draw shows the figures up to a time. */
  draw(figures, now) {
    this.#drawn = [figures, now];
    const width = this.#width;
    const height = this.#height;
    const inner = { w: width - LEFT - RIGHT, h: height - TOP - BOTTOM };
    const values = figures.points.flatMap((p) => (p.gap ? [] : this.series.map((s) => p[s.key] ?? null))).filter((v) => v !== null);
    const { marks, part } = this.scale(values);
    const x = (t) => LEFT + inner.w * (1 - (now - t) / SPAN);
    const y = (v) => TOP + inner.h * (1 - part(v));
    this.canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const clip = `clip-${this.series[0].key}`;
    put(this.canvas,
      svg("clipPath", { id: clip }, svg("rect", { x: LEFT, y: 0, width: inner.w, height })),
      this.#rows(marks, y, width), this.#columns(x, now),
      figures.restarts.map((t) => svg("line", { class: "restart", "clip-path": `url(#${clip})`, x1: x(t), x2: x(t), y1: TOP, y2: this.#height - BOTTOM })),
      svg("path", { class: "area", "clip-path": `url(#${clip})`, d: area(figures.points, this.series[0].key, x, y) }),
      this.series.map((s, i) => svg("path", { class: `line series-${i + 1}`, "clip-path": `url(#${clip})`, d: path(figures.points, s.key, x, y) })),
      this.#pointer(figures, x, y));
    this.#tell(figures);
  }

  #rows(marks, y, width) {
    return marks.map((v, i) => [
      svg("line", { class: i === 0 ? "axis" : "rule", x1: LEFT, x2: width - RIGHT, y1: y(v), y2: y(v) }),
      svg("text", { class: "tick", x: LEFT - 6, y: y(v) + 3.5, "text-anchor": "end" }, this.format(v)),
    ]);
  }

  #columns(x, now) {
    const marks = [];
    for (let ago = 0; ago <= SPAN; ago += STEP) {
      const anchor = ago === 0 ? "end" : ago === SPAN ? "start" : "middle";
      marks.push(svg("text", { class: "tick", x: x(now - ago), y: this.#height - 5, "text-anchor": anchor }, ago === 0 ? "now" : `−${ago / 60} min`));
    }
    return marks;
  }

  #pointer(figures, x, y) {
    const p = this.cursor.at === null ? null : figures.near(this.cursor.at);
    if (!p) return null;
    return [
      svg("line", { class: "cursor", x1: x(p.t), x2: x(p.t), y1: TOP, y2: this.#height - BOTTOM }),
      this.series.map((s, i) => (p[s.key] === null ? null : svg("circle", { class: `dot series-${i + 1}`, cx: x(p.t), cy: y(p[s.key]), r: 3 }))),
    ];
  }

  #tell(figures) {
    const p = this.cursor.at === null ? figures.latest() : figures.near(this.cursor.at);
    const written = this.series.map((s) => (p && p[s.key] !== null ? (s.format ?? this.format)(p[s.key]) : "–"));
    written.forEach((text, i) => { this.values[i].textContent = text; });
    this.canvas.setAttribute("aria-label", `${this.title}, ${this.unit}: ${this.series.map((s, i) => `${s.name} ${written[i]}`).join(", ")}`);
  }

  // The pointer and the arrow keys choose a moment, for all plots at once.
  #point() {
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.#drawn) return;
      const box = this.canvas.getBoundingClientRect();
      const part = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
      this.cursor.set(part < 0 || part > 1 ? null : this.#drawn[1] - SPAN * (1 - part));
    });
    this.canvas.addEventListener("pointerleave", () => this.cursor.set(null));
    this.canvas.addEventListener("blur", () => this.cursor.set(null));
    this.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!this.#drawn || (!step && event.key !== "Escape")) return;
      event.preventDefault();
      const now = this.#drawn[1];
      const to = step ? (this.cursor.at ?? now) + step : null;
      this.cursor.set(to === null || to > now ? null : Math.max(to, now - SPAN));
    });
  }
}

// runs are the stretches of points that have the figure: a gap breaks the line, and
// a second in which there was nothing to measure does too.
function runs(points, key, x, y) {
  const found = [];
  let broken = true;
  for (const p of points) {
    const value = p.gap ? null : p[key];
    if (value === null || value === undefined) {
      broken = true;
      continue;
    }
    if (broken) found.push([]);
    found.at(-1).push(`${x(p.t).toFixed(1)} ${y(value).toFixed(1)}`);
    broken = false;
  }
  return found;
}

// A point of its own is drawn as a dot.
const path = (...args) => runs(...args).map((run) => `M${run.join("L")}${run.length === 1 ? "h0.01" : ""}`).join("");

// The ground under the first line tells it from the second without colours.
function area(points, key, x, y) {
  const base = y(0).toFixed(1);
  const edge = (place) => `${place.split(" ")[0]} ${base}`;
  return runs(points, key, x, y).map((run) => `M${[edge(run[0]), ...run, edge(run.at(-1))].join("L")}Z`).join("");
}

const swatch = (i) => svg("svg", { class: "swatch", viewBox: "0 0 18 10", "aria-hidden": "true" },
  i === 0 ? svg("path", { class: "area", d: "M0 3h18v7H0z" }) : null,
  svg("path", { class: `line series-${i + 1}`, d: "M0 3h18" }));

/** linear is a scale from zero to a round figure. */
export const linear = (nice) => (values) => {
  const { top, step } = nice(Math.max(0, ...values));
  return { marks: Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step), part: (v) => v / top };
};

/** decades is a scale of powers of ten, for what a single outlier would flatten. */
export const decades = (from, to) => (values) => {
  const low = Math.floor(Math.log10(Math.min(from, ...values.filter((v) => v > 0))) + 1e-9);
  const high = Math.ceil(Math.log10(Math.max(to, ...values)) - 1e-9);
  const part = (v) => Math.max(0, (Math.log10(Math.max(v, 1e-12)) - low) / (high - low));
  return { marks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)), part };
};

/** niceDecimal chooses a top of 1, 2, 2.5 or 5 times a power of ten, and the rules below it. */
export function niceDecimal(biggest) {
  return nice(Math.max(biggest, 1e-9) * 1.02, 10, [[1, 4], [2, 4], [2.5, 5], [4, 4], [5, 5], [6, 3], [8, 4], [10, 4]]);
}

/** niceCount does so for what comes in whole numbers. */
export function niceCount(biggest) {
  if (biggest <= 4) return { top: 4, step: 1 };
  return niceDecimal(biggest);
}

/** niceBytes does so for sizes, in powers of two. */
export function niceBytes(biggest) {
  return nice(Math.max(biggest, 1024) * 1.02, 2, [[1, 4], [1.5, 3], [2, 4]]);
}

function nice(biggest, base, tops) {
  const size = base ** Math.floor(Math.log(biggest) / Math.log(base));
  const [top, parts] = tops.find(([t]) => t * size >= biggest) ?? [base, 4];
  return { top: top * size, step: (top * size) / parts };
}
