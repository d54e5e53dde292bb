// The list of stories. What is shown is what the address says, so that it can be linked to.
import {$, WORDS, get, head, make, say, thumbnail} from "/static/common.js";

const FIELDS = ["words", "status", "character", "place", "score", "part"];
const wanted = () => new URLSearchParams(location.search);

function card(story) {
  const status = story.dropped && story.status === "open" ? "dropped: " + story.dropped
    : WORDS[story.status];
  return make("li", {}, make("a", {href: "/story?" + new URLSearchParams({id: story.id})},
    make("img", {alt: "", loading: "lazy", src: thumbnail(story.image), width: 320, height: 180}),
    make("b", {dir: "auto", textContent: story.title}),
    make("span", {className: "small", textContent: "Story " + story.number + " · " +
      story.pictures + " pictures" + (story.score === null ? "" : " · " + story.score.toFixed(2))}),
    make("span", {className: "status " + story.status, textContent: status})));
}

async function show() {
  const query = wanted(), page = Math.max(1, parseInt(query.get("page"), 10) || 1);
  for (const field of FIELDS) $(field).value = query.get(field) || "";
  const values = Object.fromEntries(FIELDS.map((field) => [field, query.get(field) || ""]));
  const found = await get("/api/stories", {...values, page});
  const pages = Math.max(1, Math.ceil(found.count / found.per_page));
  $("count").textContent = found.count.toLocaleString("en") +
    (found.count === 1 ? " story" : " stories");
  $("stories").replaceChildren(...found.stories.map(card));
  const narrowed = FIELDS.some((field) => query.get(field));
  $("none").hidden = found.count > 0;
  $("none").replaceChildren(narrowed ? "No story is like that. " : "This dataset has no stories.",
    narrowed ? make("a", {href: "/", textContent: "Show all stories"}) : "");
  $("page").textContent = page + " of " + pages;
  $("back").disabled = page <= 1;
  $("on").disabled = page >= pages;
  for (const nav of document.querySelectorAll(".pager")) nav.hidden = pages === 1;
  // Where the next and the previous story of this list are: the page of a story goes by it.
  sessionStorage.setItem("list", JSON.stringify(found.stories.map((story) => story.id)));
  sessionStorage.setItem("list-address", location.pathname + location.search);
}

function go(values) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  history.pushState(null, "", "/" + (query.size ? "?" + query : ""));
  run(show);
}

const fields = () => Object.fromEntries(FIELDS.map((field) => [field, $(field).value.trim()]));
function turn(by) {
  go({...fields(), page: String(Math.max(1, (parseInt(wanted().get("page"), 10) || 1) + by))});
  scrollTo(0, 0);
}

async function run(work) {
  try { await work(); } catch (error) { say(error.message, true); }
}

$("search").onsubmit = (event) => { event.preventDefault(); go(fields()); };
for (const field of ["status", "character", "place", "score"]) {
  $(field).onchange = () => go(fields());
}
$("back").onclick = () => turn(-1);
$("on").onclick = () => turn(1);
addEventListener("popstate", () => run(show));

run(async () => {
  const dataset = await head();
  const options = (id, values, label = (value) => value) => $(id).append(...values.map(
    (value) => make("option", {value, textContent: label(value)})));
  options("character", dataset.characters);
  options("place", dataset.places);
  options("score", dataset.scores, (name) => name.replaceAll("_", " "));
  $("part").placeholder = dataset.share || "1/1";
  await show();
});
