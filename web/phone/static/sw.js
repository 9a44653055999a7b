// Keeps one release of the app, the accepted one, and answers from it, with or without a network.
//
// This file is the same in every release, so browsers find no new worker and never exchange the app by themselves:
// 1. Install: what `release.json` lists is fetched, checked (length and SHA-256) and kept; then the release is accepted.
// 2. Requests for the app's files are answered from the accepted release. Everything else goes to the network, unkept.
// 3. A page asks by message whether there is another release, and has it fetched. Until all of that one is here and
//    checked, the accepted one stays.
// A release's build is the beginning of the SHA-256 of `release.json`, so it stands for every byte of every file.
//
// Messages, each with a port for the answer:
// {kind: "release"}        -> {installed}
// {kind: "check"}          -> {installed, available} or {installed, error}; available is null when there is nothing else
// {kind: "update", build}  -> {installed} or {installed, error}
// `installed` and `available` are {version, build}; `installed` is null if the browser has thrown the files away.
// `error`: "offline"; for updates also "changed" (the server has another build than the one asked for), "damaged" (a file
// is not what the release says), "full" (no space). After an update all pages are told {kind: "updated", installed}.

const RELEASE = "release.json";
const PAGE = "index.html";
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

// The accepted release, or null. Read once, as long as this worker runs.
let accepted;

function acceptedRelease() {
  accepted ??= (async () => {
    const build = await (await (await caches.open(MARKS)).match(at("accepted")))?.text();
    const list = build && (await (await caches.open(CACHES + build)).match(at(RELEASE)));
    return list ? read(await list.arrayBuffer()) : null;
  })().catch(() => null);
  return accepted;
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

async function update(build) {
  try {
    const installed = shown(await takeInTurn(String(build)));
    for (const page of await self.clients.matchAll()) page.postMessage({ kind: "updated", installed });
    return { installed };
  } catch (error) {
    return { installed: shown(await acceptedRelease()), error: reason(error) };
  }
}

async function obey({ kind, build }) {
  if (kind === "release") return { installed: shown(await acceptedRelease()) };
  if (kind === "check") return check();
  return kind === "update" ? update(build) : { error: "unknown" };
}

async function answer(request, asked) {
  const release = await acceptedRelease();
  if (!release) return fetch(request);
  const isPage = asked === "" || (request.mode === "navigate" && !asked.includes("."));
  const name = isPage ? PAGE : asked;
  const file = release.files.get(name);
  if (!file && name !== RELEASE) return fetch(request);
  const cache = await caches.open(CACHES + release.build);
  const kept = await cache.match(at(name));
  if (kept) return kept;
  if (!file) return Response.error();
  // The browser has lost it. The same bytes will do, no others.
  try {
    const found = await loadChecked(name, file);
    await cache.put(at(name), found.clone());
    return found;
  } catch {
    return Response.error();
  }
}

self.addEventListener("install", (event) => {
  // Whoever has a release decides by message about the next one.
  event.waitUntil(acceptedRelease().then((release) => release ?? takeInTurn()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return;
  const name = url.pathname.slice(SCOPE.pathname.length);
  // The app has no folders: that is the server's API.
  if (!name.includes("/")) event.respondWith(answer(request, name));
});

self.addEventListener("message", (event) => {
  const port = event.ports[0];
  if (port) event.waitUntil(obey(event.data ?? {}).then((reply) => port.postMessage(reply)));
});
