// A story to leaf through and to decide on. Every decision is sent at once and can be undone.
import {$, REASONS, decide, get, head, make, media, picture, post, reviewer, say, thumbnail,
  typing} from "/static/common.js";

const id = new URLSearchParams(location.search).get("id") || "";
let story = null, page = 0, busy = false;
let saving = Promise.resolve();  // keys that are pressed while a sentence is saved wait for it

const entry = () => story.pages[page];
const source = (shown) => shown.swap === null ? picture(shown.image)
  : media("frame", {story: story.id, keyframe: shown.keyframe, time: shown.swap});
const small = (shown) => shown.swap === null ? thumbnail(shown.image) : source(shown);

function beside(step) {  // the next story of the list that was left, else of the dataset
  const list = JSON.parse(sessionStorage.getItem("list") || "[]");
  const at = list.indexOf(id);
  return (at >= 0 && list[at + step]) || (step > 0 ? story.next : story.previous);
}

function link(element, to) {
  if (to) element.href = "/story?" + new URLSearchParams({id: to});
  else element.removeAttribute("href");
}

async function load(keep = "") {
  story = await get("/api/story", {id});
  const at = story.pages.findIndex((shown) => shown.keyframe === keep);
  page = at >= 0 ? at : Math.max(0, Math.min(page, story.pages.length - 1));
  $("title").textContent = story.title;
  document.title = story.title + ", story " + story.number + " · StoryStream";
  $("which").textContent = [story.series !== story.title ? story.series : "",
    "story " + story.number, story.pages.length + " pictures"].filter(Boolean).join(" · ");
  link($("previous-story"), beside(-1));
  link($("next-story"), beside(1));
  $("strip").replaceChildren(...story.pages.map((shown, number) => make("li", {}, make("button", {
    type: "button", className: shown.begins && number ? "begins" : "",
    "aria-label": "Picture " + (number + 1) + (shown.begins ? ", begins a scene" : ""),
    onclick: () => turn(number),
  }, make("img", {alt: "", loading: "lazy", src: small(shown)})))));
  showVerdict();
  showLeft();
  showHistory();
  $("main").hidden = false;
  show();
}

function showVerdict() {
  const verdict = story.verdict;
  const state = verdict ? verdict.what + "ed" : "open";
  $("judged").className = "judged " + state;
  $("judged").textContent = !verdict ? (story.dropped
    ? "Not judged; a score has left it out (" + story.dropped + "). Accept it to keep it."
    : "Not judged yet.")
    : (verdict.what === "accept" ? "Accepted by " : "Rejected by ") + verdict.by +
      (verdict.reason ? ": " + REASONS[verdict.reason].toLowerCase() : "") +
      (verdict.note ? ", " + verdict.note : "");
  $("accept").setAttribute("aria-pressed", state === "accepted");
  $("reject").setAttribute("aria-pressed", state === "rejected");
  const mine = undoable();
  $("undo").disabled = !mine;
  const conflicts = story.history.filter((row) => row.conflict);
  $("problem").hidden = !conflicts.length;
  $("problem").textContent = conflicts.length
    ? "The story has changed since " + conflicts.length +
      (conflicts.length === 1 ? " decision" : " decisions") +
      " on it: see below, and decide again or take them back." : "";
}

function undoable() {
  const name = reviewer();
  return story.history.filter((row) => row.by === name).at(-1);
}

function showLeft() {
  $("left-out").hidden = !story.left.length;
  $("left").replaceChildren(...story.left.map((row) => make("li", {},
    make("img", {alt: "", src: thumbnail(row.image)}),
    make("span", {className: "small", textContent: REASONS[row.reason] + " (" + row.by + ")"}),
    make("button", {type: "button", className: "button", textContent: "Put back",
      onclick: () => takeBack(row)}))));
}

function showHistory() {
  $("told").hidden = !story.history.length;
  $("history").replaceChildren(...story.history.toReversed().map((row) => make("li", {},
    make("b", {textContent: said(row)}),
    make("span", {textContent: row.by + ", " + row.at.replace("T", " ").replace("Z", " UTC") +
      (row.conflict ? ". Not applied: " + row.conflict : "")}), " ",
    make("button", {type: "button", className: "link", textContent: "Take back",
      "aria-label": "Take back: " + said(row), onclick: () => takeBack(row)}))));
}

function said(row) {
  const at = story.pages.findIndex((shown) => shown.keyframe === row.keyframe);
  const where = at >= 0 ? "picture " + (at + 1) : "a picture";
  return {
    accept: "Accepted", reject: "Rejected: " + (REASONS[row.reason] || "").toLowerCase(),
    edit: "Edited the sentence of " + where, drop: "Left out a picture",
    swap: "Put another frame in the place of " + where,
    move: row.story === id ? "Let the story begin with " + where : "Moved the story's end",
    scene: (row.begins ? "A scene begins with " : "No scene begins with ") + where,
  }[row.what];
}

function show() {
  const none = !story.pages.length;
  for (const part of document.querySelectorAll(".stage, .words-of")) part.hidden = none;
  if (none) return;
  const shown = entry();
  $("image").src = source(shown);
  $("image").alt = shown.caption;
  $("number").textContent = (page + 1) + " of " + story.pages.length;
  $("back").disabled = page === 0;
  $("on").disabled = page === story.pages.length - 1;
  $("text").value = shown.text;
  $("edited").textContent = shown.text === shown.written ? "" : "edited";
  changed();
  const after = story.after, before = story.before;
  $("start").disabled = page === 0 || !before;
  $("end").disabled = page === story.pages.length - 1 || !after;
  $("drop").disabled = false;
  $("frames").hidden = true;
  $("scene").disabled = !shown.scene_digest;
  $("scene").setAttribute("aria-pressed", shown.begins);
  if (suggested?.keyframe && suggested.keyframe !== shown.keyframe) stopAsking();
  $("facts").replaceChildren(...[
    ["As written", shown.text === shown.written ? "" : shown.written],
    ["Caption", shown.caption],
    ["Dialogue", shown.dialogue.join("\n")],
    ["Text on screen", shown.screen.join("\n")],
    ["Who is seen", shown.characters.join(", ")],
    ["Written by", shown.writer + (shown.repaired ? ", asked again" : "")],
    ["Caption by", story.captioner],
    ["Scores of the story", Object.entries(story.scores).map(([name, value]) =>
      name.replaceAll("_", " ") + " " + Number(value.toFixed(2))).join(" · ")],
    ["Scene", shown.scene + " of " + shown.scenes + (shown.place ? ", " + shown.place : "")],
    ["Time", shown.time + ", in the shot from " + shown.shot],
  ].filter(([, value]) => value).flatMap(([name, value]) => [
    make("dt", {textContent: name}), make("dd", {dir: "auto", textContent: value})]));
  const buttons = [...$("strip").querySelectorAll("button")];
  buttons.forEach((button, number) => {
    if (number === page) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  const strip = $("strip"), current = strip.children[page];
  strip.scrollTo({left: current.offsetLeft - strip.offsetLeft -
    (strip.clientWidth - current.clientWidth) / 2});
  const next = story.pages[page + 1];
  if (next) new Image().src = source(next);  // there before the page is turned
}

function changed() {
  const differs = $("text").value.trim() !== entry().text;
  $("save").disabled = !differs || !$("text").value.trim();
  $("restore").disabled = !differs;
}

// Returns whether the sentence has a change that would be lost now, and says what to do about it.
function unsaved() {
  if (!story || $("restore").disabled) return false;
  say("Save the sentence or discard the change first.", true);
  $("text").focus();
  return true;
}

function turn(to) {
  if (to !== page && unsaved()) return;
  if (story.pages[to]) { page = to; show(); }
}

// Sends a decision and shows the story as it is then; `done` is what is said of it.
async function send(decision, done, keep = entry()?.keyframe) {
  const replaces = decision.what === "edit" && decision.keyframe === entry().keyframe;
  if (busy || (!replaces && unsaved())) return false;
  busy = true;
  try {
    await decide({film: story.film, story: story.id, ...decision}, story.seen);
    await load(keep);
    await head();
    say(done);
    return true;
  } catch (error) {
    if (error.status === 409) {
      await load(keep).catch(() => {});  // it shows what others decided
      if (replaces && decision.keyframe === entry()?.keyframe) {  // what was typed is not lost
        $("text").value = decision.text;
        $("text").focus();
        changed();
      }
    }
    say(error.message, true);
    return false;
  } finally {
    busy = false;
  }
}

async function takeBack(row) {
  if (busy || unsaved()) return;
  busy = true;
  try {
    await decide({what: "undo", of: row.id});
    await load(entry()?.keyframe);
    await head();
    say("Taken back.");
  } catch (error) {
    await load().catch(() => {});
    say(error.message, true);
  } finally {
    busy = false;
  }
}

const why = $("why");
function ask(title, action, then) {
  if (unsaved()) return;
  $("why-title").textContent = title;
  $("why-yes").textContent = action;
  $("why-note").value = "";
  for (const input of $("reasons").querySelectorAll("input")) input.checked = false;
  $("why-form").onsubmit = () => then(
    $("reasons").querySelector("input:checked").value, $("why-note").value.trim());
  why.showModal();
  $("reasons").querySelector("input").focus();
}

const accept = () => send({what: "accept", digest: story.digest}, "Accepted.");
const reject = () => ask("Why reject this story?", "Reject", (reason, note) =>
  send({what: "reject", digest: story.digest, reason, note}, "Rejected."));
const drop = () => ask("Why leave this picture out?", "Leave out", (reason, note) =>
  send({what: "drop", digest: entry().picture_digest, keyframe: entry().keyframe, reason, note},
    "Left out.", story.pages[page + 1]?.keyframe));

async function offer() {
  const {keyframe} = entry();
  $("frames").hidden = false;
  $("offered").replaceChildren();
  $("frames-said").textContent = "Decoding frames of the shot ...";
  try {
    const found = await get("/api/frames", {story: story.id, keyframe});
    if (keyframe !== entry().keyframe) return;
    $("frames-said").textContent = "Other frames of the shot. Choose the better picture.";
    $("offered").replaceChildren(...found.times.map((time, number) => make("li", {},
      make("button", {type: "button", "aria-label": "Frame " + (number + 1) + ", at " + time + " s",
        onclick: () => swap(keyframe, time)},
      make("img", {alt: "", src: media("frame", {story: story.id, keyframe, time})})))));
    $("offered").querySelector("button")?.focus();
  } catch (error) {
    $("frames-said").textContent = error.message;
  }
}

async function swap(keyframe, time) {
  if (await send({what: "swap", digest: entry().picture_digest, keyframe, time},
    "Another frame is in its place.")) $("stage").scrollIntoView();
}

// What the writer was asked for again. Leaving the page, or the picture, ends it.
let suggested = null, asked = {};

async function again(keyframe, waiting) {
  const stop = new AbortController();
  suggested = {keyframe, stop};
  waiting(true);
  const repeat = asked[keyframe] = (asked[keyframe] || 0) + 1;
  try {
    return await post("/api/suggest", {story: story.id, keyframe, repeat}, stop.signal);
  } finally {
    if (suggested?.stop === stop) suggested.stop = null;
    if (!suggested?.stop) waiting(false);
  }
}

function stopAsking() {
  suggested?.stop?.abort();
  suggested = null;
  $("suggestion").hidden = true;
}

async function askSentence() {
  const {keyframe, text} = entry();
  if (suggested?.stop) {
    if (!suggested.keyframe) say("The writer is still asked for the story.");
    return;
  }
  try {
    $("suggestion").hidden = false;
    $("suggested").textContent = "";
    $("suggestion-said").textContent = "The writer is asked ...";
    const found = await again(keyframe, (waits) => {
      for (const id of ["use", "another"]) $(id).hidden = waits;
    });
    const other = found.texts[keyframe];
    $("suggested").textContent = other;
    $("suggestion-said").textContent = other === text ? found.writer + " says the same again."
      : found.writer + " suggests:";
    $("use").hidden = other === text;
    ($("use").hidden ? $("another") : $("use")).focus();
  } catch (error) {
    if (error.name === "AbortError") return;
    $("use").hidden = true;
    $("suggestion-said").textContent = error.message;
    $("another").focus();
  }
}

async function askStory() {
  if (suggested?.stop) return;
  stopAsking();
  const button = $("ask-story"), label = button.textContent;
  try {
    say("The writer is asked for the story. Go on meanwhile; leaving the page ends it.");
    const found = await again("", (waits) => {
      button.disabled = waits;
      button.textContent = waits ? "The writer is asked ..." : label;
    });
    suggested = null;
    $("note").hidden = true;
    showRetold(found);
    $("retold").scrollIntoView();
    $("retold-title").focus();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
}

function showRetold(found) {
  const texts = story.pages.filter((shown) => found.texts[shown.keyframe] !== undefined &&
    found.texts[shown.keyframe] !== shown.text);
  const use = async (some) => {
    for (const shown of some) {
      const now = story.pages.find((other) => other.keyframe === shown.keyframe);
      if (!now || !await send({what: "edit", digest: now.sentence_digest,
        keyframe: now.keyframe, text: found.texts[now.keyframe]}, "The sentence is saved.")) break;
    }
    showRetold(found);
  };
  $("retold").hidden = false;
  $("retold-said").textContent = texts.length ? found.writer + " suggests other words for " +
    texts.length + (texts.length === 1 ? " picture." : " pictures.")
    : "All sentences are as " + found.writer + " says.";
  $("use-all").hidden = !texts.length;
  $("use-all").onclick = () => use(texts);
  $("retold-list").replaceChildren(...texts.map((shown) => make("li", {},
    make("img", {alt: shown.caption, loading: "lazy", src: small(shown)}),
    make("div", {}, make("p", {className: "was", dir: "auto", textContent: shown.text}),
      make("p", {className: "told", dir: "auto", textContent: found.texts[shown.keyframe]}),
      make("button", {type: "button", className: "button", textContent: "Use it",
        "aria-label": "Use it for picture " + (story.pages.indexOf(shown) + 1),
        onclick: () => use([shown])})))));
}

const scene = () => entry().scene_digest && send({what: "scene", digest: entry().scene_digest,
  keyframe: entry().keyframe, begins: !entry().begins},
entry().begins ? "No scene begins here." : "A scene begins here.");

function undo() {
  const row = undoable();
  if (row) takeBack(row);
  else say("You have decided nothing here yet.");
}

$("back").onclick = () => turn(page - 1);
$("on").onclick = () => turn(page + 1);
$("accept").onclick = accept;
$("reject").onclick = reject;
$("undo").onclick = undo;
$("drop").onclick = drop;
$("swap").onclick = offer;
$("scene").onclick = scene;
$("ask-sentence").onclick = askSentence;
$("another").onclick = askSentence;
$("refuse").onclick = () => { stopAsking(); $("ask-sentence").focus(); };
$("use").onclick = () => {
  const text = $("suggested").textContent;
  stopAsking();
  send({what: "edit", digest: entry().sentence_digest, keyframe: entry().keyframe, text},
    "The sentence is saved.");
};
$("ask-story").onclick = askStory;
$("retold-close").onclick = () => { $("retold").hidden = true; $("ask-story").focus(); };
$("keep").onclick = () => { $("frames").hidden = true; $("swap").focus(); };
$("start").onclick = () => send({what: "move", digest: story.boundary,
  keyframe: entry().keyframe}, "The story begins here.");
$("end").onclick = () => send({what: "move", story: story.after.id, digest: story.next_boundary,
  keyframe: story.pages[page + 1].keyframe}, "The story ends here; the rest begins the next one.");
$("help").onclick = () => $("keys").showModal();
$("why-no").onclick = () => why.close();
$("text").oninput = changed;
$("restore").onclick = () => { $("text").value = entry().text; changed(); };
$("sentence").onsubmit = (event) => {
  event.preventDefault();
  if ($("save").disabled) return;
  document.activeElement.blur();  // the next keys are none of the sentence's
  saving = send({what: "edit", digest: entry().sentence_digest, keyframe: entry().keyframe,
    text: $("text").value.trim()}, "The sentence is saved.");
};
$("text").onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("sentence").requestSubmit();
  else if (event.key === "Escape") { $("restore").onclick(); $("text").blur(); }
};
$("reasons").append(...Object.entries(REASONS).map(([value, text]) => make("label", {},
  make("input", {type: "radio", name: "reason", value, required: true}), " " + text)));

document.addEventListener("keydown", (event) => {
  if (typing(event) || event.altKey || event.ctrlKey || event.metaKey || !story) return;
  if (document.querySelector("dialog[open]")) return;
  const act = {
    ArrowLeft: () => turn(page - 1), ArrowRight: () => turn(page + 1), a: accept, r: reject,
    e: () => $("text").focus(), d: drop, s: offer, u: undo, w: askSentence, b: scene,
    n: () => $("next-story").click(), p: () => $("previous-story").click(),
    "?": () => $("keys").showModal(),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  saving.then(act);
});
document.addEventListener("click", (event) => {
  const stays = event.ctrlKey || event.metaKey || event.shiftKey;  // another tab opens
  if (!stays && event.target.closest("a[href]") && unsaved()) event.preventDefault();
});
addEventListener("beforeunload", (event) => {
  if (story && !$("restore").disabled) event.preventDefault();
});

let touch = null;
$("stage").addEventListener("touchstart", (event) => {
  touch = event.touches.length === 1 ? event.touches[0] : null;
}, {passive: true});
$("stage").addEventListener("touchend", (event) => {
  if (!touch) return;
  const right = event.changedTouches[0].clientX - touch.clientX;
  const down = event.changedTouches[0].clientY - touch.clientY;
  if (Math.abs(right) > 40 && Math.abs(right) > 2 * Math.abs(down)) turn(page + (right < 0 ? 1 : -1));
}, {passive: true});

(async () => {
  try {
    await head();
    await load();
  } catch (error) {
    say(error.message, true);
  }
})();
