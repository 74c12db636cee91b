// A text field with suggestions (the ARIA pattern of an editable combobox with a list).

import { el } from "./dom.js";

const MOST = 8;

// `suggest(text)` returns [{value, note}], best first; `id` must be unique in the page.
export const combobox = (input, id, suggest) => {
  const list = el("ul", { role: "listbox", id, class: "options", hidden: true, "aria-label": "Suggestions" });
  input.closest("label").after(list);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list" })) {
    input.setAttribute(name, value);
  }
  let found = [];
  let at = -1;

  const close = () => {
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (place) => {
    input.value = found[place].value;
    close();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    // The event opens the list again, as typing does.
    close();
  };
  const mark = (place) => {
    at = (place + found.length) % found.length;
    [...list.children].forEach((option, k) => option.setAttribute("aria-selected", k === at));
    list.children[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", list.children[at].id);
  };
  const open = (all = false) => {
    found = suggest(all ? "" : input.value).slice(0, all ? 200 : MOST);
    if (!found.length || (found.length === 1 && found[0].value === input.value)) return close();
    list.replaceChildren(
      ...found.map(({ value, note }, k) => {
        const option = el("li", { role: "option", id: `${id}-${k}`, "aria-selected": "false" }, el("span", {}, value), note && el("small", {}, note));
        // Before the field loses the focus, which closes the list.
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          choose(k);
        });
        return option;
      }),
    );
    list.hidden = false;
    at = -1;
    input.setAttribute("aria-expanded", "true");
    input.removeAttribute("aria-activedescendant");
    return undefined;
  };

  input.addEventListener("input", () => document.activeElement === input && open());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) open(true);
      if (!list.hidden) mark(at < 0 && step < 0 ? found.length - 1 : at + step);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      choose(at);
    } else if (event.key === "Enter") {
      // What is typed stands; the list would hide the answer to it.
      close();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
};

const matches = (text, wanted) => text.toLowerCase().includes(wanted);
const isAll = (text, wanted) => text.toLowerCase() === wanted;
const rank = (text, wanted) => (text.toLowerCase().startsWith(wanted) ? 0 : 1);

export const coreSuggestions = (cores) => (text) => {
  const wanted = text.trim().toLowerCase();
  return cores
    .filter((name) => matches(name, wanted))
    .sort((one, other) => rank(one, wanted) - rank(other, wanted))
    .map((value) => ({ value, note: "" }));
};

// Completes the last layer; what is typed in full comes first, names before aliases, and what many
// papers have before the rest.
export const shellSuggestions = (shells) => (text) => {
  const inner = text.includes("|") ? text.slice(0, text.lastIndexOf("|") + 1) : "";
  const wanted = text.slice(inner.length).trim().toLowerCase();
  const known = inner ? shells : [{ name: "none", aliases: ["bare"], papers: Infinity }, ...shells];
  return known
    .map((shell) => ({ shell, alias: matches(shell.name, wanted) ? "" : shell.aliases.find((name) => isAll(name, wanted)) ?? shell.aliases.find((name) => matches(name, wanted)) }))
    .filter(({ alias }) => alias !== undefined)
    .sort((one, other) =>
      Number(isAll(other.alias || other.shell.name, wanted)) - Number(isAll(one.alias || one.shell.name, wanted))
      || Number(one.alias !== "") - Number(other.alias !== "")
      || rank(one.alias || one.shell.name, wanted) - rank(other.alias || other.shell.name, wanted)
      || other.shell.papers - one.shell.papers)
    .map(({ shell, alias }) => {
      const count = shell.papers === Infinity ? "the bare core" : `${shell.papers} ${shell.papers === 1 ? "paper" : "papers"}`;
      return { value: `${inner}${shell.name}`, note: alias ? `${alias}; ${count}` : count };
    });
};
