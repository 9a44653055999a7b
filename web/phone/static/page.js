// What the page can do beyond its own elements.

// One form for one text, whichever keyboard it came from.
export function composed(text) {
  return text.normalize("NFC");
}

// The same as UTF-8.
export function normalized(text) {
  return new TextEncoder().encode(composed(text));
}

let cleaner;

// Copies; `seconds` later takes it away again, where the browser lets a page do that. 0: never. A page without the focus may not, and waits
// for it.
export async function copy(text, seconds) {
  await navigator.clipboard.writeText(text);
  cleaner?.abort();
  if (!seconds) return;
  const { signal } = (cleaner = new AbortController());
  const due = Date.now() + seconds * 1000;
  const clean = async () => {
    if (signal.aborted) return;
    if (!document.hasFocus()) return addEventListener("focus", clean, { once: true, signal });
    const isOurs = await holds(text);
    // Where it cannot be seen, it is taken for ours, but not for long: what lies there much later is rather somebody's next text.
    if (signal.aborted || !(isOurs ?? Date.now() < due + 2 * seconds * 1000)) return;
    navigator.clipboard.writeText("").catch(() => {});
  };
  setTimeout(clean, seconds * 1000);
}

// Whether this is still what was copied last; undefined where the browser does not let the page look, at least not without asking.
async function holds(text) {
  try {
    const { state } = await navigator.permissions.query({ name: "clipboard-read" });
    if (state === "granted") return (await navigator.clipboard.readText()) === text;
  } catch {
    // This browser has no such permission to ask about.
  }
}

// The clipboard's text or picture; undefined where it has neither. Throws "clipboard" if it may not be read.
export async function pasted() {
  try {
    for (const item of await navigator.clipboard.read()) {
      const picture = item.types.find((type) => type.startsWith("image/"));
      if (picture) return await item.getType(picture);
      if (item.types.includes("text/plain")) return await (await item.getType("text/plain")).text();
    }
  } catch {
    throw "clipboard";
  }
}

let taker;

// `take(content)` gets the text or picture of whatever is pasted, unless it goes into a field. Undefined: nobody wants any.
export function take_pastes(take) {
  taker = take;
}

addEventListener("paste", (event) => {
  if (!taker || !event.clipboardData) return;
  const picture = [...event.clipboardData.files].find((file) => file.type.startsWith("image/"));
  const text = event.target.closest?.("input, textarea") ? "" : event.clipboardData.getData("text/plain");
  if (!picture && !text) return;
  event.preventDefault();
  taker(picture ?? text);
});

export function lower(text) {
  return text.toLowerCase();
}

// A clock that nobody sets, in milliseconds.
export function steady() {
  return performance.now();
}

// Brings a part of the next screen into view, once that is drawn.
export function reveal(id) {
  requestAnimationFrame(() => document.getElementById(id)?.scrollIntoView({ block: "center" }));
}

// Gives a part of the next screen the focus, once that is drawn, or else its title. Where it is scrolled to, is another matter.
export function focus(id) {
  requestAnimationFrame(() =>
    (document.getElementById(id) ?? document.querySelector("h1"))?.focus({ preventScroll: true }),
  );
}

export function buzz() {
  navigator.vibrate?.(15);
}

export async function bytes(file) {
  return new Uint8Array(await file.arrayBuffer());
}

export function download(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// What was put behind `#add=` in the address, which no server sees. It is taken out of the address and of the history.
export function handed_over() {
  const text = location.hash;
  if (text.length > 1) history.replaceState(history.state, "", location.pathname);
  if (!text.startsWith("#add")) return undefined;
  try {
    return decodeURIComponent(text.slice(5));
  } catch {
    // Broken escapes: let the reader of links say what is wrong.
    return text.slice(5);
  }
}

// How far each screen below the present one was scrolled, the list first.
const places = [];

// Scrolls the screen that is about to be drawn.
function place(top) {
  requestAnimationFrame(() => scrollTo({ top, behavior: "instant" }));
}

// One step deeper; `popped(depth)` is told how deep one is after going back. What is new begins at its top, and what one comes
// back to is where it was left.
export function deeper(depth) {
  places[depth - 1] = scrollY;
  history.pushState(depth, "");
  place(0);
}

// Another screen in the place of this one.
export function turned() {
  place(0);
}

export function shallower(steps) {
  if (steps) history.go(-steps);
}

export function watch_history(popped) {
  history.replaceState(0, "");
  history.scrollRestoration = "manual";
  addEventListener("popstate", ({ state }) => {
    const depth = Number(state) || 0;
    popped(depth);
    place(places[depth] ?? 0);
  });
}

export async function install() {
  const offer = window.countersignInstall;
  window.countersignInstall = undefined;
  await offer?.prompt();
}

export function can_install() {
  return !!window.countersignInstall;
}

// How long the service worker may take: a whole release comes over slow networks, too.
const RELEASE_MS = { update: 600_000 };

// Talks with the service worker: see `sw.js`. Undefined where there is none, as in a private window of some browsers.
export async function release(message) {
  const worker = (await navigator.serviceWorker?.getRegistration())?.active;
  if (!worker) return undefined;
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const late = setTimeout(() => resolve({ error: "offline" }), RELEASE_MS[message.kind] ?? 70_000);
    port1.onmessage = ({ data }) => {
      clearTimeout(late);
      resolve(data);
    };
    worker.postMessage(message, [port2]);
  });
}

// JSON to and from our server; throws "offline" if it could not be asked. [status, value]
export async function ask(url, body) {
  let reply;
  try {
    const json = { method: "POST", headers: { "content-type": "application/json" }, body };
    const alone = { cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" };
    reply = await fetch(url, { ...(body ? json : {}), ...alone, signal: AbortSignal.timeout(8000) });
    return [reply.status, await reply.text()];
  } catch {
    throw "offline";
  }
}
