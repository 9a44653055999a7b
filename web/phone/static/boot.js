// Starts the app: keeps it for offline use, loads its WebAssembly, and says so where that fails.

// Kept for the app, which offers to install itself at a moment of its own.
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  window.countersignInstall = event;
  dispatchEvent(new CustomEvent("countersign-install"));
});

// Without a service worker the app works as long as there is a network.
navigator.serviceWorker?.register("sw.js", { scope: "./", updateViaCache: "none" }).catch((error) => {
  console.info("Countersign is not kept for offline use:", error);
});

// Another window has taken another release, and the files that this one would still load are of that one. What was saved is
// saved whole, whenever the page goes.
navigator.serviceWorker?.addEventListener("message", ({ data }) => {
  if (data?.kind === "updated") location.reload();
});

const WORDS = {
  en: {
    title: "Countersign could not start",
    old: "This browser has no WebAssembly, which the app needs. Please update it, or allow WebAssembly for this page.",
    failed: "A part of the app could not be loaded. Your accounts are not affected. Check the connection and try again.",
    again: "Try again",
    look: "Look for a new version",
  },
  de: {
    title: "Countersign konnte nicht starten",
    old: "Dieser Browser hat kein WebAssembly, das die App braucht. Bitte aktualisieren Sie ihn, oder erlauben Sie WebAssembly für diese Seite.",
    failed: "Ein Teil der App konnte nicht geladen werden. Ihre Konten sind davon nicht betroffen. Prüfen Sie die Verbindung, und versuchen Sie es noch einmal.",
    again: "Noch einmal",
    look: "Nach neuer Version sehen",
  },
};

function fail(why, error) {
  console.error(error);
  const language = navigator.language.startsWith("de") ? "de" : "en";
  const words = WORDS[language];
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const button = (text, act) => Object.assign(element("button", text), { className: "button", onclick: act });
  const buttons = [button(words.again, () => location.reload())];
  // The service worker has the page for it: what does not start may be any part of this release.
  if (navigator.serviceWorker?.controller) buttons.push(button(words.look, () => location.assign("./?rescue")));
  const page = document.createElement("main");
  page.className = "splash";
  page.lang = language;
  page.setAttribute("role", "alert");
  page.append(element("h1", words.title), element("p", words[why]), element("p", String(error)), ...buttons);
  document.body.replaceChildren(page);
}

async function start() {
  const wasm = fetch(new URL("app_bg.wasm", import.meta.url));
  // Whoever fails first is told of; a second failure is no news.
  wasm.catch(() => {});
  const { default: init } = await import("./app.js");
  await init({ module_or_path: wasm });
  document.querySelector(".splash")?.remove();
}

if (typeof WebAssembly === "object") {
  start().catch((error) => fail("failed", error));
} else {
  fail("old", new Error("no WebAssembly"));
}
