"use strict";
(function () {
  var root = document.documentElement, tip = document.getElementById("tip");

  /* Light or dark: the reader's setting, until the button is pressed. */
  function stored(value) {
    try {
      if (value === undefined) return localStorage.getItem("pith-theme");
      localStorage.setItem("pith-theme", value);
    } catch (e) { /* pages from files may have no storage */ }
    return null;
  }
  function isDark() {
    var t = root.getAttribute("data-theme");
    return t ? t === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  var before = stored();
  if (before === "light" || before === "dark") root.setAttribute("data-theme", before);
  document.getElementById("theme").addEventListener("click", function () {
    var t = isDark() ? "light" : "dark";
    root.setAttribute("data-theme", t);
    stored(t);
  });

  /* Tables: rows without a number stay at the end, whichever way. */
  function sort(table, column, head) {
    var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
    var up = head.getAttribute("aria-sort") === "descending" ||
             (!head.hasAttribute("aria-sort") && column === 0);
    function key(row) {
      var cell = row.cells[column], v = cell && cell.getAttribute("data-v");
      if (v === null || v === undefined) return null;
      var n = Number(v);
      return v !== "" && !isNaN(n) ? n : v;
    }
    rows = rows.map(function (row, i) { return { row: row, key: key(row), i: i }; });
    rows.sort(function (a, b) {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.i - b.i;
      var d = typeof a.key === "number" && typeof b.key === "number" ? a.key - b.key : String(a.key).localeCompare(String(b.key));
      return (up ? d : -d) || a.i - b.i;
    });
    rows.forEach(function (r) { body.appendChild(r.row); });
    Array.prototype.forEach.call(head.parentNode.children, function (h) { h.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
  }
  document.querySelectorAll("table[data-sort]").forEach(function (table) {
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      head.firstElementChild.addEventListener("click", function () { sort(table, column, head); });
    });
  });

  /* Tabs. */
  document.querySelectorAll("[role=tablist]").forEach(function (list) {
    var tabs = Array.prototype.slice.call(list.children);
    tabs.forEach(function (tab, i) {
      tab.addEventListener("click", function () {
        tabs.forEach(function (t) {
          t.setAttribute("aria-selected", t === tab ? "true" : "false");
          document.getElementById(t.getAttribute("aria-controls")).hidden = t !== tab;
        });
      });
      tab.addEventListener("keydown", function (e) {
        var d = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
        if (!d) return;
        var next = tabs[(i + d + tabs.length) % tabs.length];
        next.focus();
        next.click();
      });
    });
  });

  /* Hover texts: the browser's own come late and not at all on telephones. */
  function show(text, x, y) {
    tip.textContent = text;
    tip.hidden = false;
    var w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(8, Math.min(x - w / 2, innerWidth - w - 8)) + "px";
    tip.style.top = (y - h - 14 < 8 ? y + 18 : y - h - 14) + "px";
  }
  function hide() { tip.hidden = true; }
  document.querySelectorAll(".pt").forEach(function (g) {
    var title = g.querySelector("title"), text = title ? title.textContent : "";
    if (!title) return;
    g.removeChild(title);
    g.setAttribute("aria-label", text);
    function at() {
      var b = g.lastElementChild.getBoundingClientRect();
      show(text, b.left + b.width / 2, b.top + b.height / 2);
    }
    g.addEventListener("pointerenter", at);
    g.addEventListener("pointerleave", hide);
    g.addEventListener("focus", at);
    g.addEventListener("blur", hide);
  });
  addEventListener("scroll", hide, { passive: true });
  addEventListener("keydown", function (e) { if (e.key === "Escape") hide(); });

  /* Which section is being read. */
  if ("IntersectionObserver" in window) {
    var links = {};
    document.querySelectorAll("nav a").forEach(function (a) { links[a.getAttribute("href").slice(1)] = a; });
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (e) {
        if (!e.isIntersecting) return;
        for (var k in links) links[k].removeAttribute("aria-current");
        if (links[e.target.id]) links[e.target.id].setAttribute("aria-current", "true");
      });
    }, { rootMargin: "-20% 0px -75% 0px" });
    document.querySelectorAll("section[id]").forEach(function (s) { seen.observe(s); });
  }
})();
