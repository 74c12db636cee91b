// What one answer says: the parts of a column, in words and charts.

import { bar, spectrum } from "./charts.js";
import { el } from "./dom.js";
import { combination, conditions, estimate, interval, lasting, measured, percent, pointsOf, sentenceCase, signed, stabilityOf, under, whole, words } from "./format.js";
import { light } from "./given.js";
import { scale, wholeDecades } from "./scales.js";

const VISIBLE = scale(light.low, light.high);
const PERCENT = scale(0, 100);

// The axes that all columns share, so that eyes can compare: by column, without a stressor.
export const sharedScales = (answers, stressors, targets) => {
  const values = (name) => answers.flatMap((answer) => ["", "_lower", "_upper"].map((end) => answer[name + end]));
  const effects = pointsOf(targets).filter(({ effect }) => effect).map(({ effect }) => {
    const widest = Math.max(20, ...values(effect).map((value) => Math.abs(value ?? 0)));
    return [effect, scale(-widest, widest)];
  });
  const stability = stabilityOf(targets).map((target) => {
    const known = stressors.flatMap((stressor) => values(under(target, stressor)));
    return [target.column, scale(...wholeDecades(known, 1, 1000), { log: true })];
  });
  return Object.fromEntries([...effects, ...stability]);
};

const figureLine = (headline, small, kind = "figure") => el("p", { class: kind }, el("strong", {}, headline), " ", el("span", {}, small));
const between = ({ low, high }, write, unit) => `${write(low)} to ${write(high)}${unit}`;
const list = (entries, kind = "plain") => el("ul", { class: kind }, entries.map((entry) => el("li", {}, entry)));
const lacks = (skill, { name }) => skill[name]?.has_skill === false;
const unskilled = (skill, target) => (lacks(skill, target) ? el("p", { class: "caution" }, `No skill: ${target.no_skill}.`) : null);
const isBare = (answer) => answer.pl_shift_nm_lower === 0 && answer.pl_shift_nm_upper === 0;

// Names of columns stay as they are written.
const entryCase = (text) => (/^\w*_/.test(text) ? text : sentenceCase(text));
// Symbols of materials too.
const flagCase = (text) => (/^[a-z]+ /.test(text) ? sentenceCase(text) : text);
// The verdict, its reasons, the flags and the notes. Which target has no skill is said where its value is.
const domain = ({ answer, targets }) => {
  const papers = new Set(answer.details.measured.map(({ paper }) => paper)).size;
  const measured = papers ? [`measured in ${papers} ${papers === 1 ? "paper" : "papers"}, listed below`] : [];
  const notes = answer.notes.filter((note) => !targets.some((target) => target.no_skill === note));
  const entries = [...measured, ...notes].map(entryCase);
  return [
    answer.in_domain
      ? el("p", { class: "verdict inside" }, "In domain")
      : el("p", { class: "verdict outside" }, "Out of domain: do not rely on these numbers."),
    answer.domain_reasons.length ? list(answer.domain_reasons.map(entryCase), "plain reasons") : null,
    answer.flags.length ? list(answer.flags.map(flagCase), "plain flags") : null,
    entries.length ? list(entries, "plain notes") : null,
  ];
};

const emission = (given) => {
  const beyond = given.value > VISIBLE.high ? "infrared" : given.value < VISIBLE.low ? "ultraviolet" : "";
  return [
    spectrum(VISIBLE, given),
    beyond ? el("p", { class: "small" }, `Not visible: ${beyond}. The strip shows ${VISIBLE.low} to ${VISIBLE.high} nm.`) : null,
  ];
};

const pointPart = (target) => ({ answer, skill, coverage }) => {
  const given = interval(answer, target.column);
  return [
    figureLine(`${whole(given.value)} ${target.unit}`, `${between(given, whole, ` ${target.unit}`)} (${percent(coverage)})`),
    ...(target.column === "pl_peak_nm" ? emission(given) : [bar(PERCENT, given)]),
    unskilled(skill, target),
  ];
};

const effect = ({ answer, scales, targets }) => {
  if (isBare(answer)) return [el("p", { class: "small" }, "This is the bare core: no shell, no effect.")];
  return pointsOf(targets).filter((target) => target.effect).flatMap((target) => {
    const given = interval(answer, target.effect);
    const unseen = given.low <= 0 && given.high >= 0;
    const unit = ` ${target.error_unit}`;
    return [
      el("h4", {}, `Change of the ${target.title}`),
      figureLine(`${signed(given.value)}${unit}`, between(given, signed, unit)),
      bar(scales[target.effect], given, { zero: true, hollow: unseen }),
      el("p", { class: "small" }, unseen ? "No detectable effect: the interval includes 0." : `The shell ${given.value > 0 ? "raises" : "lowers"} it.`),
    ];
  });
};

const isFixed = ({ low, high }) => low === high;
// A lower bound comes first: what lies above it is not known.
const bounded = (target, given, coverage) => {
  if (isFixed(given)) return figureLine(lasting(target, given.value), "by definition: it is the bare core", "figure bounded");
  const limit = given.openHigh ? "no upper limit" : `at most ${lasting(target, given.high)}`;
  return figureLine(
    `at least ${lasting(target, given.low)}`,
    `(${percent(coverage)}); ${estimate(target, given)}${given.sign === "<" ? "" : `, ${limit}`}`,
    "figure bounded",
  );
};

const stability = ({ answer, stressors, skill, scales, coverage, targets }) => {
  if (!stressors.length) return [el("p", { class: "small" }, "Choose a stressor above.")];
  const known = stabilityOf(targets);
  const isPredicted = (target) => !stressors.every((stressor) => isFixed(interval(answer, under(target, stressor))));
  const parts = stressors.flatMap((stressor) => {
    const assumed = conditions(answer.details.conditions[stressor]);
    return [
      el("h4", {}, words(stressor), assumed ? el("small", {}, ` at ${assumed}`) : null),
      ...known.flatMap((target) => {
        const given = interval(answer, under(target, stressor));
        return [
          el("p", { class: "name" }, sentenceCase(target.title), lacks(skill, target) && isPredicted(target) ? el("span", { class: "badge" }, "no skill") : null),
          bounded(target, given, coverage),
          bar(scales[target.column], given, { hollow: true }),
        ];
      }),
    ];
  });
  const cautions = known.filter(isPredicted).map((target) => unskilled(skill, target));
  return [...parts, ...cautions, el("p", { class: "small" }, "Logarithmic axes. An arrow means that there is no upper limit; a triangle is a bound of a median that was not reached.")];
};

// A paper: a link where its DOI is known, its id else.
const paper = (name) =>
  /^10\.\d+\//.test(name)
    ? el("a", { href: `https://doi.org/${encodeURI(name).replace(/[?#]/g, encodeURIComponent)}`, target: "_blank", rel: "noopener noreferrer" }, name)
    : el("span", { class: "paper" }, name);

const samples = (rows, targets, withName) =>
  list(rows.map((row) => [
    paper(row.paper),
    el("span", { class: "small" }, [withName ? combination(row) : "", measured(row, pointsOf(targets))].filter(Boolean).join(": ")),
  ]), "samples");

const FOLDED = 4;
const measuredPart = ({ answer, targets, fold }) => {
  const rows = answer.details.measured;
  if (!rows.length) return [el("p", { class: "small" }, "No paper in the data measured it.")];
  if (rows.length <= FOLDED) return [samples(rows, targets, false)];
  return [samples(rows.slice(0, FOLDED), targets, false), fold("measured", `${rows.length - FOLDED} more`, samples(rows.slice(FOLDED), targets, false))];
};

const papers = ({ answer, targets }) =>
  answer.details.nearest.length ? [samples(answer.details.nearest, targets, true)] : [el("p", { class: "small" }, "No similar sample in the data.")];

const reasons = ({ answer, fold }) => {
  const [first, ...rest] = answer.details.reasons.map(({ sentence }) => sentence);
  return first ? [list([first]), rest.length ? fold("reasons", "Other targets", list(rest)) : null] : [];
};

// The parts of a column by name; a point target has one under its own.
export const partsOf = (targets) => ({
  domain,
  ...Object.fromEntries(pointsOf(targets).map((target) => [target.name, pointPart(target)])),
  effect,
  stability,
  measured: measuredPart,
  papers,
  reasons,
});

// One sentence for those who listen.
export const sentence = (one, answer, targets) => {
  if (answer.error) return `${combination(one)}: no answer. ${answer.error}`;
  const values = pointsOf(targets).map((target) => {
    const given = interval(answer, target.column);
    return `${target.title} ${whole(given.value)} ${target.unit}, ${between(given, whole, "")}; `;
  });
  return `${combination(one)}: ${values.join("")}${answer.in_domain ? "in domain" : "out of domain"}.`;
};
