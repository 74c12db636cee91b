// Papers: links, and citations to copy or to save.

import { readText } from "./api.js";
import { button, el } from "./dom.js";
import { saveFile } from "./files.js";

// A link where the DOI is known, else the id.
export const paper = (name) =>
  /^10\.\d+\//.test(name)
    ? el("a", { href: `https://doi.org/${encodeURI(name).replace(/[?#]/g, encodeURIComponent)}`, target: "_blank", rel: "noopener noreferrer" }, name)
    : el("span", { class: "paper" }, name);

const SHOWN = 3;
const list = (entries, kind) => el("ul", { class: kind }, entries.map((entry) => el("li", {}, entry)));

// A list of which the first entries are shown, the others folded.
export const folded = (entries, { shown = SHOWN, kind = "plain", fold = (title, rest) => el("details", {}, el("summary", {}, title), rest) } = {}) =>
  entries.length > shown + 1
    ? [list(entries.slice(0, shown), kind), fold(`${entries.length - shown} more`, list(entries.slice(shown), kind))]
    : [list(entries, kind)];

const FORMATS = { "papers.bib": "BibTeX", "papers.ris": "RIS", "papers.txt": "text" };

// Buttons for the citations of a query of the literature; the label says of how many papers.
export const citations = (label, query) => {
  const format = el("select", { "aria-label": "Format of the citations" }, Object.entries(FORMATS).map(([name, title]) => el("option", { value: name }, title)));
  const status = el("span", { role: "status", class: "small" });
  const act = (use) => async () => {
    try {
      status.textContent = await use(await readText(`evidence/${format.value}?${query}`));
    } catch (problem) {
      status.textContent = problem.message;
    }
  };
  const copy = act(async (text) => {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  });
  const save = act((text) => {
    saveFile(format.value, text, "text/plain");
    return "";
  });
  return el(
    "div",
    { class: "citations", role: "group", "aria-label": "Citations" },
    el("span", {}, label),
    format,
    // Browsers give the clipboard to secure pages only.
    navigator.clipboard ? button("Copy citations", copy) : null,
    button("Download citations", save),
    status,
  );
};
