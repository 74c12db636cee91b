// The fields of a paper, drawn from their declaration.

import { combobox, coreSuggestions, shellSuggestions } from "./combobox.js";
import { button, el } from "./dom.js";
import { sentenceCase } from "./format.js";
import { pointerOf, valueAt } from "./paper_tree.js";

export const NOUNS = { samples: "sample", stability: "stability test", shells: "new shell" };
const LONG = ["title", "note", "condition"];
const SHORT = 60;
// In the order of a form: the names of an object that comes as JSON are sorted.
const SIDES = { coated: "Coated", bare: "Uncoated" };

export const idOf = (path) => `paper${pointerOf(path).replaceAll("/", "-")}`;

const listText = (value) => (Array.isArray(value) ? value.join(", ") : value);
export const readField = (input, { kind }) => {
  const text = input.value.trim();
  return kind === "list" ? text.split(/[\s,;]+/).filter(Boolean) : text;
};

const control = (field, path, value) => {
  const attributes = { id: idOf(path), name: field.key, "data-pointer": pointerOf(path), "aria-required": field.required && "true" };
  if (field.kind === "word") {
    const words = field.words.filter((word) => word !== field.default);
    const select = el("select", attributes, el("option", { value: "" }, field.default ?? "not stated"), words.map((word) => el("option", { value: word }, word)));
    select.value = value === field.default ? "" : value;
    return select;
  }
  const input = el("input", { ...attributes, type: "text", maxlength: 2000, spellcheck: LONG.includes(field.key) ? "true" : "false", autocapitalize: "off", autocomplete: "off" });
  input.value = listText(value);
  return input;
};

const suggestionsFor = (field, known) =>
  ({ core: (text) => coreSuggestions(known().cores)(text), shell: (text) => shellSuggestions(known().shells)(text), bare: (text) => coreSuggestions(known().bare)(text) })[field.key];

// Tells who listens what is written below a control.
export const describe = (box, input) => {
  const lines = [...box.querySelectorAll(":scope > p")].map(({ id }) => id).join(" ");
  if (lines) input.setAttribute("aria-describedby", lines);
  else input.removeAttribute("aria-describedby");
};

// `context`: the paper, the sentences and the open keys as trees, and what is known of words.
// `quoted`: which field of the section shows a sentence already.
const drawField = (field, path, context, quoted) => {
  const input = control(field, path, valueAt(context.paper, path) ?? "");
  const id = idOf(path);
  const box = el(
    "div",
    { class: `field${LONG.includes(field.key) ? " wide" : ""}`, "data-field": pointerOf(path), title: field.help },
    el("label", {}, field.label, " ", field.unit && el("span", { class: "unit" }, field.unit), input),
  );
  if (field.kind === "list") box.append(el("p", { class: "hint", id: `${id}-hint` }, field.help));
  const suggest = suggestionsFor(field, context.known);
  if (suggest) combobox(input, `${id}-options`, suggest);
  const sentence = (valueAt(context.sentences, path) ?? []).join(" ");
  if (sentence) {
    const first = quoted.get(sentence);
    if (!first) quoted.set(sentence, field.label);
    if (!first && sentence.length > SHORT) box.classList.add("wide");
    box.append(el("p", { class: "from", id: `${id}-from` }, first ? `Same sentence as ${first}` : `\u201c${sentence}\u201d`));
  }
  const open = valueAt(context.open, path);
  if (open) box.append(el("p", { class: "open", id: `${id}-open` }, `Open: ${open}`));
  describe(box, input);
  return box;
};

const drawSection = (section, path, context) => {
  const quoted = new Map();
  const draw = (fields, inside) => fields.map((field) => drawField(field, [...inside, field.key], context, quoted));
  const first = el("div", { class: "fields" }, draw(section.fields.filter((field) => field.first), path));
  const sides = Object.entries(SIDES)
    .filter(([key]) => section.sides[key])
    .map(([key, title]) => el("fieldset", { class: "side" }, el("legend", {}, title), el("div", { class: "pair" }, draw(section.sides[key].fields.filter((field) => field.first), [...path, key]))));
  const folded = section.fields.filter((field) => !field.first);
  const pointer = pointerOf(path);
  const isUsed = folded.some(({ key, default: unset }) => ![undefined, unset].includes(valueAt(context.paper, [...path, key])));
  const names = folded.slice(0, 4).map(({ label }) => label);
  return [
    first,
    sides.length ? el("div", { class: "sides" }, sides) : "",
    folded.length ? el("details", { open: isUsed || context.opened.has(pointer), "data-more": pointer }, el("summary", {}, `More: ${names.join(", ")}${folded.length > 4 ? ", ..." : ""}`), el("div", { class: "fields" }, draw(folded, path))) : "",
  ];
};

const titleOf = (key, item, index) => {
  const name = item?.name || item?.stressor;
  return `${sentenceCase(NOUNS[key])} ${index + 1}${name ? `: ${name}` : ""}`;
};

const drawItem = (key, section, path, context) => {
  const index = path.at(-1);
  const title = titleOf(key, valueAt(context.paper, path), index);
  const level = path.length > 2 ? "h3" : "h2";
  const tool = (text, act) => button(text, () => act(path), { "aria-label": `${text} ${title}`, "data-do": `${text.toLowerCase()}${pointerOf(path)}` });
  return el(
    "article",
    { class: `item ${key}`, "aria-labelledby": `${idOf(path)}-title`, "data-item": pointerOf(path) },
    el("header", {}, el(level, { id: `${idOf(path)}-title`, tabindex: -1 }, title), el("div", { class: "tools" }, tool("Duplicate", context.duplicate), tool("Remove", context.remove))),
    drawSection(section, path, context),
    drawLists(section, path, context),
  );
};

const drawLists = (section, path, context) =>
  Object.entries(section.lists).map(([key, inner]) => {
    const inside = [...path, key];
    const items = valueAt(context.paper, inside) ?? [];
    const add = button(`Add a ${NOUNS[key]}`, () => context.add(inside), { "data-do": `add${pointerOf(inside)}` });
    return el("div", { class: `list ${key}` }, items.map((_, k) => drawItem(key, inner, [...inside, k], context)), el("p", {}, add));
  });

export const drawPaper = (form, context) => [el("div", { class: "item" }, drawSection(form, [], context)), ...drawLists(form, [], context)];

// The declaration of the field at a path.
export const fieldAt = (form, path) => {
  let section = form;
  for (const part of path.slice(0, -1)) {
    if (typeof part !== "number") section = section.lists[part] ?? section.sides[part];
    if (!section) return undefined;
  }
  return section.fields.find(({ key }) => key === path.at(-1));
};
