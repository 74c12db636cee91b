// Adding a paper: drafted from a text or typed, checked while it is written, and added to the data.

import { ask, debounce, latest } from "./api.js";
import { button, el } from "./dom.js";
import { saveFile } from "./files.js";
import { paperForm } from "./given.js";
import { describe, drawPaper, fieldAt, idOf, readField } from "./paper_fields.js";
import { pathOf, pointerOf, pruned, setAt, treeOf, valueAt } from "./paper_tree.js";

const STORE = "perovshell-paper";
const PAUSE = 400;
const EMPTY = () => ({ text: "", paper: { samples: [{}] }, sentences: {}, open: {}, unclear: [], replace: false });

const stored = () => {
  try {
    return { ...EMPTY(), ...JSON.parse(sessionStorage.getItem(STORE) ?? "{}") };
  } catch {
    return EMPTY();
  }
};
const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
// On the page, options are check boxes.
const forPeople = (text) =>
  text
    .replaceAll('a correction of it needs "replace": true', "to correct it, tick \u201cCorrect the paper in the data\u201d")
    .replaceAll('send "accept_outliers": true', "tick \u201cI have looked at these\u201d");

export const createPaper = ({ onFault, onRefusal }) => {
  const root = document.getElementById("view-paper");
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const form = document.getElementById("paper");
  const textForm = document.getElementById("draft");
  const addButton = document.getElementById("paper-add");
  const status = document.getElementById("paper-status");
  const replaceBox = document.getElementById("paper-replace");
  const acceptBox = document.getElementById("paper-accept");
  let state = stored();
  let vocabulary = { cores: [], shells: [] };
  let answer = null;
  let attempted = false;
  const visited = new Set();
  const opened = new Set();

  const keep = () => sessionStorage.setItem(STORE, JSON.stringify(state));
  const paper = () => pruned(state.paper);
  const bareNames = () => (state.paper.samples ?? []).filter(({ shell, name }) => shell === "none" && name).map(({ name }) => name);

  // Drawing -------------------------------------------------------------------------------

  const draw = () => {
    part("fields").replaceChildren(
      ...drawPaper(paperForm, {
        ...state,
        opened,
        known: () => ({ ...vocabulary, bare: bareNames() }),
        add: (path) => insert(path, {}),
        duplicate: (path) => insert(path.slice(0, -1), structuredClone(valueAt(state.paper, path)), path),
        remove,
      }).filter(Boolean),
    );
    part("unclear").replaceChildren(
      ...(state.unclear.length ? [el("h2", {}, "Not clear in the text; enter by hand"), el("ul", { class: "plain reasons" }, state.unclear.map((text) => el("li", {}, text)))] : []),
    );
    replaceBox.checked = state.replace;
    textForm.elements.text.value = state.text;
  };

  const focusOn = (path) => document.getElementById(idOf(path))?.focus();
  const firstKey = { samples: "name", stability: "stressor", shells: "name" };

  const insert = (listPath, item, after = null) => {
    const list = valueAt(state.paper, listPath) ?? [];
    const index = after ? after.at(-1) + 1 : list.length;
    if (after && item.name) item.name = `${item.name}-copy`;
    list.splice(index, 0, item);
    setAt(state.paper, listPath, list);
    for (const tree of [state.sentences, state.open]) {
      valueAt(tree, listPath)?.splice(index, 0, after ? structuredClone(valueAt(tree, after) ?? {}) : {});
    }
    redraw();
    focusOn([...listPath, index, firstKey[listPath.at(-1)]]);
  };

  const remove = (path) => {
    const [listPath, index] = [path.slice(0, -1), path.at(-1)];
    for (const tree of [state.paper, state.sentences, state.open]) valueAt(tree, listPath)?.splice(index, 1);
    redraw();
    const left = valueAt(state.paper, listPath).length;
    const next = left ? document.getElementById(`${idOf([...listPath, Math.min(index, left - 1)])}-title`) : form.querySelector(`[data-do="add${pointerOf(listPath)}"]`);
    next?.focus();
  };

  // Faults and questions beside their fields ------------------------------------------------

  const remarks = () => {
    const byPointer = new Map();
    const add = (pointer, remark) => byPointer.set(pointer, [...(byPointer.get(pointer) ?? []), remark]);
    for (const { pointer, detail } of answer?.faults ?? []) {
      const isQuiet = !attempted && !visited.has(pointer) && detail.startsWith("missing");
      if (!isQuiet) add(pointer, { kind: "fault", text: forPeople(detail) });
      else if (!valueAt(state.open, pathOf(pointer))) add(pointer, { kind: "open", text: "Needed" });
    }
    for (const { pointer, is_outlier: isOutlier, value, expected, reason } of answer?.questions ?? []) {
      add(pointer, { kind: isOutlier ? "question outlier" : "question", text: `${value}: expected ${expected}; ${reason}` });
    }
    return byPointer;
  };

  // The box of a pointer, or the nearest around it.
  const boxOf = (pointer) => {
    for (let path = pathOf(pointer); path.length; path = path.slice(0, -1)) {
      const box = form.querySelector(`[data-field="${pointerOf(path)}"]`) ?? form.querySelector(`[data-item="${pointerOf(path)}"]`);
      if (box) return box;
    }
    return null;
  };

  const show = () => {
    const texts = new Map();
    const elsewhere = [];
    for (const [pointer, list] of remarks()) {
      const box = boxOf(pointer);
      if (box) texts.set(box, [...(texts.get(box) ?? []), ...list]);
      else elsewhere.push(...list.filter(({ kind }) => kind === "fault").map(({ text }) => text));
    }
    for (const box of form.querySelectorAll("[data-field], [data-item]")) showRemarks(box, texts.get(box) ?? []);
    // Where two papers may be one study, the way out is in the folded fields of the paper.
    if (JSON.stringify([...texts.values()]).includes("supersedes")) form.querySelector('[data-more=""]').open = true;
    part("elsewhere").replaceChildren(...elsewhere.map((text) => el("p", { class: "notice bad" }, text)));
    showPanel();
  };

  const showRemarks = (box, list) => {
    const key = JSON.stringify(list);
    if ((box.dataset.remarks ?? "[]") === key) return;
    box.dataset.remarks = key;
    box.querySelectorAll(":scope > .remark").forEach((old) => old.remove());
    const id = `remark${(box.dataset.field ?? box.dataset.item).replaceAll("/", "-")}`;
    const drawn = list.map(({ kind, text }, k) => el("p", { class: `remark ${kind}`, id: `${id}-${k}` }, text));
    box.append(...drawn);
    const input = box.querySelector(":scope > label > :is(input, select)");
    if (!input) return;
    if (list.some(({ kind }) => kind === "fault")) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    describe(box, input);
    if (list.length) box.closest("details")?.setAttribute("open", "");
  };

  const showPanel = () => {
    const { faults = [], questions = [], understood = [], unchanged = [] } = answer ?? {};
    const needed = faults.filter(({ detail }) => detail.startsWith("missing")).length;
    const parts = [
      faults.length > needed && counted(faults.length - needed, "fault"),
      needed && `${counted(needed, "field")} to be filled in`,
      questions.length && counted(questions.length, "question"),
    ].filter(Boolean);
    const text = unchanged.length ? `${unchanged[0]} is in the data already, word for word.` : parts.length ? `${parts.join(", ")}.` : "No faults.";
    if (status.textContent !== text) status.textContent = answer ? text : "";
    const outliers = JSON.stringify(questions.filter((question) => question.is_outlier));
    // Who has looked at some has not looked at others.
    if (acceptBox.value !== outliers) acceptBox.checked = false;
    acceptBox.value = outliers;
    acceptBox.closest("label").hidden = outliers === "[]";
    replaceBox.closest("label").hidden = !(state.replace || faults.some(({ detail }) => detail.includes('"replace"')));
    part("understood").replaceChildren(
      ...(understood.length
        ? [el("h2", {}, "Understood as"), el("ul", { class: "plain understood" }, understood.filter((line) => !/^ {2}please check:|understood as$/.test(line)).map((line) => el("li", { class: line.startsWith("    ") && "deep" }, line.trim())))]
        : []),
    );
    part("questions").replaceChildren(
      ...(questions.length
        ? [
            el("h2", {}, "Please check"),
            el("ul", { class: "plain" }, questions.map(({ pointer, sample_id: name, column, value, expected, reason }) =>
              el("li", {}, button(`${name}, ${column}`, () => goTo(pointer), { class: "link" }), ` ${value}: expected ${expected}; ${reason}`))),
          ]
        : []),
    );
  };

  const goTo = (pointer) => {
    const box = boxOf(pointer);
    box?.closest("details")?.setAttribute("open", "");
    box?.querySelector("input, select")?.focus();
  };

  // Checking ------------------------------------------------------------------------------

  const request = latest((signal) => ask("papers/check", { paper: paper(), replace: state.replace }, signal));
  // Returns the answer; null without one, undefined where a newer check took the place of this one.
  const check = async ({ refuse = onFault, retry = check } = {}) => {
    try {
      const result = await request();
      if (!result) return undefined;
      answer = result;
      show();
      return result;
    } catch (problem) {
      status.textContent = "Not checked.";
      refuse(problem, retry);
      return null;
    }
  };
  // What was typed just before may be checked meanwhile. Whoever is typing is not interrupted by a
  // refusal; whoever asked for more than a check is.
  const checkLast = async (retry) => {
    let result;
    do result = await check({ refuse: onRefusal, retry });
    while (result === undefined);
    return result;
  };
  // An untouched form is not checked.
  const checkIfKept = () => sessionStorage.getItem(STORE) && check();
  const checkSoon = debounce(checkIfKept, PAUSE);
  const changed = () => {
    request.cancel();
    keep();
    checkSoon();
  };

  // The fields have been redrawn: an answer of before is of other fields.
  const redraw = () => {
    keep();
    draw();
    check();
  };

  form.addEventListener("input", ({ target }) => {
    if (!target.dataset.pointer) return;
    const path = pathOf(target.dataset.pointer);
    const value = readField(target, fieldAt(paperForm, path));
    setAt(state.paper, path, value.length ? value : "");
    setAt(state.open, path, "");
    document.getElementById(`${idOf(path)}-open`)?.remove();
    changed();
  });
  // The Enter key in a field must not add a paper.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.dataset.pointer) event.preventDefault();
  });
  form.addEventListener("focusout", ({ target }) => {
    if (!target.dataset.pointer || visited.has(target.dataset.pointer)) return;
    visited.add(target.dataset.pointer);
    show();
  });
  form.addEventListener("toggle", ({ target }) => {
    if (target.dataset?.more === undefined) return;
    if (target.open) opened.add(target.dataset.more);
    else opened.delete(target.dataset.more);
  }, true);
  replaceBox.addEventListener("change", () => {
    state.replace = replaceBox.checked;
    changed();
  });

  const offerUndo = (before, text) => {
    const undo = button("Undo", () => {
      state = before;
      redraw();
      part("drafted").replaceChildren();
      textForm.elements.text.focus();
    });
    part("drafted").replaceChildren(el("p", { class: "notice" }, text, undo));
  };

  // Drafting ------------------------------------------------------------------------------

  textForm.addEventListener("input", () => {
    state.text = textForm.elements.text.value;
    keep();
  });
  const draft = async () => {
    const before = structuredClone(state);
    try {
      const drafted = await ask("papers/draft", { text: state.text });
      state = {
        ...state,
        paper: { ...drafted.paper, samples: drafted.paper.samples.length ? drafted.paper.samples : [{}] },
        sentences: treeOf(drafted.sentences),
        open: treeOf(Object.fromEntries(drafted.open.map(({ pointer, detail }) => [pointer, detail]))),
        unclear: drafted.unclear,
        replace: false,
      };
      visited.clear();
      attempted = false;
      redraw();
      offerUndo(before, `Drafted: ${drafted.summary}. Compare each value with its sentence. `);
    } catch (problem) {
      onRefusal(problem, draft);
    }
  };
  textForm.addEventListener("submit", (event) => {
    event.preventDefault();
    draft();
  });

  // Adding --------------------------------------------------------------------------------

  const download = (name, yaml) => saveFile(`${name || "paper"}.yaml`, yaml, "application/yaml");
    const downloadPaper = async () => {
    const result = await checkLast(downloadPaper);
    if (result) download(state.paper.paper_id, result.yaml);
    else status.textContent = "Not checked: nothing is saved.";
  };
  document.getElementById("paper-download").addEventListener("click", downloadPaper);

  const showAdded = ({ paper_id: name, understood, dataset, next, yaml }) => {
    const title = el("h2", { tabindex: -1 }, `${name} is added`);
    part("added").replaceChildren(
      title,
      el("p", {}, `The data has ${dataset.papers} papers, ${dataset.samples} samples and ${dataset.stability_tests} stability tests; content hash ${dataset.hash.slice(0, 12)}.`),
      el("p", {}, next),
      el("details", {}, el("summary", {}, "How it was understood"), el("ul", { class: "plain" }, understood.map((line) => el("li", {}, line.trim())))),
      el("p", {}, button("Download the paper file", () => download(name, yaml))),
    );
    part("added").hidden = false;
    title.focus();
  };

  const tell = (problem) => {
    if (problem.status === 401) return onRefusal(problem, addPaper);
    part("refused").replaceChildren(el("p", { class: "notice bad", tabindex: -1 }, forPeople(problem.message)));
    part("refused").firstElementChild.focus();
    return undefined;
  };

  const addPaper = async () => {
    part("refused").replaceChildren();
    attempted = true;
    addButton.disabled = true;
    const result = await checkLast(addPaper);
    if (result?.faults.length) form.querySelector('[aria-invalid="true"], .item:has(> .remark.fault) > header > [tabindex]')?.focus();
    else if (result) await send();
    addButton.disabled = false;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    addPaper();
  });

  const send = async () => {
    try {
      const added = await ask("papers", { paper: paper(), accept_outliers: acceptBox.checked, replace: state.replace });
      clear();
      showAdded(added);
    } catch (problem) {
      tell(problem);
    }
  };

  const clear = () => {
    request.cancel();
    state = EMPTY();
    answer = null;
    attempted = false;
    visited.clear();
    opened.clear();
    status.textContent = "";
    for (const name of ["drafted", "refused", "questions", "understood", "added"]) part(name).replaceChildren();
    part("added").hidden = true;
    sessionStorage.removeItem(STORE);
    draw();
    show();
  };
  document.getElementById("paper-clear").addEventListener("click", () => {
    const before = state;
    clear();
    offerUndo(before, "The form is cleared. ");
    textForm.elements.text.focus();
  });

  draw();
  return {
    learnWords: (words) => {
      vocabulary = words;
      checkIfKept();
    },
  };
};
