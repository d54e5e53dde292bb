// Two stories side by side, chosen from the list; the address names them.
import {$, get, head, make, media, picture, say, thumbnail} from "/static/common.js";

const SIDES = ["a", "b"];
const wanted = () => new URLSearchParams(location.search);

function page(story, shown, number) {
  const source = shown.swap === null ? picture(shown.image)
    : media("frame", {story: story.id, keyframe: shown.keyframe, time: shown.swap});
  return make("li", {}, make("img", {alt: shown.caption, loading: "lazy", src: source}),
    make("p", {dir: "auto", textContent: shown.text}),
    make("span", {className: "small", textContent: number + 1}));
}

async function show() {
  const query = wanted();
  await Promise.all(SIDES.map(async (side) => {
    const id = query.get(side);
    if (!id) return;
    const story = await get("/api/story", {id});
    const at = make("a", {href: "/story?" + new URLSearchParams({id}),
      textContent: story.title + ", story " + story.number});
    $("title-" + side).replaceChildren(at);
    $("pages-" + side).replaceChildren(...story.pages.map((shown, number) =>
      page(story, shown, number)));
  }));
  $("two").hidden = !SIDES.every((side) => query.get(side));
}

(async () => {
  try {
    await head();
    const found = await get("/api/stories", {page: Math.max(1, +(wanted().get("page") || 1))});
    for (const [number, side] of SIDES.entries()) {
      const select = $(side);
      const given = wanted().get(side) || (found.stories[number] || {}).id || "";
      const ids = new Set(found.stories.map((story) => story.id));
      select.append(...(ids.has(given) || !given ? [] : [make("option", {value: given,
        textContent: given})]), ...found.stories.map((story) => make("option", {value: story.id,
        textContent: story.title + ", story " + story.number})));
      select.value = given;
      select.onchange = () => {
        const values = Object.fromEntries(SIDES.map((name) => [name, $(name).value]));
        history.replaceState(null, "", "/compare?" + new URLSearchParams(values));
        show().catch((error) => say(error.message, true));
      };
    }
    $("none").hidden = found.stories.length > 1;
    $("choose").hidden = !$("none").hidden;
    if (found.stories.length > 1) $("a").onchange();
  } catch (error) {
    say(error.message, true);
  }
})();
