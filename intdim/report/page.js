"use strict";
// Tables can be sorted, a link to a row opens what hides it, and what scrolls can be reached by the keyboard. Without
// this script the page has the same content.

const said = document.getElementById("sorted");

function sort(table, column, button) {
  const head = table.tHead.rows[0].cells, body = table.tBodies[0], rows = [...body.rows];
  const up = head[column].getAttribute("aria-sort") !== "ascending";
  const keyed = rows.some((row) => row.cells[column].dataset.key !== undefined);

  function compare(one, other) {
    const a = one.cells[column], b = other.cells[column];
    if (!keyed) return (up ? 1 : -1) * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
    const p = a.dataset.key, q = b.dataset.key;
    if (p === undefined || q === undefined) return (p === undefined) - (q === undefined); // no number: last
    return (up ? 1 : -1) * (Number(p) - Number(q));
  }

  rows.sort(compare).forEach((row) => body.append(row));
  for (const cell of head) cell.removeAttribute("aria-sort");
  head[column].setAttribute("aria-sort", up ? "ascending" : "descending");
  said.textContent = `${table.caption.textContent}: sorted by ${button.textContent}, ${up ? "ascending" : "descending"}`;
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => sort(table, column, button));
    cell.replaceChildren(button);
  });
}

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let one = target.parentElement; one; one = one.parentElement) {
    if (one instanceof HTMLDetailsElement) one.open = true;
  }
  target.scrollIntoView();
}

function reach() {
  for (const box of document.querySelectorAll(".scroll")) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", box.querySelector("caption").textContent);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}

addEventListener("hashchange", reveal);
addEventListener("resize", reach);
addEventListener("toggle", reach, true);
if (location.hash) reveal();
reach();
