// Making elements. Data gets in as text nodes and attributes only, never as markup.

const SVG = "http://www.w3.org/2000/svg";

const fill = (made, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child || child === 0));
  return made;
};

export const el = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);

export const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

export const button = (text, act, attributes = {}) => {
  const made = el("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
};

export const check = (name, value, attributes = {}, words = value) =>
  el("label", {}, el("input", { type: "checkbox", name, value, ...attributes }), ` ${words}`);

// The values of the checked boxes of a name.
export const checked = (root, name) =>
  [...root.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);

export const tick = (root, name, values) => {
  for (const box of root.querySelectorAll(`input[name="${name}"]`)) {
    box.checked = values.includes(box.value);
  }
};

// A paper: a link where its DOI is known, its id else.
export const paper = (name) =>
  /^10\.\d+\//.test(name)
    ? el("a", { href: `https://doi.org/${encodeURI(name).replace(/[?#]/g, encodeURIComponent)}`, target: "_blank", rel: "noopener noreferrer" }, name)
    : el("span", { class: "paper" }, name);
