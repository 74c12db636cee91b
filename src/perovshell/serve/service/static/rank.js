// Ranking a design space, and what comes out.

import { ask, askHtml, latest } from "./api.js";
import { scatter } from "./charts.js";
import { button, el } from "./dom.js";
import { check } from "./fields.js";
import { combination, estimate, figure, interval, lasting, pointsOf, sentenceCase, stabilityOf, under, whole, words } from "./format.js";
import { firstSpace, spaces } from "./given.js";
import { CONSTRAINTS, IONS, readSpace, showParts, showSpace } from "./space.js";

const underStress = (targets, stressors) =>
  stressors.flatMap((stressor) =>
    stabilityOf(targets).map((target) => ({ target, name: under(target, stressor), title: `${sentenceCase(target.title)}, ${words(stressor)}` })));

const axesOf = (targets, stressors) => [
  ...pointsOf(targets).map(({ title, unit, column }) => ({
    label: `${title} (${unit})`,
    of: (line) => line[column],
    say: (line) => `${title} ${whole(line[column])} ${unit}`,
  })),
  ...underStress(targets, stressors).map(({ target, name, title }) => ({
    label: target.unit ? `${title} (${target.unit})` : title,
    log: true,
    of: (line) => line[name],
    say: (line) => `${title} ${lasting(target, line[name], line[`${name}_bound`])}`,
  })),
  { label: "Score", of: (line) => line.score, say: (line) => `score ${figure(line.score)}` },
];

const cell = (headline, small) => el("td", { class: "n" }, headline, el("small", {}, small));

export const createRank = ({ colourOf, onFault, onPick }) => {
  const form = document.getElementById("space");
  const out = document.getElementById("ranking");
  const fault = document.getElementById("rank-fault");
  const status = document.getElementById("rank-status");
  const cancel = document.getElementById("cancel");
  const submit = form.querySelector("[type=submit]");
  let targets = [];

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
  };

  // The plot ------------------------------------------------------------------------------

  const plot = (lines, stressors) => {
    const axes = axesOf(targets, stressors);
    const chosen = { across: 0, up: 1 };
    const box = el("div", { class: "plot" });
    const caption = el("p", { class: "small" });
    const draw = () => {
      const [across, up] = [axes[chosen.across], axes[chosen.up]];
      const shown = lines.filter((line) => Number.isFinite(across.of(line)) && Number.isFinite(up.of(line)));
      box.replaceChildren(
        el("span", { class: "axis-up", "aria-hidden": "true" }, up.label),
        el("div", { class: "area" }, shown.length ? scatter(shown, across, up, colourOf) : ""),
        el("span", { class: "axis-across", "aria-hidden": "true" }, across.label),
      );
      const front = lines.filter((line) => line.is_pareto).map((line) => `${line.rank}. ${combination(line)}`);
      caption.textContent = `${up.label} against ${across.label}: ${shown.length} candidates, each in the colour of its light. `
        + `Ringed: on the Pareto front (no other is better in every objective): ${front.join("; ") || "none of these"}.`;
    };
    const pick = (name, label) => {
      const select = el("select", {}, axes.map((axis, k) => el("option", { value: k }, axis.label)));
      select.value = chosen[name];
      select.addEventListener("change", () => {
        chosen[name] = Number(select.value);
        draw();
      });
      return el("label", {}, `${label} `, select);
    };
    box.addEventListener("click", (event) => {
      const rank = event.target.closest(".point")?.dataset.rank;
      if (rank) document.getElementById(`line-${rank}`)?.focus();
    });
    draw();
    return el("figure", { class: "front" }, el("div", { class: "toolbar" }, pick("across", "Across"), pick("up", "Up")), box, el("figcaption", {}, caption));
  };

  // The table -----------------------------------------------------------------------------

  const row = (line, stressors) => {
    const use = button("Predict this", () => onPick(line), { "aria-label": `Predict ${combination(line)}` });
    const [first, ...more] = line.evidence.split("; ");
    const list = el("ul", { class: "plain" }, more.map((text) => el("li", {}, text)));
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = colourOf(line.pl_peak_nm);
    return el(
      "tr",
      { id: `line-${line.rank}`, tabindex: -1, class: line.is_pareto ? "pareto" : "" },
      el("td", { class: "n" }, String(line.rank)),
      el("th", { scope: "row" }, swatch, line.core),
      el("td", {}, line.shell),
      el("td", {}, use),
      pointsOf(targets).map(({ column, unit }) => cell(`${whole(line[column])} ${unit}`, `${whole(line[`${column}_lower`])} to ${whole(line[`${column}_upper`])}`)),
      underStress(targets, stressors).map(({ target, name }) => {
        const given = interval(line, name);
        return cell(`≥ ${lasting(target, given.low)}`, estimate(target, given));
      }),
      el("td", {}, line.is_pareto ? "yes" : "no"),
      el("td", {}, line.in_domain ? "in domain" : "out of domain"),
      el("td", { class: "evidence" }, el("details", {}, el("summary", { "aria-label": `Evidence for candidate ${line.rank}` }, first), list)),
    );
  };

  const table = (lines, stressors) => {
    const names = ["#", "Core", "Shell", "Compare", ...pointsOf(targets).map(({ title }) => title), ...underStress(targets, stressors).map(({ title }) => title), "Pareto front", "Domain", "Evidence"];
    return el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Candidates" },
      el(
        "table",
        {},
        el("caption", {}, "Intervals cover 90 %; ≥ marks a 90 % lower bound without an upper limit."),
        el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, lines.map((line) => row(line, stressors))),
      ),
    );
  };

  // All of it -----------------------------------------------------------------------------

  const report = async (asked) => {
    const blob = await askHtml("rank", asked);
    const link = el("a", { href: URL.createObjectURL(blob), download: `${asked.space.name}.html` });
    link.click();
    URL.revokeObjectURL(link.href);
  };

  const show = (asked, found) => {
    const removed = Object.entries(found.removed).map(([name, count]) => `${CONSTRAINTS[name] ?? words(name)} ${count.toLocaleString("en")}`);
    const download = button("Download the full report", async () => {
      download.disabled = true;
      try {
        await report(asked);
      } catch (problem) {
        tell(problem);
      }
      download.disabled = false;
    });
    out.replaceChildren(
      el("div", { class: "result-head" }, el("h2", { tabindex: -1 }, `Top ${found.lines.length} of ${found.ranked.toLocaleString("en")} candidates`), download),
      el("p", { class: "small" }, removed.length ? `Removed by constraints: ${removed.join(", ")}.` : "No constraint removed any."),
      plot(found.lines, asked.space.stressors),
      table(found.lines, asked.space.stressors),
      el("h2", {}, "How reliable the order is"),
      ...found.statements.map((text) => el("p", { class: "notice" }, text)),
    );
    status.textContent = `${found.ranked.toLocaleString("en")} ranked. Top candidate: ${combination(found.lines[0])}.`;
  };

  const tell = (problem) => {
    status.textContent = "";
    if (problem.status === 401) return onFault(problem);
    fault.textContent = problem.message;
    fault.hidden = false;
    return undefined;
  };

  const run = latest((signal, asked) => ask("rank", asked, signal));

  const busy = (is) => {
    submit.disabled = is;
    cancel.hidden = !is;
    out.setAttribute("aria-busy", is);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = { space: readSpace(form, spaces), top: Number(form.elements.top.value) };
    fault.hidden = true;
    status.textContent = "Ranking…";
    busy(true);
    try {
      const found = await run(asked);
      if (found) show(asked, found);
      else status.textContent = "Cancelled.";
    } catch (problem) {
      out.replaceChildren();
      tell(problem);
    }
    busy(false);
  });
  cancel.addEventListener("click", () => {
    run.cancel();
    submit.disabled = false;
    submit.focus();
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "preset") showSpace(form, spaces[event.target.value]);
    showParts(form);
  });
  setUp();

  return {
    learnModel: (model) => {
      targets = model.targets.filter((target) => target.column);
    },
    learnWords: ({ stressors, shells }) => {
      const classes = [...new Set(shells.map((shell) => shell.material_class))].sort();
      form.querySelector('[data-shells="classes"]').replaceChildren(...classes.map((name) => check("class", name)));
      document.getElementById("rank-stressors").replaceChildren(...stressors.map((word) => check("rank-stressor", word)));
      showSpace(form, spaces[form.elements.preset.value]);
    },
  };
};
