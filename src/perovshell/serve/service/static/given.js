// What the page was given with its HTML: the colours of light, the spaces to start from, the
// fields of a paper, what the signs of values under a stressor mean, the constraints in words, and
// the words that reasons begin with, by target.

const { light, spaces, first_space: firstSpace, paper: paperForm, not_reached: notReached, constraints, domains } = JSON.parse(document.getElementById("given").textContent);

export { constraints, domains, firstSpace, light, notReached, paperForm, spaces };
