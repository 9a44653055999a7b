// The vault's file in IndexedDB. A save is one transaction that compares before it writes: the browser keeps the old file or
// the new one, whatever happens in between, and two windows cannot undo each other's work.

const NAME = "countersign";
const STORE = "vault";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => {
      // Another window erases everything: let it.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(code(request.error));
    request.onblocked = () => reject("storage");
  });
}

function code(error) {
  return error?.name === "QuotaExceededError" ? "full" : "storage";
}

// `change(store, done)` puts its requests; `done(value)` sets what is handed back once the transaction is durable.
async function transact(mode, change) {
  let database;
  try {
    database = await open();
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode, { durability: "strict" });
      let value, refused;
      transaction.oncomplete = () => resolve(value);
      transaction.onerror = transaction.onabort = () => reject(refused ?? code(transaction.error));
      const refuse = (why) => {
        refused = why;
        transaction.abort();
      };
      change(transaction.objectStore(STORE), (result) => (value = result), refuse);
    });
  } catch (error) {
    // What the browser throws at once, as where the connection was lost.
    throw typeof error === "string" ? error : code(error);
  } finally {
    database?.close();
  }
}

// [file, revision, previous file], each undefined where there is none. Some browsers fail once after the device was asleep, so it is
// tried again.
export async function load() {
  try {
    return await read();
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return read();
  }
}

function read() {
  return transact("readonly", (store, done) => {
    const current = store.get("current");
    const previous = store.get("previous");
    previous.onsuccess = () =>
      done([current.result?.file, current.result?.revision ?? 0, previous.result?.file]);
  });
}

// Throws "conflict" unless the stored revision is `expected`; "full" or "storage" if the browser could not write. The file that
// was there is kept as the previous one, unless it shall be forgotten: another lock, or none, opens it.
export function save(file, revision, expected, forget) {
  return transact("readwrite", (store, done, refuse) => {
    const current = store.get("current");
    current.onsuccess = () => {
      const old = current.result;
      if ((old?.revision ?? 0) !== expected) return refuse("conflict");
      if (forget) store.delete("previous");
      else if (old) store.put(old, "previous");
      store.put({ file, revision }, "current");
      done();
    };
  }).then(() => channel?.postMessage("saved"));
}

// The previous file takes the place of the current one, which is kept as the previous one.
export function restore() {
  return transact("readwrite", (store, done, refuse) => {
    const current = store.get("current");
    const previous = store.get("previous");
    previous.onsuccess = () => {
      if (!previous.result) return refuse("storage");
      store.put(previous.result, "current");
      store.put(current.result, "previous");
      done();
    };
  }).then(() => channel?.postMessage("saved"));
}

export function erase() {
  return transact("readwrite", (store, done) => {
    store.clear();
    done();
  }).then(() => channel?.postMessage("saved"));
}

// Asks the browser not to throw the file away when room gets short.
export async function persist() {
  try {
    return (await navigator.storage.persisted()) || (await navigator.storage.persist());
  } catch {
    return false;
  }
}

const channel = "BroadcastChannel" in self ? new BroadcastChannel("countersign-vault") : undefined;

// `saved()` is called when another window has changed the file.
export function watch(saved) {
  if (channel) channel.onmessage = () => saved();
}
