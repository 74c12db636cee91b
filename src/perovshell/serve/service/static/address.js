// The part of the address after #: a view, and what it shows, as #literature?shell=SiO2.

export const readAddress = () => {
  const [view, ...rest] = location.hash.slice(1).split("?");
  return { view, query: rest.join("?") };
};

// These signs need no escape, and a link is easier to read with them.
const PLAIN = { "%2F": "/", "%3B": ";", "%3D": "=", "%2C": ",", "%28": "(", "%29": ")" };
export const queryText = (params) => params.toString().replace(/%(2F|3B|3D|2C|28|29)/g, (sign) => PLAIN[sign]);

// A link of the navigation keeps what its view shows.
export const keepAddress = (view, query) => {
  const hash = query ? `#${view}?${query}` : `#${view}`;
  document.querySelector(`nav a[data-view="${view}"]`).setAttribute("href", hash);
  if (readAddress().view === view) history.replaceState(null, "", `${location.search}${hash}`);
};

// The fields of a form as lists of values by name; a box that is not checked has none.
export const formValues = (form) => {
  const values = Object.fromEntries([...form.elements].filter(({ name }) => name).map(({ name }) => [name, []]));
  for (const [name, value] of new FormData(form)) values[name].push(value.replaceAll("\r\n", "\n"));
  return values;
};

// Those that are not as by default; a list without entries is one empty entry.
export const changedValues = (values, defaults) => {
  const params = new URLSearchParams();
  for (const [name, entries] of Object.entries(values)) {
    if (entries.join("\n") === (defaults[name] ?? []).join("\n")) continue;
    for (const entry of entries.length ? entries : [""]) params.append(name, entry);
  }
  return params;
};

export const fillForm = (form, params) => {
  for (const field of form.elements) {
    if (!params.has(field.name)) continue;
    const entries = params.getAll(field.name);
    if (["checkbox", "radio"].includes(field.type)) field.checked = entries.includes(field.value);
    else [field.value] = entries;
  }
};
