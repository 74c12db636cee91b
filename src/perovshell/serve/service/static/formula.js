// Formulas of the family A(Pb, Sn or Ge)X3, which the sliders can write.

export const HALIDES = ["Cl", "Br", "I"];
const A_SITE = "(?:(?:Cs|FA|MA|Rb|EA)[\\d.]*)+";
const FAMILY = new RegExp(`^(${A_SITE})(Pb|Sn|Ge)(?:\\(((?:(?:Cl|Br|I)[\\d.]*)+)\\)3|((?:(?:Cl|Br|I)[\\d.]*)+))$`);
const NEAR = 1e-6;

const amounts = (text) => {
  const found = {};
  for (const [, ion, amount] of text.matchAll(/([A-Z][a-z]|[FME]A|I)([\d.]*)/g)) {
    found[ion] = (found[ion] ?? 0) + (amount === "" ? 1 : Number(amount));
  }
  return found;
};
const total = (found) => Object.values(found).reduce((sum, amount) => sum + amount, 0);

// Returns {a, b, halides: {Cl, Br, I}} with amounts that add to 3, or null for another formula.
export const parseFamily = (text) => {
  const [, a, b, grouped, plain] = FAMILY.exec(text.trim()) ?? [];
  if (!a || Math.abs(total(amounts(a)) - 1) > NEAR) return null;
  const found = amounts(grouped ?? plain);
  const factor = grouped ? 3 : 1;
  const halides = Object.fromEntries(HALIDES.map((ion) => [ion, (found[ion] ?? 0) * factor]));
  return Math.abs(total(halides) - 3) < NEAR ? { a, b, halides } : null;
};

const part = (ion, amount) => {
  const text = String(Number(amount.toFixed(4)));
  return text === "0" ? "" : `${ion}${text === "1" ? "" : text}`;
};

export const writeFamily = ({ a, b, halides }) =>
  `${a}${b}${HALIDES.map((ion) => part(ion, halides[ion])).join("")}`;

// Moves one halide; the others share what is left in their old proportion, in tenths.
export const moveHalide = (halides, ion, amount) => {
  const [one, other] = HALIDES.filter((name) => name !== ion);
  const before = halides[one] + halides[other];
  const left = Math.round(30 - 10 * amount);
  // With nothing left of both there is no proportion: bromide steps in, beside bromide iodide.
  const share = before > NEAR ? halides[one] / before : Number(one === "Br");
  const first = Math.round(left * share);
  return { [ion]: (30 - left) / 10, [one]: first / 10, [other]: (left - first) / 10 };
};
