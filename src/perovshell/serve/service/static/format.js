// How numbers are written; all of the page writes them with these.

const UNKNOWN = "unknown";
const isKnown = (value) => typeof value === "number" && Number.isFinite(value);
const minus = (text) => text.replace("-", "\u2212");

// To so many digits, without an exponent: 174.092 -> 170, 3.26 -> 3.3.
const rounded = (value, digits) =>
  Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6, useGrouping: "min2" });

export const whole = (value) => (isKnown(value) ? minus(value.toFixed(0)) : UNKNOWN);
export const signed = (value) => {
  const text = whole(value);
  return isKnown(value) && value > 0 && text !== "0" ? `+${text}` : text.replace(/^\u22120$/, "0");
};
export const short = (value) => (isKnown(value) ? minus(rounded(value, 2)) : UNKNOWN);
export const figure = (value) => (isKnown(value) ? minus(rounded(value, 3)) : UNKNOWN);
export const percent = (share) => `${figure(100 * share)} %`;

// Hours as a chemist says them, days where they are many.
export const hours = (value) => {
  if (!isKnown(value) || value < 72) return `${short(value)} h`;
  const days = value / 24;
  return days < 730 ? `${short(days)} days` : `${short(days / 365.25)} years`;
};

export const measured = (row) => {
  const said = [];
  if (isKnown(row.pl_peak_nm)) said.push(`PL ${whole(row.pl_peak_nm)} nm`);
  if (isKnown(row.plqy_percent)) said.push(`PLQY ${figure(row.plqy_percent)} %`);
  return said.join(", ") || "stability alone";
};

const CONDITIONS = {
  temperature_c: (value) => `${figure(value)} °C`,
  humidity_percent: (value) => `${figure(value)} % humidity`,
  irradiance_mw_cm2: (value) => `${figure(value)} mW/cm²`,
};
export const conditions = (given = {}) =>
  Object.entries(given)
    .map(([name, value]) => CONDITIONS[name]?.(value) ?? `${name} ${figure(value)}`)
    .join(", ");

export const combination = ({ core, shell }) => (shell === "none" ? `${core}, bare` : `${core} / ${shell}`);
export const words = (name) => name.replaceAll("_", " ").replaceAll("-", " ");
export const column = (stressor) => stressor.replaceAll("-", "_");

// A predicted number with its interval; `openHigh` has no upper limit.
export const interval = (answer, name) => ({
  value: answer[name],
  low: answer[`${name}_lower`],
  high: answer[`${name}_upper`],
  openHigh: Boolean(answer[`${name}_upper_open`]),
});
