// The storybook. What is shown is what the address says: #story=...&page=7&view=spread. Every
// button only changes the address, so any page can be linked to. Texts are set as text, never HTML.
(() => {
  const books = JSON.parse(document.getElementById("books").textContent);
  if (!books.length) return;
  const $ = (id) => document.getElementById(id);
  let book = null, page = 0, view = "book";

  function make(tag, props, ...children) {
    const element = Object.assign(document.createElement(tag), props);
    element.append(...children);
    return element;
  }

  function picture(entry, lazy = true) {
    const image = make("img", {alt: entry.caption, draggable: false});
    if (lazy) image.loading = "lazy";  // must be set before the source
    image.src = entry.src;
    return image;
  }

  function go(change) {
    const to = {story: book.id, page: page + 1, view, ...change};
    if (to.view === "book") delete to.view;
    location.replace("#" + new URLSearchParams(to));  // no entry in the history for each page
  }

  function turn(by) {
    if (view === "book" && book.pages[page + by]) go({page: page + 1 + by});
  }

  function mark(list, at) {  // the current one of a row of thumbnails, moved into sight
    [...list.querySelectorAll("button")].forEach((button, n) => {
      if (n === at) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    const current = list.children[at];
    if (!current) return;
    const middle = current.offsetLeft - (list.clientWidth - current.clientWidth) / 2;
    list.scrollTo({left: middle - list.offsetLeft});
  }

  function ahead() {  // in which direction on the screen a book goes on: 1 is to the right
    return book.direction === "rtl" ? -1 : 1;
  }

  function openBook(next) {
    book = next;
    for (const part of [$("turn"), $("strip"), $("spread")]) part.dir = book.direction;
    for (const part of [$("words"), $("spread")]) part.lang = book.language;
    $("back").textContent = ahead() > 0 ? "←" : "→";
    $("on").textContent = ahead() > 0 ? "→" : "←";
    $("title").textContent = book.film;
    $("which").textContent = [book.series !== book.film ? book.series : "",
      "story " + book.number, book.pages.length + " pictures", book.split]
      .filter(Boolean).join(" · ");
    $("scores").textContent = book.scores.join(" · ");
    $("strip").replaceChildren(...book.pages.map((entry, at) => make("li", {}, make("button", {
      type: "button", title: "Page " + (at + 1), onclick: () => go({page: at + 1}),
    }, picture(entry)))));
    $("spread").replaceChildren();
    mark($("shelf"), books.indexOf(book));
  }

  function showSpread() {
    if ($("spread").children.length) return;
    $("spread").replaceChildren(...book.pages.map((entry, at) => make("li", {}, make("button", {
      type: "button", onclick: () => go({page: at + 1, view: "book"}),
    }, picture(entry), make("p", {dir: "auto", textContent: entry.text}),
    make("small", {lang: "en", textContent: at + 1})))));
  }

  function facts(entry) {
    const writer = entry.writer === "plain" ? "nobody: the caption stands in (plain)"
      : entry.writer + (entry.repaired ? ", asked again as its first answer failed (repaired)" : "");
    return [
      ["Caption", entry.caption],
      [entry.recognised ? "Dialogue, recognised from sound" : "Dialogue",
        (entry.dialogue || []).join("\n")],
      ["Text on screen", (entry.screen || []).join("\n")],
      ["Time", entry.time],
      ["Shot", entry.shot],
      ["Text written by", writer],
      ["Caption written by", book.captioner],
      ["File", decodeURIComponent(entry.src)],
    ].filter(([, value]) => value).flatMap(([name, value]) => [
      make("dt", {textContent: name}), make("dd", {dir: "auto", textContent: value})]);
  }

  function showPage() {
    const entry = book.pages[page];
    const image = $("image");
    image.src = entry.src;
    image.alt = entry.caption;
    if (entry.width) $("stage").style.setProperty("--ratio", entry.width + "/" + entry.height);
    $("words").textContent = entry.text;
    $("number").textContent = (page + 1) + " of " + book.pages.length;
    $("back").disabled = page === 0;
    $("on").disabled = page === book.pages.length - 1;
    $("facts").replaceChildren(...facts(entry));
    for (const element of [image, $("words")]) {  // start the fade again
      element.classList.remove("fresh");
      void element.offsetWidth;
      element.classList.add("fresh");
    }
    mark($("strip"), page);
    const next = book.pages[page + 1];
    if (next) new Image().src = next.src;  // there before the page is turned
  }

  function show() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (book && !wanted.has("story")) return;  // a link to another section of the page
    const next = books.find((candidate) => candidate.id === wanted.get("story")) || books[0];
    if (next !== book) openBook(next);
    const number = parseInt(wanted.get("page"), 10) || 1;
    page = Math.min(Math.max(number, 1), book.pages.length) - 1;
    view = wanted.get("view") === "spread" ? "spread" : "book";
    $("spread").hidden = view !== "spread";
    $("open").hidden = view === "spread";
    $("as-book").setAttribute("aria-pressed", view === "book");
    $("as-spread").setAttribute("aria-pressed", view === "spread");
    if (view === "spread") showSpread(); else showPage();
  }

  $("shelf").replaceChildren(...books.map((entry) => make("li", {}, make("button", {
    type: "button", onclick: () => go({story: entry.id, page: 1}),
  }, picture(entry.pages[entry.pages.length >> 1]),
  make("b", {dir: "auto", textContent: entry.film}),
  make("span", {textContent: "Story " + entry.number})))));
  $("back").onclick = () => turn(-1);
  $("on").onclick = () => turn(1);
  $("as-book").onclick = () => go({view: "book"});
  $("as-spread").onclick = () => go({view: "spread"});

  let touch = null, swiped = false;
  const stage = $("stage");
  stage.addEventListener("touchstart", (event) => {
    swiped = false;
    touch = event.touches.length === 1 ? event.touches[0] : null;  // two fingers zoom
  }, {passive: true});
  stage.addEventListener("touchend", (event) => {
    if (!touch) return;
    const right = event.changedTouches[0].clientX - touch.clientX;
    const down = event.changedTouches[0].clientY - touch.clientY;
    swiped = Math.abs(right) > 40 && Math.abs(right) > 2 * Math.abs(down);
    if (swiped) turn(right < 0 ? ahead() : -ahead());
  }, {passive: true});
  stage.onclick = (event) => {  // the third of the picture where the book begins turns back
    const box = stage.getBoundingClientRect();
    const from = ahead() > 0 ? event.clientX - box.left : box.right - event.clientX;
    if (!swiped) turn(from < box.width / 3 ? -1 : 1);
  };
  document.addEventListener("keydown", (event) => {
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const box = $("storybook").getBoundingClientRect();
    if (box.bottom < 0 || box.top > innerHeight) return;  // out of sight, out of reach
    event.preventDefault();
    turn(by * ahead());
  });
  addEventListener("hashchange", show);

  const linked = new URLSearchParams(location.hash.slice(1)).has("story");
  $("reader").hidden = false;
  show();
  if (linked) $("bar").scrollIntoView();
})();
