// Comfort for pages that work without it: times of the reader's own clock, codes that send themselves, copying, printing,
// lists that filter while one types. Nothing here decides anything.

/** Times in the reader's own zone; the page has them in UTC. What is compared with other logs keeps its seconds, and says the zone. */
const timeOf = (timeStyle) => new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle });
const [clock, exactClock] = [timeOf("short"), timeOf("long")];
const localise = (part) => {
  for (const time of part.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.textContent;
      time.textContent = ("exact" in time.dataset ? exactClock : clock).format(at);
    }
  }
};
localise(document);

/** What a page says of the form before it, it says once: neither loading it again nor a way back to it repeats that. */
if (document.querySelector("[data-said]")) {
  const address = new URL(location.href);
  address.searchParams.delete("said");
  history.replaceState(history.state, "", address);
}

/**
 * A form goes once: who presses again while the answer is on its way would do twice what was meant once. A page that is come back to lets go again,
 * and so does one whose answer was not waited for. What only brings a file leaves the page as it is.
 */
const going = new Set();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || "stays" in form.dataset) return;
  if (going.has(form)) return event.preventDefault();
  going.add(form);
  setTimeout(() => going.delete(form), 10_000);
});
addEventListener("pageshow", () => going.clear());

/**
 * A code field sends its form at the last digit; once, and only what was typed or pasted in one go. Pages say which digit is the last
 * where it is the same one for all codes that they take.
 */
for (const form of document.querySelectorAll("form[data-submit-at]")) {
  const whole = Number(form.dataset.submitAt);
  const field = form.querySelector("input[name=otp]");
  let sent = false;
  field?.addEventListener("input", () => {
    const digits = field.value.replaceAll(/\D/g, "");
    if (!sent && digits.length === whole && field.selectionStart === field.value.length) {
      sent = true;
      form.requestSubmit();
    }
  });
}

/** A form that comes back is gone on with at the first field that is wrong; whoever looks at one that begins with a code wants to type one. */
const code = document.querySelector("input[name=otp]:not(.confirming)");
const wrong = document.querySelector("[aria-invalid=true]");
if (wrong) {
  wrong.focus();
} else if (code && code === code.form.querySelector("input:not([type=hidden])")) {
  code.focus({ preventScroll: true });
}

/** Whoever comes back from the phone app, which opened beside this page, goes on with a code. */
if (code && document.querySelector("[data-leads-out]")) {
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && !code.value) code.focus();
  });
}

/** How long the code on the phone will last. */
for (const left of document.querySelectorAll(".countdown")) {
  const period = Number(left.dataset.period);
  const show = () => {
    left.textContent = `${period - (Math.floor(Date.now() / 1000) % period)} s`;
  };
  left.setAttribute("aria-hidden", "true");
  show();
  setInterval(show, 1000);
}

/** Copying what is shown once. */
for (const shown of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "secondary copy";
  button.textContent = shown.dataset.copy;
  button.addEventListener("click", async () => {
    const lines = [...shown.children].map((child) => child.textContent.trim());
    await navigator.clipboard.writeText(lines.join(shown.tagName === "UL" ? "\n" : ""));
    button.textContent = shown.dataset.copied;
  });
  shown.after(button);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

/** The text of a file, and whether its encoding is a guess: Excel saves lists without saying, and not as UTF-8. */
const read = async (file) => {
  const bytes = await file.arrayBuffer();
  const [first, second] = new Uint8Array(bytes.slice(0, 2));
  const wide = first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : undefined;
  try {
    return [new TextDecoder(wide ?? "utf-8", { fatal: true }).decode(bytes), false];
  } catch {
    return [new TextDecoder("windows-1252").decode(bytes), true];
  }
};

/** A text file that is picked goes into the field, to be looked over before it is sent. */
for (const picker of document.querySelectorAll("[data-read-into]")) {
  const field = document.getElementById(picker.dataset.readInto);
  picker.hidden = false;
  picker.querySelector("input[type=file]")?.addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    const [text, isGuess] = await read(file);
    field.value = text;
    picker.querySelector("[data-guessed]").hidden = !isGuess;
  });
}

/**
 * A search that follows the typing, but for fields that only a whole word fits. The server filters; of its page the part with the list's id takes
 * the place of what is in ours, and how much that is is said.
 */
for (const form of document.querySelectorAll("form[data-live]")) {
  const id = form.dataset.live;
  let waiting;
  let request;
  const refresh = () => {
    const address = `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
    request?.abort();
    request = new XMLHttpRequest();
    request.open("GET", address);
    // The browser parses the page itself, without running anything of it.
    request.responseType = "document";
    request.addEventListener("load", () => {
      const [old, young] = [document.getElementById(id), request.response?.getElementById(id)];
      if (request.status !== 200 || !old || !young) return location.assign(address);
      localise(young);
      old.replaceChildren(...document.adoptNode(young).childNodes);
      const [count, youngCount] = [document, request.response].map((page) => page.querySelector("[data-count]"));
      if (count && youngCount) count.textContent = youngCount.textContent;
      history.replaceState(null, "", address);
    });
    request.addEventListener("error", () => location.assign(address));
    request.send();
  };
  form.addEventListener("input", (event) => {
    if ("whole" in event.target.dataset) return;
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 200);
  });
  form.addEventListener("change", (event) => {
    if ("whole" in event.target.dataset) refresh();
  });
}
