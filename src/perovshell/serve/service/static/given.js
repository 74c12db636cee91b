// What the page was given with its HTML: the colours of light, the spaces to start from, and the
// fields of a paper.

const { light, spaces, first_space: firstSpace, paper: paperForm } = JSON.parse(document.getElementById("given").textContent);

export { firstSpace, light, paperForm, spaces };
