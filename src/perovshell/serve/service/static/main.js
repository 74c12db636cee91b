// Puts the page together: views, what the service knows, and the message when it does not answer.

import { readAddress } from "./address.js";
import { keepKey, read, whenAnswered } from "./api.js";
import { showCard } from "./card.js";
import { createCompare } from "./compare.js";
import { button, el } from "./dom.js";
import { light } from "./given.js";
import { createLiterature } from "./literature.js";
import { createPaper } from "./paper.js";
import { createRank } from "./rank.js";

const VIEWS = ["predict", "rank", "literature", "paper", "card"];

// About the colour of light of a wavelength; grey where eyes see none.
const colourOf = (nm) => {
  const { low, high, colours } = light;
  if (!(nm >= low && nm <= high)) return "rgb(128,128,128)";
  return colours[Math.round(((nm - low) / (high - low)) * (colours.length - 1))];
};

const status = document.getElementById("status");
const say = (text) => {
  status.textContent = text;
};

// Words of the address that no field could take.
const ignored = document.getElementById("ignored");
const onIgnored = (texts) => {
  ignored.textContent = texts.length ? `Not understood in the address, and ignored: ${texts.join(", ")}.` : "";
  ignored.hidden = !texts.length;
};

let learned = false;
const notice = document.getElementById("notice");
const clearNotice = () => {
  // Without the words and the targets of the model nothing works.
  if (learned) notice.hidden = true;
};
whenAnswered(clearNotice);

const keyForm = (retry) => {
  const field = el("input", { type: "password", name: "key", autocomplete: "off", required: true });
  const form = el("form", { class: "key" }, el("label", {}, "API key ", field), el("button", {}, "Use this key"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepKey(field.value.trim());
    retry();
  });
  return form;
};
const WORDS = {
  401: "This service asks for an API key. It is kept until this tab is closed.",
  429: "Too many requests at a time.",
  503: "The service is busy.",
};
// Says what went wrong; what failed is tried again from here, not another thing.
const onFault = ({ status, message, retryAfter }, failed) => {
  const retry = () => (learned ? failed() : start());
  const wait = retryAfter ? ` Try again in ${retryAfter} s.` : "";
  const text = WORDS[status] ? `${WORDS[status]}${wait}` : message;
  notice.replaceChildren(el("p", {}, text), status === 401 ? keyForm(retry) : button("Try again", retry));
  notice.hidden = false;
};
const onAnswer = ({ id, version }) => {
  document.getElementById("model-name").textContent = `Model ${id}${version ? `, version ${version}` : ""}.`;
};

const compare = createCompare({ colourOf, say, onFault, onAnswer, onIgnored });
const rank = createRank({
  colourOf,
  onFault,
  onIgnored,
  onPick: ({ core, shell, structure, encapsulation, medium, core_size_nm: size }) => {
    location.hash = "predict";
    show();
    compare.add({ core, shell, structure, encapsulation, medium, core_size_nm: size ?? "" });
  },
});

const literature = createLiterature({ onFault, onIgnored });
const paper = createPaper({
  onFault,
  onRefusal: (fault, failed) => {
    onFault(fault, failed);
    notice.querySelector("input, button").focus();
  },
});

const entered = { rank, literature };
let shownView = "";
const show = () => {
  const { view: named, query } = readAddress();
  const view = VIEWS.includes(named) ? named : VIEWS[0];
  if (shownView && view !== shownView) {
    clearNotice();
    onIgnored([]);
  }
  shownView = view;
  for (const name of VIEWS) {
    document.getElementById(`view-${name}`).hidden = name !== view;
    const link = document.querySelector(`nav a[data-view="${name}"]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${document.querySelector(`#view-${view} h1`).textContent} \u2013 Perovshell`;
  // What an address asks for needs the words and the targets of the model.
  if (learned) entered[view]?.enter(query);
};

const learn = async () => {
  const [vocabulary, model] = await Promise.all([read("vocabulary"), read("model")]);
  compare.learnWords(vocabulary);
  compare.learnModel(model);
  rank.learnModel(model);
  rank.learnWords(vocabulary);
  literature.learnWords(vocabulary);
  paper.learnWords(vocabulary);
  showCard(model);
  learned = true;
  show();
};

const start = async () => {
  try {
    if (!learned) await learn();
  } catch (fault) {
    onFault(fault, start);
    return;
  }
  await compare.predict();
};

// The address stays that of the view.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});

addEventListener("hashchange", show);
show();
start();
