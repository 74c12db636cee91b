// Ranking a design space, and what comes out.

import { ask, askHtml, latest } from "./api.js";
import { scatter } from "./charts.js";
import { button, check, el } from "./dom.js";
import { column, combination, figure, hours, percent, short, whole, words } from "./format.js";
import { firstSpace, spaces } from "./given.js";
import { CONSTRAINTS, IONS, readSpace, showParts, showSpace } from "./space.js";

const axesOf = (line) => {
  const kinds = { stability_gain: ["gain", " ×", short], half_life_h: ["half-life", "", hours] };
  const stability = Object.keys(line).flatMap((name) => {
    const [, kind, stressor] = /^(stability_gain|half_life_h)_(.+?)(?<!_lower|_upper|_open)$/.exec(name) ?? [];
    if (!kind) return [];
    const [word, unit, write] = kinds[kind];
    const label = kind === "half_life_h" ? `Half-life, ${words(stressor)} (h)` : `Gain, ${words(stressor)}`;
    return [{ label, log: true, of: (own) => own[name], say: (own) => `${word} ${write(own[name])}${unit}` }];
  });
  return [
    { label: "PL peak (nm)", of: (own) => own.pl_peak_nm, say: (own) => `PL ${whole(own.pl_peak_nm)} nm` },
    { label: "PLQY (%)", of: (own) => own.plqy_percent, say: (own) => `PLQY ${whole(own.plqy_percent)} %` },
    ...stability,
    { label: "Score", of: (own) => own.score, say: (own) => `score ${figure(own.score)}` },
  ];
};

const cell = (headline, small) => el("td", { class: "n" }, headline, el("small", {}, small));

export const createRank = ({ colourOf, onFault, onPick }) => {
  const form = document.getElementById("space");
  const out = document.getElementById("ranking");
  const fault = document.getElementById("rank-fault");
  const said = document.getElementById("rank-said");
  const cancel = document.getElementById("cancel");
  const submit = form.querySelector("[type=submit]");

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

  const plot = (lines) => {
    const axes = axesOf(lines[0]);
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
      caption.textContent = `${up.label} against ${across.label}: ${shown.length} lines, each in the colour of its light. `
        + `Ringed, on the front (none is better in every objective): ${front.join("; ") || "none of these"}.`;
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
    const bare = (name) => line[`${name}_lower`];
    const use = button("Predict this", () => onPick(line), { "aria-label": `Predict ${combination(line)}` });
    const [first, ...more] = line.evidence.split("; ");
    const list = el("ul", { class: "plain" }, more.map((text) => el("li", {}, text)));
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = colourOf(line.pl_peak_nm);
    const gains = stressors.flatMap((stressor) => {
      const [gain, life] = [`stability_gain_${column(stressor)}`, `half_life_h_${column(stressor)}`];
      return [
        cell(`≥ ${short(bare(gain))} ×`, `estimate ${short(line[gain])} ×`),
        cell(`≥ ${hours(bare(life))}`, `estimate ${hours(line[life])}`),
      ];
    });
    return el(
      "tr",
      { id: `line-${line.rank}`, tabindex: -1, class: line.is_pareto ? "in-front" : "" },
      el("td", { class: "n" }, String(line.rank)),
      el("th", { scope: "row" }, swatch, line.core),
      el("td", {}, line.shell),
      el("td", {}, use),
      cell(`${whole(line.pl_peak_nm)} nm`, `${whole(line.pl_peak_nm_lower)} to ${whole(line.pl_peak_nm_upper)}`),
      cell(`${whole(line.plqy_percent)} %`, `${whole(line.plqy_percent_lower)} to ${whole(line.plqy_percent_upper)}`),
      gains,
      el("td", {}, line.is_pareto ? "yes" : "no"),
      el("td", {}, line.in_domain ? "inside" : "outside"),
      el("td", { class: "rests" }, el("details", {}, el("summary", { "aria-label": `What line ${line.rank} rests on` }, first), list)),
    );
  };

  const table = (lines, stressors) => {
    const names = ["#", "Core", "Shell", "Compare", "PL peak", "PLQY", ...stressors.flatMap((one) => [`Gain, ${words(one)}`, `Half-life, ${words(one)}`]), "On the front", "Domain", "Rests on"];
    return el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Lines of the ranking" },
      el(
        "table",
        {},
        el("caption", {}, "Intervals hold 90 %; ≥ is a 90 % lower bound without an upper limit."),
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
      el("div", { class: "result-head" }, el("h2", { tabindex: -1 }, `The first ${found.lines.length} of ${found.ranked.toLocaleString("en")}`), download),
      el("p", { class: "small" }, removed.length ? `Left out by what must hold: ${removed.join(", ")}.` : "Nothing was left out."),
      plot(found.lines),
      table(found.lines, asked.space.stressors),
      el("h2", {}, "How far to trust the order"),
      ...found.statements.map((text) => el("p", { class: "notice" }, text)),
    );
    said.textContent = `${found.ranked.toLocaleString("en")} ranked. First: ${combination(found.lines[0])}.`;
  };

  const tell = (problem) => {
    said.textContent = "";
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
    said.textContent = "Ranking…";
    busy(true);
    try {
      const found = await run(asked);
      if (found) show(asked, found);
      else said.textContent = "Cancelled.";
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
    learnWords: ({ stressors, shells }) => {
      const classes = [...new Set(shells.map((shell) => shell.material_class))].sort();
      form.querySelector('[data-shells="classes"]').replaceChildren(...classes.map((name) => check("class", name)));
      document.getElementById("rank-stressors").replaceChildren(...stressors.map((word) => check("rank-stressor", word)));
      showSpace(form, spaces[form.elements.preset.value]);
    },
  };
};
