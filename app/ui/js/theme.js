// Before anything is drawn: the theme that the reader has chosen, if any. A classic script, so that it comes before the first paint.
(() => {
  try {
    const chosen = localStorage.getItem("backstitch.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* storage may be forbidden: the system's theme holds */ }
})();
