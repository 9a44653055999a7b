// The phone app's worker. README.md has the protocol.

import init, { decode, pick_cost, read_import, stretch, trial } from "./worker_wasm.js";

// The milliseconds that it takes; undefined where there is not the memory for it.
const timed = () => {
  try {
    trial(); // Once to fetch memory and let the browser compile, once to measure.
    const before = performance.now();
    trial();
    return performance.now() - before;
  } catch (error) {
    if (error !== "memory") throw error;
  }
};

const calibrate = () => pick_cost(timed());

const kinds = { calibrate, decode, read_import, stretch };

/** Buffers that are handed over with the answer rather than copied. */
const buffers = (value) =>
  (Array.isArray(value) ? value : [value])
    .filter((part) => ArrayBuffer.isView(part))
    .map((part) => part.buffer);

const bytes = (value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value);

const ready = init();

self.onmessage = async ({ data: [id, kind, ...args] }) => {
  await ready;
  if (!Object.hasOwn(kinds, kind)) {
    self.postMessage([id, false, "unknown_kind"]);
    return;
  }
  try {
    const value = kinds[kind](...args.map(bytes));
    self.postMessage([id, true, value], buffers(value));
  } catch (error) {
    if (typeof error === "string") {
      self.postMessage([id, false, error]);
      return;
    }
    // A trap: the module's memory is not to be trusted any more.
    self.postMessage([id, false, "crashed"]);
    self.close();
  }
};

ready.then(
  () => self.postMessage(["ready"]),
  () => {
    self.postMessage(["failed"]);
    self.close();
  },
);
