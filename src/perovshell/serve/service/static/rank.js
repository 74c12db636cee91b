// Ranking a design space: its form, its address, and what comes out.

import { changedValues, fillForm, formValues, keepAddress, queryText } from "./address.js";
import { ask, askHtml, latest } from "./api.js";
import { button, el } from "./dom.js";
import { check, faultTeller } from "./fields.js";
import { saveFile } from "./files.js";
import { combination, sentenceCase, words } from "./format.js";
import { constraints, firstSpace, spaces } from "./given.js";
import { citations } from "./papers.js";
import { createRanking, papersOf } from "./ranking.js";
import { inFormWords, IONS, readSpace, showParts, showSpace } from "./space.js";

const VIEW = "rank";
const HOW = ["top", "order_by", "suggest"];
const count = (number) => number.toLocaleString("en");
const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

// How much of a list is shown; one of as many lines as were asked for may go on.
const measuredCount = (lines, top) => `${lines.length < top ? "" : "The first "}${counted(lines.length, "combination")}.`;
const candidateCount = (lines, top, ranked) => {
  const isAll = lines.length < top;
  const shared = lines.some(({ ties }) => ties.length) ? " Those that nothing known tells apart share a line." : "";
  return `${isAll ? "" : "The first "}${counted(lines.length, "line")} of ${counted(ranked, "combination")} that were ranked.${shared}`;
};

export const createRank = ({ colourOf, onFault, onIgnored, onPick }) => {
  const form = document.getElementById("space");
  const out = document.getElementById("ranking");
  const fault = document.getElementById("rank-fault");
  const status = document.getElementById("rank-status");
  const cancel = document.getElementById("cancel");
  const submit = form.querySelector("[type=submit]");
  let targets = [];
  let cited = 0;
  let defaults = {};
  let how = {};
  let shown = "";

  // Each preset has defaults of its own, but how it is ranked stays.
  const showPreset = () => {
    showSpace(form, spaces[form.elements.preset.value]);
    defaults = { ...formValues(form), ...how };
  };

  const setUp = () => {
    const { preset } = form.elements;
    preset.append(...Object.keys(spaces).map((name) => el("option", { value: name }, words(name))));
    preset.value = firstSpace;
    for (const [site, ions] of Object.entries(IONS)) {
      form.querySelector(`[data-site="${site}"] .chips`).append(...ions.map((ion) => check(site, ion)));
    }
    document.getElementById("constraints").append(
      ...Object.entries(constraints).map(([name, text]) => check("constraint", name, {}, text)),
    );
    const values = formValues(form);
    how = Object.fromEntries(HOW.map((name) => [name, values[name]]));
    showPreset();
  };

  const query = () => {
    const params = changedValues(formValues(form), defaults);
    params.delete("preset");
    return queryText(new URLSearchParams([["preset", form.elements.preset.value], ...params]));
  };
  // Returns what of an address is not known.
  const restore = (text) => {
    const params = new URLSearchParams(text);
    const preset = params.get("preset");
    const isKnown = preset === null || Object.hasOwn(spaces, preset);
    form.elements.preset.value = isKnown && preset !== null ? preset : firstSpace;
    params.delete("preset");
    for (const [name, values] of Object.entries(how)) fillForm(form, new URLSearchParams(values.length ? values.map((value) => [name, value]) : [[name, ""]]));
    showPreset();
    const unknown = fillForm(form, params);
    showParts(form);
    return isKnown ? unknown : [`preset=${preset}`, ...unknown];
  };

  // All of it -----------------------------------------------------------------------------

  const report = (asked) => {
    const save = async () => {
      download.disabled = true;
      fault.hidden = true;
      try {
        saveFile(`${asked.space.name}.html`, await askHtml("rank", asked));
      } catch (problem) {
        tell(problem, save);
      }
      download.disabled = false;
    };
    const download = button("Download the full report", save);
    return download;
  };

  const experiments = ({ suggest_experiments: suggested }) =>
    (suggested.length
      ? [
        el("h2", {}, "Experiments that would help to choose"),
        el("ul", {}, suggested.slice(0, 6).map((experiment) =>
          el("li", {}, `${sentenceCase(experiment.kind)}: ${experiment.what}: changes the choice from ${experiment.choice} with probability ${Math.round(100 * experiment.p_changes)} %; ${experiment.why}.`))),
      ]
      : []);

  const cite = (answer) => {
    const all = papersOf(answer);
    const papers = all.slice(0, cited);
    const label = papers.length < all.length ? `The first ${papers.length} of ${counted(all.length, "paper")}` : counted(all.length, "paper");
    return papers.length ? citations(label, queryText(new URLSearchParams(papers.map((name) => ["paper", name])))) : null;
  };

  const show = (asked, answer) => {
    const named = (name) => answer[name].map((line, at) => ({ ...line, id: `${name}-${at + 1}` }));
    const [measured, candidates] = [named("measured"), named("candidates")];
    const { order } = answer;
    const ranking = createRanking({ colourOf, onPick, targets, order, stressors: asked.space.stressors });
    out.replaceChildren(
      el("div", { class: "result-head" }, el("h2", { tabindex: -1 }, "Measured: what papers made"), el("div", { class: "chips" }, cite(answer), report(asked))),
      el("p", { class: "small" }, `${measuredCount(measured, asked.top)} Combinations of this space that papers made and tested, ${order.measured.phrase}.`),
      ranking.measuredTable(measured),
      el("h2", {}, "Worth trying: nobody measured what is asked"),
      el("p", { class: "small" }, `${candidateCount(candidates, asked.top, answer.ranked)} In order ${order.candidates.phrase}. ${answer.removed_text || "No constraint removed any."}`),
      ranking.candidatesTable(candidates),
      ...experiments(answer),
      ranking.plot([...measured, ...candidates]),
      el("h2", {}, "How reliable the order is"),
      ...answer.statements.map((text) => el("p", { class: "notice" }, text)),
    );
    const first = [["Best measured", measured], ["To try first", candidates]].filter(([, lines]) => lines.length);
    status.textContent = `${count(answer.ranked)} ranked. ${first.map(([title, [line]]) => `${title}: ${combination(line)}.`).join(" ")}`;
  };

  const tellFault = faultTeller({ status, fault, onFault });
  const tell = (problem, retry) => {
    problem.message = inFormWords(form, problem.message);
    tellFault(problem, retry);
  };

  const run = latest((signal, asked) => ask("rank", asked, signal));

  const busy = (is) => {
    submit.disabled = is;
    cancel.hidden = !is;
    out.setAttribute("aria-busy", is);
  };

  // What is not shown may be asked for by the same address again.
  const forget = (text) => {
    if (shown === text) shown = "";
  };

  const rank = async () => {
    const { elements } = form;
    const asked = {
      space: readSpace(form, spaces),
      top: Number(elements.top.value),
      order_by: elements.order_by.value,
      suggest_experiments: elements.suggest.checked,
    };
    const text = query();
    shown = text;
    keepAddress(VIEW, text);
    fault.hidden = true;
    status.textContent = "Ranking…";
    busy(true);
    try {
      const answer = await run(asked);
      // Another address was opened meanwhile.
      if (text !== shown) return;
      if (answer) {
        show(asked, answer);
      } else {
        status.textContent = "Cancelled.";
        forget(text);
      }
    } catch (problem) {
      out.replaceChildren();
      forget(text);
      tell(problem, rank);
    }
    busy(false);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onIgnored([]);
    rank();
  });
  cancel.addEventListener("click", () => {
    run.cancel();
    submit.disabled = false;
    submit.focus();
  });
  form.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (name === "preset") showPreset();
    // A window is asked for to be reached.
    if (name.startsWith("window_") && value && !Number(form.elements.weight_pl.value)) form.elements.weight_pl.value = 1;
    showParts(form);
  });
  setUp();

  return {
    // Shows what an address asks for, if it is not shown yet.
    enter: (text) => {
      if (!text || text === shown) return;
      onIgnored(restore(text));
      rank();
    },
    learnModel: (model) => {
      targets = model.targets.filter((target) => target.column);
      cited = model.limits.cited;
    },
    learnWords: ({ stressors, shells }) => {
      const classes = [...new Set(shells.map((shell) => shell.material_class))].sort();
      form.querySelector('[data-shells="classes"]').replaceChildren(...classes.map((name) => check("class", name)));
      document.getElementById("rank-stressors").replaceChildren(...stressors.map((word) => check("rank-stressor", word)));
      showPreset();
    },
  };
};
