"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);

  // The look: as the system has it, or one of the two.
  const themes = ["system", "light", "dark"];
  let theme = 0;
  byId("theme").addEventListener("click", () => {
    theme = (theme + 1) % themes.length;
    if (theme) document.documentElement.dataset.theme = themes[theme];
    else delete document.documentElement.dataset.theme;
    byId("theme").textContent = "Theme: " + themes[theme];
  });

  // Places within a closed part open it.
  function reveal(hash) {
    let at = hash.length > 1 && byId(decodeURIComponent(hash.slice(1)));
    const found = at;
    for (; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    return found;
  }
  document.addEventListener("click", (e) => {
    const a = e.target.closest && e.target.closest("a[href^='#']");
    if (a) reveal(a.getAttribute("href"));
  });
  addEventListener("hashchange", () => {
    const at = reveal(location.hash);
    if (at) at.scrollIntoView();
  });
  reveal(location.hash);
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const d of closed) d.open = true;
  });
  addEventListener("afterprint", () => {
    for (const d of closed) d.open = false;
  });

  // What a rule says, where it is cited.
  const rules = new Map([...document.querySelectorAll("#rules dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent]));
  document.addEventListener("pointerover", (e) => {
    const cell = e.target.closest && e.target.closest(".ladder td:nth-child(6)");
    if (!cell || cell.title) return;
    cell.title = [...rules].filter(([name]) => cell.textContent.split(/[ ,]+/).includes(name)).map(([name, text]) => name + ": " + text).join("\n");
  });

  // Copying.
  for (const b of document.querySelectorAll(".copy")) {
    const code = b.parentElement.querySelector("code");
    const select = () => {
      getSelection().selectAllChildren(code);
      return document.execCommand("copy");
    };
    b.addEventListener("click", async () => {
      let ok = true;
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        ok = select();
      }
      b.textContent = ok ? "Copied" : "Selected";
      setTimeout(() => { b.textContent = "Copy"; }, 1500);
    });
  }

  const narrow = charts() || (() => {}); // draws the bars of those rows that a function chooses
  table();

  function table() {
    const t = byId("table");
    if (!t) return;
    const body = t.tBodies[0];
    const rows = [...body.rows].map((tr, i) => {
      const cells = [...tr.cells].map((c) => c.textContent);
      return { tr, i, cells, text: cells.join(" ").toLowerCase(), states: [5, 6].map((k) => cells[k].replace(/[?~]$/, "")), findings: cells[11].split(", ") };
    });
    const order = new Intl.Collator("en", { numeric: true }).compare;
    const figures = { 1: 0, 2: 1, 9: 2, 10: 3 }; // columns that sort by a number of data.rows
    [...t.tHead.rows[0].cells].forEach((th, col) => {
      const b = document.createElement("button");
      b.type = "button";
      b.append(...th.childNodes);
      th.append(b);
      b.addEventListener("click", () => {
        const down = th.getAttribute("aria-sort") === "ascending";
        for (const other of t.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        const f = figures[col];
        const by = f === undefined ? (a, b) => order(a.cells[col], b.cells[col]) : (a, b) => data.rows[a.i][f] - data.rows[b.i][f];
        body.append(...[...rows].sort((a, b) => (down ? by(b, a) : by(a, b)) || a.i - b.i).map((r) => r.tr));
      });
    });
    const form = byId("filter");
    const apply = () => {
      const text = byId("f-text").value.trim().toLowerCase();
      const [state, close, finding] = ["f-state", "f-close", "f-finding"].map((id) => byId(id).value);
      let n = 0;
      const on = new Set();
      for (const r of rows) {
        const show = r.text.includes(text) && (!state || r.states.includes(state)) && (!close || r.cells[7] === close) && (!finding || r.findings.includes(finding));
        r.tr.hidden = !show;
        n += show;
        if (show) on.add(r.i);
      }
      narrow((i) => on.has(i));
      byId("shown").textContent = n + " of " + rows.length;
    };
    form.addEventListener("input", apply);
    form.addEventListener("reset", (e) => {
      e.preventDefault();
      for (const id of ["f-text", "f-state", "f-close", "f-finding"]) byId(id).value = "";
      apply();
    });
    form.addEventListener("submit", (e) => e.preventDefault());
    apply(); // what the browser kept from before
  }

  function charts() {
    const chart = byId("chart"), bars = byId("bars"), axis = byId("bars-axis");
    const drawings = [chart, bars].filter(Boolean);
    if (!drawings.length) return;
    const left = 56, drawn = 792; 
    const [all, series] = [data.span, data.series];
    const top = 46, foot = 286; // as in the file
    let from = 0, to = all, cursor = null, width = 0, right = 0;
    const shown = series ? [...byId("chart-lines").children].map((path) => path.getAttribute("display") !== "none") : [];

    const X = (t) => left + ((t - from) / (to - from)) * (right - left);
    const T = (svg, e) => from + ((e.clientX - svg.getBoundingClientRect().left - left) / (right - left)) * (to - from);
    const within = (t) => Math.min(Math.max(t, 0), all);

    function make(name, attributes, text) {
      const e = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const k in attributes) e.setAttribute(k, attributes[k]);
      if (text !== undefined) e.textContent = text;
      return e;
    }
    const set = (e, attributes) => { for (const k in attributes) e.setAttribute(k, attributes[k]); };

    // Round numbers and times: the same arithmetic as where the file was made.
    function nice(d) {
      const p = 10 ** Math.floor(Math.log10(d));
      for (const f of [1, 2, 5]) if (f * p >= d * 0.999999) return f * p;
      return 10 * p;
    }
    function niceTime(d) {
      if (d <= 1e10) return nice(d);
      for (const s of [15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400]) if (s * 1e9 >= d) return s * 1e9;
      return nice(d / 864e11) * 864e11;
    }
    function time(ns, step, end) {
      const cut = (f, n) => String(+f.toFixed(n));
      if (!ns) return "0";
      if (step >= 864e11) return cut(ns / 864e11, 0) + " d";
      if (step >= 6e10) {
        const h = Math.floor(ns / 36e11), m = Math.round(ns / 6e10) % 60;
        return !h ? m + " min" : !m ? h + " h" : h + " h " + m;
      }
      if (end >= 1e9) return cut(ns / 1e9, 6) + " s";
      if (end >= 1e6) return cut(ns / 1e6, 3) + " ms";
      return cut(ns / 1e3, 3) + " µs";
    }
    // A time to the precision that the view has.
    function near(ns) {
      const unit = 10 ** Math.floor(Math.log10((to - from) / 200));
      return time(Math.round(ns / unit) * unit, 1, to);
    }
    function ticks() {
      const step = niceTime((to - from) / Math.max((right - left) / 100, 3.5)), l = [];
      for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-6; i++) l.push([X(i * step), time(i * step, step, to)]);
      return l;
    }

    function drawChart(marksOnAxis) {
      const grid = [];
      const first = Math.max(Math.floor((from - series.start) / series.step), 0);
      const last = Math.ceil((to - series.start) / series.step);
      const values = series.most.map((m) => m.slice(first, last));
      let most = 1;
      values.forEach((v, i) => { if (shown[i]) for (const n of v) most = Math.max(most, n); });
      const step = Math.max(nice(most / 5), 1), ceiling = Math.ceil(most / step) * step;
      const Y = (n) => foot - ((foot - top) * n) / ceiling;
      for (let n = 0; n <= ceiling; n += step) {
        grid.push(make("path", { d: `M${left} ${Y(n)}H${right}` }), make("text", { x: left - 6, y: Y(n), dy: 4, "text-anchor": "end" }, n.toLocaleString("en")));
      }
      for (const [x, text] of marksOnAxis) {
        grid.push(make("path", { d: `M${x} ${top}V${foot + 4}` }), make("text", { x, y: foot + 18, "text-anchor": "middle" }, text));
      }
      byId("chart-grid").replaceChildren(...grid);
      const ends = [];
      [...byId("chart-lines").children].forEach((path, i) => {
        const v = values[i];
        let d = "", before = 0;
        for (let j = 0; j <= v.length; j++) {
          const n = j < v.length ? v[j] : 0;
          if (n === before) continue;
          const x = X(Math.min(Math.max(series.start + (first + j) * series.step, from), to));
          d += (before ? "H" + x : `M${x} ${Y(0)}`) + (j < v.length ? "V" + Y(n) : "");
          before = n;
        }
        set(path, { d, display: shown[i] ? "inline" : "none" });
        if (v.length && v[v.length - 1]) ends.push({ i, y: Y(v[v.length - 1]) });
      });
      const labels = byId("chart-labels").children;
      const room = right < width - 60;
      const placed = ends.filter((e) => shown[e.i] && room).sort((a, b) => a.y - b.y);
      let next = foot - 2;
      for (const e of [...placed].reverse()) { e.y = Math.min(e.y, next); next = e.y - 14; }
      next = top + 4;
      for (const e of placed) { e.y = Math.max(e.y, next); next = e.y + 14; }
      for (const label of labels) label.setAttribute("display", "none");
      for (const e of placed) set(labels[e.i], { x: right + 6, y: e.y, display: "inline" });
      drawMarks();
    }

    function drawMarks() {
      const taken = [[], []];
      [...byId("chart-marks").children].forEach((a, i) => {
        const t = data.marks[i], x = X(t);
        const row = t < from || t > to ? -1 : taken.findIndex((r) => !r.some((other) => Math.abs(x - other) < 24));
        a.setAttribute("display", row < 0 ? "none" : "inline");
        if (row < 0) return;
        taken[row].push(x);
        const y = row * 20 + 10;
        set(a.querySelector(".pin"), { d: `M${x} ${y}V${foot}` });
        set(a.querySelector("circle"), { cx: x, cy: y });
        set(a.querySelector("text"), { x, y });
      });
    }

    function drawBars(marksOnAxis) {
      const height = bars.getAttribute("height");
      axis.firstElementChild.replaceChildren(...marksOnAxis.flatMap(([x, text]) => [make("path", { d: `M${x} 20V24` }), make("text", { x, y: 15, "text-anchor": "middle" }, text)]));
      bars.firstElementChild.replaceChildren(...marksOnAxis.map(([x]) => make("path", { d: `M${x} 0V${height}` })));
      set(byId("bars-clip"), { width: right - left });
      const k = ((right - left) / drawn) * (all / (to - from));
      set(byId("bars-paths"), { transform: `matrix(${k} 0 0 1 ${-(from / all) * drawn * k} 0)` });
      const room = right < width - 60;
      for (const e of bars.querySelectorAll(".end")) set(e, { x: right + 6, display: room ? "inline" : "none" });
    }

    function draw() {
      const marksOnAxis = ticks();
      for (const svg of [...drawings, axis].filter(Boolean)) set(svg, { viewBox: `0 0 ${width} ${svg.getAttribute("height")}` });
      if (chart) drawChart(marksOnAxis);
      if (bars) drawBars(marksOnAxis);
      byId("range").textContent = near(from) + " to " + near(to);
      byId("zoom-all").disabled = byId("zoom-out").disabled = from <= 0 && to >= all;
      point(cursor);
    }

    function zoom(a, b) {
      const least = Math.max(all / 1e4, 1000);
      if (b - a < least) [a, b] = [(a + b - least) / 2, (a + b + least) / 2];
      if (b - a >= all) [a, b] = [0, all];
      if (a < 0) [a, b] = [0, b - a];
      if (b > all) [a, b] = [all - (b - a), all];
      [from, to] = [a, b];
      draw();
    }
    const closer = (f, at) => zoom(at - (at - from) * f, at + (to - at) * f);
    const middle = () => (cursor !== null && cursor >= from && cursor <= to ? cursor : (from + to) / 2);
    const shift = (d) => zoom(from + d, to + d);

    // What the reader points at.
    const hairs = drawings.map((svg) => {
      const hair = make("path", { class: "cursor", display: "none" });
      svg.append(hair);
      return hair;
    });
    const readings = byId("legend") && chart ? [...byId("legend").querySelectorAll(".value")] : [];
    const peaks = readings.map((e) => e.textContent);
    function point(t, more) {
      cursor = t;
      const on = t !== null && t >= from && t <= to;
      hairs.forEach((hair, i) => {
        if (on) set(hair, { d: `M${X(t)} ${drawings[i] === chart ? top : 0}V${drawings[i] === chart ? foot : bars.getAttribute("height")}`, display: "inline" });
        else hair.setAttribute("display", "none");
      });
      byId("reading").textContent = on ? "at " + near(t) + (more || "") : "";
      readings.forEach((e, i) => {
        const j = on ? Math.min(Math.floor((t - series.start) / series.step), series.most[i].length - 1) : -1;
        if (j < 0) {
          e.textContent = peaks[i];
          return;
        }
        const most = series.most[i][j] || 0, last = series.last[i] ? series.last[i][j] || 0 : most;
        e.textContent = last.toLocaleString("en") + (most > last ? " (peak " + most.toLocaleString("en") + ")" : "");
      });
    }

    // Some of the bars alone: each path has those of all connections, one row below the other.
    const pitch = 34, list = (s) => (bars ? [...bars.querySelectorAll(s)] : []);
    const labels = list("a text"), endings = list(".end"), paths = list("#bars-paths path");
    const wholes = paths.map((p) => [...p.getAttribute("d").matchAll(/M(\S+) (\d+)([^M]*)/g)]);
    let named = labels, drawnNow = labels.map((_, i) => i).join();
    function narrow(chosen) {
      const rows = labels.map((_, i) => i).filter((i) => chosen(data.bars[i]));
      if (!bars || rows.join() === drawnNow) return;
      drawnNow = rows.join();
      const place = new Map(rows.map((row, i) => [row, i]));
      named = rows.map((i) => labels[i]);
      wholes.forEach((pieces, k) => {
        let d = "";
        for (const [, x, y, rest] of pieces) {
          const row = Math.floor(y / pitch), at = place.get(row);
          if (at !== undefined) d += `M${x} ${y - (row - at) * pitch}${rest}`;
        }
        paths[k].setAttribute("d", d);
      });
      labels.forEach((label, i) => {
        const at = place.get(i);
        label.parentElement.setAttribute("display", at === undefined ? "none" : "inline");
        endings[i].classList.toggle("gone", at === undefined);
        if (at === undefined) return;
        label.setAttribute("y", at * pitch + 11);
        endings[i].setAttribute("y", at * pitch + 15);
      });
      const height = Math.max(rows.length, 1) * pitch;
      for (const e of [bars, byId("bars-clip"), bars.querySelector(".brush")]) e.setAttribute("height", height);
      byId("barred").textContent = rows.length + " of " + labels.length;
      draw();
    }

    // The state under the pointer among the bars.
    function barAt(e) {
      const y = e.clientY - bars.getBoundingClientRect().top, name = named[Math.floor(y / pitch)];
      const end = y % 34 >= 16 && y % 34 < 22.5 ? "client" : y % 34 >= 22.5 && y % 34 < 30 ? "server" : "";
      if (!name || !end) return "";
      for (const dx of [0, -2, 2]) {
        const hit = document.elementsFromPoint(e.clientX + dx, e.clientY).find((h) => h.classList.contains("b"));
        if (hit) return " · " + name.textContent.split(" ")[0] + ", " + end + ": " + stateName(hit) + (hit.classList.contains("p") ? "?" : "");
      }
      return "";
    }
    const names = "CLOSED LISTEN SYN-SENT SYN-RECEIVED ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 CLOSE-WAIT CLOSING LAST-ACK TIME-WAIT".split(" ");
    const stateName = (e) => names[[...e.classList].map((c) => +c.slice(1)).find((n) => n >= 0)] || "unknown";

    for (const svg of drawings) {
      svg.setAttribute("tabindex", "0");
      const brush = make("rect", { class: "brush", y: svg === chart ? top : 0, height: svg === chart ? foot - top : svg.getAttribute("height"), display: "none" });
      svg.append(brush);
      let began = null;
      svg.addEventListener("pointerdown", (e) => {
        if (e.button || (e.target.closest("a"))) return;
        began = e.clientX;
        svg.setPointerCapture(e.pointerId);
      });
      svg.addEventListener("pointermove", (e) => {
        const t = T(svg, e);
        point(t >= from && t <= to ? t : null, svg === bars ? barAt(e) : "");
        if (began === null) return;
        const edge = svg.getBoundingClientRect().left;
        const [a, b] = [began - edge, e.clientX - edge].sort((a, b) => a - b).map((x) => Math.min(Math.max(x, left), right));
        set(brush, { x: a, width: b - a, display: "inline" });
      });
      const done = (e) => {
        if (began !== null && e.type === "pointerup" && Math.abs(e.clientX - began) > 4) {
          const [a, b] = [T(svg, { clientX: began }), T(svg, e)].sort((a, b) => a - b);
          zoom(Math.max(a, from), Math.min(b, to));
        }
        began = null;
        brush.setAttribute("display", "none");
      };
      svg.addEventListener("pointerup", done);
      svg.addEventListener("pointercancel", done);
      svg.addEventListener("pointerleave", () => { if (document.activeElement !== svg) point(null); });
      svg.addEventListener("blur", () => point(null));
      svg.addEventListener("wheel", (e) => {
        const held = e.ctrlKey || e.metaKey || document.activeElement === svg;
        if (!held || (e.deltaY > 0 && from <= 0 && to >= all)) return;
        e.preventDefault();
        closer(Math.exp(Math.min(Math.max(e.deltaY, -300), 300) / 400), Math.min(Math.max(T(svg, e), from), to));
      }, { passive: false });
      svg.addEventListener("keydown", (e) => {
        if (e.ctrlKey || e.metaKey || e.altKey || e.target !== svg) return;
        const step = series ? Math.max(series.step, (to - from) / 200) : (to - from) / 100;
        const go = (t) => {
          t = within(t);
          if (t < from) shift(t - from);
          else if (t > to) shift(t - to);
          point(t);
        };
        const key = { "+": () => closer(0.5, middle()), "=": () => closer(0.5, middle()), "-": () => closer(2, middle()), "_": () => closer(2, middle()), "0": () => zoom(0, all), Escape: () => zoom(0, all),
          ArrowLeft: () => (e.shiftKey ? shift((from - to) / 4) : go(middle() - step)), ArrowRight: () => (e.shiftKey ? shift((to - from) / 4) : go(middle() + step)),
          Home: () => go(0), End: () => go(all) }[e.key];
        if (!key) return;
        e.preventDefault();
        key();
      });
    }
    byId("zoom-in").addEventListener("click", () => closer(0.5, middle()));
    byId("zoom-out").addEventListener("click", () => closer(2, middle()));
    byId("zoom-all").addEventListener("click", () => zoom(0, all));

    // The legend's entries become switches.
    if (chart) {
      [...byId("legend").querySelectorAll(".item")].forEach((item, i) => {
        const b = document.createElement("button");
        b.type = "button";
        b.className = "item";
        b.setAttribute("aria-pressed", String(shown[i]));
        b.append(...item.childNodes);
        item.replaceWith(b);
        b.addEventListener("click", () => {
          shown[i] = !shown[i];
          b.setAttribute("aria-pressed", String(shown[i]));
          draw();
        });
      });
    }

    const fit = () => {
      const w = drawings[0].getBoundingClientRect().width;
      if (w === width || w < 100) return;
      width = w;
      right = width - (width < 640 ? 24 : 112);
      draw();
    };
    new ResizeObserver(fit).observe(drawings[0]);
    fit();
    return narrow;
  }
})();
