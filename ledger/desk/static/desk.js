// What every page has: the theme button, the key for the search box, and tables behind buttons.

const root = document.documentElement;

const isDark = () =>
  root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-theme-toggle]")) return;
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // The choice lasts for this page only.
  }
  document.dispatchEvent(new CustomEvent("kudos:theme"));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-shows]");
  if (!button) return;
  const open = document.getElementById(button.dataset.shows).toggleAttribute("data-open");
  button.setAttribute("aria-expanded", String(open));
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
  document.dispatchEvent(new CustomEvent("kudos:theme")),
);

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.getElementById("q")?.focus();
});
