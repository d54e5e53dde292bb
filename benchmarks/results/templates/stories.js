// Which generators are hidden and which one is marked is what the address says, and goes on to the
// next opening: #mark=2&hide=3,5, counted from 1.
(() => {
  const buttons = [...document.querySelectorAll("#shown button")];
  const rows = [...document.querySelectorAll(".row")];
  const stated = () => new URLSearchParams(location.hash.slice(1));
  const numbers = (text) => new Set((text || "").split(",").filter(Boolean).map(Number));

  function show() {
    const hidden = numbers(stated().get("hide"));
    const marked = Number(stated().get("mark"));
    const visible = buttons.length - buttons.filter((_, at) => hidden.has(at + 1)).length;
    document.body.style.setProperty("--columns", visible);
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", !hidden.has(at + 1)));
    for (const row of rows) [...row.children].forEach((cell, at) => {
      cell.hidden = hidden.has(at + 1);
      cell.classList.toggle("marked", at + 1 === marked);
    });
    for (const link of document.querySelectorAll("nav [rel]")) link.hash = location.hash;
    if (marked) rows[0].children[marked - 1]?.scrollIntoView({
      inline: "center", block: "nearest", behavior: "instant"});
  }

  buttons.forEach((button, at) => button.addEventListener("click", () => {
    const wanted = stated();
    const hidden = numbers(wanted.get("hide"));
    if (!hidden.delete(at + 1)) hidden.add(at + 1);
    wanted.set("hide", [...hidden].sort((a, b) => a - b).join(","));
    if (!hidden.size) wanted.delete("hide");
    location.replace("#" + decodeURIComponent(wanted));
  }));
  addEventListener("hashchange", show);
  document.getElementById("shown").hidden = false;
  show();
})();
