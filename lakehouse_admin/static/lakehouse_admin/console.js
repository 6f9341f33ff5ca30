// Keeps a live region honest: says when the server is silent, and never shows a login page inside a card.
(() => {
  const region = () => document.querySelector("[data-live]");
  const silent = (is) => region()?.toggleAttribute("data-stale", is);
  document.addEventListener("htmx:sendError", () => silent(true));
  document.addEventListener("htmx:responseError", () => silent(true));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const reply = event.detail.xhr;
    if (reply.status === 200 && !reply.responseText.includes("data-live")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });
})();
