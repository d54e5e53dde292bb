// The cast: names, merges, splits. A decision is about a series and names are those shown here.
import {$, decide, get, head, make, picture, say} from "/static/common.js";

let dragged = null;
const dialog = $("ask");

function ask(title, text, action, name, then) {
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = action;
  $("ask-label").hidden = name === null;
  $("ask-name").value = name || "";
  $("ask-name").required = name !== null;
  $("ask-form").onsubmit = () => then($("ask-name").value.trim());
  dialog.showModal();
  (name === null ? $("ask-yes") : $("ask-name")).focus();
}

async function send(decision, done) {
  try {
    await decide(decision);
    await show();
    await head();
    say(done);
  } catch (error) {
    say(error.message, true);
  }
}

const rename = (series, member) => ask("Who is this?", "The name that stories use.", "Save",
  member.name, (name) => name && name !== member.name &&
    send({what: "rename", series, character: member.name, name}, member.name + " is " + name + "."));

const merge = (series, member, other) => ask("The same character?",
  member.name + " becomes " + other.name + ", in all pictures.", "Make them one", null,
  () => send({what: "rename", series, character: member.name, name: other.name},
    member.name + " is " + other.name + "."));

const ignore = (series, member) => ask("No character?",
  member.name + " is left out of the cast; who speaks in the subtitles stays.", "Leave out", null,
  () => send({what: "ignore", series, character: member.name}, member.name + " is left out."));

const split = (series, member, crop) => ask("Somebody else?",
  "Who is in this picture, and in the others of its shot, if not " + member.name + "?", "Save", "",
  (name) => name && send({what: "split", series, keyframe: crop.keyframe, box: crop.box, name},
    "This picture is of " + name + "."));

function face(series, member, crop) {
  return make("li", {}, make("button", {type: "button", disabled: !crop.box || Boolean(crop.moved),
    "aria-label": "Picture of " + member.name + ": somebody else?",
    onclick: () => split(series, member, crop)},
  make("img", {alt: "", loading: "lazy", src: picture(crop.image), draggable: false})),
  crop.moved ? make("span", {className: "small", textContent: "→ " + crop.moved}) : "");
}

// After a merge several have one name.
const once = (members) => [...new Map(members.map((member) => [member.name, member])).values()];

function card(series, member, members) {
  const others = once(members).filter((other) => other.name !== member.name && !other.ignored);
  const same = make("select", {"aria-label": member.name + " is the same as", onchange: () => {
    const other = others.find((candidate) => candidate.name === same.value);
    same.value = "";
    if (other) merge(series, member, other);
  }}, make("option", {value: "", textContent: "Same as ..."}),
  ...others.map((other) => make("option", {value: other.name, textContent: other.name})));
  const element = make("li", {className: member.ignored ? "member out" : "member", draggable: true},
    make("ul", {className: "faces-of"}, ...member.crops.map((crop) => face(series, member, crop))),
    make("h3", {dir: "auto", textContent: member.name}),
    make("p", {className: "small", textContent: [
      member.name !== member.was ? "was " + member.was : "",
      member.pictures + (member.pictures === 1 ? " picture" : " pictures") + " of " +
        member.films + (member.films === 1 ? " film" : " films"),
      member.ignored ? "left out" : ""].filter(Boolean).join(" · ")}),
    make("p", {className: "acts"},
      make("button", {type: "button", className: "button", textContent: "Name",
        "aria-label": "Name " + member.name, onclick: () => rename(series, member)}),
      same,
      make("button", {type: "button", className: "button", textContent: "No character",
        "aria-label": member.name + " is no character", disabled: member.ignored,
        onclick: () => ignore(series, member)})));
  element.ondragstart = (event) => {
    dragged = {series, member};
    event.dataTransfer.effectAllowed = "link";
    event.dataTransfer.setData("text/plain", member.name);
  };
  element.ondragover = (event) => {
    if (dragged && dragged.series === series && dragged.member.name !== member.name) {
      event.preventDefault();
      element.classList.add("over");
    }
  };
  element.ondragleave = () => element.classList.remove("over");
  element.ondrop = (event) => {
    event.preventDefault();
    element.classList.remove("over");
    if (dragged) merge(series, dragged.member, member);
    dragged = null;
  };
  return element;
}

const said = (row) => ({
  rename: () => row.character + " is " + row.name,
  ignore: () => row.character + " is no character",
  split: () => "A picture is of " + row.name,
})[row.what]();

async function show() {
  const series = await get("/api/cast");
  $("known").replaceChildren(...once(series.flatMap((one) => one.members)).map((member) =>
    make("option", {value: member.name})));
  $("casts").replaceChildren(...series.map((one) => make("section", {className: "after"},
    make("h2", {dir: "auto", textContent: one.series || "Single films"}),
    make("ul", {className: "members"},
      ...one.members.map((member) => card(one.series, member, one.members))),
    make("ul", {className: "plainlist"}, ...one.history.toReversed().map((row) => make("li", {},
      make("b", {textContent: said(row)}),
      make("span", {textContent: row.by + ", " + row.at.slice(0, 10) +
        (row.applied ? "" : ", waits for the next run")}), " ",
      make("button", {type: "button", className: "link", textContent: "Take back",
        "aria-label": "Take back: " + said(row),
        onclick: () => send({what: "undo", of: row.id}, "Taken back.")})))))));
  if (!series.length) $("casts").replaceChildren(make("p", {className: "lead",
    textContent: "Nobody was found in the pictures."}));
}

$("ask-no").onclick = () => dialog.close();
(async () => {
  try {
    await head();
    await show();
  } catch (error) {
    say(error.message, true);
  }
})();
