// Ranking a design space: its form, its address, and what comes out.

import { changedValues, fillForm, formValues, keepAddress, queryText } from "./address.js";
import { ask, askHtml, latest } from "./api.js";
import { button, el } from "./dom.js";
import { check, faultTeller } from "./fields.js";
import { saveFile } from "./files.js";
import { combination, sentenceCase, words } from "./format.js";
import { firstSpace, spaces } from "./given.js";
import { citations } from "./papers.js";
import { createRanking, papersOf } from "./ranking.js";
import { CONSTRAINTS, IONS, readSpace, showParts, showSpace } from "./space.js";

const VIEW = "rank";
const HOW = ["top", "order_by", "suggest"];
const REMOVED = { ...CONSTRAINTS, measured: "measured (listed as such)" };
const count = (number) => number.toLocaleString("en");

export const createRank = ({ colourOf, onFault, onPick }) => {
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
      ...Object.entries(CONSTRAINTS).map(([name, text]) => check("constraint", name, {}, text)),
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
  const restore = (text) => {
    const params = new URLSearchParams(text);
    const preset = params.get("preset");
    form.elements.preset.value = preset in spaces ? preset : firstSpace;
    params.delete("preset");
    for (const [name, values] of Object.entries(how)) fillForm(form, new URLSearchParams(values.length ? values.map((value) => [name, value]) : [[name, ""]]));
    showPreset();
    fillForm(form, params);
    showParts(form);
  };

  // All of it -----------------------------------------------------------------------------

  const report = (asked) => {
    const download = button("Download the full report", async () => {
      download.disabled = true;
      try {
        saveFile(`${asked.space.name}.html`, await askHtml("rank", asked));
      } catch (problem) {
        tell(problem);
      }
      download.disabled = false;
    });
    return download;
  };

  const experiments = ({ suggest_experiments: suggested }) =>
    (suggested.length
      ? [
        el("h2", {}, "Experiments that would help to choose"),
        el("ul", {}, suggested.slice(0, 6).map((one) =>
          el("li", {}, `${sentenceCase(one.kind)}: ${one.what}: changes the first choice with ${Math.round(100 * one.p_changes)} %; ${one.why}.`))),
      ]
      : []);

  const cite = (answer) => {
    const papers = papersOf(answer).slice(0, cited);
    return papers.length ? citations(papers.length, queryText(new URLSearchParams(papers.map((name) => ["paper", name])))) : null;
  };

  const show = (asked, answer) => {
    const removed = Object.entries(answer.removed).map(([name, number]) => `${REMOVED[name] ?? words(name)} ${count(number)}`);
    const named = (name) => answer[name].map((line, at) => ({ ...line, id: `${name}-${at + 1}` }));
    const [made, candidates] = [named("measured"), named("candidates")];
    const ranking = createRanking({ colourOf, onPick, targets, stressors: asked.space.stressors });
    out.replaceChildren(
      el("div", { class: "result-head" }, el("h2", { tabindex: -1 }, "Measured: what papers made"), el("div", { class: "chips" }, cite(answer), report(asked))),
      el("p", { class: "small" }, "Combinations of this space that papers made and tested, by what the evidence shows at least."),
      ranking.measuredTable(made),
      el("h2", {}, "Worth trying: nobody measured what is asked"),
      el("p", { class: "small" }, `The first ${candidates.length} of ${count(answer.ranked)}. ${removed.length ? `Left out: ${removed.join(", ")}.` : "No constraint removed any."}`),
      ranking.candidatesTable(candidates),
      ...experiments(answer),
      ranking.plot([...made, ...candidates]),
      el("h2", {}, "How reliable the order is"),
      ...answer.statements.map((text) => el("p", { class: "notice" }, text)),
    );
    const first = [["Best measured", made], ["To try first", candidates]].filter(([, lines]) => lines.length);
    status.textContent = `${count(answer.ranked)} ranked. ${first.map(([title, [line]]) => `${title}: ${combination(line)}.`).join(" ")}`;
  };

  const tell = faultTeller({ status, fault, onFault });

  const run = latest((signal, asked) => ask("rank", asked, signal));

  const busy = (is) => {
    submit.disabled = is;
    cancel.hidden = !is;
    out.setAttribute("aria-busy", is);
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
      if (answer) show(asked, answer);
      else status.textContent = "Cancelled.";
    } catch (problem) {
      out.replaceChildren();
      tell(problem);
    }
    busy(false);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
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
      restore(text);
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
