// The comparison: a column for each combination, all predicted in one request.

import { partsOf, sentence, sharedScales } from "./answer.js";
import { ask, debounce, latest } from "./api.js";
import { combobox, coreSuggestions, shellSuggestions } from "./combobox.js";
import { el } from "./dom.js";
import { check, checked, tick } from "./fields.js";
import { combination, percent } from "./format.js";
import { HALIDES, moveHalide, parseFamily, writeFamily } from "./formula.js";
import { MOST, OPTIONS, readState, rowOf, writeState } from "./state.js";

const PAUSE = 150;

// Shows the formula on sliders, where it is of their family.
const showSliders = (form) => {
  const family = parseFamily(form.elements.core.value);
  const fieldset = form.querySelector(".halides");
  fieldset.disabled = !family;
  fieldset.firstElementChild.textContent = family ? "A site and halides" : "A site and halides (of cores APbX3)";
  if (!family) return;
  const choice = form.elements.a;
  choice.value = [...choice.options].some((option) => option.value === family.a) ? family.a : "";
  for (const ion of HALIDES) {
    const slider = form.elements[ion];
    slider.value = family.halides[ion];
    const share = percent(family.halides[ion] / 3 >= 0.1 ? Math.round((family.halides[ion] / 3) * 100) / 100 : family.halides[ion] / 3);
    slider.setAttribute("aria-valuetext", share);
    slider.nextElementSibling.textContent = share;
  }
};

// The field that an error speaks of; the service begins it with the field's name.
const fieldOf = (form, error) => {
  const named = ["shell", ...OPTIONS].find((name) => error.startsWith(name));
  return form.elements[named ?? "core"];
};

const showFault = (form, error, id) => {
  form.querySelector(".fault")?.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
  if (!error) return;
  const field = fieldOf(form, error);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
  field.closest("details")?.setAttribute("open", "");
  field.closest(".field").append(el("p", { class: "fault", id }, error));
};

export const createCompare = ({ colourOf, say, onFault, onAnswer, onIgnored }) => {
  const root = document.getElementById("columns");
  const pattern = document.getElementById("column").content.firstElementChild;
  root.style.setProperty("--rows", pattern.querySelectorAll(".group > *").length);
  const options = document.getElementById("options");
  const add = document.getElementById("add");
  const open = new Set();
  const state = readState(location.search);
  let known = { cores: [], shells: [], words: {}, numbers: {}, stressors: [] };
  let skill = {};
  let targets = [];
  let columns = [];
  let count = 0;
  let edited = null;

  const fold = (name, title, ...content) => {
    const details = el("details", { "data-fold": name, open: open.has(name) }, el("summary", {}, title), ...content);
    return details;
  };
  // What is opened in one column is opened in all: it is there to be compared.
  root.addEventListener("toggle", (event) => {
    const name = event.target.dataset?.fold;
    if (!name || open.has(name) === event.target.open) return;
    if (event.target.open) open.add(name);
    else open.delete(name);
    for (const other of root.querySelectorAll(`details[data-fold="${name}"]`)) other.open = event.target.open;
  }, true);

  const keep = () => {
    state.combinations = columns.map(({ inputs }) => inputs);
    history.replaceState(null, "", writeState(state) + location.hash);
    const full = columns.length >= MOST;
    add.disabled = full;
    add.title = full ? `At most ${MOST} side by side` : "";
    for (const { article } of columns) {
      article.querySelector('[data-do="duplicate"]').disabled = full;
      article.querySelector('[data-do="remove"]').disabled = columns.length === 1;
    }
  };

  const title = ({ inputs, article }) => {
    const name = combination({ core: inputs.core.trim() || "?", shell: inputs.shell.trim() || "?" });
    article.querySelector("h2").textContent = name;
    for (const tool of article.querySelectorAll("[data-do]")) tool.setAttribute("aria-label", `${tool.textContent} ${name}`);
  };

  const show = ({ article, form, inputs }, answer, scales) => {
    showFault(form, answer.error, `${article.id}-fault`);
    article.classList.toggle("failed", Boolean(answer.error));
    const swatch = article.querySelector(".swatch");
    swatch.style.background = answer.error ? "" : colourOf(answer.pl_peak_nm);
    const context = { answer, one: inputs, scales, skill, targets, fold, stressors: state.stressors, coverage: state.coverage };
    for (const [name, part] of Object.entries(partsOf(targets))) {
      const content = answer.error ? [el("p", { class: "small" }, "No answer yet: see the field in red.")] : part(context);
      const section = article.querySelector(`[data-part="${name}"]`);
      section.querySelector(".body").replaceChildren(...content.filter(Boolean));
      section.hidden = Boolean(answer.error) && name !== "domain";
    }
  };

  const request = latest((signal) =>
    ask("predict", {
      rows: state.combinations.map(rowOf),
      stressors: state.stressors,
      coverage: state.coverage,
      details: true,
    }, signal));

  const predict = async () => {
    root.setAttribute("aria-busy", "true");
    const asked = [...columns];
    try {
      const reply = await request();
      if (!reply) return;
      const good = reply.answers.filter((answer) => !answer.error);
      const scales = sharedScales(good, state.stressors, targets);
      asked.forEach((column, k) => show(column, reply.answers[k], scales));
      const index = Math.max(asked.indexOf(edited), 0);
      say(sentence(asked[index].inputs, reply.answers[index], targets, skill));
      root.classList.remove("stale");
      root.setAttribute("aria-busy", "false");
      onAnswer(reply.model);
    } catch (fault) {
      root.classList.add("stale");
      root.setAttribute("aria-busy", "false");
      onFault(fault, predict);
    }
  };
  const predictSoon = debounce(predict, PAUSE);
  const changed = (column) => {
    edited = column;
    // An answer on its way is of what was asked before.
    request.cancel();
    root.setAttribute("aria-busy", "true");
    keep();
    predictSoon();
  };

  const readForm = (column) => {
    const { elements } = column.form;
    for (const name of ["core", "shell", ...OPTIONS]) column.inputs[name] = elements[name].value;
    title(column);
  };

  const onInput = (column, field) => {
    const { elements } = column.form;
    const family = parseFamily(elements.core.value);
    if (family && HALIDES.includes(field.name)) {
      elements.core.value = writeFamily({ ...family, halides: moveHalide(family.halides, field.name, Number(field.value)) });
    } else if (family && field.name === "a") {
      elements.core.value = writeFamily({ ...family, a: field.value });
    }
    showSliders(column.form);
    readForm(column);
    changed(column);
  };

  const fillChoices = ({ form }) => {
    for (const [name, choices] of Object.entries(known.words)) {
      const field = form.elements[name];
      if (field && field.options.length === 1) field.append(...choices.map((word) => el("option", { value: word }, word)));
    }
    for (const [name, [low, high]] of Object.entries(known.numbers)) {
      form.elements[name]?.setAttribute("placeholder", `${low} to ${high}`);
    }
  };
  const fillForm = (column) => {
    fillChoices(column);
    for (const name of ["core", "shell", ...OPTIONS]) column.form.elements[name].value = column.inputs[name] ?? "";
    showSliders(column.form);
    title(column);
  };

  const insert = (inputs, position) => {
    const article = pattern.cloneNode(true);
    const column = { inputs: { ...inputs }, article, form: article.querySelector("form") };
    count += 1;
    article.id = `column-${count}`;
    article.querySelector("h2").id = `${article.id}-title`;
    article.setAttribute("aria-labelledby", `${article.id}-title`);
    article.querySelector("details").open = open.has("more");
    root.insertBefore(article, columns[position]?.article ?? null);
    columns.splice(position, 0, column);
    combobox(column.form.elements.core, `${article.id}-cores`, (text) => coreSuggestions(known.cores)(text));
    combobox(column.form.elements.shell, `${article.id}-shells`, (text) => shellSuggestions(known.shells)(text));
    column.form.addEventListener("input", (event) => onInput(column, event.target));
    column.form.addEventListener("submit", (event) => event.preventDefault());
    article.querySelector('[data-do="duplicate"]').addEventListener("click", () => addOne(column.inputs, columns.indexOf(column) + 1));
    article.querySelector('[data-do="remove"]').addEventListener("click", () => remove(column));
    fillForm(column);
    return column;
  };

  const addOne = (inputs, position = columns.length) => {
    if (columns.length >= MOST) {
      say(`The comparison is full: remove one of its ${MOST} combinations first.`);
      return false;
    }
    const column = insert(inputs, position);
    changed(column);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    column.article.scrollIntoView({ inline: "nearest", block: "nearest", behavior: still ? "auto" : "smooth" });
    column.form.elements.shell.focus({ preventScroll: true });
    return true;
  };

  const remove = (column) => {
    const position = columns.indexOf(column);
    column.article.remove();
    columns = columns.filter((other) => other !== column);
    const next = columns[Math.min(position, columns.length - 1)];
    changed(next);
    next.form.elements.shell.focus();
  };

  options.elements.coverage.value = String(state.coverage);
  options.addEventListener("submit", (event) => event.preventDefault());
  options.addEventListener("change", () => {
    state.coverage = Number(options.elements.coverage.value);
    state.stressors = checked(options, "stressor");
    changed(edited ?? columns[0]);
  });
  add.addEventListener("click", () => addOne(columns.at(-1).inputs));
  state.combinations.forEach((inputs, position) => insert(inputs, position));
  keep();

  return {
    predict,
    add: addOne,
    learnWords: (vocabulary) => {
      known = vocabulary;
      const [words, others] = [true, false].map((is) => state.stressors.filter((word) => known.stressors.includes(word) === is));
      state.stressors = words;
      const misspelt = columns.flatMap(({ inputs }) => Object.entries(known.words).filter(([name, allowed]) => inputs[name] && !allowed.includes(inputs[name])).map(([name]) => `${name}=${inputs[name]}`));
      onIgnored([...state.ignored, ...others, ...misspelt]);
      const box = document.getElementById("stressors");
      box.replaceChildren(box.firstElementChild, ...known.stressors.map((word) => check("stressor", word)));
      tick(options, "stressor", state.stressors);
      columns.forEach(fillForm);
    },
    learnModel: (model) => {
      skill = model.skill;
      targets = model.targets.filter((target) => target.column);
    },
  };
};
