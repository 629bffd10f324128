// What a script adds to pages that work without one: the queue stays fresh, deadlines count down,
// and everything can be reached by a key. It builds no HTML of its own.
"use strict";

const queue = document.getElementById("queue");

// The queue, read anew whenever the inbox says that it has changed.

let reads = 0;
let released = null; // what is replaced between press and release is never clicked
let letGo = null;

function press() {
  released ??= new Promise((resolve) => (letGo = resolve));
}

function release() {
  setTimeout(() => {
    // after the click that this makes
    released = null;
    letGo?.();
  });
}

async function readQueue() {
  const mine = ++reads;
  const address = new URL(location.href);
  address.searchParams.set("part", "true");
  address.searchParams.delete("said");
  const answer = await fetch(address, { credentials: "same-origin" }).catch(() => null);
  if (!answer || answer.redirected || !answer.ok) return; // a stream that opens again reads again
  const read = new DOMParser().parseFromString(await answer.text(), "text/html");
  await released;
  if (mine !== reads) return; // a later one is on its way
  const chosen = new Set([...queue.querySelectorAll("input[name=chosen]:checked")].map((box) => box.value));
  const focused = place(document.activeElement); // before it is moved, which takes the focus from it
  const comment = queue.querySelector("input[name=comment]");
  if (comment) read.querySelector("input[name=comment]")?.replaceWith(comment); // with its caret
  queue.replaceChildren(...read.body.childNodes);
  for (const box of queue.querySelectorAll("input[name=chosen]")) box.checked = chosen.has(box.value);
  if (focused) queue.querySelector(focused)?.focus({ preventScroll: true });
  document.getElementById("count").textContent = queue.querySelector("[data-total]").dataset.total;
  countDown();
}

function place(element) {
  if (!element || !queue.contains(element)) return "";
  const item = element.closest("[data-key]");
  const inside = element.matches("input") ? "input" : "a";
  if (item) return `[data-key="${item.dataset.key}"] ${inside}`;
  return element.name ? `[name="${element.name}"]` : "";
}

if (queue) {
  const events = new EventSource(queue.dataset.live);
  const silent = document.getElementById("silent");
  let misses = 0; // the first is the end of a stream, which is long but not endless
  events.addEventListener("queue", readQueue);
  events.addEventListener("open", () => {
    misses = 0;
    silent.hidden = true;
  });
  events.addEventListener("error", () => (silent.hidden = ++misses < 2));
  addEventListener("pagehide", () => events.close());
  for (const begin of ["pointerdown", "keydown"]) queue.addEventListener(begin, press);
  for (const end of ["pointerup", "pointercancel", "keyup", "blur"]) addEventListener(end, release);
}

// Deadlines, by the server's clock.

const skew = Number(document.body.dataset.now) - Date.now() / 1000;

function left(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]])
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${Math.max(0, Math.floor(seconds))} s`;
}

function countDown() {
  for (const time of document.querySelectorAll("[data-countdown]")) {
    const seconds = Number(time.dataset.countdown) - Date.now() / 1000 - skew;
    time.textContent = seconds > 0 ? `${left(seconds)} left` : "expired";
    time.classList.toggle("soon", seconds < 3600);
  }
}

countDown();
setInterval(countDown, 1000);

// Keys: none of them decides by itself, it only leads to the button.

function move(by) {
  const links = [...document.querySelectorAll(".item .what")];
  const now = links.indexOf(document.activeElement?.closest(".item")?.querySelector(".what"));
  links[Math.min(Math.max(now + by, 0), links.length - 1)]?.focus();
}

function open(id) {
  const details = document.getElementById(id);
  if (!details) return;
  details.open = true;
  details.querySelector("input, select, textarea")?.focus();
}

const focusOn = (selector) => document.querySelector(selector)?.focus();

const keys = {
  j: () => move(1),
  k: () => move(-1),
  x: () => document.activeElement?.closest(".item")?.querySelector("input[type=checkbox]")?.click(),
  a: () => focusOn("button[value=approve]"),
  r: () => focusOn("button[value=reject]"),
  c: () => focusOn("[name=comment]"),
  e: () => open("edit"),
  s: () => open("respond"),
  u: () => document.getElementById("back")?.click(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("textarea, select, input:not([type=checkbox])");
  if (event.key === "Escape" && typing) typing.blur();
  if (typing || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

// A change is sent once, however often its button is pressed.

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
});
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
