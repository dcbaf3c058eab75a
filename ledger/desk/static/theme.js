// Before the first paint: the colours that the reader chose last, and that scripts run here.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  } catch {
    // Storage can be forbidden; the system's choice holds then.
  }
})();
