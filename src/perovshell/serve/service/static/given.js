// What the page was given with its HTML: the colours of light, the spaces to start from, the
// fields of a paper, what the signs of values under a stressor mean, and the constraints in words.

const { light, spaces, first_space: firstSpace, paper: paperForm, not_reached: notReached, constraints } = JSON.parse(document.getElementById("given").textContent);

export { constraints, firstSpace, light, notReached, paperForm, spaces };
