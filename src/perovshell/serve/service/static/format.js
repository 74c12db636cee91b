// How numbers are written; all of the page writes them with these.

import { notReached } from "./given.js";
import { number } from "./scales.js";

const UNKNOWN = "unknown";
const isKnown = (value) => typeof value === "number" && Number.isFinite(value);
export const minus = (text) => text.replace("-", "\u2212");

// To so many digits, without an exponent: 174.092 -> 170, 3.26 -> 3.3.
const rounded = (value, digits) =>
  Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6, useGrouping: "min2" });

export const whole = (value) => (isKnown(value) ? minus(value.toFixed(0)) : UNKNOWN);
export const short = (value) => (isKnown(value) ? minus(rounded(value, 2)) : UNKNOWN);
export const figure = (value) => minus(number(value));
export const percent = (share) => `${figure(100 * share)} %`;

// Hours, or days and years where they are many.
export const hours = (value) => {
  if (!isKnown(value) || value < 72) return `${short(value)} h`;
  const days = value / 24;
  return days < 730 ? `${short(days)} days` : `${short(days / 365.25)} years`;
};

// A value under a stressor: a time, or a factor; with its sign where its median was not reached.
export const lasting = ({ unit }, value, sign = "") =>
  `${sign}\u00a0${unit === "h" ? hours(value) : `${short(value)} ×`}`.trim();

// The same in words: what its sign means, or that it is an estimate.
export const estimate = (target, { value, sign }) =>
  sign ? `${notReached[sign]}: ${lasting(target, value, sign)}` : `estimate ${lasting(target, value)}`;

// What was measured of a sample, as printed; `none` where nothing was.
export const measured = (row, points, none = "stability only") =>
  points
    .filter(({ name }) => row[name])
    .map(({ title, name }) => `${title} ${row[name]}`)
    .concat(row.stability || [])
    .join(", ") || none;

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
export const sentenceCase = (text) => text[0].toUpperCase() + text.slice(1);
export const words = (name) => name.replaceAll("_", " ").replaceAll("-", " ");

// Targets as the service declares them: one number a sample, or one under each stressor.
export const pointsOf = (targets) => targets.filter(({ kind }) => kind === "point");
export const stabilityOf = (targets) => targets.filter(({ kind }) => kind === "stability");
export const under = ({ column }, stressor) => `${column}_${stressor.replaceAll("-", "_")}`;

// A predicted number with its interval and its sign; `openHigh` has no upper limit.
export const interval = (answer, name) => ({
  value: answer[name],
  low: answer[`${name}_lower`],
  high: answer[`${name}_upper`],
  openHigh: Boolean(answer[`${name}_upper_open`]),
  sign: answer[`${name}_bound`] ?? "",
});
