// Keeps one release of the app, the accepted one, and answers from it, with or without a network.
//
// This file is the same in every release, so browsers find no new worker and never exchange the app by themselves:
// 1. Install: what `release.json` lists is fetched, checked (length and SHA-256) and kept; then the release is accepted.
// 2. Requests for the app's files are answered from the accepted release. Everything else goes to the network, unkept.
// 3. A page asks by message whether there is another release, and has it fetched. Until all of that one is here and
//    checked, the accepted one stays.
// 4. Where the accepted release does not start, or the browser has lost what it starts with, a page that is made here takes
//    its place and asks the same. What nobody has accepted never runs.
// A release's build is the beginning of the SHA-256 of `release.json`, so it stands for every byte of every file.
//
// Messages, each with a port for the answer:
// {kind: "release"}        -> {installed}
// {kind: "check"}          -> {installed, available} or {installed, error}; available is null when there is nothing else
// {kind: "update", build}  -> {installed} or {installed, error}
// `installed` and `available` are {version, build}; `installed` is null if the browser has thrown the files away.
// `error`: "offline"; for updates also "changed" (the server has another build than the one asked for), "damaged" (a file
// is not what the release says), "full" (no space). After an update all other pages are told {kind: "updated", installed}.

const RELEASE = "release.json";
const PAGE = "index.html";
// Without these two nothing can say that the rest is missing.
const START = [PAGE, "boot.js"];
// The page for an app that does not start. A server that is asked for it answers with the app.
const RESCUE = "?rescue";
const SCOPE = new URL(self.registration.scope);
const CACHES = `countersign:${SCOPE.pathname}:`;
const MARKS = `${CACHES}accepted`;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PATIENCE_MS = 60_000;

class Failure extends Error {}

const at = (name) => new URL(name, SCOPE).href;

function reason(error) {
  if (error instanceof Failure) return error.message;
  return error?.name === "QuotaExceededError" ? "full" : "offline";
}

async function sha256(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What `release.json` says: {version, build, files: Map of name to {bytes, sha256}}.
async function read(bytes) {
  const build = (await sha256(bytes)).slice(0, 16);
  let list;
  try {
    list = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Failure("damaged");
  }
  const good = ({ path, bytes, sha256 }) =>
    NAME.test(path) && path !== RELEASE && Number.isInteger(bytes) && /^[0-9a-f]{64}$/.test(sha256);
  if (typeof list?.version !== "string" || !Array.isArray(list.files) || !list.files.every((file) => file && good(file))) {
    throw new Failure("damaged");
  }
  const files = new Map(list.files.map((file) => [file.path, file]));
  if (!files.has(PAGE)) throw new Failure("damaged");
  return { version: list.version, build, files };
}

// A file of the network: its bytes, and the answer as it is kept.
async function load(name) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const reply = await fetch(at(name), { cache: "no-store", credentials: "omit", redirect: "error", signal });
  // A server in trouble is as good as none.
  if (!reply.ok) throw new Failure(reply.status >= 500 || reply.status === 429 || name === RELEASE ? "offline" : "damaged");
  const bytes = await reply.arrayBuffer();
  const headers = new Headers(reply.headers);
  // They were about the way here.
  for (const header of ["content-encoding", "content-length", "date", "etag", "vary", "x-request-id"]) headers.delete(header);
  return { bytes, kept: new Response(bytes, { headers }) };
}

// The same for a file of a release, which must be the one that the release lists.
async function loadChecked(name, { bytes, sha256: hash }) {
  const file = await load(name);
  if (file.bytes.byteLength !== bytes || (await sha256(file.bytes)) !== hash) throw new Failure("damaged");
  return file.kept;
}

// The accepted release, or null. Read once, as long as this worker runs. Where the browser does not say what was accepted, it has
// no build; where it has lost the list, no files.
let accepted;

function acceptedRelease() {
  accepted ??= (async () => {
    const build = await (await (await caches.open(MARKS)).match(at("accepted")))?.text();
    return build ? await readKept(build) : null;
  })().catch(() => unread(""));
  return accepted;
}

// Another try may find it.
function unread(build) {
  accepted = undefined;
  return { version: "", build, files: null };
}

// The list of the accepted release. Where the browser has lost or spoilt it, the server's will do if it is the same; else nobody knows
// any more what was accepted, and there are no files.
async function readKept(build) {
  const cache = await caches.open(CACHES + build);
  const list = await cache.match(at(RELEASE));
  const known = list && (await read(await list.arrayBuffer()).catch(() => null));
  if (known?.build === build) return known;
  const found = await load(RELEASE).catch(() => null);
  const release = found && (await read(found.bytes).catch(() => null));
  if (release?.build === build) {
    await keep(cache, RELEASE, found.kept);
    return release;
  }
  return unread(build);
}

// Without room for it, it is loaded again the next time.
function keep(cache, name, file) {
  return cache.put(at(name), file).catch(() => {});
}

// Fetches and checks the server's release, or exactly this build, and puts it in the place of the accepted one.
async function take(build) {
  const list = await load(RELEASE);
  const release = await read(list.bytes).catch((error) => {
    throw build ? new Failure("changed") : error;
  });
  if (build && release.build !== build) throw new Failure("changed");
  if ((await acceptedRelease())?.build === release.build) return release;
  const name = CACHES + release.build;
  // An attempt that was broken off may have left something.
  await caches.delete(name);
  const cache = await caches.open(name);
  try {
    await cache.put(at(RELEASE), list.kept);
    for (const [path, file] of release.files) await cache.put(at(path), await loadChecked(path, file));
    await (await caches.open(MARKS)).put(at("accepted"), new Response(release.build));
  } catch (error) {
    await caches.delete(name);
    throw error;
  }
  accepted = Promise.resolve(release);
  const old = (await caches.keys()).filter((key) => key.startsWith(CACHES) && key !== MARKS && key !== name);
  await Promise.all(old.map((key) => caches.delete(key)));
  return release;
}

// One at a time, whichever pages ask.
let last = Promise.resolve();

function takeInTurn(build) {
  const taken = last.then(() => take(build));
  last = taken.catch(() => {});
  return taken;
}

const shown = (release) => release && { version: release.version, build: release.build };

async function check() {
  const installed = shown(await acceptedRelease());
  try {
    const available = shown(await read((await load(RELEASE)).bytes));
    return { installed, available: available.build === installed?.build ? null : available };
  } catch {
    // Somebody else has answered in the server's place, such as a hotel's login page: that is no network, either.
    return { installed, error: "offline" };
  }
}

async function update(build, asker) {
  try {
    const installed = shown(await takeInTurn(String(build)));
    for (const page of await self.clients.matchAll()) {
      if (page.id !== asker) page.postMessage({ kind: "updated", installed });
    }
    return { installed };
  } catch (error) {
    return { installed: shown(await acceptedRelease()), error: reason(error) };
  }
}

async function obey({ kind, build }, asker) {
  if (kind === "release") return { installed: shown(await acceptedRelease()) };
  if (kind === "check") return check();
  return kind === "update" ? update(build, asker) : { error: "unknown" };
}

// A file of the accepted release, or null. Where the browser has lost it, the same bytes will do, no others.
async function kept(release, name) {
  const cache = await caches.open(CACHES + release.build);
  const file = await cache.match(at(name));
  if (file || name === RELEASE) return file ?? null;
  try {
    const found = await loadChecked(name, release.files.get(name));
    await keep(cache, name, found.clone());
    return found;
  } catch {
    return null;
  }
}

async function answer(request, asked, search) {
  const release = await acceptedRelease();
  if (!release) return fetch(request);
  const isPage = asked === "" || (request.mode === "navigate" && !asked.includes("."));
  if (isPage && search === RESCUE) return rescuePage();
  if (!release.files) return isPage ? rescuePage() : Response.error();
  if (isPage || asked === PAGE) {
    const start = await Promise.all(START.filter((name) => release.files.has(name)).map((name) => kept(release, name)));
    return start.every(Boolean) ? start[0] : rescuePage();
  }
  if (!release.files.has(asked) && asked !== RELEASE) return fetch(request);
  return (await kept(release, asked)) ?? Response.error();
}

// The script of the page for an app that does not start. It runs in the page: nothing of this worker is within its reach.
function rescue() {
  const words = {
    en: {
      title: "The app does not start",
      text: "Your accounts are not affected. If trying again does not help, the server may have a version that starts. It is taken only when you say so.",
      again: "Try again",
      look: "Look for a new version",
      none: "There is no newer version.",
      offline: "The server could not be reached.",
      there: "A new version is there",
      version: "Version",
      build: "Build",
      accept: "Take the new version",
      changed: "The server has yet another version by now. Look again.",
      damaged: "The new version is damaged. The present one stays.",
      full: "There is no room left on this device. The present version stays.",
      busy: "One moment …",
      link: "Open the link that led here once more when the app starts.",
    },
    de: {
      title: "Die App startet nicht",
      text: "Ihre Konten sind davon nicht betroffen. Hilft ein neuer Versuch nicht, hat der Server vielleicht eine Version, die startet. Sie wird nur genommen, wenn Sie es sagen.",
      again: "Noch einmal versuchen",
      look: "Nach neuer Version sehen",
      none: "Es gibt keine neuere Version.",
      offline: "Der Server ist nicht erreichbar.",
      there: "Eine neue Version ist da",
      version: "Version",
      build: "Stand",
      accept: "Neue Version nehmen",
      changed: "Der Server hat inzwischen eine andere Version. Sehen Sie noch einmal nach.",
      damaged: "Die neue Version ist beschädigt. Die jetzige bleibt.",
      full: "Auf diesem Gerät ist kein Platz mehr. Die jetzige Version bleibt.",
      busy: "Einen Augenblick …",
      link: "Öffnen Sie den Link, der hierher führte, noch einmal, wenn die App startet.",
    },
  };
  const language = (localStorage.getItem("countersign.language") ?? navigator.language).startsWith("de") ? "de" : "en";
  const say = words[language];
  document.documentElement.lang = language;
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const button = (text, act) => Object.assign(element("button", text), { onclick: act });
  const status = element("p", "");
  status.setAttribute("role", "status");
  const offer = document.createElement("section");
  const start = () => location.replace("./");

  async function tell(message) {
    status.textContent = say.busy;
    const { active } = await navigator.serviceWorker.ready;
    const answer = await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => resolve(data);
      active.postMessage(message, [port2]);
    });
    status.textContent = answer.error ? (say[answer.error] ?? answer.error) : "";
    return answer;
  }

  async function look() {
    offer.replaceChildren();
    const { error, available } = await tell({ kind: "check" });
    if (error) return;
    if (!available) {
      status.textContent = say.none;
      return;
    }
    const facts = document.createElement("dl");
    facts.append(element("dt", say.version), element("dd", available.version));
    facts.append(element("dt", say.build), element("dd", available.build));
    offer.replaceChildren(element("h2", say.there), facts, button(say.accept, () => take(available.build)));
  }

  async function take(build) {
    if (!(await tell({ kind: "update", build })).error) start();
  }

  const page = document.createElement("main");
  const link = Object.assign(element("p", say.link), { hidden: true });
  // It may hold a secret, which does not stay in the address.
  const forget = () => {
    if (!location.hash) return;
    history.replaceState(null, "", location.pathname + location.search);
    link.hidden = false;
  };
  forget();
  addEventListener("hashchange", forget);
  page.append(element("h1", say.title), element("p", say.text), link, button(say.again, start), button(say.look, look), offer, status);
  document.body.replaceChildren(page);
}

function rescuePage() {
  const nonce = crypto.randomUUID();
  const style = `
    :root { color-scheme: light dark; font: 100%/1.45 system-ui, sans-serif; }
    body { margin: 0 auto; max-width: 28rem; padding: 8vh 1.5rem; background: light-dark(#f6f5f1, #14181a); color: light-dark(#1b2224, #e9ecea); overflow-wrap: anywhere; }
    main, section { display: grid; gap: 1rem; }
    h1, h2, p, dl { margin: 0; }
    h1 { font-size: 1.6rem; }
    h2 { font-size: 1.05rem; }
    dl { display: grid; grid-template-columns: auto 1fr; gap: 0.25rem 1rem; }
    dd { margin: 0; }
    button { min-height: 3rem; border: 1px solid light-dark(#d9d8d0, #353e41); border-radius: 999px; background: light-dark(#ffffff, #1c2225); color: inherit; font: inherit; font-weight: 600; cursor: pointer; }
    section button { background: light-dark(#1f5f5b, #7fcfc4); color: light-dark(#ffffff, #0d2220); }
    :focus-visible { outline: 3px solid light-dark(#1f5f5b, #7fcfc4); outline-offset: 2px; }`;
  const page = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Countersign</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style nonce="${nonce}">${style}</style>
</head>
<body><script nonce="${nonce}">(${rescue})()</script></body>
</html>
`;
  const policy = ["default-src 'none'", `script-src 'nonce-${nonce}'`, `style-src 'nonce-${nonce}'`, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"];
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  return new Response(page, { headers });
}

self.addEventListener("install", (event) => {
  // Whoever has a release decides by message about the next one.
  event.waitUntil(acceptedRelease().then((release) => {
    if (release?.build === "") throw new Failure("full");
    return release ?? takeInTurn();
  }));
});

self.addEventListener("activate", (event) => {
  // The worker before this one may have taken another since.
  accepted = undefined;
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return;
  const name = url.pathname.slice(SCOPE.pathname.length);
  // The app has no folders: that is the server's API.
  if (!name.includes("/")) event.respondWith(answer(request, name, url.search));
});

self.addEventListener("message", (event) => {
  const port = event.ports[0];
  if (port) event.waitUntil(obey(event.data ?? {}, event.source?.id).then((reply) => port.postMessage(reply)));
});
