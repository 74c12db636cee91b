// Small charts in SVG. Places are percentages, so that a chart fits any width without a script.
// They are hidden from screen readers: the text beside each says every number in it.

import { svg } from "./dom.js";
import { minus } from "./format.js";
import { padded, scale, ticks } from "./scales.js";

const at = (share) => `${share.toFixed(2)}%`;

const axis = (own, y) =>
  ticks(own).flatMap(([place, label]) => [
    svg("line", { class: "tick", x1: at(place), x2: at(place), y1: y, y2: y + 4 }),
    svg("text", { class: "label", x: at(place), y: y + 15, "text-anchor": "middle" }, minus(label)),
  ]);

const arrow = (x, y, direction) =>
  svg("svg", { x: at(x), y, class: "over" }, svg("path", { class: "head", d: `M${-7 * direction} -4L0 0L${-7 * direction} 4` }));

const range = (own, { low, high, openHigh }, y) => {
  const from = own(low ?? own.low);
  const to = openHigh ? 100 : own(high ?? own.high);
  const beyond = !openHigh && high > own.high;
  return [
    svg("line", { class: "interval", x1: at(from), x2: at(to), y1: y, y2: y }),
    svg("line", { class: "end", x1: at(from), x2: at(from), y1: y - 5, y2: y + 5 }),
    openHigh || beyond ? arrow(100, y, 1) : svg("line", { class: "end", x1: at(to), x2: at(to), y1: y - 5, y2: y + 5 }),
    low < own.low && arrow(0, y, -1),
  ].filter(Boolean);
};

const chart = (height, ...marks) =>
  svg("svg", { class: "chart", width: "100%", height, "aria-hidden": "true", focusable: "false" }, ...marks);

// The estimate: a circle, or a triangle that points to where a median that was not reached lies.
const DIRECTION = { ">": 1, "<": -1 };
const mark = (x, sign, kind) => {
  const way = DIRECTION[sign];
  if (!way) return svg("circle", { class: kind, cx: at(x), cy: 9, r: 4.5 });
  return svg("svg", { x: at(x), y: 9, class: "over" }, svg("path", { class: kind, d: `M0 -5L${8 * way} 0L0 5z` }));
};

// A value with its interval. `hollow`: an estimate that is less sure than the end of its interval.
export const bar = (own, given, { hollow = false } = {}) =>
  chart(
    36,
    svg("line", { class: "track", x1: 0, x2: "100%", y1: 9, y2: 9 }),
    range(own, given, 9),
    mark(own(given.value), given.sign, hollow ? "dot hollow" : "dot"),
    axis(own, 18),
  );

// The PL peak on the spectrum: what lies outside the interval is pale.
export const spectrum = (own, given) => {
  const [low, high] = [own(given.low), own(given.high)];
  const peak = own(given.value);
  return chart(
    46,
    svg("rect", { width: "100%", height: 22, rx: 3, fill: "url(#light)" }),
    svg("rect", { class: "veil", x: 0, width: at(low), height: 22 }),
    svg("rect", { class: "veil", x: at(high), width: at(100 - high), height: 22 }),
    svg("rect", { class: "strip", width: "100%", height: 22, rx: 3 }),
    svg("line", { class: "peak-under", x1: at(peak), x2: at(peak), y1: -2, y2: 24 }),
    svg("line", { class: "peak", x1: at(peak), x2: at(peak), y1: -2, y2: 24 }),
    given.value > own.high && arrow(100, 11, 1),
    given.value < own.low && arrow(0, 11, -1),
    axis(own, 27),
  );
};

const pointOf = (line, x, y, fill) =>
  (line.samples
    ? svg("svg", { x, y, class: "over" }, svg("rect", { class: "mark", x: -5, y: -5, width: 10, height: 10, fill }))
    : svg("circle", { class: "mark", cx: x, cy: y, r: 5.5, fill }));

// Lines of a ranking as points: circles, and squares where papers measured the combination. `across`
// and `up` are {label, log, of(line), say(line)}.
export const scatter = (lines, across, up, colour) => {
  const [x, y] = [across, up].map(({ log, of }) => scale(...padded(lines.map(of), log), { log }));
  const columns = ticks(x).flatMap(([place, label]) => [
    svg("line", { class: "grid", x1: at(place), x2: at(place), y1: 0, y2: "100%" }),
    svg("text", { class: "label", x: at(place), y: "100%", dy: 18, "text-anchor": "middle" }, minus(label)),
  ]);
  const rows = ticks(y).flatMap(([place, label]) => [
    svg("line", { class: "grid", x1: 0, x2: "100%", y1: at(100 - place), y2: at(100 - place) }),
    svg("text", { class: "label", x: 0, y: at(100 - place), dx: -8, dy: 4, "text-anchor": "end" }, minus(label)),
  ]);
  // The top candidate is drawn last, on top of the others.
  const points = [...lines].reverse().map((line) =>
    svg(
      "g",
      { class: "point", "data-line": line.id },
      line.is_pareto && svg("circle", { class: "ring", cx: at(x(across.of(line))), cy: at(100 - y(up.of(line))), r: 9 }),
      pointOf(line, at(x(across.of(line))), at(100 - y(up.of(line))), colour(line.pl_peak_nm)),
      svg("title", {}, `${line.rank}. ${line.core} / ${line.shell}: ${across.say(line)}, ${up.say(line)}`),
    ));
  return svg("svg", { class: "scatter", width: "100%", height: "100%", "aria-hidden": "true" }, columns, rows, points);
};
