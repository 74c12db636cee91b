// The report's charts, once scripts run. `scales.js` and `dom.js` come before it.

const drawScatter = (figure, data) => {
  const plot = figure.querySelector(".plot");
  const chart = plot.querySelector("svg");
  const axes = chart.querySelector(".axes");
  const tooltip = figure.querySelector(".tooltip");
  const points = [];
  for (const point of chart.querySelectorAll(".point")) {
    points[Number(point.dataset.point)] = point;
    point.querySelector("title").remove();
    point.setAttribute("tabindex", "-1");
  }
  const chosen = [...data.chosen];
  plot.classList.add("live");

  const isShown = (axis, value) => value !== null && (!data.axes[axis].log || value > 0);
  const known = (axis) => data.points.map((point) => point.values[axis]).filter((value) => isShown(axis, value));
  const scaleOf = (axis, first, last) => {
    const { log } = data.axes[axis];
    return scale(...padded(known(axis), log), { log, first, last });
  };

  // The colour of a value, and the ends of the legend.
  const shade = (axis) => {
    const values = known(axis);
    const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [NaN, NaN];
    const most = data.stops.length - 1;
    const place = high > low ? scale(low, high, { log: data.axes[axis].log, last: most }) : () => most / 2;
    const colour = (value) => {
      const stop = Math.min(Math.floor(place(value)), most - 1);
      const mixed = data.stops[stop].map((part, k) => Math.round(part + (data.stops[stop + 1][k] - part) * (place(value) - stop)));
      return `rgb(${mixed.join(",")})`;
    };
    return { colour, low, high };
  };

  const drawAxes = ({ left, right, top, bottom }, x, y, names) => {
    const [across, up] = chosen.map((axis) => axis === data.peak && data.window);
    const [a, b] = across ? across.map(x) : [left, left];
    const [d, c] = up ? up.map(y) : [top, top];
    axes.replaceChildren(
      across ? svg("rect", { class: "band", x: a, y: top, width: b - a, height: bottom - top }) : "",
      up ? svg("rect", { class: "band", x: left, y: c, width: right - left, height: d - c }) : "",
      ...ticks(x, right - left > 450 ? 6 : 4).flatMap(([at, label]) => [
        svg("path", { class: "grid", d: `M${at} ${top}V${bottom}` }),
        svg("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, label),
      ]),
      ...ticks(y, 6).flatMap(([at, label]) => [
        svg("path", { class: "grid", d: `M${left} ${at}H${right}` }),
        svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, label),
      ]),
      svg("path", { class: "frame", d: `M${left} ${top}V${bottom}H${right}` }),
      svg("text", { x: (left + right) / 2, y: bottom + 40, "text-anchor": "middle" }, names[0]),
      svg("text", { transform: `translate(16 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, names[1]),
    );
  };

  const draw = () => {
    const width = Math.max(plot.clientWidth, 280);
    const height = width > 560 ? 420 : 340;
    const box = { left: 62, right: width - 14, top: 14, bottom: height - 48 };
    const names = chosen.map((axis) => data.axes[axis].label);
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    chart.setAttribute("aria-label", `${names[1]} against ${names[0]}, a point per candidate`);
    const x = scaleOf(chosen[0], box.left, box.right);
    const y = scaleOf(chosen[1], box.bottom, box.top);
    const tint = shade(chosen[2]);
    drawAxes(box, x, y, names);
    points.forEach((point, k) => {
      const [across, up, third] = chosen.map((axis) => data.points[k].values[axis]);
      const shown = isShown(chosen[0], across) && isShown(chosen[1], up);
      point.style.display = shown ? "" : "none";
      if (shown) point.setAttribute("transform", `translate(${x(across).toFixed(1)} ${y(up).toFixed(1)})`);
      point.querySelector(".dot").setAttribute("fill", isShown(chosen[2], third) ? tint.colour(third) : "#fff");
    });
    figure.querySelector(".tint").textContent = names[2];
    figure.querySelector(".low").textContent = number(tint.low);
    figure.querySelector(".high").textContent = number(tint.high);
    tooltip.hidden = true;
  };

  const describe = (k) => {
    tooltip.replaceChildren(...data.points[k].label.map((text) => el("span", {}, text)));
    tooltip.hidden = false;
    const whole = figure.getBoundingClientRect();
    const dot = points[k].getBoundingClientRect();
    const left = dot.left + dot.width / 2 - whole.left;
    const above = dot.top - whole.top - tooltip.offsetHeight - 6;
    const most = whole.width - tooltip.offsetWidth;
    tooltip.style.left = `${Math.max(Math.min(left - tooltip.offsetWidth / 2, most), 0)}px`;
    tooltip.style.top = `${above > 0 ? above : dot.bottom - whole.top + 6}px`;
  };

  let current = 0;
  const goTo = (k) => {
    points[current].setAttribute("tabindex", "-1");
    current = k;
    points[current].setAttribute("tabindex", "0");
  };
  const nextShown = (step) => {
    for (let k = current + step; k >= 0 && k < points.length; k += step) {
      if (points[k].style.display !== "none") return k;
    }
    return current;
  };
  points[0].setAttribute("tabindex", "0");
  points.forEach((point, k) => {
    point.addEventListener("mouseenter", () => describe(k));
    point.addEventListener("mouseleave", () => { tooltip.hidden = true; });
    point.addEventListener("focus", () => { goTo(k); describe(k); });
    point.addEventListener("blur", () => { tooltip.hidden = true; });
  });
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") tooltip.hidden = true;
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    points[nextShown(step)].focus();
  });

  const controls = figure.querySelector(".controls");
  ["across", "up", "colour"].forEach((name, place) => {
    const select = el("select", {}, data.axes.map((axis, k) => el("option", { value: k }, axis.label)));
    select.value = chosen[place];
    controls.append(el("label", {}, `${name} `, select));
    select.addEventListener("change", () => { chosen[place] = Number(select.value); draw(); });
  });
  controls.hidden = false;
  draw();
  new ResizeObserver(draw).observe(plot);
};

// The map of shells and cores: the cell under the pointer or the focus is read out.
const readMap = (heat) => {
  const readout = document.getElementById("heat-readout");
  const cellAt = (row, column) => heat.tBodies[0].rows[row]?.cells[column];
  readout.hidden = false;
  for (const cell of heat.querySelectorAll("tbody td")) {
    cell.dataset.label = cell.title || "no candidate";
    cell.removeAttribute("title");
    cell.tabIndex = -1;
  }
  const first = cellAt(0, 1);
  if (first) first.tabIndex = 0;
  const read = (event) => {
    const cell = event.target.closest("tbody td");
    if (cell) readout.textContent = cell.dataset.label;
  };
  heat.addEventListener("mouseover", read);
  heat.addEventListener("focusin", read);
  heat.addEventListener("keydown", (event) => {
    const cell = event.target.closest("tbody td");
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!cell || !step) return;
    event.preventDefault();
    const next = cellAt(cell.parentElement.sectionRowIndex + step[0], cell.cellIndex + step[1]);
    if (!next || next.tagName !== "TD") return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
};

// A chart as a file: its computed styles go along, as the style sheet does not.
const STYLES = [
  "display", "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor",
];
const svgFile = (chart) => {
  const copy = chart.cloneNode(true);
  const drawn = [chart, ...chart.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((part, k) => {
    const style = getComputedStyle(drawn[k]);
    part.setAttribute("style", STYLES.map((name) => `${name}:${style.getPropertyValue(name)}`).join(";"));
  });
  const { width, height } = chart.viewBox.baseVal;
  fill(copy, { width, height }, []);
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
};
const download = (chart, name) => {
  const href = URL.createObjectURL(svgFile(chart));
  el("a", { href, download: `${name}.svg` }).click();
  setTimeout(() => URL.revokeObjectURL(href));
};

document.querySelectorAll("figure.chart").forEach((figure) => {
  const chart = figure.querySelector("svg");
  figure.append(button("Download as SVG", () => download(chart, figure.id), { class: "download" }));
});
const points = document.getElementById("ranking-data");
if (points) drawScatter(document.getElementById("scatter"), JSON.parse(points.textContent));
const map = document.getElementById("heat");
if (map) readMap(map);
