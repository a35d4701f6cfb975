"use strict";
// What a live page does more: takes new points as events tell of them, and fetches what else is new.
// What the reader has chosen (zoom, order, what is open or hidden, place and focus) is found by the
// names of things, and put back.
(() => {
  const { all, plots, draw, fit, drawn, sortTables } = window.fitlog;
  const LEAST_REST = 1000; // milliseconds
  const REST = 20; // times as long as a fetch took: it takes time from a training
  const PARTS = [
    "#summary", "#verdict", "#comparison", "#warnings", "#settings", "#raw",
    "figure.chart .wide", "figcaption .note", "#phases .lead", "#phases pre",
  ];

  let shown = document.documentElement.dataset.live; // the change that the charts show
  let work = Promise.resolve(); // one thing after the other
  let rest = LEAST_REST;
  let due = null;
  const parts = new Map(); // as they were fetched

  const titleOf = (figure) => figure.querySelector("h3").textContent;
  const figureOf = (key) => document.getElementById(key);

  function nameOf(element) {
    const figure = element.closest("figure");
    const place = figure ? titleOf(figure) : element.closest("section")?.id;
    const region = element.closest("[role=region]")?.getAttribute("aria-label");
    const { zoom, table } = element.dataset;
    const name = zoom ?? table ?? element.getAttribute("aria-label") ?? element.textContent;
    return [place, region, element.tagName, name].join("\n");
  }

  const byName = (selector) => new Map(all(selector).map((element) => [nameOf(element), element]));

  // The y axes have the names of the metrics; an axis in other units is another one.
  const rangesOf = (figure) => [figure.x_range, figure.y_range];

  function remember() {
    const { activeElement: active, documentElement: root } = document;
    const heading = all("h1, h2, h3").findLast((each) => each.getBoundingClientRect().top < innerHeight / 2);
    return {
      zooms: new Map([...plots].map(([key, figure]) => [
        titleOf(figureOf(key)),
        rangesOf(figure).map((range) => range.have_updated_interactively && [range.start, range.end]),
      ])),
      open: new Map(all("main summary").map((each) => [nameOf(each), each.parentElement.open])),
      orders: all("th[aria-sort]").map((head) => [nameOf(head), head.getAttribute("aria-sort")]),
      hidden: all(".legend [aria-pressed=false]").map(nameOf),
      scrolls: all("main .wide, .legend").filter((each) => each.scrollLeft || each.scrollTop)
        .map((each) => [nameOf(each), each.scrollLeft, each.scrollTop]),
      focus: active === document.body ? null : nameOf(active),
      place: root.scrollTop && heading ? [nameOf(heading), heading.getBoundingClientRect().top] : null,
    };
  }

  function putBack({ open, orders, scrolls, focus, place }) {
    sortTables();
    for (const [name, summary] of byName("main summary")) {
      if (open.has(name)) summary.parentElement.open = open.get(name);
    }
    const heads = byName("th");
    for (const [name, order] of orders) {
      const head = heads.get(name);
      if (!head || head.hasAttribute("aria-sort")) continue;
      for (let i = order === "descending" ? 2 : 1; i; i -= 1) head.querySelector("button").click();
    }
    const regions = byName("main .wide, .legend");
    for (const [name, left, top] of scrolls) regions.get(name)?.scrollTo(left, top);
    if (focus !== null && document.activeElement === document.body) {
      byName("a, button, summary, [tabindex]").get(focus)?.focus({ preventScroll: true });
    }
    const heading = place && byName("h1, h2, h3").get(place[0]);
    if (heading) scrollBy({ top: heading.getBoundingClientRect().top - place[1], behavior: "instant" });
  }

  function putBackCharts({ zooms, hidden }) {
    const runs = byName(".legend button");
    for (const name of hidden) runs.get(name)?.click();
    for (const [key, figure] of plots) {
      const kept = zooms.get(titleOf(figureOf(key))) ?? [];
      rangesOf(figure).forEach((range, i) => {
        if (!kept[i]) return;
        range.have_updated_interactively = true;
        range.setv({ start: kept[i][0], end: kept[i][1] });
      });
    }
  }

  const numbers = (values) => values.map((value) => (value === null ? NaN : value));

  function takePoints(changes) {
    for (const figure of plots.values()) {
      for (const source of new Set(figure.renderers.map((each) => each.data_source))) {
        const change = changes[source.name];
        if (!change) continue;
        const points = { x: numbers(change.x), y: numbers(change.y) };
        if (change.append) source.stream(points);
        else source.data = points;
      }
      fit(figure);
    }
  }

  function take(id, { points, stacks }) {
    takePoints(points);
    for (const [key, columns] of Object.entries(stacks)) {
      if (plots.has(key)) plots.get(key).renderers[0].data_source.data = columns;
    }
    shown = id;
  }

  function isShown(id) {
    const [[server, number], [ours, last]] = [id, shown].map((each) => each.split("-"));
    return server === ours && Number(number) <= Number(last);
  }

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function fetched(address) {
    let text = null;
    while (text === null) {
      const began = performance.now();
      try {
        text = await (await fetch(address, { cache: "no-store" })).text();
        rest = Math.max(LEAST_REST, REST * (performance.now() - began));
      } catch {
        await pause(LEAST_REST); // the server is away
      }
    }
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.getElementById("chart-data")) return page;
    location.reload(); // there is no run any more
    return new Promise(() => {});
  }

  function takeDownloads(page) {
    all("script[id^=table-]").forEach((table) => table.remove());
    document.body.append(...all("script[id^=table-]", page));
  }

  async function takeAll() {
    const page = await fetched("/");
    const chosen = remember();
    for (const part of ["nav", "main", "#chart-data"]) {
      document.querySelector(part).replaceWith(page.querySelector(part));
    }
    parts.clear();
    takeDownloads(page);
    putBack(chosen);
    shown = page.documentElement.dataset.live;
    await draw();
    putBackCharts(chosen);
  }

  async function takeTables() {
    const page = await fetched("/?tables");
    const chosen = remember();
    for (const selector of PARTS) {
      const fresh = all(selector, page);
      all(selector).forEach((old, i) => {
        const [name, text] = [`${selector} ${i}`, fresh[i]?.outerHTML];
        if (!text || parts.get(name) === text) return;
        parts.set(name, text);
        old.replaceWith(fresh[i]);
      });
    }
    takeDownloads(page);
    putBack(chosen);
  }

  const inTurn = (task) => (work = work.then(task).catch(reportError));

  function listen() {
    const state = document.getElementById("live");
    const events = new EventSource(`/events?since=${shown}`);
    events.onopen = () => (state.textContent = "Live");
    events.onerror = () => (state.textContent = "Not connected, live");
    events.onmessage = ({ data, lastEventId: id }) => {
      const change = JSON.parse(data);
      inTurn(() => isShown(id) || (change.whole ? takeAll() : take(id, change)));
      due ??= setTimeout(() => {
        due = null;
        inTurn(takeTables);
      }, rest);
    };
  }

  drawn.then(listen);
})();
