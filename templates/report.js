(function () {
  "use strict";
  var tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  document.body.appendChild(tip);

  function show(text, x, y) {
    tip.textContent = text;
    tip.style.display = "block";
    var box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - box.width - 4)) + "px";
    tip.style.top = Math.max(4, y - box.height - 12) + "px";
  }
  function hide() { tip.style.display = "none"; }
  function shown(value) { return Number(value.toPrecision(3)).toLocaleString("en"); }
  function axis(svg, name) {
    var parts = (svg.dataset[name] || "").split(",");
    return parts.length < 3 ? null : { start: +parts[0], step: +parts[1], title: parts.slice(2).join(",") };
  }
  /* All that can be pointed at: parts with a title, and the points of curves. */
  function marks(svg) {
    var found = [], x = axis(svg, "x"), y = axis(svg, "y");
    svg.querySelectorAll("[data-tip]").forEach(function (part) {
      found.push({ part: part, text: part.querySelector("title").textContent });
    });
    if (x && y) svg.querySelectorAll("polyline[data-name]").forEach(function (line) {
      (line.getAttribute("points") || "").trim().split(/\s+/).forEach(function (pair) {
        var at = pair.split(",").map(Number);
        if (at.length < 2) return;
        var name = line.dataset.name;
        found.push({ at: at, text: (name ? name + ": " : "") + x.title + " " + shown((at[0] - x.start) / x.step) +
          ", " + y.title + " " + shown((at[1] - y.start) / y.step) });
      });
    });
    return found;
  }
  function place(svg, mark) {
    if (mark.part) {
      var box = mark.part.getBoundingClientRect();
      return [box.left + box.width / 2, box.top];
    }
    var point = svg.createSVGPoint();
    point.x = mark.at[0]; point.y = mark.at[1];
    point = point.matrixTransform(svg.getScreenCTM());
    return [point.x, point.y];
  }
  document.querySelectorAll("svg[tabindex]").forEach(function (svg) {
    var known = null, now = -1;
    function all() { return known || (known = marks(svg)); }
    function tell(number) {
      now = number;
      var at = place(svg, all()[now]);
      show(all()[now].text, at[0], at[1]);
    }
    svg.addEventListener("pointermove", function (event) {
      var nearest = -1, least = 24;
      all().forEach(function (mark, number) {
        if (mark.part) { if (mark.part === event.target) { nearest = number; least = -1; } return; }
        var at = place(svg, mark), far = Math.hypot(at[0] - event.clientX, at[1] - event.clientY);
        if (far < least) { nearest = number; least = far; }
      });
      if (nearest < 0) hide(); else tell(nearest);
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("focus", function () { if (svg.matches(":focus-visible") && all().length) tell(Math.max(0, now)); });
    svg.addEventListener("keydown", function (event) {
      var step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step || !all().length) return;
      event.preventDefault();
      tell((now + step + all().length) % all().length);
    });
  });

  function value(text) {
    var number = parseFloat(text.replace(/[,\s]/g, "").replace("−", "-"));
    return isNaN(number) ? null : number;
  }
  function compare(a, b) {
    var x = value(a), y = value(b);
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x !== null ? -1 : 1;
    return a.localeCompare(b);
  }
  function csv(table) {
    return Array.from(table.rows).filter(function (row) { return !row.hidden; }).map(function (row) {
      return Array.from(row.cells).map(function (cell) {
        var text = (cell.dataset.text || cell.textContent).trim();
        if (/^[=+@\t-]/.test(text) && value(text) === null) text = "'" + text;
        return /[",\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
      }).join(",");
    }).join("\n") + "\n";
  }
  document.querySelectorAll("section.table").forEach(function (section) {
    var table = section.querySelector("table"), body = table.tBodies[0], title = section.querySelector("caption").textContent;
    var bar = document.createElement("div"), copy = document.createElement("button");
    bar.className = "tools";
    if (body.rows.length > 5) {
      var filter = document.createElement("input");
      filter.type = "search";
      filter.placeholder = "Filter rows";
      filter.setAttribute("aria-label", "Filter rows of " + title);
      filter.addEventListener("input", function () {
        var wanted = filter.value.toLowerCase();
        Array.from(body.rows).forEach(function (row) {
          row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
        });
      });
      bar.appendChild(filter);
    }
    copy.type = "button";
    copy.textContent = "Copy CSV";
    copy.setAttribute("aria-label", "Copy " + title + " as CSV");
    copy.addEventListener("click", function () {
      var text = csv(table);
      function done() { copy.textContent = "Copied"; setTimeout(function () { copy.textContent = "Copy CSV"; }, 1500); }
      function by_hand() {
        var area = document.createElement("textarea");
        area.value = text;
        document.body.appendChild(area);
        area.select();
        document.execCommand("copy");
        area.remove();
        done();
      }
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, by_hand); else by_hand();
    });
    bar.appendChild(copy);
    section.insertBefore(bar, section.firstChild);
    if (body.rows.length > 1) Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
      var button = document.createElement("button");
      head.dataset.text = head.textContent.trim();
      button.type = "button";
      button.className = "sort";
      while (head.firstChild) button.appendChild(head.firstChild);
      if (!button.textContent.trim()) return;
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "ascending", sign = down ? -1 : 1;
        Array.from(head.parentNode.cells).forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        Array.from(body.rows).sort(function (a, b) {
          return sign * compare(a.cells[column].textContent, b.cells[column].textContent);
        }).forEach(function (row) { body.appendChild(row); });
      });
    });
  });
  addEventListener("beforeprint", function () {
    hide();
  });
})();
