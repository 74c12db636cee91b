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
    const made = el("details", { "data-fold": name, open: open.has(name) }, el("summary", {}, title), ...content);
    return made;
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
    state.combinations = columns.map(({ one }) => one);
    history.replaceState(null, "", writeState(state) + location.hash);
    const full = columns.length >= MOST;
    add.disabled = full;
    add.title = full ? `At most ${MOST} side by side` : "";
    for (const { article } of columns) {
      article.querySelector('[data-do="duplicate"]').disabled = full;
      article.querySelector('[data-do="remove"]').disabled = columns.length === 1;
    }
  };

  const title = ({ one, article }) => {
    const name = combination({ core: one.core.trim() || "?", shell: one.shell.trim() || "?" });
    article.querySelector("h2").textContent = name;
    for (const tool of article.querySelectorAll("[data-do]")) tool.setAttribute("aria-label", `${tool.textContent} ${name}`);
  };

  const show = ({ article, form, one }, answer, scales) => {
    showFault(form, answer.error, `${article.id}-fault`);
    article.classList.toggle("failed", Boolean(answer.error));
    const swatch = article.querySelector(".swatch");
    swatch.style.background = answer.error ? "" : colourOf(answer.pl_peak_nm);
    const given = { answer, one, scales, skill, targets, fold, stressors: state.stressors, coverage: state.coverage };
    for (const [name, part] of Object.entries(partsOf(targets))) {
      const content = answer.error ? [el("p", { class: "small" }, "No answer yet: see the field in red.")] : part(given);
      const place = article.querySelector(`[data-part="${name}"]`);
      place.querySelector(".body").replaceChildren(...content.filter(Boolean));
      place.hidden = Boolean(answer.error) && name !== "domain";
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
      const found = await request();
      if (!found) return;
      const good = found.answers.filter((answer) => !answer.error);
      const scales = sharedScales(good, state.stressors, targets);
      asked.forEach((own, k) => show(own, found.answers[k], scales));
      const told = Math.max(asked.indexOf(edited), 0);
      say(sentence(asked[told].one, found.answers[told], targets, skill));
      root.classList.remove("stale");
      root.setAttribute("aria-busy", "false");
      onAnswer(found.model);
    } catch (fault) {
      root.classList.add("stale");
      root.setAttribute("aria-busy", "false");
      onFault(fault, predict);
    }
  };
  const predictSoon = debounce(predict, PAUSE);
  const changed = (own) => {
    edited = own;
    // An answer on its way is of what was asked before.
    request.cancel();
    root.setAttribute("aria-busy", "true");
    keep();
    predictSoon();
  };

  const readForm = (own) => {
    const { elements } = own.form;
    for (const name of ["core", "shell", ...OPTIONS]) own.one[name] = elements[name].value;
    title(own);
  };

  const onInput = (own, field) => {
    const { elements } = own.form;
    const family = parseFamily(elements.core.value);
    if (family && HALIDES.includes(field.name)) {
      elements.core.value = writeFamily({ ...family, halides: moveHalide(family.halides, field.name, Number(field.value)) });
    } else if (family && field.name === "a") {
      elements.core.value = writeFamily({ ...family, a: field.value });
    }
    showSliders(own.form);
    readForm(own);
    changed(own);
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
  const fillForm = (own) => {
    fillChoices(own);
    for (const name of ["core", "shell", ...OPTIONS]) own.form.elements[name].value = own.one[name] ?? "";
    showSliders(own.form);
    title(own);
  };

  const insert = (one, place) => {
    const article = pattern.cloneNode(true);
    const own = { one: { ...one }, article, form: article.querySelector("form") };
    count += 1;
    article.id = `column-${count}`;
    article.querySelector("h2").id = `${article.id}-title`;
    article.setAttribute("aria-labelledby", `${article.id}-title`);
    article.querySelector("details").open = open.has("more");
    root.insertBefore(article, columns[place]?.article ?? null);
    columns.splice(place, 0, own);
    combobox(own.form.elements.core, `${article.id}-cores`, (text) => coreSuggestions(known.cores)(text));
    combobox(own.form.elements.shell, `${article.id}-shells`, (text) => shellSuggestions(known.shells)(text));
    own.form.addEventListener("input", (event) => onInput(own, event.target));
    own.form.addEventListener("submit", (event) => event.preventDefault());
    article.querySelector('[data-do="duplicate"]').addEventListener("click", () => addOne(own.one, columns.indexOf(own) + 1));
    article.querySelector('[data-do="remove"]').addEventListener("click", () => remove(own));
    fillForm(own);
    return own;
  };

  const addOne = (one, place = columns.length) => {
    if (columns.length >= MOST) {
      say(`The comparison is full: remove one of its ${MOST} combinations first.`);
      return false;
    }
    const own = insert(one, place);
    changed(own);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    own.article.scrollIntoView({ inline: "nearest", block: "nearest", behavior: still ? "auto" : "smooth" });
    own.form.elements.shell.focus({ preventScroll: true });
    return true;
  };

  const remove = (own) => {
    const place = columns.indexOf(own);
    own.article.remove();
    columns = columns.filter((other) => other !== own);
    const next = columns[Math.min(place, columns.length - 1)];
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
  add.addEventListener("click", () => addOne(columns.at(-1).one));
  state.combinations.forEach((one, place) => insert(one, place));
  keep();

  return {
    predict,
    add: addOne,
    learnWords: (vocabulary) => {
      known = vocabulary;
      const [words, others] = [true, false].map((is) => state.stressors.filter((word) => known.stressors.includes(word) === is));
      state.stressors = words;
      const misspelt = columns.flatMap(({ one }) => Object.entries(known.words).filter(([name, allowed]) => one[name] && !allowed.includes(one[name])).map(([name]) => `${name}=${one[name]}`));
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
