// A ranking as it is shown: what was measured, what is worth trying, and a plot of both.

import { scatter } from "./charts.js";
import { button, el } from "./dom.js";
import { combination, figure, lasting, measured, pointsOf, sentenceCase, stabilityOf, whole, words } from "./format.js";
import { folded, paper } from "./papers.js";
import { dataTable } from "./table.js";

const isKnown = (value) => Number.isFinite(value);
const stem = (stressor) => stressor.replaceAll("-", "_");

// The pooled stability columns: a value and its lower bound, by target and stressor.
const pooledOf = (targets, stressors) =>
  stressors.flatMap((stressor) =>
    stabilityOf(targets).map((target) => ({
      target,
      title: `${sentenceCase(target.title)}, ${words(stressor)}`,
      pooled: `${target.column}_pooled_${stem(stressor)}`,
      least: `${target.column}_at_least_${stem(stressor)}`,
    })));

const scoreOf = (line) => line.score ?? line.expected_improvement;

// Cells ---------------------------------------------------------------------------------------

const unknown = () => el("span", { class: "small" }, "unknown");
const bounded = (least, small, evidence = "") => [least, el("small", {}, small), evidence ? el("small", { class: "evidence" }, `(nearest: ${evidence})`) : null];

const papersOn = (title, names) => [el("p", { class: "small" }, title), ...folded(names.map(paper))];
const nearest = (line) => line.nearest_papers.split(";").filter(Boolean);

const papersCell = (line) => {
  if (line.shell_papers.length) return papersOn("On the shell, other cores:", line.shell_papers);
  return nearest(line).length ? papersOn("None on this shell. Nearest, on other shells:", nearest(line)) : unknown();
};

const SAMPLES = 2;
const samplesCell = (points) => (line) =>
  folded(line.samples.map((row) => [`${measured(row, points)} (`, paper(row.paper), ")"]), { shown: SAMPLES });

const shellCell = (line) => {
  if (!line.ties.length) return line.shell;
  if (line.ties.length === 1) return [line.shell, el("small", {}, `or ${line.ties[0]}: nothing known tells them apart`)];
  const list = el("ul", { class: "plain" }, line.ties.map((name) => el("li", {}, name)));
  return [line.shell, el("details", { class: "ties" }, el("summary", {}, `or any of ${line.ties.length} others that nothing known tells apart`), list)];
};

const outside = (line) => el("details", {}, el("summary", {}, "out of domain"), line.domain_reasons.join("; "));
const against = (line) => [...line.flags, ...(line.domain_reasons.length ? [outside(line)] : [])];
const againstCell = (line) =>
  (against(line).length
    ? el("ul", { class: "plain flags" }, against(line).map((content) => el("li", {}, content)))
    : el("span", { class: "small" }, "nothing known"));

const context = (line) =>
  [line.structure === "core/shell" ? "" : line.structure, isKnown(line.core_size_nm) ? `core of ${figure(line.core_size_nm)} nm` : ""].filter(Boolean).join(", ");

// Tables --------------------------------------------------------------------------------------

const numbers = (targets, stressors) => [
  ...pooledOf(targets, stressors).map(({ target, title, pooled, least }) => ({
    title,
    kind: "n",
    first: "descending",
    of: (line) => line[least],
    cell: (line) =>
      (isKnown(line[least])
        ? bounded(`≥ ${lasting(target, line[least])}`, isKnown(line[pooled]) ? `pooled ${lasting(target, line[pooled])}` : "median not reached", line.at_least_evidence[least])
        : unknown()),
  })),
  {
    title: "PLQY",
    kind: "n",
    first: "descending",
    of: (line) => line.plqy_at_least,
    cell: (line) => (isKnown(line.plqy_at_least) ? bounded(`≥ ${whole(line.plqy_at_least)} %`, `pooled ${whole(line.plqy_pooled)} %`, line.at_least_evidence.plqy_at_least) : unknown()),
  },
  {
    title: "PL peak, model",
    kind: "n",
    of: (line) => line.pl_peak_nm,
    cell: (line) => bounded(`${whole(line.pl_peak_nm)} nm`, `${whole(line.pl_peak_nm_lower)} to ${whole(line.pl_peak_nm_upper)}`),
  },
];

export const createRanking = ({ colourOf, onPick, targets, order, stressors }) => {
  const swatch = (line) => {
    const spot = el("span", { class: "swatch", "aria-hidden": "true" });
    spot.style.background = colourOf(line.pl_peak_nm);
    return spot;
  };
  const use = (line) => button("Predict", () => onPick(line), { "aria-label": `Predict ${combination(line)}` });
  const columns = (special, number) => [
    { title: "#", of: (line) => line.rank, cell: (line) => [String(line.rank), line.is_pareto ? el("small", {}, "Pareto front") : null] },
    { title: "Core", isHead: true, of: (line) => line.core, cell: (line) => [swatch(line), line.core, el("small", {}, context(line)), use(line)] },
    { title: "Shell", kind: "shell", of: (line) => line.shell, cell: shellCell },
    special,
    { title: "Speaks against it", kind: "flagged", first: "descending", of: (line) => against(line).length, cell: againstCell },
    ...numbers(targets, stressors),
    { title: sentenceCase(number), kind: "n", first: "descending", of: scoreOf, cell: (line) => figure(scoreOf(line)) },
  ];
  const table = (lines, label, special, { number }) =>
    (lines.length
      ? dataTable({
        label,
        caption: "≥ is a lower bound with a probability of 90 %, of all that papers measured, pooled; intervals of the model cover 90 %.",
        columns: columns(special, number),
        rows: lines,
        attributes: ({ id }) => ({ id, tabindex: -1 }),
      }).element
      : el("p", { class: "notice" }, "None."));

  const points = pointsOf(targets);
  const axes = [
    ...pooledOf(targets, stressors).map(({ target, title, least }) => ({
      label: target.unit ? `${title}, at least (${target.unit})` : `${title}, at least`,
      log: true,
      of: (line) => line[least],
      say: (line) => `${title} at least ${lasting(target, line[least])}`,
    })),
    { label: "PLQY at least (%)", of: (line) => line.plqy_at_least, say: (line) => `PLQY at least ${whole(line.plqy_at_least)} %` },
    { label: "PL peak (nm)", of: (line) => line.pl_peak_nm, say: (line) => `PL peak ${whole(line.pl_peak_nm)} nm` },
    { label: sentenceCase(order.candidates.number), of: scoreOf, say: (line) => `${order.candidates.number} ${figure(scoreOf(line))}` },
  ];

  const plot = (lines) => {
    const chosen = { across: axes.length - 2, up: 0 };
    const box = el("div", { class: "plot" });
    const caption = el("p", { class: "small" });
    const draw = () => {
      const [across, up] = [axes[chosen.across], axes[chosen.up]];
      const shown = lines.filter((line) => isKnown(across.of(line)) && isKnown(up.of(line)));
      box.replaceChildren(
        el("span", { class: "axis-up", "aria-hidden": "true" }, up.label),
        el("div", { class: "area" }, shown.length ? scatter(shown, across, up, colourOf) : ""),
        el("span", { class: "axis-across", "aria-hidden": "true" }, across.label),
      );
      const front = lines.filter((line) => line.is_pareto).map((line) => `${line.rank}. ${combination(line)}`);
      caption.textContent = `${up.label} against ${across.label}: ${shown.length} lines, each in the colour of its light; squares were measured. `
        + `Ringed: on the Pareto front (no other is better in every objective): ${front.join("; ") || "none of these"}.`;
    };
    const pick = (name, label) => {
      const select = el("select", {}, axes.map((axis, k) => el("option", { value: k }, axis.label)));
      select.value = chosen[name];
      select.addEventListener("change", () => {
        chosen[name] = Number(select.value);
        draw();
      });
      return el("label", {}, `${label} `, select);
    };
    box.addEventListener("click", (event) => {
      const line = event.target.closest(".point")?.dataset.line;
      if (line) document.getElementById(line)?.focus();
    });
    draw();
    return el("figure", { class: "front" }, el("div", { class: "toolbar" }, pick("across", "Across"), pick("up", "Up")), box, el("figcaption", {}, caption));
  };

  return {
    measuredTable: (lines) => table(lines, "Measured", { title: "What papers measured", kind: "wide", cell: samplesCell(points) }, order.measured),
    candidatesTable: (lines) => table(lines, "Worth trying", { title: "Papers", kind: "wide", first: "descending", of: (line) => line.shell_papers.length, cell: papersCell }, order.candidates),
    plot,
  };
};

// The papers that two lists name, most telling first.
export const papersOf = ({ measured: lines, candidates }) => [...new Set([
  ...lines.flatMap((line) => line.combination_papers),
  ...candidates.flatMap((line) => line.shell_papers),
  ...candidates.filter((line) => !line.shell_papers.length).flatMap(nearest),
])];
