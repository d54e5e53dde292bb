// What all pages share: asking the server, making elements, the name of the reviewer.
const csrf = document.querySelector("meta[name=csrf]").content;
export const $ = (id) => document.getElementById(id);

// Makes an element. Texts are set as text, never as HTML: they come from films and models.
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

export const media = (kind, values) => "/media/" + kind + "?" + new URLSearchParams(values);
export const thumbnail = (path) => media("thumbnail", {path});
export const picture = (path) => media("picture", {path});

export function reviewer() {
  const given = new URLSearchParams(location.search).get("by");
  if (given) localStorage.setItem("reviewer", given);
  return localStorage.getItem("reviewer") || "";
}

export async function get(path, values = {}) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== ""));
  return answer(await reach(path + (query.size ? "?" + query : ""), {}));
}

export const decide = (decision, seen = []) => post("/api/decide", {decision, seen});

export async function post(path, body, signal) {
  return answer(await reach(path, {
    method: "POST",
    headers: {
      "content-type": "application/json", "x-storystream": csrf,
      "x-reviewer": encodeURIComponent(reviewer()),
    },
    body: JSON.stringify(body),
    signal,
  }));
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is storystream review still running?");
  }
}

async function answer(response) {
  if (response.ok) return response.json();
  const text = await response.text();
  let detail = text;
  try { detail = JSON.parse(text).detail; } catch { /* it is plain text */ }
  const error = new Error(typeof detail === "string" ? detail : "The request was not understood.");
  error.status = response.status;
  throw error;
}

let hiding = 0;
export function say(text, bad = false) {
  const note = $("note");
  note.textContent = text;
  note.className = bad ? "note bad" : "note";
  note.hidden = false;
  clearTimeout(hiding);
  if (!bad) hiding = setTimeout(() => { note.hidden = true; }, 6000);
}

export const typing = (event) =>
  /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;

export const WORDS = {
  open: "not judged", edited: "edited", accepted: "accepted", rejected: "rejected",
  conflict: "changed since",
};
export const REASONS = {
  words: "The words are wrong", pictures: "The pictures are wrong",
  incoherent: "It does not hold together", unsuitable: "Not suitable", other: "Something else",
};

// The head of every page: name of the dataset, of the reviewer, and what waits for the next run.
export async function head() {
  const dataset = await get("/api/dataset");
  $("dataset").textContent = dataset.name;
  const name = $("reviewer");
  name.value = reviewer() || dataset.by;
  name.onchange = () => {
    localStorage.setItem("reviewer", name.value.trim() || dataset.by);
    name.value = reviewer();
  };
  if (!reviewer()) localStorage.setItem("reviewer", dataset.by);
  $("waiting").textContent = dataset.read_only
    ? "This dataset can only be read here: nothing can be decided." : dataset.waiting
    ? dataset.waiting + (dataset.waiting === 1 ? " decision waits" : " decisions wait") +
      " for the next make dataset" : "";
  return dataset;
}
