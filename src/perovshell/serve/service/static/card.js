// The model card: what has skill first, then the figures, then every word of it.

import { el } from "./dom.js";
import { figure, sentenceCase, whole } from "./format.js";
import { dataTable } from "./table.js";

const verdict = ({ title }, { has_skill: hasSkill, sentence }) =>
  el(
    "article",
    { class: `tile ${hasSkill ? "good" : "none"}` },
    el("h3", {}, sentenceCase(title)),
    el("p", { class: "badge" }, hasSkill ? "has skill" : "no skill"),
    el("p", {}, `${sentenceCase(sentence)}.`),
  );

const withEnds = (figures, key, write) => [write(figures[key]), el("small", {}, `${write(figures[`${key}_lo`])} to ${write(figures[`${key}_hi`])}`)];

const errors = (figures, targets, subsets) => {
  const rows = targets.filter(({ kind }) => kind === "point").flatMap(({ name, title, error_unit: unit }) =>
    Object.entries(subsets)
      .map(([subset, words]) => ({ key: `${name}.paper.${subset}`, text: `${title}, ${words} (${unit})` }))
      .filter(({ key }) => Number.isFinite(figures[`${key}.mae`])));
  const column = (title, name, cell = (key) => figure(figures[key])) =>
    ({ title, kind: "n", of: ({ key }) => figures[`${key}.${name}`], cell: ({ key }) => cell(`${key}.${name}`) });
  return dataTable({
    label: "Prediction errors",
    caption: "Errors on papers left out of the training, with 90 % intervals over papers.",
    columns: [
      { title: "Target", isHead: true, of: ({ text }) => text, cell: ({ text }) => text },
      column("Samples", "n"),
      column("Papers", "papers"),
      column("Mean absolute error (MAE)", "mae", (key) => withEnds(figures, key, figure)),
      column("Median absolute error", "median"),
      column("Coverage of 90 % intervals", "coverage", (key) => withEnds(figures, key, (share) => `${whole(100 * share)} %`)),
      column("Interval width", "width"),
    ],
    rows,
  }).element;
};

// Lines that begin with blanks belong to the line above.
const listed = (lines) => {
  const items = [];
  for (const line of lines) {
    if (line.startsWith(" ") && items.length) items.at(-1).push(line.trim());
    else items.push([line]);
  }
  return el("ul", {}, items.map(([line, ...inner]) => el("li", {}, line, inner.length ? el("ul", {}, inner.map((own) => el("li", {}, own))) : null)));
};

export const showCard = ({ card, figures, skill, subsets, targets }) => {
  const { Purpose: purpose = [], Limits: limits = [], ...rest } = card;
  const sections = Object.entries(rest).filter(([title]) => title !== "What has skill");
  document.getElementById("card").replaceChildren(
    el("p", { class: "purpose" }, purpose.join(" ")),
    el("h2", {}, "What has skill"),
    el("div", { class: "tiles" }, targets.filter(({ name }) => skill[name]).map((target) => verdict(target, skill[target.name]))),
    el("h2", {}, "Prediction errors"),
    errors(figures, targets, subsets),
    el("h2", {}, "Limits"),
    listed(limits),
    ...sections.map(([title, lines]) => el("details", {}, el("summary", {}, el("h2", {}, title)), listed(lines))),
  );
};
