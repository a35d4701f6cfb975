"""`fitlog serve`: growing logs in a real browser, and what the server refuses."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fitlog.errors import SettingError
from fitlog.report.live import LiveFolder
from fitlog.report.server import LiveServer
from support import SAMPLES, Fitlog
from test_watch import append, epoch_text, window

SECONDS = 30
POINTS = "() => fitlog.plots.get('speed')?.renderers[0].data_source.get_length()"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "runs"
    place.mkdir()
    (place / "one.log").write_text(epoch_text(0) + window(1, 5, 900.0), encoding="utf-8")
    return place


@contextlib.contextmanager
def served(
    folder: Path, port: int = 0, *, host: str = "127.0.0.1"
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The real command, and the port that it listens at."""
    with subprocess.Popen(
        [sys.executable, "-m", "fitlog", "serve", str(folder), "--host", host, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r":(\d+)/", process.stdout.readline())
            assert found is not None
            yield process, int(found[1])
        finally:
            process.kill()


@contextlib.contextmanager
def answered(folder: Path, host: str = "127.0.0.1") -> Iterator[tuple[LiveFolder, LiveServer]]:
    """The same server here, where the test says when it looks."""
    live = LiveFolder(folder, "now")
    with LiveServer(host, 0, live) as server, contextlib.closing(live), server.answering():
        live.poll()
        yield live, server


def status(port: int, path: str, host: str, method: str = "GET", at: str = "127.0.0.1") -> int:
    connection = http.client.HTTPConnection(at, port, timeout=SECONDS)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    with contextlib.closing(connection):
        return connection.getresponse().status


def open_page(browser: Any, url: str) -> tuple[Any, list[str]]:
    """A page whose charts are drawn, and what goes wrong on it."""
    page = browser.new_context().new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.wait_for_selector("html[data-drawn]")
    page.evaluate("() => { window.isSamePage = true }")
    return page, errors


def speeds(live: LiveFolder) -> list[float]:
    """All that the chart of the speed shows, of a folder with one run."""
    ((_, line),) = [(c.key, line) for c in contents(live).charts[:1] for line in c.lines]
    return [float(value) for value in line.y]


def contents(live: LiveFolder) -> Any:
    assert live.contents is not None
    return live.contents


def test_new_points_and_runs_come_to_every_client_without_reloading(
    folder: Path, browser: Any
) -> None:
    with served(folder) as (_, port):
        opened = [open_page(browser, f"http://127.0.0.1:{port}/") for _ in range(2)]
        pages = [page for page, _ in opened]
        append(folder / "one.log", window(1, 10, 850.0) + window(1, 15, 800.0))
        for page in pages:
            page.wait_for_function(f"() => ({POINTS})() === 4")
        append(folder / "one.log", epoch_text(2, 0.875))
        for page in pages:
            page.wait_for_function(
                "() => document.querySelector('#summary').innerText.includes('0.875')"
            )
        (folder / "two.log").write_text(epoch_text(0), encoding="utf-8")
        for page in pages:
            page.wait_for_selector(".legend button")

        assert all(page.evaluate("() => window.isSamePage") for page in pages)
        assert [errors for _, errors in opened] == [[], []]


def test_a_page_finds_a_server_that_was_started_again(folder: Path, browser: Any) -> None:
    with served(folder) as (_, port):
        page, _ = open_page(browser, f"http://127.0.0.1:{port}/")
    page.locator("#live", has_text="Not connected").wait_for()
    append(folder / "one.log", window(1, 10, 850.0) + window(1, 15, 800.0))
    with served(folder, port):
        page.wait_for_function(f"() => ({POINTS})() === 4")
        status_shown = page.locator("#live").inner_text()

    assert status_shown == "Live"
    assert page.evaluate("() => window.isSamePage")


def test_the_phases_of_a_run_grow_with_it(tmp_path: Path, browser: Any) -> None:
    run = tmp_path / "lenet"
    run.mkdir()
    shutil.copy(SAMPLES / "lenet-3.log", run / "run.log")
    lines = (SAMPLES / "lenet-phases.jsonl").read_text("utf-8").splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines, 1) if '"kind": "epoch"' in line]
    (run / "phases.jsonl").write_text("".join(lines[: ends[1]]), encoding="utf-8")
    epochs = "() => [...fitlog.plots.get('phases-0').renderers[0].data_source.data.x].length"
    with answered(tmp_path) as (live, server):
        page, errors = open_page(browser, server.url)
        before = page.evaluate(epochs)
        append(run / "phases.jsonl", "".join(lines[ends[1] :]))
        live.poll()
        page.wait_for_function(f"n => ({epochs})() === n", arg=len(ends))

    assert before == 2
    assert errors == []


CHOICES = """() => {
  const { x_range: x, y_range: y } = fitlog.plots.get("metric-0");
  return {
    zoom: [x.start, x.end, y.start, y.end],
    open: document.querySelector("#metric-0 details").open,
    closed: document.querySelector("#comparison details").open,
    order: fitlog.all("#summary tbody th").map((each) => each.textContent.trim()),
    hidden: fitlog.all(".legend [aria-pressed=false]").map((each) => each.textContent),
    drawn: fitlog.plots.get("speed").renderers.filter((each) => !each.visible).length,
    focus: document.activeElement.textContent + document.activeElement.closest("figure").id,
    place: Math.round(document.getElementById("metric-0").getBoundingClientRect().top),
  };
}"""


def test_what_a_reader_has_chosen_stays_when_a_run_comes(tmp_path: Path, browser: Any) -> None:
    for name, runs in {"a": 0.25, "c": 0.75}.items():
        text = "".join(epoch_text(epoch, runs) for epoch in range(4)) + window(4, 5, 900.0)
        (tmp_path / f"{name}.log").write_text(text, encoding="utf-8")
    with answered(tmp_path) as (live, server):
        page, errors = open_page(browser, server.url)
        page.locator("#summary th button").first.click(click_count=2)
        page.locator(".legend button", has_text="a").click()
        page.locator("#metric-0 summary").click()
        page.locator("#comparison summary").first.click()
        page.evaluate(
            "() => { const y = fitlog.plots.get('metric-0').y_range;"
            " y.have_updated_interactively = true; y.setv({ start: 0.5, end: 0.625 }) }"
        )
        page.locator("#metric-0 [data-zoom=in]").click()
        before = page.evaluate(CHOICES)
        (tmp_path / "b.log").write_text(epoch_text(0), encoding="utf-8")
        live.poll()
        page.wait_for_function("() => fitlog.plots.get('speed')?.renderers.length >= 5")
        page.wait_for_function("() => fitlog.plots.size === 2")
        page.wait_for_function("() => fitlog.all('.legend [aria-pressed=false]').length === 1")
        after = page.evaluate(CHOICES)

    assert before["order"] == ["c", "a"]
    assert (before["open"], before["closed"], before["hidden"]) == (True, False, ["a"])
    assert before["focus"] == "Zoom inmetric-0"
    assert after == {**before, "order": ["c", "b", "a"]}
    assert errors == []


def test_what_a_reader_has_chosen_stays_when_tables_change(folder: Path, browser: Any) -> None:
    (folder / "two.log").write_text(epoch_text(0), encoding="utf-8")
    with answered(folder) as (live, server):
        page, errors = open_page(browser, server.url)
        page.locator("#summary th button").first.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        append(folder / "one.log", window(1, 10, 850.0) + epoch_text(2, 0.875))
        live.poll()
        page.wait_for_function(
            "() => document.querySelector('#summary').innerText.includes('0.875')"
        )

        names = page.locator("#summary tbody th").all_inner_texts()
        focused = page.evaluate("() => document.activeElement.textContent")
        order = page.locator("#summary th").first.get_attribute("aria-sort")

    assert (names, focused, order) == (["two", "one"], "run", "descending")
    assert errors == []


def test_tables_follow_also_where_lines_come_without_a_pause(folder: Path, browser: Any) -> None:
    # So many windows have a median from the start: the charts stay as they are.
    append(folder / "one.log", "".join(window(1, batch, 850.0) for batch in range(10, 200, 5)))
    with answered(folder) as (live, server):
        page, errors = open_page(browser, server.url)
        before = page.locator("[data-table=speed]").inner_text()
        for batch in range(200, 3000, 5):
            append(folder / "one.log", window(1, batch, 850.0))
            live.poll()
            if page.locator("[data-table=speed]").inner_text() != before:
                break
        else:
            pytest.fail("the tables stayed as they were")

    assert errors == []


def test_a_point_that_comes_while_the_page_is_fetched_is_drawn_once(
    folder: Path, browser: Any
) -> None:
    drawn = "() => [...fitlog.plots.get('speed')?.renderers[0].data_source.data.y ?? []]"
    with answered(folder) as (live, server):
        page, errors = open_page(browser, server.url)

        def come(route: Any) -> None:
            append(folder / "one.log", window(1, 10, 850.0))
            live.poll()
            route.continue_()

        page.route(server.url, come)
        (folder / "two.log").write_text(epoch_text(0), encoding="utf-8")
        live.poll()
        page.wait_for_selector(".legend button")
        append(folder / "one.log", window(1, 15, 800.0))
        live.poll()
        page.wait_for_function(f"() => ({drawn})().at(-1) === 800")

        assert page.evaluate(drawn) == [1000.0, 900.0, 850.0, 800.0]
    assert errors == []


def test_the_newest_line_comes_with_the_first_look_and_half_a_line_does_not(folder: Path) -> None:
    with contextlib.closing(LiveFolder(folder, "now")) as live:
        live.poll()
        append(folder / "one.log", window(1, 10, 800.0) + window(2, 5, 700.0))
        live.poll()
        newest = speeds(live)[-1]
        append(folder / "one.log", window(2, 10, 650.0).removesuffix("\n")[:-4])
        live.poll()
        half = speeds(live)[-1]
        append(folder / "one.log", window(2, 10, 650.0)[-5:])
        live.poll()

        assert (newest, half, speeds(live)[-1]) == (700.0, 700.0, 650.0)


def test_logs_are_followed_when_they_are_rotated_or_begun_anew(folder: Path) -> None:
    log = folder / "one.log"
    with contextlib.closing(LiveFolder(folder, "now")) as live:
        live.poll()
        append(log, window(1, 10, 850.0))
        log.rename(folder / "one.log.1")
        live.poll()
        log.write_text(window(1, 15, 800.0), encoding="utf-8")
        live.poll()
        rotated = speeds(live)
        log.write_text(window(1, 20, 750.0), encoding="utf-8")
        live.poll()

        assert rotated == [1000.0, 900.0, 850.0, 800.0]
        assert speeds(live) == [*rotated, 750.0]
        assert [doubt.code for doubt in contents(live).runs[0].examination.doubts] == [
            "rotated",
            "truncated",
        ]


def test_a_damaged_file_is_told_and_neither_hides_its_run_nor_stops_the_others(
    tmp_path: Path,
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.log").write_text(epoch_text(0), encoding="utf-8")
    record, phases = tmp_path / "a" / "run.json", tmp_path / "b" / "phases.jsonl"
    record.write_text('{"schema": 1, "sta', encoding="utf-8")
    phases.write_text("no phases\n", encoding="utf-8")
    (tmp_path / "d.log").write_bytes(gzip.compress(b"Epoch[0] Train-accuracy=0.5\n"))
    with contextlib.closing(LiveFolder(tmp_path, "now")) as live:
        live.poll()
        told = {problem.text: problem.remedy for problem in contents(live).problems}
        page = live.page()
        for name in ("a", "c"):
            append(tmp_path / name / "run.log", epoch_text(1))
        live.poll()
        epochs = [len(run.facts.epochs) for run in contents(live).runs]
        record.write_text('{"schema": 1, "status": "running"}', encoding="utf-8")
        phases.unlink()
        (tmp_path / "d.log").unlink()
        live.poll()

        assert [any(str(file) in text for text in told) for file in (record, phases)] == [True] * 2
        assert any("d.log" in text for text in told)
        assert all("the log is shown without it" in page for _ in told)
        assert epochs == [2, 1, 2]
        assert contents(live).problems == ()
        assert contents(live).runs[0].facts.status == "running"


def test_a_folder_with_nothing_but_a_damaged_log_says_so(tmp_path: Path) -> None:
    (tmp_path / "<b>.log").write_bytes(gzip.compress(b"Epoch[0] Train-accuracy=0.5\n"))
    with contextlib.closing(LiveFolder(tmp_path, "now")) as live:
        live.poll()

        assert "No run yet" in live.page()
        assert "&lt;b&gt;.log); " in live.page()


def test_only_two_addresses_are_served_and_only_to_who_names_this_host(folder: Path) -> None:
    with answered(folder) as (_, server):
        port = server.server_port
        assert status(port, "/", f"127.0.0.1:{port}") == 200
        assert status(port, "/", f"LOCALHOST:{port}") == 200
        for host in (
            f"evil.example:{port}",
            "",
            "[",
            "[::1",
            "127.0.0.1.example",
            "192.0.2.1",
        ):
            assert status(port, "/", host) == 421, host
        assert status(port, "/events", "evil.example") == 421
        for path in ("/one.log", "/../one.log", "/%2e%2e/one.log", "//etc/passwd"):
            assert status(port, path, "localhost") == 404
        assert status(port, "/", "localhost", "POST") == 501


def test_who_listens_at_all_addresses_is_called_by_any_name(folder: Path) -> None:
    with answered(folder, "0.0.0.0") as (_, server):  # noqa: S104  # that is what is tried
        assert status(server.server_port, "/", "machine.example:80") == 200


def test_an_address_of_ipv6_is_listened_at_and_printed_as_browsers_take_it(folder: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    with answered(folder, "::1") as (_, server):
        port = server.server_port

        assert server.url == f"http://[::1]:{port}/"
        assert status(port, "/", f"[::1]:{port}", at="::1") == 200
        assert status(port, "/", "evil.example", at="::1") == 421


@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        ("127.0.0.1", "Address already in use; --port 0 takes a free one"),
        ("192.0.2.1", "--host takes an address or a name of this machine's own"),
        ("no..name", "no name of a host; --host takes"),
    ],
)
def test_where_it_cannot_listen_is_said_with_what_to_do(
    host: str, remedy: str, folder: Path
) -> None:
    with answered(folder) as (live, server), pytest.raises(SettingError, match=re.escape(remedy)):
        LiveServer(host, server.server_port, live)


def test_a_port_in_use_ends_the_command_with_2(folder: Path, fitlog: Fitlog) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = fitlog("serve", folder, "--port", port)

    assert done.returncode == 2
    assert done.stderr == (
        f"fitlog: cannot listen at 127.0.0.1, port {port}: Address already in use; --port 0 takes"
        " a free one\n"
    )


def test_who_was_cut_off_is_told_what_it_missed(folder: Path) -> None:
    with contextlib.closing(LiveFolder(folder, "now")) as live:
        live.poll()
        ((first, _),) = live.changes("", 0)
        assert live.changes(first, 0) == []
        append(folder / "one.log", window(1, 10, 850.0))
        live.poll()
        append(folder / "one.log", window(1, 15, 800.0))
        live.poll()

        missed = [json.loads(data) for _, data in live.changes(first, 0)]
        unknown = live.changes("other-1", 0)

    told = [change["points"]["speed/0/windows"] for change in missed]
    assert [point["append"] for point in told] == [True, True]
    assert [y for point in told for y in point["y"]] == [850.0, 800.0]
    assert json.loads(unknown[0][1]) == {"whole": True}


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        (signal.SIGINT, 130, "fitlog: interrupted\n"),
        (signal.SIGTERM, 143, "fitlog: terminated\n"),
    ],
)
def test_a_signal_ends_it_also_with_somebody_listening_and_the_port_is_free_again(
    sent: signal.Signals, code: int, said: str, folder: Path
) -> None:
    with served(folder) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", "/events?since=x")
        assert connection.getresponse().status == 200
        process.send_signal(sent)
        output, errors = process.communicate(timeout=SECONDS)
        connection.close()

    assert (process.returncode, output, errors) == (code, "", said)
    with LiveServer("127.0.0.1", port, LiveFolder(folder, "now")) as again:
        assert again.server_port == port
