// Files that the page writes.

import { el } from "./dom.js";

export const saveFile = (name, content, type) => {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
};

// An SVG as a PNG of twice its size.
export const savePicture = (name, svg) => {
  const picture = new Image();
  picture.addEventListener("load", () => {
    const canvas = el("canvas", { width: 2 * picture.naturalWidth, height: 2 * picture.naturalHeight });
    const context = canvas.getContext("2d");
    context.scale(2, 2);
    context.drawImage(picture, 0, 0);
    canvas.toBlob((blob) => saveFile(name, blob, "image/png"));
  });
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
};

const cell = (value) => {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

// Rows with the same keys as CSV.
export const csvOf = (rows) =>
  [Object.keys(rows[0] ?? {}), ...rows.map(Object.values)].map((row) => `${row.map(cell).join(",")}\n`).join("");
