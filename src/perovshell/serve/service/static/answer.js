// What one answer says: the parts of a column, in words and charts.

import { bar, decades, scale, spectrum } from "./charts.js";
import { el, paper } from "./dom.js";
import { column, combination, conditions, hours, interval, measured, percent, short, signed, whole, words } from "./format.js";
import { light } from "./given.js";

const VISIBLE = scale(light.low, light.high);
const PERCENT = scale(0, 100);
const NO_SKILL = {
  pl: "No skill: the model is no better than the median.",
  plqy: "No skill: the model is no better than the median.",
  lifetime: "No skill in half-lives: the model is no better than the null model.",
  gain: "No skill in gains: the model tells no shells apart, take them as the mean of all shells.",
};

// The axes that all columns share, so that eyes can compare.
export const sharedScales = (answers, stressors) => {
  const values = (names, ends) => answers.flatMap((answer) => names.flatMap((name) => ends.map((end) => answer[name + end])));
  const widest = (name, least) => Math.max(least, ...values([name], ["_lower", "_upper"]).map((value) => Math.abs(value ?? 0)));
  const of = (kind) => stressors.map((stressor) => `${kind}_${column(stressor)}`);
  const [shift, change] = [widest("pl_shift_nm", 20), widest("plqy_change", 20)];
  return {
    shift: scale(-shift, shift),
    change: scale(-change, change),
    gain: decades(values(of("stability_gain"), ["", "_lower", "_upper"]), 1, 1000),
    halfLife: decades(values(of("half_life_h"), ["", "_lower", "_upper"]), 1, 1000),
  };
};

const figureLine = (headline, small, kind = "figure") => el("p", { class: kind }, el("strong", {}, headline), " ", el("span", {}, small));
const between = ({ low, high }, write, unit) => `${write(low)} to ${write(high)}${unit}`;
const list = (entries, kind = "plain") => el("ul", { class: kind }, entries.map((entry) => el("li", {}, entry)));
const lacks = (skill, target) => skill[target]?.has_skill === false;
const unskilled = (skill, target) => (lacks(skill, target) ? el("p", { class: "caution" }, NO_SKILL[target]) : null);
const name = (text, hasNone) => el("p", { class: "name" }, text, hasNone ? el("span", { class: "badge" }, "no skill") : null);
const isBare = (answer) => answer.pl_shift_nm_lower === 0 && answer.pl_shift_nm_upper === 0;

// Reasons against the domain, and notes that are no reasons against it.
export const reasonsOf = (answer) => {
  const said = answer.domain_reason.split("; ").filter(Boolean);
  const notes = said.filter((text) => text.startsWith("note: ")).map((text) => text.slice("note: ".length));
  return {
    against: said.filter((text) => !text.startsWith("note: ")),
    // What was measured has a part of its own.
    notes: notes.filter((text) => !text.startsWith("measured by ")),
  };
};

const domain = ({ answer }) => {
  const { against, notes } = reasonsOf(answer);
  return [
    answer.in_domain
      ? el("p", { class: "verdict inside" }, "Inside the domain")
      : el("p", { class: "verdict outside" }, "Outside the domain: do not rely on these numbers."),
    against.length ? list(against) : null,
    notes.length ? list(notes.map((note) => `Note: ${note}`), "plain notes") : null,
  ];
};

const peak = ({ answer, skill, coverage }) => {
  const given = interval(answer, "pl_peak_nm");
  const beyond = given.value > VISIBLE.high ? "infrared" : given.value < VISIBLE.low ? "ultraviolet" : "";
  return [
    figureLine(`${whole(given.value)} nm`, `${between(given, whole, " nm")} (${percent(coverage)})`),
    spectrum(VISIBLE, given),
    beyond ? el("p", { class: "small" }, `Outside visible light: ${beyond}, beyond the strip of ${VISIBLE.low} to ${VISIBLE.high} nm.`) : null,
    unskilled(skill, "pl"),
  ];
};

const plqy = ({ answer, skill, coverage }) => {
  const given = interval(answer, "plqy_percent");
  return [
    figureLine(`${whole(given.value)} %`, `${between(given, whole, " %")} (${percent(coverage)})`),
    bar(PERCENT, given),
    unskilled(skill, "plqy"),
  ];
};

const EFFECTS = [
  ["PL shift", "pl_shift_nm", " nm", "shift"],
  ["PLQY change", "plqy_change", " points", "change"],
];
const effect = ({ answer, scales }) => {
  if (isBare(answer)) return [el("p", { class: "small" }, "This is the bare core: no shell, no effect.")];
  return EFFECTS.flatMap(([title, key, unit, own]) => {
    const given = interval(answer, key);
    const unseen = given.low <= 0 && given.high >= 0;
    return [
      el("h4", {}, title),
      figureLine(`${signed(given.value)}${unit}`, between(given, signed, unit)),
      bar(scales[own], given, { zero: true, hollow: unseen }),
      el("p", { class: "small" }, unseen ? "No detectable effect: the interval holds 0." : `The shell ${given.value > 0 ? "raises" : "lowers"} it.`),
    ];
  });
};

const BOUNDED = "figure bounded";
// A lower bound comes first: what lies above it is not known.
const bounded = (given, write, unit, coverage) => {
  if (given.low === given.high) return figureLine(`${write(given.value)}${unit}`, "by definition: it is the bare core", BOUNDED);
  const top = given.openHigh ? "no upper limit" : `at most ${write(given.high)}${unit}`;
  return figureLine(`at least ${write(given.low)}${unit}`, `(${percent(coverage)}); estimate ${write(given.value)}${unit}, ${top}`, BOUNDED);
};

const stability = ({ answer, stressors, skill, scales, coverage }) => {
  if (!stressors.length) return [el("p", { class: "small" }, "Choose a stressor above.")];
  const parts = stressors.flatMap((stressor) => {
    const gain = interval(answer, `stability_gain_${column(stressor)}`);
    const life = interval(answer, `half_life_h_${column(stressor)}`);
    const assumed = conditions(answer.conditions[stressor]);
    return [
      el("h4", {}, words(stressor), assumed ? el("small", {}, ` at ${assumed}`) : null),
      name("Gain over the bare core", lacks(skill, "gain") && !isBare(answer)),
      bounded(gain, short, " ×", coverage),
      bar(scales.gain, gain, { hollow: true }),
      name("Half-life", lacks(skill, "lifetime")),
      bounded(life, hours, "", coverage),
      bar(scales.halfLife, life, { hollow: true }),
    ];
  });
  return [...parts, isBare(answer) ? null : unskilled(skill, "gain"), unskilled(skill, "lifetime"), el("p", { class: "small" }, "Axes: factors and hours, logarithmic. An arrow has no upper limit.")];
};

const samples = (rows, withName) =>
  list(rows.map((row) => [
    paper(row.paper),
    el("span", { class: "small" }, [withName ? combination(row) : "", measured(row)].filter(Boolean).join(": ")),
  ]), "samples");

const FOLDED = 4;
const measuredPart = ({ answer, fold }) => {
  const rows = answer.measured;
  if (!rows.length) return [el("p", { class: "small" }, "No paper of the data measured it.")];
  if (rows.length <= FOLDED) return [samples(rows, false)];
  return [samples(rows.slice(0, FOLDED), false), fold("measured", `${rows.length - FOLDED} more`, samples(rows.slice(FOLDED), false))];
};

const papers = ({ answer }) =>
  answer.nearest.length ? [samples(answer.nearest, true)] : [el("p", { class: "small" }, "No paper is near.")];

const reasons = ({ answer, fold }) => {
  const [first, ...rest] = answer.reasons.map(({ sentence }) => sentence);
  return first ? [list([first]), rest.length ? fold("reasons", "PLQY and stability", list(rest)) : null] : [];
};

export const PARTS = { domain, peak, plqy, effect, stability, measured: measuredPart, papers, reasons };

// One sentence for those who listen.
export const sentence = (one, answer) => {
  if (answer.error) return `${combination(one)}: no answer. ${answer.error}`;
  const [nm, percents] = [interval(answer, "pl_peak_nm"), interval(answer, "plqy_percent")];
  return `${combination(one)}: PL peak ${whole(nm.value)} nm, ${between(nm, whole, "")}; `
    + `PLQY ${whole(percents.value)} %, ${between(percents, whole, "")}; ${answer.in_domain ? "inside" : "outside"} the domain.`;
};
