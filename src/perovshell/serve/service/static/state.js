// What the page's address says, so that a link or a reload shows the same combinations.

import { queryText } from "./address.js";

export const MOST = 6;
export const OPTIONS = ["structure", "encapsulation", "medium", "core_size_nm", "bare_pl_peak_nm", "bare_plqy_percent"];
const NUMBERS = OPTIONS.filter((name) => /_(nm|percent)$/.test(name));
// What a shell does shows best beside the bare core.
const FIRST = [{ core: "CsPbBr3", shell: "SiO2" }, { core: "CsPbBr3", shell: "none" }];
const STRESSORS = ["water", "light", "heat"];
const COVERAGES = [0.8, 0.9, 0.95];

// CsPbBr3/SiO2;medium=film: formulas and shells have neither slash nor semicolon.
export const writeOne = (inputs) =>
  [`${inputs.core}/${inputs.shell}`, ...OPTIONS.filter((name) => inputs[name]).map((name) => `${name}=${inputs[name]}`)].join(";");

export const readOne = (text) => {
  const [pair, ...rest] = text.split(";");
  const [core, shell = ""] = pair.split("/");
  const options = rest.map((entry) => entry.split("=")).filter(([name]) => OPTIONS.includes(name));
  return { core, shell, ...Object.fromEntries(options) };
};

const unknownOptions = (text) => text.split(";").slice(1).filter((entry) => !OPTIONS.includes(entry.split("=")[0]));

export const readState = (search) => {
  const params = new URLSearchParams(search);
  const texts = params.getAll("c");
  const combinations = texts.slice(0, MOST).map(readOne);
  const coverage = COVERAGES.find((share) => share === Number(params.get("p")));
  return {
    combinations: combinations.length ? combinations : FIRST,
    stressors: params.has("s") ? params.get("s").split(",").filter(Boolean) : STRESSORS,
    coverage: coverage ?? 0.9,
    // What the address has beyond what can be shown.
    ignored: [
      ...texts.slice(0, MOST).flatMap(unknownOptions),
      ...texts.slice(MOST),
      ...(params.has("p") && !coverage ? [`p=${params.get("p")}`] : []),
    ],
  };
};

export const writeState = ({ combinations, stressors, coverage }) => {
  const params = new URLSearchParams();
  for (const inputs of combinations) params.append("c", writeOne(inputs));
  if (stressors.join() !== STRESSORS.join()) params.set("s", stressors.join());
  if (coverage !== 0.9) params.set("p", coverage);
  return `?${queryText(params)}`;
};

// The row of a request; an empty field is left out.
export const rowOf = (inputs) => {
  const row = { core: inputs.core.trim(), shell: inputs.shell.trim() };
  for (const name of OPTIONS) {
    if (inputs[name]) row[name] = NUMBERS.includes(name) ? Number(inputs[name]) : inputs[name];
  }
  return row;
};
