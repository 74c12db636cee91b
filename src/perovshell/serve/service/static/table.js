// Tables that sort by their headers and filter by text; a narrow window shows each row as a card.

import { el } from "./dom.js";

const NEXT = { ascending: "descending", descending: "ascending" };
const isUnknown = (value) => value === null || value === undefined || value === "" || Number.isNaN(value);
const compared = (first, second) =>
  (typeof first === "number" && typeof second === "number" ? first - second : String(first).localeCompare(String(second), "en", { numeric: true }));

// Unknown values come last in either direction.
const sorted = (rows, of, direction) => {
  const sign = direction === "ascending" ? 1 : -1;
  return [...rows].sort((first, second) => {
    const [a, b] = [of(first.row), of(second.row)];
    if (isUnknown(a) || isUnknown(b)) return Number(isUnknown(a)) - Number(isUnknown(b));
    return sign * compared(a, b);
  });
};

// A column is {title, cell(row): content, of(row): the value that it sorts by, first: the direction
// of a first click, kind: a class, isHead: whether it names the row}.
export const dataTable = ({ label, caption, columns, rows, attributes = () => ({}) }) => {
  const cellOf = (column, row) =>
    el(
      column.isHead ? "th" : "td",
      { class: column.kind, role: column.isHead ? "rowheader" : "cell", scope: column.isHead ? "row" : null },
      el("span", { class: "title", "aria-hidden": "true" }, column.title),
      el("div", {}, column.cell(row)),
    );
  const lines = rows.map((row) => ({ row, line: el("tr", { role: "row", ...attributes(row) }, columns.map((column) => cellOf(column, row))) }));
  const body = el("tbody", { role: "rowgroup" }, lines.map(({ line }) => line));
  const heads = columns.map(({ title, of }) => el("th", { scope: "col", role: "columnheader" }, of ? el("button", { type: "button", class: "sort" }, title) : title));
  const choice = el("select", {}, el("option", { value: "" }, "as listed"), columns.map(({ title, of }, k) => (of ? el("option", { value: k }, title) : null)));

  const show = (order) => body.append(...order.map(({ line }) => line));
  const sort = (at, direction) => {
    heads.forEach((head, k) => (k === at ? head.setAttribute("aria-sort", direction) : head.removeAttribute("aria-sort")));
    choice.value = String(at);
    show(sorted(lines, columns[at].of, direction));
  };
  const direction = (at) => NEXT[heads[at].getAttribute("aria-sort")] ?? columns[at].first ?? "ascending";
  heads.forEach((head, at) => head.querySelector("button")?.addEventListener("click", () => sort(at, direction(at))));
  choice.addEventListener("change", () => {
    if (choice.value) return sort(Number(choice.value), columns[choice.value].first ?? "ascending");
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    return show(lines);
  });

  const element = el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    el("label", { class: "sort-by" }, "Sort by ", choice),
    el(
      "table",
      { role: "table", class: "cards" },
      caption ? el("caption", {}, caption) : null,
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)),
      body,
    ),
  );
  // Shows the rows with all words of a text; returns how many.
  const filter = (text) => {
    const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { line } of lines) {
      // The titles that narrow windows show beside the cells are no content.
      const content = [...line.cells].map((cell) => cell.lastElementChild.textContent.toLowerCase()).join(" ");
      line.hidden = !wanted.every((word) => content.includes(word));
      count += Number(!line.hidden);
    }
    return count;
  };
  return { element, filter };
};
