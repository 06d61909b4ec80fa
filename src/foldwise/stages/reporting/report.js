"use strict";
const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.v ?? cell.textContent.trim();
  const number = Number.parseFloat(text.replace("\u2212", "-").replace(/,(?=\d{3})/g, ""));
  return { text, number: /^[-+\u2212]?[\d.,]+/.test(text) ? number : Number.NaN };
};
const sort = (head) => {
  const table = head.closest("table"), column = head.cellIndex, body = table.tBodies[0];
  const falls = head.getAttribute("aria-sort") !== "descending" && head.classList.contains("num");
  const rises = !falls && head.getAttribute("aria-sort") !== "ascending";
  const sign = falls || !rises ? -1 : 1;
  const rows = [...body.rows].map((row) => [row, value(row, column)]);
  rows.sort(([, a], [, b]) => {
    if (Number.isNaN(a.number) !== Number.isNaN(b.number)) return Number.isNaN(a.number) ? 1 : -1;
    return sign * (Number.isNaN(a.number) ? a.text.localeCompare(b.text, undefined, { numeric: true }) : a.number - b.number);
  });
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
  body.append(...rows.map(([row]) => row));
};
for (const head of document.querySelectorAll("table.sortable thead th:not(.plot)")) {
  head.classList.add("sorts");
  head.tabIndex = 0;
  head.addEventListener("click", () => sort(head));
  head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(head); });
}
const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) { target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", open);
addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });
open();
