/* Appended to a copy of the page by report_browser.sh: uses all that reacts, and writes what came of it into the page. */
"use strict";
(function () {
  var failures = [], done = 0;
  function check(ok, what) { done++; if (!ok) failures.push(what); }
  function all(selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); }
  var root = document.documentElement;
  function paper() { return getComputedStyle(document.body).backgroundColor; }

  /* The theme: two presses lead back, and each changes the colours. */
  var button = document.getElementById("theme"), first = paper();
  button.click();
  var second = paper();
  check(first !== second && root.hasAttribute("data-theme"), "theme: the first press changes nothing");
  button.click();
  check(paper() === first, "theme: the second press does not lead back");

  /* Tables: every head, both ways; rows are sorted, none is lost, those without a value stand last. */
  all("table[data-sort]").forEach(function (table) {
    var rows = table.tBodies[0].rows.length;
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      ["", "again"].forEach(function (again) {
        head.firstElementChild.click();
        var order = head.getAttribute("aria-sort"), last = null, ended = false, good = true;
        Array.prototype.forEach.call(table.tBodies[0].rows, function (row) {
          var cell = row.cells[column], v = cell && cell.getAttribute("data-v");
          if (v === null || v === undefined) { ended = true; return; }
          if (ended) good = false;
          var n = v !== "" && !isNaN(Number(v)) ? Number(v) : v;
          if (last !== null && typeof n === "number" && typeof last === "number")
            good = good && (order === "ascending" ? last <= n : last >= n);
          last = n;
        });
        check(good && (order === "ascending" || order === "descending"), "sort: column " + column + " " + again);
        check(table.tBodies[0].rows.length === rows, "sort: rows are lost in column " + column);
        check(all("[aria-sort]", table).length === 1, "sort: more than one column claims the order");
      });
    });
  });

  /* Tabs: one panel at a time. */
  all("[role=tablist]").forEach(function (list) {
    all("[role=tab]", list).forEach(function (tab) {
      tab.click();
      var open = all("[role=tab]", list).filter(function (t) {
        return !document.getElementById(t.getAttribute("aria-controls")).hidden;
      });
      check(open.length === 1 && open[0] === tab && tab.getAttribute("aria-selected") === "true", "tab: " + tab.textContent);
    });
    var tabs = all("[role=tab]", list);
    tabs[0].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    check(tabs[1].getAttribute("aria-selected") === "true", "tab: the arrow key");
  });

  /* Hover texts, by pointer and by keyboard. */
  var tip = document.getElementById("tip");
  all(".pt").forEach(function (g, i) {
    g.dispatchEvent(new PointerEvent("pointerenter"));
    check(!tip.hidden && tip.textContent.length > 3 && tip.textContent === g.getAttribute("aria-label"), "tip " + i);
    g.dispatchEvent(new PointerEvent("pointerleave"));
    check(tip.hidden, "tip " + i + " stays");
  });
  all("[tabindex='0'].pt").slice(0, 5).forEach(function (g, i) {
    g.dispatchEvent(new FocusEvent("focus"));
    check(!tip.hidden, "tip by keyboard " + i);
    g.dispatchEvent(new FocusEvent("blur"));
  });

  /* The heat over pictures goes and comes. */
  var heat = document.getElementById("heat");
  function heats() { return all(".cam .heat").filter(function (i) { return getComputedStyle(i).display !== "none"; }).length; }
  if (heat) {
    var warm = heats(), over = all(".cam");
    check(warm > 0 && warm === over.length && heat.checked, "heat: " + warm + " of " + over.length + " pictures");
    document.querySelector("label[for=heat]").click();
    check(heats() === 0, "heat: it stays");
    heat.click();
    check(heats() === warm, "heat: it does not come back");
    over.forEach(function (c) {
      var a = c.children[0].getBoundingClientRect(), b = c.children[1].getBoundingClientRect();
      check(a.width > 0 && a.left === b.left && a.top === b.top && a.width === b.width && a.height === b.height, "heat: beside its picture");
    });
  }

  /* Details open; links lead to sections; nothing is wider than the screen but what scrolls by itself. */
  all("details").forEach(function (d) {
    d.querySelector("summary").click();
    check(d.open, "details do not open");
  });
  all("nav a").forEach(function (a) {
    check(document.getElementById(a.getAttribute("href").slice(1)) !== null, "link " + a.textContent);
  });
  check(all("nav a").length === all("section").length, "a link for each section");
  if (innerWidth < 640) root.style.width = "390px"; /* a telephone; the browser's own window is no narrower than 500 */
  var width = root.getBoundingClientRect().width;
  check(document.body.scrollWidth <= width, "the page is " + document.body.scrollWidth + " wide on a screen of " + width);
  all("img").forEach(function (img) { check(img.complete && img.naturalWidth > 0, "picture " + img.alt); });

  root.setAttribute("data-checked", done);
  root.setAttribute("data-failed", failures.length ? failures.join("; ") : "none");
})();
