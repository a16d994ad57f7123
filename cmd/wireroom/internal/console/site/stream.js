// The list of live events: newest first, bounded, drawn at most once a frame
// however fast they come. What comes from the log of a class is put where its
// time belongs among the others.

import { byId, chip, hue, make } from "./dom.js";

const KEPT = 200; // events on the page, and as many again while paused
const ONE_LINE = 64; // characters of JSON that are not broken into lines
const NEWS_EVERY = 5000; // milliseconds between two announcements to a screen reader

/** Takes over the list. Returns {add, note, forget, classes}. */
export function stream() {
  const list = byId("stream");
  const hidden = new Set(); // names of classes that the filter hides
  const counts = new Map(); // name of a class -> {count, output}
  let waiting = []; // not drawn yet, oldest first
  let passed = 0; // dropped from waiting while paused, to be told
  let paused = false;
  let scheduled = false;
  let received = 0;
  let announced = 0;
  let newsTimer = 0;

  byId("stream-pause").onclick = () => {
    paused = !paused;
    byId("stream-pause").setAttribute("aria-pressed", paused);
    if (!paused) draw();
    showPause();
  };
  byId("stream-clear").onclick = () => {
    list.replaceChildren();
    waiting = [];
    passed = 0;
    showPause();
    showEmpty();
  };

  // enqueue plans an item for the next frame; the oldest make room.
  function enqueue(item) {
    waiting.push(item);
    if (waiting.length > KEPT) {
      waiting.shift();
      passed++;
    }
    if (paused) showPause();
    else if (!scheduled) {
      scheduled = true;
      requestAnimationFrame(draw);
    }
  }

  function draw() {
    scheduled = false;
    if (paused) return;
    const items = waiting;
    waiting = [];
    if (passed && items.length) items[0].passed = passed;
    passed = 0;
    for (const item of items) place(row(item), item);
    while (list.children.length > KEPT) list.lastElementChild.remove();
    byId("stream-count").textContent = received.toLocaleString();
    for (const { count, output } of counts.values()) output.textContent = count.toLocaleString();
    showEmpty();
    news();
  }

  function row(item) {
    const element = item.note ? noteRow(item) : eventRow(item);
    element.hidden = hidden.has(item.className);
    if (item.passed) element.append(make("p", { className: "passed", textContent: `${item.passed.toLocaleString()} earlier events came too fast to be drawn, or while paused.` }));
    return element;
  }

  function place(element, { at, replayed }) {
    element.time = at.getTime();
    let below = list.firstElementChild;
    while (replayed && below && below.time > element.time) below = below.nextElementSibling;
    list.insertBefore(element, below);
  }

  function showPause() {
    const n = waiting.length + passed;
    byId("stream-pause").textContent = !paused ? "Pause" : n ? `Resume, ${n.toLocaleString()} waiting` : "Resume";
  }

  function showEmpty() {
    byId("stream-empty").hidden = list.children.length > 0;
  }

  function news() {
    if (newsTimer || received === announced) return;
    newsTimer = setTimeout(() => {
      newsTimer = 0;
      const n = received - announced;
      announced = received;
      byId("stream-news").textContent = n === 1 ? "One new event" : `${n} new events`;
    }, NEWS_EVERY);
  }

  return {
    /** Adds an event of a class. */
    add(className, event) {
      received++;
      const known = counts.get(className);
      if (known) known.count++;
      const said = new Date(event.details._time);
      const at = Number.isNaN(said.getTime()) ? new Date() : said;
      enqueue({ className, event, at, replayed: event.details._replayed });
    },

    /** Adds a line of the page's own, such as that a connection came back. */
    note(text) {
      enqueue({ note: text, at: new Date() });
    },

    /** Takes away the events of a class. */
    forget(className) {
      const known = counts.get(className);
      if (known) {
        received -= known.count;
        announced = Math.min(announced, received);
        known.count = 0;
        known.output.textContent = "0";
        byId("stream-count").textContent = received.toLocaleString();
      }
      waiting = waiting.filter((item) => item.className !== className);
      for (const element of [...list.children]) if (element.dataset.class === className) element.remove();
      showPause();
      showEmpty();
    },

    /** Says which classes there are, for the filter. */
    classes(names) {
      for (const name of counts.keys()) if (!names.includes(name)) counts.delete(name);
      for (const name of names) if (!counts.has(name)) counts.set(name, { count: 0, output: make("span", { className: "count", textContent: "0" }) });
      const boxes = names.map((name) => {
        const box = make("input", { type: "checkbox", checked: !hidden.has(name) });
        box.onchange = () => {
          if (box.checked) hidden.delete(name);
          else hidden.add(name);
          for (const element of list.children) if (element.dataset.class === name) element.hidden = !box.checked;
        };
        return make("label", { className: "toggle" }, box, chip(name), counts.get(name).output);
      });
      const filter = byId("filter");
      filter.querySelectorAll(".toggle").forEach((box) => box.remove());
      filter.append(...boxes);
      filter.hidden = names.length < 2;
    },
  };
}

function noteRow({ note, at }) {
  return make("li", { className: "note" }, clock(at), make("span", { textContent: note }));
}

function eventRow({ className, event, at }) {
  const { details, args, kwargs, topic } = event;
  const when = make("span", { className: "when" }, clock(at));
  const what = make("span", { className: "what" }, chip(className));
  if (details._offset !== undefined) when.append(make("span", { className: "offset", textContent: `#${details._offset}`, title: `Offset in the log of ${className}, epoch ${details._epoch ?? "unknown"}` }));
  if (topic !== className) what.append(make("span", { className: "topic", textContent: topic }));
  if (details._replayed) what.append(make("span", { className: "mark replayed", textContent: "replayed", title: "From the log: it came before this page asked, or while it was away." }));

  const item = make("li", { className: "event" }, make("div", { className: "event-head" }, when, what), data(args.length ? { ...kwargs, args } : kwargs));
  item.style.setProperty("--hue", hue(className));
  item.dataset.class = className;
  if (details._event_id) item.title = `Event ${details._event_id}`;
  return item;
}

function clock(date) {
  const text = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });
  return make("time", { dateTime: date.toISOString(), textContent: text, title: date.toLocaleString() });
}

// data shows an object's members as a list, and what is in them as JSON.
function data(object) {
  const list = make("dl", { className: "data" });
  for (const [name, value] of Object.entries(object)) {
    const text = typeof value === "string" ? value : json(value);
    list.append(make("dt", { textContent: name }), make("dd", { className: `is-${value === null ? "null" : typeof value}`, textContent: text }));
  }
  return list;
}

// json is short where it fits in a line, and indented where it does not.
function json(value) {
  const line = JSON.stringify(value);
  return line.length <= ONE_LINE ? line : JSON.stringify(value, null, 2);
}
