"use strict";
// The page's own script: draws the charts, and gives them a legend, keys, zoom and the page's colours.
(() => {
  const [plots, views] = [new Map(), new Map()]; // by a chart's key: the figure, and what draws it

  // bokeh's tooltips are out of reach of the page's own style.
  const TIP = `
    :host { --tooltip-color: var(--page); --tooltip-text: var(--ink); --tooltip-border: var(--muted);
      --tooltip-arrow-color: var(--muted); --tooltip-arrow-inner-color: var(--muted); }
    .bk-tooltip-row-label { color: var(--muted); }`;

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  async function draw() {
    plots.clear();
    views.clear();
    const items = JSON.parse(document.getElementById("chart-data").textContent);
    for (const place of all("[data-chart]")) {
      const [view] = (await Bokeh.embed.embed_item(items[place.dataset.chart], place)).roots;
      const figure = view.model;
      views.set(place.dataset.chart, view);
      plots.set(place.dataset.chart, figure);
      colour(figure);
      figure.x_range.change.connect(() => fit(figure));
      for (const tool of view.tool_views.values()) {
        for (const tip of tool.ttmodels?.values() ?? []) tip.stylesheets = [TIP];
      }
      if (matchMedia("(pointer: coarse)").matches) figure.toolbar.active_drag = null;
    }
    document.documentElement.dataset.drawn = "yes";
  }

  function colour(figure) {
    const style = getComputedStyle(document.documentElement);
    const [ink, muted, faint] = ["--ink", "--muted", "--faint"].map((n) => style.getPropertyValue(n).trim());
    for (const axis of [...figure.below, ...figure.left]) {
      axis.setv({ axis_label_text_color: muted, major_label_text_color: ink });
    }
    const alpha = Number(style.getPropertyValue("--faint-line"));
    for (const { tags: [, weight, tone], glyph } of figure.renderers) {
      if (weight === "faint") glyph.line_alpha = alpha;
      if (tone === undefined) continue; // bars have the same colours on any ground
      const color = style.getPropertyValue(`--tone-${tone}`).trim();
      glyph.line_color = color;
      if ("fill_color" in glyph) glyph.fill_color = color;
    }
    for (const grid of figure.center) if ("grid_line_color" in grid) grid.setv({ grid_line_color: grid.dimension === 1 ? faint : null });
  }

  const colourAll = () => plots.forEach(colour);

  // Where the reader has zoomed along x, y holds the lines that are in sight.
  function fit(figure) {
    const { x_range: { start, end, have_updated_interactively: isZoomed }, y_range, y_scale } = figure;
    const lines = figure.renderers.filter(({ visible, glyph }) => visible && glyph.type === "Line");
    if (!isZoomed || !lines.length) return;
    const seen = lines.flatMap(({ data_source: { data: { x, y } } }) =>
      [...y].filter((value, i) => isFinite(value) && !(x[i + 1] < start) && !(x[i - 1] > end)));
    if (!seen.length) return;
    const isLog = y_scale.type === "LogScale";
    const [low, high] = [Math.min, Math.max].map((most) => {
      const value = seen.reduce((a, b) => most(a, b));
      return isLog ? Math.log10(value) : value;
    });
    const room = 0.05 * (high - low || Math.abs(high) || 1);
    const [bottom, top] = [low - room, high + room].map((value) => (isLog ? 10 ** value : value));
    y_range.have_updated_interactively = true;
    y_range.setv({ start: bottom, end: top });
  }

  function zoom(key, factor, shift = 0) {
    const figure = plots.get(key);
    if (!figure) return;
    if (factor === null) {
      figure.reset.emit();
      return;
    }
    const range = figure.x_range;
    const half = ((range.end - range.start) / 2) * factor;
    const middle = (range.start + range.end) / 2 + shift * (range.end - range.start);
    range.have_updated_interactively = true;
    range.setv({ start: middle - half, end: middle + half });
  }

  const KEYS = {
    "+": [0.5], "=": [0.5], "-": [2], "0": [null], ArrowLeft: [1, -0.2], ArrowRight: [1, 0.2],
  };

  function showRun(button) {
    const run = Number(button.dataset.run);
    const isShown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isShown));
    for (const [key, figure] of plots) {
      if (key.startsWith("phases-")) continue;
      for (const renderer of figure.renderers) if (renderer.tags[0] === run) renderer.visible = isShown;
      fit(figure);
    }
  }

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.value;
    if (value === undefined) return cell.textContent;
    return value === "" ? NaN : Number(value);
  };

  function compare(a, b) {
    if (typeof a === "string" || typeof b === "string") return String(a).localeCompare(String(b), undefined, { numeric: true });
    if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1; // what is missing comes last
    return Number.isNaN(b) ? -1 : a - b;
  }

  function sortable(table) {
    all("thead th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const isDown = head.getAttribute("aria-sort") === "ascending";
        all("thead th", table).forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [valueOf(a, column), valueOf(b, column)];
          const isMissing = Number.isNaN(x) || Number.isNaN(y);
          return compare(x, y) * (isDown && !isMissing ? -1 : 1);
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  // The CSV of a packed table: see raw.py.
  async function unpack(text) {
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    const table = await new Response(stream).json();
    const columns = table.columns.map(cellsOf);
    const lines = [table.columns.map((column) => column.name).join(",")];
    for (let row = 0; row < table.rows; row += 1) lines.push(columns.map((cells) => cells[row]).join(","));
    return lines.join("\n") + "\n";
  }

  function cellsOf(column) {
    if (column.kind === "text") return column.codes.map((code) => (code < 0 ? "" : column.names[code]));
    if (column.kind === "decimal") return decimalsOf(bytesOf(column.bytes), 10 ** column.digits);
    if (column.kind === "float") return column.cells.split("\n");
    let value = 0;
    const cells = column.steps.map((step) => {
      value += step;
      return column.kind === "time" ? timeOf(value) : String(value);
    });
    if (column.missing === "all") return cells.fill("");
    let place = 0;
    for (const step of column.missing) cells[(place += step)] = "";
    return cells;
  }

  const bytesOf = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

  function decimalsOf(planes, scale) {
    const count = planes.length / 4;
    return Array.from({ length: count }, (_, i) => {
      const whole = planes[i] | (planes[i + count] << 8) | (planes[i + 2 * count] << 16) | (planes[i + 3 * count] << 24);
      return whole % scale ? String(whole / scale) : `${whole / scale}.0`;
    });
  }

  function timeOf(microseconds) {
    const rest = ((microseconds % 1e6) + 1e6) % 1e6;
    const seconds = new Date((microseconds - rest) / 1e3).toISOString().slice(0, 19).replace("T", " ");
    return `${seconds}.${String(rest).padStart(6, "0")}`;
  }

  async function download(name) {
    const text = await unpack(document.getElementById(`table-${name}`).textContent);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = `${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.zoom) {
      const key = button.closest("figure").id;
      zoom(key, { in: 0.5, out: 2, all: null }[button.dataset.zoom]);
    } else if (button.dataset.run) showRun(button);
    else if (button.dataset.table) download(button.dataset.table);
  });
  document.addEventListener("keydown", (event) => {
    const key = event.target.dataset && event.target.dataset.chart;
    if (!key || !KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    zoom(key, ...KEYS[event.key]);
  });
  const sortTables = () => all("table.sortable").filter((table) => !table.querySelector("th button")).forEach(sortable);

  sortTables();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", colourAll);
  matchMedia("print").addEventListener("change", colourAll);
  window.fitlog = { all, plots, views, draw, fit, drawn: draw(), sortTables };
})();
