// Files that the page writes.

import { el } from "./dom.js";

const READ_WITHIN = 60_000;

export const saveFile = (name, content, type) => {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  // Some browsers read it after the click only.
  setTimeout(() => URL.revokeObjectURL(link.href), READ_WITHIN);
};

const drawn = (picture, scale) =>
  new Promise((resolve) => {
    const canvas = el("canvas", { width: scale * picture.naturalWidth, height: scale * picture.naturalHeight });
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.drawImage(picture, 0, 0);
    canvas.toBlob(resolve);
  });

// An SVG as a PNG of twice its size; throws an Error where that is more than the browser can draw.
export const savePicture = async (name, svg) => {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await picture.decode();
  const blob = (await drawn(picture, 2)) ?? (await drawn(picture, 1));
  if (!blob) throw new Error("The plot is too large for a PNG: download it as SVG.");
  saveFile(name, blob, "image/png");
};

const cell = (value) => {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

// Rows with the same keys as CSV.
export const csvOf = (rows) =>
  [Object.keys(rows[0] ?? {}), ...rows.map(Object.values)].map((row) => `${row.map(cell).join(",")}\n`).join("");
