// A design space: the mapping that the service takes, and the form that shows it.

import { checked, tick } from "./fields.js";
import { constraints } from "./given.js";

export const IONS = { A: ["Cs", "FA", "MA"], B: ["Pb", "Sn", "Ge"], X: ["Cl", "Br", "I"] };
const entries = (text) => text.split(/[\n,;]+/).map((entry) => entry.trim()).filter(Boolean);
const number = (text) => (text === "" ? null : Number(text));
// What is no number is sent as it is: the service says what is wrong with it.
const sizes = (text) => entries(text).map((entry) => (Number.isFinite(Number(entry)) ? Number(entry) : entry));
const OBJECTIVES = ["pl", "plqy", "gain", "half_life", "domain"];

// What is chosen in the form stands above the preset, which keeps what the form has no field for.
export const readSpace = (form, spaces) => {
  const { elements } = form;
  const base = spaces[elements.preset.value];
  const { stressor: _, sizes_nm: __, ...kept } = base;
  const window = [number(elements.window_low.value), number(elements.window_high.value)];
  const isOpen = window.every((end) => end === null);
  const weights = Object.fromEntries(OBJECTIVES.map((name) => [name, number(elements[`weight_${name}`].value) ?? 0]));
  // Without a window there is nothing that the PL could lie in.
  if (isOpen) weights.pl = 0;
  const asked = sizes(elements.sizes.value);
  const held = checked(form, "constraint");
  return {
    ...kept,
    cores: elements.cores.value === "list" ? entries(elements.list.value) : mixture(form, base.cores),
    shells: readShells(form),
    pl_window_nm: isOpen ? null : window,
    stressors: checked(form, "rank-stressor"),
    weights,
    ...(asked.length ? { sizes_nm: asked } : {}),
    constraints: { ...base.constraints, ...Object.fromEntries(Object.keys(constraints).map((name) => [name, held.includes(name)])) },
  };
};

const mixture = (form, base) => ({
  A: { ions: checked(form, "A"), step: Number(form.elements.step_A.value) },
  B: { ions: checked(form, "B"), step: 1 },
  X: { ...base.X, ions: checked(form, "X"), step: Number(form.elements.step_X.value) },
});

const readShells = (form) => {
  const kind = form.elements.shells.value;
  if (kind === "classes") return { classes: checked(form, "class") };
  return kind === "list" ? entries(form.elements.shell_list.value) : "all known";
};

export const showSpace = (form, space) => {
  const { elements } = form;
  const isList = Array.isArray(space.cores);
  elements.cores.value = isList ? "list" : "mix";
  elements.list.value = isList ? space.cores.join("\n") : "CsPbBr3\nCsPbBr2.7I0.3";
  const sites = isList ? { A: { ions: ["Cs"] }, B: { ions: ["Pb"] }, X: { ions: ["Br"] } } : space.cores;
  for (const [site, { ions }] of Object.entries(sites)) tick(form, site, ions);
  elements.step_A.value = String(sites.A.step ?? 1);
  elements.step_X.value = String(sites.X.step ?? 0.1);
  elements.shells.value = "all";
  elements.shell_list.value = "SiO2\nZnS\nAl2O3";
  tick(form, "class", ["oxide", "sulfide"]);
  const [low, high] = space.pl_window_nm ?? ["", ""];
  elements.window_low.value = low;
  elements.window_high.value = high;
  elements.sizes.value = (space.sizes_nm ?? []).join(", ");
  for (const name of OBJECTIVES) elements[`weight_${name}`].value = (space.weights ?? { pl: 1, plqy: 1, gain: 1 })[name] ?? 0;
  tick(form, "rank-stressor", space.stressors ?? [space.stressor ?? "water"]);
  tick(form, "constraint", Object.keys(constraints).filter((name) => space.constraints?.[name]));
  showParts(form);
};

// Shows the fields that belong to what is chosen.
export const showParts = (form) => {
  for (const kind of ["cores", "shells"]) {
    for (const part of form.querySelectorAll(`[data-${kind}]`)) part.hidden = part.dataset[kind] !== form.elements[kind].value;
  }
};

// The service names keys of a design space; here they are fields, with words of their own.
export const inFormWords = (form, text) => {
  const [, key, rest] = /^design space, key ([\w.]+): (.*)$/su.exec(text) ?? [];
  const parts = (key ?? "").split(".");
  const field = parts.map((_, k) => form.querySelector(`[data-key="${parts.slice(0, parts.length - k).join(".")}"]`)).find(Boolean);
  return field ? `${field.dataset.words}: ${rest.replace(/^\[\]: /u, "nothing is chosen; needed is ")}.` : text;
};
