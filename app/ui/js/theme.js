// Before anything is drawn: the theme that the reader has chosen, else the system's. A classic script, so that it comes before the first paint.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const { chosen } = root.dataset;
    root.dataset.theme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
  };
  try {
    root.dataset.chosen = localStorage.getItem("backstitch.theme") ?? "system";
  } catch { /* storage may be forbidden: the system's theme holds */ }
  dark.addEventListener("change", show);
  addEventListener("theme", show);
  show();
})();
