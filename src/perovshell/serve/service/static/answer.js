// What one answer says: the parts of a column, in words and charts.

import { bar, spectrum } from "./charts.js";
import { el } from "./dom.js";
import { combination, conditions, estimate, figure, interval, lasting, measured, percent, pointsOf, sentenceCase, stabilityOf, under, whole, words } from "./format.js";
import { light } from "./given.js";
import { folded, paper } from "./papers.js";
import { scale, wholeDecades } from "./scales.js";

const VISIBLE = scale(light.low, light.high);
const PERCENT = scale(0, 100);

// The axes that all columns share, so that eyes can compare: by column, without a stressor.
export const sharedScales = (answers, stressors, targets) =>
  Object.fromEntries(stabilityOf(targets).map((target) => {
    const names = stressors.map((stressor) => under(target, stressor));
    const known = answers.flatMap((answer) => names.flatMap((name) => ["", "_lower", "_upper"].map((end) => answer[name + end])));
    return [target.column, scale(...wholeDecades(known, 1, 1000), { log: true })];
  }));

const figureLine = (headline, small, kind = "figure") => el("p", { class: kind }, el("strong", {}, headline), " ", el("span", {}, small));
const between = ({ low, high }, write, unit) => `${write(low)} to ${write(high)}${unit}`;
const list = (entries, kind = "plain") => el("ul", { class: kind }, entries.map((entry) => el("li", {}, entry)));
const lacks = (skill, { name }) => skill[name]?.has_skill === false;

// Names of columns stay as they are written.
const entryCase = (text) => (/^\w*_/.test(text) ? text : sentenceCase(text));
// Symbols of materials too.
const flagCase = (text) => (/^[a-z]+ /.test(text) ? sentenceCase(text) : text);

// What papers measured ------------------------------------------------------------------------

// By how much a shell changed a value: known only where the same paper measured the bare core.
const change = (row, { column, name, error_unit: points }) => {
  const [value, bare] = [row[column], row[`bare_${column}`]];
  if (!Number.isFinite(value) || !Number.isFinite(bare)) return "";
  const printed = [row[name], row[`bare_${name}`]];
  // The difference of a bound is not known.
  if (printed.some((text) => /^[<>]/.test(text))) return `bare core ${printed[1]}`;
  const about = printed.some((text) => text.startsWith("~") || text.includes(" to ")) ? "~" : "";
  const difference = value - bare;
  const sign = difference > 0 ? "+" : difference < 0 ? "\u2212" : "±";
  return `${about}${sign}${figure(Math.abs(difference))} ${points} by the shell (bare core ${printed[1]})`;
};

const sampleOf = (targets, { isNamed = false } = {}) => (row) => {
  const points = pointsOf(targets);
  const values = measured({ ...row, stability: "" }, points, "");
  const changes = points.map((target) => change(row, target)).filter(Boolean);
  const tests = row.stability ? row.stability.split("; ").map(sentenceCase) : [];
  const texts = [values, ...changes, ...tests].filter(Boolean);
  return [
    isNamed ? el("strong", {}, combination(row)) : null,
    paper(row.paper),
    ...(texts.length ? texts : ["emission not stated"]).map((text) => el("span", { class: "small" }, text)),
    row.differs?.length ? el("span", { class: isNamed ? "differs" : "small" }, `${isNamed ? "Differs" : "Sample"}: ${row.differs.join(", ")}`) : null,
  ];
};

const literatureLink = ({ core, shell }) => {
  const asked = new URLSearchParams({ core: core.trim(), ...(shell.trim() === "none" ? {} : { shell: shell.trim() }) });
  return el("p", { class: "small" }, el("a", { href: `#literature?${asked}` }, "Tests and plots in the literature"));
};

const FOLDED = 4;
const measuredPart = ({ answer, one, targets, fold }) => {
  const rows = answer.details.measured;
  if (!rows.length) return [el("p", {}, "No paper in the data measured this combination.")];
  return [...folded(rows.map(sampleOf(targets)), { shown: FOLDED, kind: "samples", fold: (title, rest) => fold("measured", title, rest) }), literatureLink(one)];
};

const flags = ({ answer, one }) => {
  if (answer.flags.length) return [list(answer.flags.map(flagCase), "plain flags")];
  return [el("p", { class: "small" }, one.shell.trim() === "none" ? "The bare core has no coating." : "None: nothing known speaks against the coating.")];
};

// What the model says -------------------------------------------------------------------------

// The verdict on a target, under a stressor where it is a lifetime or a gain.
const isInside = (answer, { kind, domain_column: column }, stressor) =>
  answer[kind === "point" ? column : under({ column }, stressor)];
const badgeOf = (...asked) => (isInside(...asked)
  ? el("span", { class: "badge good" }, "in domain")
  : el("span", { class: "badge" }, "out of domain"));

// What is in domain and what is not, by name.
const listed = new Intl.ListFormat("en-GB");
const namesOf = (answer, targets, wanted) => {
  const points = pointsOf(targets).filter((target) => target.column && isInside(answer, target) === wanted);
  const stressors = Object.keys(answer.details.conditions)
    .filter((stressor) => stabilityOf(targets).every((target) => isInside(answer, target, stressor) === wanted));
  const stability = stressors.length ? [`stability under ${listed.format(stressors.map(words))}`] : [];
  return listed.format([...points.map(({ title }) => title), ...stability]);
};

const verdicts = (answer, targets) => {
  const [inside, outside] = [true, false].map((wanted) => namesOf(answer, targets, wanted));
  if (!outside) return [el("p", { class: "verdict inside" }, "In domain")];
  if (!inside) return [el("p", { class: "verdict outside" }, "Out of domain: do not rely on these numbers.")];
  return [
    el("p", { class: "verdict outside" }, `Out of domain, do not rely on: ${outside}`),
    el("p", { class: "verdict inside" }, `In domain: ${inside}`),
  ];
};

// The verdicts, their reasons and the notes. Which target has no skill is said where its value is.
const domain = ({ answer, targets }) => {
  const papers = new Set(answer.details.measured.map(({ paper: name }) => name)).size;
  const known = papers ? [`measured in ${papers} ${papers === 1 ? "paper" : "papers"}`] : [];
  const notes = answer.notes.filter((note) => !targets.some((target) => target.no_skill === note));
  const entries = [...known, ...notes].map(entryCase);
  return [
    ...verdicts(answer, targets),
    answer.domain_reasons.length ? list(answer.domain_reasons.map(entryCase), "plain reasons") : null,
    entries.length ? list(entries, "plain notes") : null,
  ];
};

// A target without skill: what papers measured, and the model's number in small type.
const noSkill = (texts, target, model) => [
  el("p", { class: "caution" }, `No skill: ${texts.length ? `papers measured ${[...new Set(texts)].join(", ")}` : "no paper measured it"}.`),
  el("p", { class: "small unskilled" }, `The model says ${model}, but ${target.no_skill}.`),
];

const emission = (given) => {
  const beyond = given.value > VISIBLE.high ? "infrared" : given.value < VISIBLE.low ? "ultraviolet" : "";
  return [
    spectrum(VISIBLE, given),
    beyond ? el("p", { class: "small" }, `Not visible: ${beyond}. The strip shows ${VISIBLE.low} to ${VISIBLE.high} nm.`) : null,
  ];
};

const pointPart = (target) => ({ answer, skill, coverage }) => {
  const given = interval(answer, target.column);
  const unit = ` ${target.unit}`;
  const badge = badgeOf(answer, target);
  const ends = `${between(given, whole, unit)} (${percent(coverage)})`;
  if (lacks(skill, target)) {
    const known = answer.details.measured.map((row) => row[target.name]).filter(Boolean);
    return [badge, ...noSkill(known, target, `${whole(given.value)}${unit}, ${ends}`)];
  }
  return [
    badge,
    figureLine(`${whole(given.value)}${unit}`, ends),
    ...(target.column === "pl_peak_nm" ? emission(given) : [bar(PERCENT, given)]),
  ];
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

// What papers measured under a stressor: "light: gain above 3" begins with it.
const testsUnder = (rows, stressor, word) =>
  rows.flatMap(({ stability: text }) => (text ? text.split("; ") : []))
    .map((text) => text.split(": "))
    .filter(([name, result]) => name === stressor && result.startsWith(word))
    .map(([, result]) => result);

// What papers show at least under a stressor: it comes before what the model says.
const knownUnder = ({ answer, targets }, stressor) => {
  const bounds = answer.details.known_at_least.filter((bound) => bound.stressor === stressor);
  if (!bounds.length) return [];
  const line = ({ target: name, at_least: least, evidence }) => {
    const target = targets.find((other) => other.name === name);
    return [`${sentenceCase(target.title)} ${lasting(target, least)} `, el("span", { class: "small" }, `(nearest: ${evidence})`)];
  };
  return [el("p", { class: "name" }, "Known at least (90 %), pooled over papers and like shells"), list(bounds.map(line), "plain known-at-least")];
};

const underStressor = ({ answer, skill, scales, coverage }, stressor) => (target) => {
  const given = interval(answer, under(target, stressor));
  const head = el("p", { class: "name" }, `Model: ${target.title}`);
  if (lacks(skill, target) && !isFixed(given)) {
    const word = target.unit ? "half-life" : "gain";
    const model = `at least ${lasting(target, given.low)} (${percent(coverage)}), ${estimate(target, given)}`;
    return [head, ...noSkill(testsUnder(answer.details.measured, stressor, word), target, model)];
  }
  return [head, bounded(target, given, coverage), bar(scales[target.column], given, { hollow: true })];
};

const stability = (given) => {
  const { answer, stressors, targets } = given;
  if (!stressors.length) return [el("p", { class: "small" }, "Choose a stressor above.")];
  // All targets under a stressor share its verdict.
  const [first] = stabilityOf(targets);
  const parts = stressors.flatMap((stressor) => {
    const assumed = conditions(answer.details.conditions[stressor]);
    return [
      el("h4", {}, words(stressor), assumed ? el("small", {}, ` at ${assumed}`) : null, " ", badgeOf(answer, first, stressor)),
      ...knownUnder(given, stressor),
      ...stabilityOf(targets).flatMap(underStressor(given, stressor)),
    ];
  });
  return [...parts, el("p", { class: "small" }, "Logarithmic axes. An arrow means that there is no upper limit; a triangle is a bound of a median that was not reached.")];
};

// The literature around it --------------------------------------------------------------------

const papers = ({ answer, targets }) =>
  answer.details.nearest.length
    ? [list(answer.details.nearest.map(sampleOf(targets, { isNamed: true })), "samples")]
    : [el("p", { class: "small" }, "No similar sample in the data.")];

const reasons = ({ answer, fold }) => {
  const [first, ...rest] = answer.details.reasons.map(({ sentence }) => sentence);
  return first ? [list([first]), rest.length ? fold("reasons", "Other targets", list(rest)) : null] : [];
};

// The parts of a column by name; a point target has one under its own.
export const partsOf = (targets) => ({
  measured: measuredPart,
  flags,
  domain,
  ...Object.fromEntries(pointsOf(targets).map((target) => [target.name, pointPart(target)])),
  stability,
  papers,
  reasons,
});

// One sentence for those who listen.
export const sentence = (one, answer, targets, skill) => {
  if (answer.error) return `${combination(one)}: no answer. ${answer.error}`;
  const values = pointsOf(targets).filter((target) => !lacks(skill, target)).map((target) => {
    const given = interval(answer, target.column);
    return `${target.title} ${whole(given.value)} ${target.unit}, ${between(given, whole, "")}; `;
  });
  const count = answer.details.measured.length;
  const outside = namesOf(answer, targets, false);
  return `${combination(one)}: ${count ? "measured; " : ""}${values.join("")}${outside ? `out of domain: ${outside}` : "in domain"}.`;
};
