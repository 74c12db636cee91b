// What the page was given with its HTML: the colours of light, the spaces to start from, the
// fields of a paper, and what the signs of values under a stressor mean.

const { light, spaces, first_space: firstSpace, paper: paperForm, not_reached: notReached } = JSON.parse(document.getElementById("given").textContent);

export { firstSpace, light, notReached, paperForm, spaces };
