"""`fitlog report`: the page in a real browser, and the command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import Opened, open_file
from fitlog.formats import write_table
from fitlog.report import write_report
from fitlog.report.contents import gather
from fitlog.report.page import format_page
from fitlog.tables import TABLES, read_log
from support import SAMPLES, Fitlog
from test_watch import epoch_text

EVIL = "<script>document.title='taken'</script><img/src=x/onerror=document.title='taken'>"

# Where the last line of a chart has its first point, in pixels of the window.
PLACE_OF_LAST_POINT = """() => {
  const place = document.querySelector("[data-chart=metric-0]").getBoundingClientRect();
  const view = fitlog.views.get("metric-0");
  const data = fitlog.plots.get("metric-0").renderers.at(-1).data_source.data;
  const { x_scale, y_scale } = view.frame;
  return [place.left + x_scale.compute(data.x[0]), place.top + y_scale.compute(data.y[0])];
}"""
HAS_TOOLTIP = """() => {
  function* within(node) {
    yield node;
    if (node.shadowRoot) yield* within(node.shadowRoot);
    for (const child of node.children) yield* within(child);
  }
  return [...within(document.body)].some(
    (node) => node.getRootNode() !== document && /\\(validation\\)/.test(node.innerText ?? ""));
}"""


# How each run's line is told in the legend, and how it is drawn.
LINES_TOLD = """() => fitlog.all(".legend path").map((line) => {
  const { stroke, strokeDasharray: dashes } = getComputedStyle(line);
  return `${stroke} ${dashes === "none" ? "" : dashes.replace(/px,?/g, "").trim()}`.trim();
})"""
LINES_DRAWN = """(key) => fitlog.plots.get(key).renderers
  .filter(({ glyph, name }) => glyph.type === "Line" && !name.endsWith(" (train)"))
  .map(({ glyph }) => {
    const [r, g, b] = glyph.line_color.value.match(/[0-9A-F]{2}/gi).map((two) => parseInt(two, 16));
    return `rgb(${r}, ${g}, ${b}) ${glyph.line_dash.value.join(" ")}`.trim();
  })"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with phases (`run.html`) and several runs with a verdict (`several.html`)."""
    folder = tmp_path_factory.mktemp("pages")
    run = folder / "lenet"
    run.mkdir()
    shutil.copy(SAMPLES / "lenet-3.log", run / "run.log")
    shutil.copy(SAMPLES / "lenet-phases.jsonl", run / "phases.jsonl")
    write_report([run], folder / "run.html")
    new = [SAMPLES / "lenet-naive-1.log", SAMPLES / "lenet-naive-2.log"]
    write_report(new, folder / "several.html", baseline=[SAMPLES / "lenet-1.log"])
    return folder


@pytest.fixture(scope="module")
def _opened(pages: Path, module_browser: Any) -> dict[str, Opened]:
    return {name: open_file(module_browser, pages / f"{name}.html") for name in ("run", "several")}


@pytest.fixture
def opened_pages(_opened: dict[str, Opened]) -> Iterator[dict[str, Opened]]:
    """The pages as they were opened, for tests that only look at them, from wherever."""
    yield _opened
    for opened in _opened.values():
        opened.page.set_viewport_size({"width": 1280, "height": 720})
        opened.page.emulate_media(media="screen", color_scheme="light")


def extent(opened: Opened, key: str = "speed") -> float:
    """How much of the x axis is shown."""
    script = "k => { const r = fitlog.plots.get(k).x_range; return r.end - r.start }"
    return float(opened.page.evaluate(script, key))


@pytest.mark.parametrize("name", ["run", "several"])
def test_a_page_loads_without_an_error_and_asks_for_nothing_else(
    name: str, pages: Path, opened_pages: dict[str, Opened]
) -> None:
    opened = opened_pages[name]

    assert opened.errors == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [
        (pages / f"{name}.html").as_uri()
    ]
    assert opened.page.locator("figure.chart canvas").count() >= 3


def test_names_and_lines_of_a_log_are_text_and_nothing_else(tmp_path: Path, browser: Any) -> None:
    log = tmp_path / "<b>evil.log"
    line = "Epoch[0] Batch [20]\tSpeed: {} samples/sec\t{}={}\n"
    log.write_text(
        "".join(line.format(100 + i, EVIL, i / 9) for i in range(1, 9))
        + f"Epoch[0] Batch [30]\tSpeed: {EVIL} samples/sec\n"
        + f"Epoch[0] Validation-{EVIL}=0.5\nEpoch[0] Validation-$$x$$=0.5\n",
        encoding="utf-8",
    )
    write_report([log], tmp_path / "page.html", title=EVIL)

    opened = open_file(browser, tmp_path / "page.html")
    opened.page.locator("[data-chart=metric-0]").hover()

    assert opened.page.title() == f"{EVIL} - fitlog"
    assert opened.page.locator("main img, main b").count() == 0
    assert opened.page.locator("main script").count() == 0
    assert opened.errors == []
    assert EVIL in opened.page.locator("main").inner_text()


def test_a_chart_shows_a_value_under_the_pointer_and_zooms(pages: Path, browser: Any) -> None:
    opened = open_file(browser, pages / "run.html")
    plot = opened.page.locator("[data-chart=metric-0]")
    plot.scroll_into_view_if_needed()
    x, y = opened.page.evaluate(PLACE_OF_LAST_POINT)
    opened.page.mouse.move(x - 1, y)
    opened.page.mouse.move(x, y)
    opened.page.wait_for_function(HAS_TOOLTIP, timeout=10_000)
    whole = extent(opened)

    opened.page.locator("#speed [data-zoom=in]").click()
    assert extent(opened) == pytest.approx(whole / 2)
    opened.page.locator("#speed [data-zoom=all]").click()
    opened.page.wait_for_function(
        "w => { const r = fitlog.plots.get('speed').x_range; return r.end - r.start > 0.9 * w }",
        arg=whole,
    )


def test_y_holds_the_lines_in_sight_where_x_is_zoomed(pages: Path, browser: Any) -> None:
    opened = open_file(browser, pages / "several.html")
    in_sight = """(key) => {
      const { x_range: x, y_range: y, renderers } = fitlog.plots.get(key);
      const seen = renderers.flatMap(({ data_source: { data } }) =>
        [...data.y].filter((_, i) => data.x[i] >= x.start && data.x[i] <= x.end));
      return [y.start, Math.min(...seen), Math.max(...seen), y.end];
    }"""
    for key in ("metric-0", "metric-1"):  # the second has a logarithmic axis
        whole = opened.page.evaluate(in_sight, key)
        opened.page.locator(f"[data-chart={key}]").focus()
        opened.page.keyboard.press("+")
        bottom, low, high, top = opened.page.evaluate(in_sight, key)
        opened.page.keyboard.press("0")
        opened.page.wait_for_function(
            f"([key, top]) => ({in_sight})(key).at(-1) === top", arg=[key, whole[-1]]
        )

        assert whole[0] < bottom <= low < high <= top < whole[-1]


def test_a_legend_hides_a_run_in_all_charts(pages: Path, browser: Any) -> None:
    opened = open_file(browser, pages / "several.html")
    shown = (
        "() => [...fitlog.plots.values()].map(f => f.renderers"
        ".filter(r => r.tags[0] === 1 && r.visible).length)"
    )
    before = opened.page.evaluate(shown)

    opened.page.locator(".legend button").nth(1).click()

    assert all(before)
    assert opened.page.evaluate(shown) == [0] * len(before)
    assert opened.page.locator(".legend button").nth(1).get_attribute("aria-pressed") == "false"


def test_the_legend_tells_each_of_many_runs_by_its_line(tmp_path: Path, browser: Any) -> None:
    logs = [tmp_path / f"{number:02}.log" for number in range(20)]
    for log in logs:
        log.write_text(epoch_text(0) + epoch_text(1), encoding="utf-8")
    write_report(logs, tmp_path / "page.html")
    opened = open_file(browser, tmp_path / "page.html")
    told = opened.page.evaluate(LINES_TOLD)

    assert len(set(told)) == len(logs)
    assert opened.page.evaluate(LINES_DRAWN, "speed") == told
    assert opened.page.evaluate(LINES_DRAWN, "metric-0") == told
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_function(
        f"old => ({LINES_DRAWN})('speed')[0] !== old && ({LINES_TOLD})()[0] !== old", arg=told[0]
    )
    dark = opened.page.evaluate(LINES_TOLD)
    assert all(light != other for light, other in zip(told, dark, strict=True))
    assert opened.page.evaluate(LINES_DRAWN, "metric-0") == dark
    opened.page.emulate_media(media="print", color_scheme="dark")
    opened.page.wait_for_function(f"told => ({LINES_TOLD})()[0] === told", arg=told[0])
    assert opened.page.evaluate(LINES_DRAWN, "speed") == told
    assert opened.page.locator(".legend .swatch").last.is_visible()


def test_tables_sort_by_number_and_by_name(pages: Path, browser: Any) -> None:
    opened = open_file(browser, pages / "several.html")
    speeds = "#summary td:nth-of-type(3)"

    def column() -> list[float]:
        found = opened.page.locator(speeds).evaluate_all("c => c.map(x => x.dataset.value)")
        return [float(value) for value in found]

    head = opened.page.locator("#summary th button").nth(3)
    head.click()
    assert column() == sorted(column())
    head.click()
    assert column() == sorted(column(), reverse=True)
    assert opened.page.locator("#summary th[aria-sort=descending]").count() == 1


def test_the_keyboard_reaches_everything(pages: Path, browser: Any) -> None:
    opened = open_file(browser, pages / "several.html")
    wanted = opened.page.evaluate(
        "() => [...document.querySelectorAll('main button, summary, [data-chart], .wide')]"
        ".filter(e => e.checkVisibility()).length"
    )
    reached = set()
    for _ in range(wanted + 40):
        opened.page.keyboard.press("Tab")
        reached.add(
            opened.page.evaluate(
                "() => { const a = document.activeElement;"
                " return a.closest('main') && a.matches('button, summary, [data-chart], .wide')"
                " ? [...document.querySelectorAll('*')].indexOf(a) : null }"
            )
        )

    assert len(reached - {None}) == wanted
    opened.page.locator("[data-chart=speed]").focus()
    whole = extent(opened)
    opened.page.keyboard.press("+")
    assert extent(opened) == pytest.approx(whole / 2)


def test_a_phone_need_not_scroll_sideways(opened_pages: dict[str, Opened]) -> None:
    for opened in opened_pages.values():
        opened.page.set_viewport_size({"width": 360, "height": 740})
        assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_paper_cuts_nothing_off(opened_pages: dict[str, Opened]) -> None:
    opened = opened_pages["several"]
    opened.page.set_viewport_size({"width": 680, "height": 990})
    opened.page.emulate_media(media="print")
    widths = opened.page.locator(".wide table").evaluate_all(
        "tables => tables.map(table => table.getBoundingClientRect().right)"
    )

    assert max(widths) <= 680


def test_charts_and_page_are_dark_where_that_is_wanted_and_light_in_print(
    opened_pages: dict[str, Opened],
) -> None:
    opened = opened_pages["run"]
    label = "() => fitlog.plots.get('speed').below[0].major_label_text_color"
    paper = "() => getComputedStyle(document.body).backgroundColor"

    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_function(f"() => ({label})() === '#e6e8ea'")
    assert opened.page.evaluate(paper) == "rgb(21, 24, 27)"
    opened.page.emulate_media(media="print")
    opened.page.wait_for_function(f"() => ({label})() === '#22262a'")
    assert opened.page.evaluate(paper) == "rgb(255, 255, 255)"
    assert not opened.page.locator(".tools").first.is_visible()


@pytest.mark.parametrize("name", ["timestamps", "restarted", "nan-loss", "checkpoints"])
def test_the_raw_tables_are_what_parse_prints(
    name: str, tmp_path: Path, browser: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    log = SAMPLES / f"{name}.log"
    write_report([log], tmp_path / "page.html")
    opened = open_file(browser, tmp_path / "page.html")

    for table in TABLES:
        rows = getattr(read_log(log), table)
        button = opened.page.locator(f"[data-table={table}]")
        assert button.count() == bool(len(rows)), table
        if not len(rows):
            continue
        write_table(rows, "csv", None)
        with opened.page.expect_download() as found:
            button.click()
        assert Path(found.value.path()).read_text("utf-8") == capsys.readouterr().out, table
        assert found.value.suggested_filename == f"{table}.csv"


def test_the_page_says_where_the_time_went_and_what_to_doubt(
    opened_pages: dict[str, Opened],
) -> None:
    run = opened_pages["run"].page.locator("main").inner_text()
    several = opened_pages["several"].page.locator("#verdict").inner_text()

    assert "takes" in run
    assert "Time of each epoch" in run
    assert "regression" in several


def test_the_command_writes_a_page_and_says_what_could_not_be_judged(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    log = SAMPLES / "lenet-1.log"

    done = fitlog("report", log, "-o", "page.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wrote page.html (")

    done = fitlog("report", SAMPLES / "restarted.log", "--baseline", log, "-o", "other.html")
    assert done.returncode == 2
    assert "fitlog: not judged: " in done.stderr
    assert "not judged" in (tmp_path / "other.html").read_text("utf-8")


@pytest.mark.parametrize(
    "log", [*SAMPLES.glob("*.log"), *SAMPLES.glob("dialects/*.log")], ids=lambda log: log.stem
)
def test_every_sample_log_has_a_page_whatever_its_dialect_tells(log: Path) -> None:
    contents = gather([log])

    page = format_page(contents, written="today", charts=False)

    assert len(contents.charts) > 0
    assert all(chart.title in page for chart in contents.charts)


def test_what_is_damaged_beside_a_log_is_left_out_and_said(fitlog: Fitlog, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(SAMPLES / "lenet-1.log", tmp_path / name / "run.log")
    (tmp_path / "a" / "run.json").write_text("{", encoding="utf-8")
    (tmp_path / "b" / "phases.jsonl").write_bytes(b"\x1f\x8b no gzip file")

    done = fitlog("report", "a", "b", "-o", "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    judged = fitlog("report", "b", "--baseline", "a", "-o", "judged.html")

    assert (done.returncode, judged.returncode) == (0, 2)
    for file in ("a/run.json", "b/phases.jsonl"):
        assert [file in line for line in done.stderr.splitlines()].count(True) == 1
        assert file in page
    assert "put a whole one back" in done.stderr
    assert "Comparison</h2>" in page
    assert "not judged: a/run.json is no record" in judged.stderr


def test_a_page_does_not_write_over_a_log_and_leaves_nothing_half(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    shutil.copy(SAMPLES / "lenet-1.log", log)
    before = log.read_bytes()

    assert fitlog("report", log, "-o", log).returncode == 2
    assert fitlog("report", log, "-o", "missing/page.html").returncode == 2
    assert log.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["run.log"]
