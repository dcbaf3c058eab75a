// The colours of the page, for what is painted on a canvas.

export const colours = () =>
  Object.fromEntries(
    [...document.querySelectorAll(".swatch")].map((swatch) => [
      swatch.className.replace("swatch ", ""),
      getComputedStyle(swatch).color,
    ]),
  );

export const font = () => getComputedStyle(document.body).fontFamily;
