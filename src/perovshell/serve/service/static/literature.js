// What papers measured: a search of the literature, its pooled values, tests and plots.

import { fillForm, formValues, keepAddress, queryText } from "./address.js";
import { latest, read, readText } from "./api.js";
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
  { title: "Papers differ by", kind: "n", first: "descending", of: ({ spread }) => spread, cell: ({ spread }) => `× ${short(spread)}` },
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
const pictureOf = (text) => {
  const picture = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  picture.removeAttribute("height");
  picture.setAttribute("width", "100%");
  return picture;
};

const HALIDES = /Cl|Br|I/u;

// The plots, and whether an answer has anything for them.
const PLOTS = [
  { show: "stability", title: "Forest plots", caption: "A line for each test, with an arrow where it is open; a diamond for each pooled value.", isKnown: ({ pooled }) => pooled.length > 0 },
  { show: "pl", title: "PL by composition and size", caption: "A point for each sample, in the colour of its light.", isKnown: ({ samples }) => samples.some((row) => row.pl && row.role === "core" && HALIDES.test(row.core) && !row.core.includes("X")) },
  { show: "plqy", title: "PLQY by shell", caption: "A point for each sample; the mark is the median over papers.", isKnown: ({ samples }) => samples.some((row) => row.plqy && row.role === "core") },
];

export const createLiterature = ({ onFault }) => {
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

  const plot = ({ show: name, title, caption }, text) => [
    el("h2", {}, title),
    el("figure", { class: "front forest" },
      pictureOf(text),
      el("figcaption", { class: "small" }, `${caption} `,
        button("Download as SVG", () => saveFile(`${name}.svg`, text, "image/svg+xml")),
        button("Download as PNG", () => savePicture(`${name}.png`, text)))),
  ];

  const show = (text, { tests, samples, pooled }, pictures) => {
    const papers = new Set([...tests, ...samples].map(nameOf)).size;
    const counts = [[tests, "stability test"], [samples, "sample"]].map(([rows, name]) => `${rows.length} ${name}${rows.length === 1 ? "" : "s"}`);
    const save = button("Download the tests (CSV)", () => saveFile("tests.csv", csvOf(tests), "text/csv"));
    out.replaceChildren(
      ...[
        el("div", { class: "result-head" }, el("h2", { tabindex: -1 }, `${sentenceCase(counts.join(", "))}`), papers ? citations(papers, text) : null),
        ...(pooled.length
          ? [
            el("h2", {}, "Pooled over papers"),
            el("p", { class: "small" }, "At least: a lower bound with a probability of 90 %. The spread between papers is learned from all tests under the stressor."),
            dataTable({ label: "Pooled values", columns: POOLED, rows: pooled }).element,
          ]
          : []),
        ...(tests.length ? [el("h2", {}, "Tests"), ...filtered("Tests", TESTS, tests, save)] : []),
        ...pictures.flatMap(([kind, text]) => plot(kind, text)),
        ...(samples.length ? [el("h2", {}, "Samples"), ...filtered("Samples", SAMPLES, samples)] : []),
      ].filter(Boolean),
    );
    status.textContent = `${counts.join(" and ")} of ${papers} ${papers === 1 ? "paper" : "papers"}.`;
  };

  const ask = latest(async (signal, text) => {
    const answer = await read(`evidence?${text}`, signal);
    const known = PLOTS.filter(({ isKnown }) => isKnown(answer));
    const texts = await Promise.all(known.map(({ show: name }) => readText(`evidence/plot.svg?${text ? `${text}&` : ""}show=${name}`, signal)));
    return [answer, known.map((kind, index) => [kind, texts[index]])];
  });

  const search = async () => {
    const text = query();
    shown = text;
    keepAddress(VIEW, text);
    fault.hidden = true;
    status.textContent = "Searching…";
    out.setAttribute("aria-busy", "true");
    try {
      const answer = await ask(text);
      // Another query was asked meanwhile, or the form was cleared.
      if (!answer) return;
      show(text, ...answer);
    } catch (problem) {
      out.replaceChildren();
      tell(problem);
    }
    out.setAttribute("aria-busy", "false");
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  form.addEventListener("reset", () => {
    ask.cancel();
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
      const params = new URLSearchParams(text);
      for (const { name } of form.elements) if (name && !params.has(name)) params.append(name, "");
      fillForm(form, params);
      search();
    },
    learnWords: (vocabulary) => {
      known = vocabulary;
    },
  };
};
