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

const BOXES = ["checkbox", "radio"];
// Writes a value into a field; one that the field cannot hold leaves it as it was.
const write = (field, value) => {
  const before = field.value;
  field.value = value;
  if (field.value !== value) field.value = before;
};

// Returns what the form could not take, as texts.
export const fillForm = (form, params) => {
  const fields = [...form.elements].filter(({ name }) => params.has(name));
  for (const field of fields) {
    if (BOXES.includes(field.type)) field.checked = params.getAll(field.name).includes(field.value);
    else write(field, params.get(field.name));
  }
  const isTaken = (name, value) =>
    fields.some((field) => field.name === name && field.value === value && (!BOXES.includes(field.type) || field.checked));
  const isEmptied = (name, value) => value === "" && fields.some((field) => field.name === name);
  return [...params].filter(([name, value]) => !isTaken(name, value) && !isEmptied(name, value)).map(([name, value]) => `${name}=${value}`);
};
