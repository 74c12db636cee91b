// Check boxes of a name.

import { el } from "./dom.js";

export const check = (name, value, attributes = {}, words = value) =>
  el("label", {}, el("input", { type: "checkbox", name, value, ...attributes }), ` ${words}`);

// The values of the checked boxes.
export const checked = (root, name) =>
  [...root.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);

export const tick = (root, name, values) => {
  for (const box of root.querySelectorAll(`input[name="${name}"]`)) {
    box.checked = values.includes(box.value);
  }
};

// Says beside a form what went wrong; a key that was refused is asked for again, and then it is retried.
export const faultTeller = ({ status, fault, onFault }) => (problem, retry) => {
  status.textContent = "";
  if (problem.status === 401) {
    onFault(problem, retry);
    return;
  }
  fault.textContent = problem.message;
  fault.hidden = false;
};
