// The model card: what has skill first, then the figures, then every word of it.

import { el } from "./dom.js";
import { figure, sentenceCase, whole } from "./format.js";

const verdict = ({ title }, { has_skill: hasSkill, sentence }) =>
  el(
    "article",
    { class: `tile ${hasSkill ? "good" : "none"}` },
    el("h3", {}, sentenceCase(title)),
    el("p", { class: "badge" }, hasSkill ? "has skill" : "no skill"),
    el("p", {}, `${sentenceCase(sentence)}.`),
  );

const errors = (figures, targets, subsets) => {
  const triple = (key, write = figure) => [write(figures[key]), el("small", {}, `${write(figures[`${key}_lo`])} to ${write(figures[`${key}_hi`])}`)];
  const rows = targets.filter(({ kind }) => kind === "point").flatMap(({ name, title, error_unit: unit }) =>
    Object.entries(subsets)
      .map(([subset, words]) => ({ key: `${name}.paper.${subset}`, text: `${title}, ${words} (${unit})` }))
      .filter(({ key }) => Number.isFinite(figures[`${key}.mae`])));
  const head = ["Target", "Samples", "Papers", "Mean absolute error (MAE)", "Median absolute error", "Coverage of 90 % intervals", "Interval width"];
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Prediction errors" },
    el(
      "table",
      {},
      el("caption", {}, "Errors on papers left out of the training, with 90 % intervals over papers."),
      el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map(({ key, text }) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, text),
          el("td", { class: "n" }, figure(figures[`${key}.n`])),
          el("td", { class: "n" }, figure(figures[`${key}.papers`])),
          el("td", { class: "n" }, ...triple(`${key}.mae`)),
          el("td", { class: "n" }, figure(figures[`${key}.median`])),
          el("td", { class: "n" }, ...triple(`${key}.coverage`, (share) => `${whole(100 * share)} %`)),
          el("td", { class: "n" }, figure(figures[`${key}.width`])),
        ))),
    ),
  );
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
