// What the page was given with its HTML: the colours of light, and the spaces to start from.

const { light, spaces, first_space: firstSpace } = JSON.parse(document.getElementById("given").textContent);

export { firstSpace, light, spaces };
