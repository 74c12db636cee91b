// The model card: what has skill first, then the figures, then every word of it.

import { el } from "./dom.js";
import { figure, whole } from "./format.js";

const NAMES = { pl: "PL peak", plqy: "PLQY", lifetime: "Half-life", gain: "Stability gain" };
const UNITS = { pl: "nm", plqy: "points" };
const SUBSETS = {
  all: "all",
  lead_no_cspbcl3: "lead halides without the CsPbCl3 collection",
  coated: "coated",
  lead_free: "lead-free",
};

const sentenceCase = (text) => text[0].toUpperCase() + text.slice(1);

const verdict = (name, { has_skill: hasSkill, sentence }) =>
  el(
    "article",
    { class: `tile ${hasSkill ? "good" : "none"}` },
    el("h3", {}, NAMES[name] ?? name),
    el("p", { class: "badge" }, hasSkill ? "has skill" : "no skill"),
    el("p", {}, `${sentenceCase(sentence)}.`),
  );

const errors = (figures) => {
  const triple = (key, write = figure) => [write(figures[key]), el("small", {}, `${write(figures[`${key}_lo`])} to ${write(figures[`${key}_hi`])}`)];
  const rows = Object.entries(UNITS).flatMap(([target, unit]) =>
    Object.entries(SUBSETS)
      .map(([subset, text]) => ({ key: `${target}.paper.${subset}`, name: `${NAMES[target]}, ${text}`, unit }))
      .filter(({ key }) => Number.isFinite(figures[`${key}.mae`])));
  const head = ["What was predicted", "Samples", "Papers", "Mean error", "Median error", "Intervals hold", "Their width"];
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Errors of PL peak and PLQY" },
    el(
      "table",
      {},
      el("caption", {}, "Errors on papers that the model had not seen, with 90 % intervals over papers."),
      el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map(({ key, name, unit }) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, `${name} (${unit})`),
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

export const showCard = ({ card, figures, skill }) => {
  const order = ["pl", "plqy", "lifetime", "gain"].filter((name) => skill[name]);
  const { Purpose: purpose = [], Limits: limits = [], ...rest } = card;
  const sections = Object.entries(rest).filter(([title]) => title !== "What has skill");
  document.getElementById("card").replaceChildren(
    el("p", { class: "purpose" }, purpose.join(" ")),
    el("h2", {}, "What has skill"),
    el("div", { class: "tiles" }, order.map((name) => verdict(name, skill[name]))),
    el("h2", {}, "How large the errors are"),
    errors(figures),
    el("h2", {}, "Limits"),
    listed(limits),
    ...sections.map(([title, lines]) => el("details", {}, el("summary", {}, el("h2", {}, title)), listed(lines))),
  );
};
