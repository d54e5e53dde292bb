// Pairs of stories or pictures: which is better, by each criterion. Sides are drawn by the pair's digest.
import {$, decide, get, head, make, picture, reviewer, say} from "/static/common.js";

let shown = null;
const CHOICES = [["first", "Left"], ["tie", "The same"], ["second", "Right"]];

function pages(told) {
  return told.texts.map((text, number) => make("li", {},
    make("img", {alt: "", src: picture(told.images[number])}),
    make("p", {dir: "auto", textContent: text})));
}

async function show(at = -1) {
  shown = await get("/api/pair", {by_name: reviewer(), at});
  const {pair} = shown;
  $("done").textContent = shown.answered + " of " + shown.count + " answered";
  for (const id of ["two", "form"]) $(id).hidden = !pair;
  $("finished").hidden = Boolean(pair);
  $("back").disabled = shown.at <= 0;
  $("on").disabled = shown.at >= shown.count - 1;
  $("asked").textContent = pair ? "Which " + pair.kind + " is better?" : "Which is better?";
  $("before").hidden = !pair?.before;
  if (!pair) return;
  $("pages-before").replaceChildren(...(pair.before ? pages(pair.before) : []));
  $("pages-a").replaceChildren(...pages(pair.first));
  $("pages-b").replaceChildren(...pages(pair.second));
  $("questions").replaceChildren(...Object.entries(pair.criteria).map(([name, asked]) =>
    make("fieldset", {}, make("legend", {}, make("b", {textContent: name}), " ",
      make("span", {className: "small", textContent: asked})),
    make("p", {className: "acts"}, ...CHOICES.map(([value, label]) => make("label", {className: "pick"},
      make("input", {type: "radio", name, value, required: true,
        checked: shown.answers[name] === value}), " " + label))))));
  scrollTo(0, 0);
}

const run = (work) => work().catch((error) => say(error.message, true));
$("back").onclick = () => run(() => show(shown.at - 1));
$("on").onclick = () => run(() => show(shown.at + 1));
$("form").onsubmit = (event) => {
  event.preventDefault();
  const answers = Object.fromEntries(new FormData($("form")));
  run(async () => {
    await decide({what: "prefer", pair: shown.pair.id, answers});
    say("Saved.");
    await show();
  });
};

run(async () => {
  await head();
  await show();
});
$("reviewer").addEventListener("change", () => run(() => show()));
