// Sorts a table by a click on a column heading: first with the better side on top, then reversed.
// Published rows are sorted among themselves; what was not measured stays below.
for (const table of document.querySelectorAll(".results table")) {
  const heads = [...table.tHead.rows[0].cells];
  const before = (a, b, way) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const difference = Number(a) - Number(b);
    return way * (Number.isNaN(difference) ? a.localeCompare(b, undefined, {numeric: true})
      : difference);
  };
  heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () => {
    const first = head.dataset.better === "lower" || !head.classList.contains("num")
      ? "ascending" : "descending";
    const other = {ascending: "descending", descending: "ascending"};
    const now = head.getAttribute("aria-sort");
    const order = now === "none" ? first : other[now];
    heads.forEach((cell) => cell.setAttribute("aria-sort", cell === head ? order : "none"));
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("between"));
      const key = (row) => row.cells[at].dataset.sort;
      rows.sort((a, b) => before(key(a), key(b), order === "ascending" ? 1 : -1));
      body.append(...rows);
    }
  }));
}
