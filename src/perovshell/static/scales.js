// Scales, ticks and numbers of every chart, on the page and in reports. What a report draws
// without scripts has the same ticks from `perovshell.serve.report.charts`; a test compares them.

// By their decimal text, exponents and powers of ten are exact; by logarithms they need not be.
const power = (exponent) => Number(`1e${exponent}`);
const exponentOf = (value) => Number(value.toExponential().split("e")[1]);
const exponentAbove = (value) => exponentOf(value) + Number(power(exponentOf(value)) < value);
// Share of a step within which a tick still counts as inside.
const NEAR = 1e-9;

// A number for reading, to three digits.
export const number = (value) => {
  if (typeof value !== "number" || Number.isNaN(value)) return "unknown";
  if (!Number.isFinite(value)) return "no limit";
  const digits = Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return value.toLocaleString("en", { ...digits, useGrouping: "min2" });
};

// A scale from `low` to `high` onto `first` to `last`; values beyond are held at the ends.
export const scale = (low, high, { log = false, first = 0, last = 100 } = {}) => {
  const place = log ? Math.log : (value) => value;
  const at = (value) => {
    const held = Math.min(Math.max(value, low), high);
    return first + ((place(held) - place(low)) / (place(high) - place(low))) * (last - first);
  };
  return Object.assign(at, { low, high, log });
};

// Ends with room around values; on a logarithmic axis of those above 0.
export const padded = (values, log = false) => {
  const known = values.filter((value) => Number.isFinite(value) && (!log || value > 0)).map((value) => (log ? Math.log(value) : value));
  const [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
  const room = Math.max((high - low) * 0.05, Math.abs(high) * 0.002);
  const ends = room > NEAR ? [low - room, high + room] : [low - 1, high + 1];
  return log ? ends.map(Math.exp) : ends;
};

// Powers of ten around values above 0, and around `low` and `high` at least.
export const wholeDecades = (values, low, high) => {
  const known = [low, high, ...values.filter((value) => Number.isFinite(value) && value > 0)];
  return [power(exponentOf(Math.min(...known))), power(exponentAbove(Math.max(...known)))];
};

const range = (first, last, step = 1) =>
  Array.from({ length: Math.max(Math.floor((last - first) / step) + 1, 0) }, (_, k) => first + k * step);

// Values with their number of decimals.
const steps = ({ low, high }, count) => {
  const rough = (high - low) / count;
  const exponent = exponentOf(rough);
  const factor = [1, 2, 5, 10].find((one) => one * power(exponent) >= rough);
  const step = factor * power(exponent);
  const decimals = Math.max(-exponent - Number(factor === 10), 0);
  // A division by a power of ten is exact to the last digit, a product with 0.1 is not.
  const value = (k) => (exponent < 0 ? (k * factor) / power(-exponent) : k * step);
  return range(Math.ceil(low / step - NEAR), Math.floor(high / step + NEAR)).map((k) => [value(k), decimals]);
};

const decades = ({ low, high }, count) => {
  const [first, last] = [exponentAbove(low), exponentOf(high)];
  const step = Math.max(Math.ceil((last - first) / count), 1);
  return range(first, last, step).map((exponent) => [power(exponent), Math.max(-exponent, 0)]);
};

// Places and labels of round values, about `count` at most.
export const ticks = (own, count = 5) => {
  const found = own.log ? decades(own, count) : [];
  return (found.length > 1 ? found : steps(own, count)).map(([value, decimals]) => [
    own(value),
    value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: "min2" }),
  ]);
};
