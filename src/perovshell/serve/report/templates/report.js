"use strict";
(() => {
  const data = JSON.parse(document.getElementById("ranking-data").textContent);
  const make = (name, parent, text) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return parent.appendChild(made);
  };
  const svg = (name, parent, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return parent.appendChild(made);
  };
  const number = (value) => {
    const size = Math.abs(value);
    return size >= 1e4 ? Math.round(value).toLocaleString("en") : size >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  };

  // The scatter -----------------------------------------------------------------------------

  const figure = document.getElementById("scatter");
  const plot = figure.querySelector(".plot");
  const chart = plot.querySelector("svg");
  const axes = chart.querySelector(".axes");
  const said = figure.querySelector(".said");
  const points = [];
  for (const point of chart.querySelectorAll(".point")) {
    points[Number(point.dataset.point)] = point;
    point.querySelector("title").remove();
    point.setAttribute("tabindex", "-1");
  }
  const chosen = [...data.chosen];
  plot.classList.add("live");

  const known = (axis) => {
    const values = data.points.map((point) => point.values[axis]);
    return values.filter((value) => value !== null && (!data.axes[axis].log || value > 0));
  };

  const scale = (axis, first, last) => {
    const log = data.axes[axis].log;
    const place = log ? Math.log : (value) => value;
    const back = log ? Math.exp : (value) => value;
    const values = known(axis).map(place);
    let low = 0;
    let high = 1;
    if (values.length) {
      low = Math.min(...values);
      high = Math.max(...values);
      const room = Math.max((high - low) * 0.05, 1e-9 + Math.abs(high) * 0.002);
      low -= room;
      high += room;
    }
    const pixel = (value) => first + ((place(value) - low) / (high - low)) * (last - first);
    return { pixel, low: back(low), high: back(high), log };
  };

  const steps = (low, high, count) => {
    const rough = (high - low) / count;
    const size = 10 ** Math.floor(Math.log10(rough));
    const step = size * [1, 2, 5, 10].find((m) => size * m >= rough);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k += 1) found.push(k * step);
    return found;
  };

  const ticks = (axis, count) => {
    if (axis.log) {
      const first = Math.ceil(Math.log10(axis.low) - 1e-9);
      const last = Math.floor(Math.log10(axis.high) + 1e-9);
      const by = Math.max(Math.ceil((last - first) / count), 1);
      const found = [];
      for (let k = first; k <= last; k += by) found.push(10 ** k);
      if (found.length > 1) return found;
    }
    return steps(axis.low, axis.high, count);
  };

  const shade = (axis) => {
    const place = data.axes[axis].log ? Math.log : (value) => value;
    const values = known(axis);
    const low = Math.min(...values);
    const high = Math.max(...values);
    const colour = (value) => {
      const share = high > low ? (place(value) - place(low)) / (place(high) - place(low)) : 0.5;
      const at = Math.min(Math.max(share, 0), 1) * (data.stops.length - 1);
      const stop = Math.min(Math.floor(at), data.stops.length - 2);
      const mixed = data.stops[stop].map((part, k) => Math.round(part + (data.stops[stop + 1][k] - part) * (at - stop)));
      return `rgb(${mixed.join(",")})`;
    };
    return { colour, low, high };
  };

  const drawAxes = (box, x, y, names) => {
    axes.replaceChildren();
    if (data.window && chosen[0] === data.peak) {
      const [a, b] = data.window.map((end) => Math.min(Math.max(x.pixel(end), box.left), box.right));
      svg("rect", axes, { class: "band", x: a, y: box.top, width: b - a, height: box.bottom - box.top });
    }
    if (data.window && chosen[1] === data.peak) {
      const [b, a] = data.window.map((end) => Math.min(Math.max(y.pixel(end), box.top), box.bottom));
      svg("rect", axes, { class: "band", x: box.left, y: a, width: box.right - box.left, height: b - a });
    }
    for (const value of ticks(x, box.right - box.left > 450 ? 6 : 4)) {
      const at = x.pixel(value);
      svg("path", axes, { class: "grid", d: `M${at} ${box.top}V${box.bottom}` });
      svg("text", axes, { x: at, y: box.bottom + 18, "text-anchor": "middle" }, number(value));
    }
    for (const value of ticks(y, 6)) {
      const at = y.pixel(value);
      svg("path", axes, { class: "grid", d: `M${box.left} ${at}H${box.right}` });
      svg("text", axes, { x: box.left - 8, y: at + 4, "text-anchor": "end" }, number(value));
    }
    svg("path", axes, { class: "frame", d: `M${box.left} ${box.top}V${box.bottom}H${box.right}` });
    svg("text", axes, { x: (box.left + box.right) / 2, y: box.bottom + 40, "text-anchor": "middle" }, names[0]);
    const turned = `translate(16 ${(box.top + box.bottom) / 2}) rotate(-90)`;
    svg("text", axes, { transform: turned, "text-anchor": "middle" }, names[1]);
  };

  const draw = () => {
    const width = Math.max(plot.clientWidth, 280);
    const height = width > 560 ? 420 : 340;
    const box = { left: 62, right: width - 14, top: 14, bottom: height - 48 };
    const names = chosen.map((axis) => data.axes[axis].label);
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    chart.setAttribute("aria-label", `${names[1]} against ${names[0]}, a point a line of the ranking`);
    const x = scale(chosen[0], box.left, box.right);
    const y = scale(chosen[1], box.bottom, box.top);
    const tint = shade(chosen[2]);
    drawAxes(box, x, y, names);
    points.forEach((point, k) => {
      const [across, up, third] = chosen.map((axis) => data.points[k].values[axis]);
      const here = [x.pixel(across ?? NaN), y.pixel(up ?? NaN)].map((at) => Math.round(at * 10) / 10);
      const shown = across !== null && up !== null && here.every(Number.isFinite);
      point.style.display = shown ? "" : "none";
      if (shown) point.setAttribute("transform", `translate(${here.join(" ")})`);
      point.querySelector(".dot").setAttribute("fill", third === null ? "#fff" : tint.colour(third));
    });
    figure.querySelector(".tint").textContent = names[2];
    figure.querySelector(".low").textContent = number(tint.low);
    figure.querySelector(".high").textContent = number(tint.high);
    said.hidden = true;
  };

  const tell = (k) => {
    said.replaceChildren();
    for (const text of data.points[k].said) make("span", said, text);
    said.hidden = false;
    const whole = figure.getBoundingClientRect();
    const dot = points[k].getBoundingClientRect();
    const left = dot.left + dot.width / 2 - whole.left;
    const above = dot.top - whole.top - said.offsetHeight - 6;
    const most = whole.width - said.offsetWidth;
    said.style.left = `${Math.max(Math.min(left - said.offsetWidth / 2, most), 0)}px`;
    said.style.top = `${above > 0 ? above : dot.bottom - whole.top + 6}px`;
  };

  let current = 0;
  const goTo = (k) => {
    points[current].setAttribute("tabindex", "-1");
    current = k;
    points[current].setAttribute("tabindex", "0");
  };
  const beside = (step) => {
    for (let k = current + step; k >= 0 && k < points.length; k += step) {
      if (points[k].style.display !== "none") return k;
    }
    return current;
  };
  points[0].setAttribute("tabindex", "0");
  points.forEach((point, k) => {
    point.addEventListener("mouseenter", () => tell(k));
    point.addEventListener("mouseleave", () => { said.hidden = true; });
    point.addEventListener("focus", () => { goTo(k); tell(k); });
    point.addEventListener("blur", () => { said.hidden = true; });
  });
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") said.hidden = true;
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    points[beside(step)].focus();
  });

  const controls = figure.querySelector(".controls");
  ["across", "up", "colour"].forEach((name, place) => {
    const select = make("select", make("label", controls, `${name} `));
    data.axes.forEach((axis, k) => { make("option", select, axis.label).value = k; });
    select.value = chosen[place];
    select.addEventListener("change", () => { chosen[place] = Number(select.value); draw(); });
  });
  controls.hidden = false;
  draw();
  new ResizeObserver(draw).observe(plot);

  for (const line of document.querySelectorAll(".card, #table tbody tr")) {
    const point = points[Number(line.dataset.point)];
    if (!point) continue;
    line.addEventListener("mouseenter", () => point.classList.add("lit"));
    line.addEventListener("mouseleave", () => point.classList.remove("lit"));
  }

  // The map ---------------------------------------------------------------------------------

  const heat = document.getElementById("heat");
  const readout = document.getElementById("heat-said");
  const cellAt = (row, column) => heat.tBodies[0].rows[row]?.cells[column];
  readout.hidden = false;
  for (const cell of heat.querySelectorAll("tbody td")) {
    cell.dataset.said = cell.title || "nothing ranked";
    cell.removeAttribute("title");
    cell.tabIndex = -1;
  }
  const first = cellAt(0, 1);
  if (first) first.tabIndex = 0;
  const read = (event) => {
    const cell = event.target.closest("tbody td");
    if (cell) readout.textContent = cell.dataset.said;
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

  // The table -------------------------------------------------------------------------------

  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const compare = (column, sign) => (one, other) => {
    const [a, b] = [one, other].map((row) => row.cells[column]);
    if (a.dataset.sort === undefined) {
      return sign * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
    }
    if (a.dataset.sort === "" || b.dataset.sort === "") return (a.dataset.sort === "") - (b.dataset.sort === "");
    return sign * (Number(a.dataset.sort) - Number(b.dataset.sort));
  };
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const falls = head.classList.contains("n") && column > 0;
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      const down = was ? was === "ascending" : falls;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...[...rows].sort(compare(column, down ? -1 : 1)));
    });
  });
  heads[0].setAttribute("aria-sort", "ascending");

  const filter = document.getElementById("filter");
  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    document.getElementById("filter-said").textContent = words.length ? `${shown} of ${rows.length} lines` : "";
  };
  filter.closest(".controls").hidden = false;
  filter.addEventListener("input", show);
  show();

  chart.addEventListener("click", (event) => {
    const place = event.target.closest("a.point")?.getAttribute("href");
    const target = place && document.getElementById(place.slice(1));
    if (!target?.hidden) return;
    filter.value = "";
    show();
  });
})();
