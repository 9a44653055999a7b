// What takes long is done in a worker: the passphrase, pictures, other apps' files. `web/worker/README.md` has the protocol.

let worker;
let last = 0;
const waiting = new Map();

function start() {
  worker = new Worker("worker.js", { type: "module" });
  // What goes wrong before it is ready is no lack of memory.
  let trouble = "unloaded";
  worker.onmessage = ({ data }) => {
    if (data[0] === "ready") return (trouble = "crashed");
    if (data[0] === "failed") return stop(trouble);
    const [id, done, value] = data;
    const [resolve, reject, kind] = waiting.get(id) ?? [];
    waiting.delete(id);
    (done ? resolve : reject)?.(value);
    // Its memory held the passphrase, and the browser gets all of it back only like this.
    if (value === "crashed" || (kind === "stretch" && !waiting.size)) stop("crashed");
  };
  worker.onerror = () => stop(trouble);
}

// Whatever still waits for an answer gets `trouble`.
function stop(trouble) {
  worker?.terminate();
  worker = undefined;
  for (const [, reject] of waiting.values()) reject(trouble);
  waiting.clear();
}

// `args` are handed over; what is listed in `transfer` is gone here afterwards.
export function job(kind, args, transfer) {
  if (!worker) start();
  const id = ++last;
  return new Promise((resolve, reject) => {
    waiting.set(id, [resolve, reject, kind]);
    worker.postMessage([id, kind, ...args], transfer);
  });
}

// Ends the worker, and with it the only memory of what it has read. Whoever waits for it hears that it was cancelled.
export function end() {
  stop("cancelled");
}
