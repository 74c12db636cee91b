// What papers measured: a search of the literature, its pooled values, tests and plots.

import { fillForm, formValues, keepAddress, queryText } from "./address.js";
import { latest, read, readText, ServiceError } from "./api.js";
import { combobox, coreSuggestions, shellSuggestions } from "./combobox.js";
import { button, el } from "./dom.js";
import { faultTeller } from "./fields.js";
import { csvOf, saveFile, savePicture } from "./files.js";
import { figure, hours, sentenceCase, short } from "./format.js";
import { citations, paper } from "./papers.js";
import { dataTable } from "./table.js";

const VIEW = "literature";
const LEVELS = { combination: "core and shell", shell: "the shell on any core", class: "shells of the class", all: "" };

const nameOf = ({ doi, paper_id: id }) => doi || id;
const factor = (value) => `${short(value)} ×`;
const factors = (low, high) => `${short(low)} to ${factor(high)}`;
const times = (low, high) => `${hours(low)} to ${hours(high)}`;
const unitOf = ({ quantity }) => (quantity === "half-life" ? hours : factor);
const isKnown = (value) => typeof value === "number";

// An interval of a test; null is an open end.
const ends = (low, high, write, between) => {
  if (!isKnown(low) && !isKnown(high)) return "";
  if (!isKnown(high)) return `above ${write(low)}`;
  return low ? between(low, high) : `below ${write(high)}`;
};

const POOLED = [
  { title: "Of", isHead: true, of: ({ name }) => name, cell: ({ name, level }) => [name, el("small", {}, LEVELS[level])] },
  { title: "Under", of: ({ stressor }) => stressor, cell: ({ stressor }) => stressor },
  { title: "Quantity", of: ({ quantity }) => quantity, cell: ({ quantity }) => quantity },
  { title: "At least", kind: "n", first: "descending", of: (row) => row.at_least, cell: (row) => unitOf(row)(row.at_least) },
  { title: "Median", kind: "n", first: "descending", of: (row) => row.median, cell: (row) => (isKnown(row.median) ? unitOf(row)(row.median) : isKnown(row.at_most) ? `below ${unitOf(row)(row.at_most)}` : "not reached") },
  { title: "Papers differ by", kind: "n", first: "descending", of: ({ spread }) => spread, cell: ({ spread }) => (spread === null ? "not known" : `× ${short(spread)}`) },
  { title: "Tests", kind: "n", first: "descending", of: ({ tests }) => tests, cell: ({ tests }) => String(tests) },
  { title: "Papers", kind: "n", first: "descending", of: ({ papers }) => papers, cell: ({ papers }) => String(papers) },
];

const PAPER = { title: "Paper", kind: "wide", of: nameOf, cell: (row) => paper(nameOf(row)) };
const YEAR = { title: "Year", kind: "n", first: "descending", of: ({ year }) => year, cell: ({ year }) => String(year ?? "") };
const CORE = { title: "Core", isHead: true, of: ({ core }) => core, cell: ({ core }) => core };
const SHELL = { title: "Shell", of: ({ shell }) => shell, cell: ({ shell, structure }) => [shell, el("small", {}, structure === "core/shell" ? "" : structure)] };
const MEDIUM = { title: "Medium", of: ({ medium }) => medium, cell: ({ medium }) => medium };

const TESTS = [
  CORE,
  SHELL,
  { title: "Under", of: ({ stressor }) => stressor, cell: ({ stressor, condition }) => [stressor, el("small", {}, condition)] },
  { title: "Coated", cell: ({ coated }) => coated },
  { title: "Bare", cell: ({ bare }) => bare },
  { title: "Gain", kind: "n", first: "descending", of: (row) => row.stability_gain_low, cell: (row) => ends(row.stability_gain_low, row.stability_gain_high, factor, factors) },
  { title: "Half-life", kind: "n", first: "descending", of: (row) => row.half_life_h_low, cell: (row) => ends(row.half_life_h_low, row.half_life_h_high, hours, times) },
  MEDIUM,
  { title: "Number", of: ({ quality }) => quality, cell: ({ quality }) => quality },
  YEAR,
  PAPER,
];

const SAMPLES = [
  CORE,
  SHELL,
  { title: "PL peak", kind: "n", of: ({ pl_peak_nm: value }) => value, cell: ({ pl }) => pl },
  { title: "PLQY", kind: "n", first: "descending", of: ({ plqy_percent: value }) => value, cell: ({ plqy }) => plqy },
  { title: "Core size", kind: "n", of: ({ core_size_nm: value }) => value, cell: ({ core_size_nm: value }) => (isKnown(value) ? `${figure(value)} nm` : "") },
  MEDIUM,
  YEAR,
  PAPER,
];

// Both sides are of one service: its SVG is taken as it is.
const pictureOf = (text) => document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);

// The plots in their order; the service says which of them a query has.
const PLOTS = [
  { show: "stability", title: "Forest plots", caption: "A line for each test, with an arrow where it is open; a diamond for each pooled value." },
  { show: "pl", title: "PL by composition and size", caption: "A point for each sample, in the colour of its light." },
  { show: "plqy", title: "PLQY by shell", caption: "A point for each sample; the mark is the median over papers." },
];
const isNarrow = matchMedia("(max-width: 640px)");

export const createLiterature = ({ onFault, onIgnored }) => {
  const form = document.getElementById("literature");
  const out = document.getElementById("evidence");
  const fault = document.getElementById("literature-fault");
  const status = document.getElementById("literature-status");
  let known = { cores: [], shells: [] };
  let shown = null;

  const classes = () => [...new Set(known.shells.map((shell) => shell.material_class))].sort();
  const shells = (text) => {
    const wanted = text.trim().toLowerCase();
    const some = classes().filter((name) => wanted && name.startsWith(wanted)).map((value) => ({ value, note: "a class" }));
    return [...shellSuggestions(known.shells)(text).filter(({ value }) => value !== "none"), ...some];
  };
  combobox(form.elements.core, "literature-cores", (text) => coreSuggestions(known.cores)(text));
  combobox(form.elements.shell, "literature-shells", shells);

  const query = () =>
    queryText(new URLSearchParams(Object.entries(formValues(form)).flatMap(([name, [value]]) => (value?.trim() ? [[name, value.trim()]] : []))));

  const tell = faultTeller({ status, fault, onFault });

  // A table with a field that filters it.
  const filtered = (label, columns, rows, ...tools) => {
    const table = dataTable({ label, columns, rows });
    const counted = el("span", { class: "small", role: "status" });
    const field = el("input", { type: "search", name: "filter", autocomplete: "off" });
    field.addEventListener("input", () => {
      counted.textContent = `${table.filter(field.value)} of ${rows.length}`;
    });
    return [el("div", { class: "toolbar" }, el("label", {}, `Filter the ${label.toLowerCase()} `, field), counted, tools), table.element];
  };

  // A plot that is not there is said in its place: the tables do not hang on it.
  const plot = ({ show: name, title, caption }, text) => {
    const saved = el("span", { role: "status" });
    const savePng = async () => {
      try {
        await savePicture(`${name}.png`, text);
        saved.textContent = "";
      } catch (problem) {
        saved.textContent = ` ${problem.message}`;
      }
    };
    const drawing = () => [
      el("div", { class: "picture", tabindex: 0, role: "region", "aria-label": title }, pictureOf(text)),
      el("figcaption", { class: "small" }, `${caption} `,
        button("Download as SVG", () => saveFile(`${name}.svg`, text, "image/svg+xml")),
        button("Download as PNG", savePng),
        saved),
    ];
    return [
      el("h2", {}, title),
      el("figure", { class: `front forest ${name}` }, text instanceof ServiceError ? el("p", { class: "notice" }, `No plot: ${text.message}`) : drawing()),
    ];
  };

  const show = (text, { tests, samples, pooled, plots }) => {
    const boxes = PLOTS.filter(({ show: name }) => plots.includes(name)).map((kind) => [kind, el("div", { "aria-busy": "true" })]);
    const papers = new Set([...tests, ...samples].map(nameOf)).size;
    const ofPapers = `${papers} ${papers === 1 ? "paper" : "papers"}`;
    const counts = [[tests, "stability test"], [samples, "sample"]].map(([rows, name]) => `${rows.length} ${name}${rows.length === 1 ? "" : "s"}`);
    const save = button("Download the tests (CSV)", () => saveFile("tests.csv", csvOf(tests), "text/csv"));
    out.replaceChildren(
      ...[
        el("div", { class: "result-head" }, el("h2", { tabindex: -1 }, `${sentenceCase(counts.join(", "))}`), papers ? citations(ofPapers, text) : null),
        ...(pooled.length
          ? [
            el("h2", {}, "Pooled over papers"),
            el("p", { class: "small" }, "Each line is from its own tests alone. At least: a lower bound with a probability of 90 %. The spread between papers is learned from all tests under the stressor."),
            dataTable({ label: "Pooled values", columns: POOLED, rows: pooled }).element,
          ]
          : []),
        ...(tests.length ? [el("h2", {}, "Tests"), ...filtered("Tests", TESTS, tests, save)] : []),
        ...boxes.map(([, box]) => box),
        ...(samples.length ? [el("h2", {}, "Samples"), ...filtered("Samples", SAMPLES, samples)] : []),
      ].filter(Boolean),
    );
    status.textContent = `${counts.join(" and ")} of ${ofPapers}.`;
    return boxes;
  };

  const ask = latest((signal, text) => read(`evidence?${text}`, signal));

  const draw = latest((signal, text, boxes) =>
    Promise.all(boxes.map(async ([kind, box]) => {
      const params = new URLSearchParams([...new URLSearchParams(text), ["show", kind.show], ["layout", isNarrow.matches ? "narrow" : "wide"]]);
      const svg = await readText(`evidence/plot.svg?${queryText(params)}`, signal).catch((problem) => {
        if (problem instanceof ServiceError) return problem;
        throw problem;
      });
      box.replaceChildren(...plot(kind, svg));
      box.removeAttribute("aria-busy");
    })));

  const search = async () => {
    const text = query();
    shown = text;
    keepAddress(VIEW, text);
    fault.hidden = true;
    status.textContent = "Searching…";
    out.setAttribute("aria-busy", "true");
    draw.cancel();
    try {
      const answer = await ask(text);
      // Another query was asked meanwhile, or the form was cleared.
      if (!answer) return;
      const boxes = show(text, answer);
      out.setAttribute("aria-busy", "false");
      await draw(text, boxes);
    } catch (problem) {
      out.replaceChildren();
      out.setAttribute("aria-busy", "false");
      // Its address may be opened again.
      shown = null;
      tell(problem, search);
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onIgnored([]);
    search();
  });
  form.addEventListener("reset", () => {
    ask.cancel();
    draw.cancel();
    out.setAttribute("aria-busy", "false");
    out.replaceChildren();
    fault.hidden = true;
    status.textContent = "";
    shown = null;
    keepAddress(VIEW, "");
  });

  return {
    // Shows what an address asks for, if it is not shown yet.
    enter: (text) => {
      if (!text || text === shown) return;
      for (const field of form.elements) if (field.name) field.value = "";
      onIgnored(fillForm(form, new URLSearchParams(text)));
      search();
    },
    learnWords: (vocabulary) => {
      known = vocabulary;
    },
  };
};
