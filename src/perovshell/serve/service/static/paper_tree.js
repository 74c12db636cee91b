// A paper as a tree of mappings and lists, and values in it by their path: ["samples", 0, "core"].

export const pointerOf = (path) => path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

export const pathOf = (pointer) =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));

export const valueAt = (tree, path) => path.reduce((inner, part) => inner?.[part], tree);

// Sets a value; an empty one is removed.
export const setAt = (tree, path, value) => {
  const last = path.at(-1);
  let inner = tree;
  path.slice(0, -1).forEach((part, k) => {
    inner[part] ??= typeof path[k + 1] === "number" ? [] : {};
    inner = inner[part];
  });
  if (value === "" || value === undefined) delete inner[last];
  else inner[last] = value;
};

// A tree of what belongs to pointers.
export const treeOf = (byPointer) => {
  const tree = {};
  for (const [pointer, value] of Object.entries(byPointer)) setAt(tree, pathOf(pointer), value);
  return tree;
};

const isEmpty = (value) => value === undefined || value === null || value === "" || (typeof value === "object" && !Object.keys(value).length);

// A copy without what is empty; items of lists stay, since faults are named by their number.
export const pruned = (value) => {
  if (Array.isArray(value)) return Array.from(value, (item) => pruned(item ?? {}));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, pruned(inner)])
      .filter(([, inner]) => !isEmpty(inner)),
  );
};
