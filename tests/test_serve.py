"""`fitlog serve`: a growing log in a real browser, and what the server refuses."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import chromium
from fitlog.report.live import LiveFolder
from support import SAMPLES
from test_watch import append, epoch_text, window

SECONDS = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "runs"
    place.mkdir()
    (place / "one.log").write_text(epoch_text(0) + window(1, 5, 900.0), encoding="utf-8")
    return place


@contextlib.contextmanager
def served(folder: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The real command, and the port that it listens at."""
    with subprocess.Popen(
        [sys.executable, "-m", "fitlog", "serve", str(folder), "--port", str(port)],
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


def status(port: int, path: str, host: str, method: str = "GET") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    with contextlib.closing(connection):
        return connection.getresponse().status


def test_new_points_and_runs_come_to_every_client_without_reloading(folder: Path) -> None:
    points = "() => fitlog.plots.get('speed').renderers[0].data_source.get_length()"
    with chromium() as browser, served(folder) as (_, port):
        pages = [browser.new_page() for _ in range(2)]
        errors: list[str] = []
        for page in pages:
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("html[data-drawn]")
            page.evaluate("() => { window.isSamePage = true }")
        append(folder / "one.log", window(1, 10, 850.0) + window(1, 15, 800.0))
        for page in pages:
            page.wait_for_function(f"() => ({points})() === 4")
        append(folder / "one.log", epoch_text(2, 0.875))
        for page in pages:
            page.wait_for_function(
                "() => document.querySelector('#summary').innerText.includes('0.875')"
            )
        (folder / "two.log").write_text(epoch_text(0), encoding="utf-8")
        for page in pages:
            page.wait_for_selector(".legend button")

        assert all(page.evaluate("() => window.isSamePage") for page in pages)
        assert errors == []


def test_a_page_finds_a_server_that_was_started_again(folder: Path) -> None:
    points = "() => fitlog.plots.get('speed')?.renderers[0].data_source.get_length()"
    with chromium() as browser:
        page = browser.new_page()
        with served(folder) as (_, port):
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("html[data-drawn]")
            page.evaluate("() => { window.isSamePage = true }")
        page.locator("#live", has_text="Not connected").wait_for()
        append(folder / "one.log", window(1, 10, 850.0) + window(1, 15, 800.0))
        with served(folder, port):
            page.wait_for_function(f"() => ({points})() === 4")
            status_shown = page.locator("#live").inner_text()

        assert status_shown == "Live"
        assert page.evaluate("() => window.isSamePage")


def test_the_phases_of_a_run_grow_with_it(tmp_path: Path) -> None:
    run = tmp_path / "lenet"
    run.mkdir()
    shutil.copy(SAMPLES / "lenet-3.log", run / "run.log")
    lines = (SAMPLES / "lenet-phases.jsonl").read_text("utf-8").splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines, 1) if '"kind": "epoch"' in line]
    (run / "phases.jsonl").write_text("".join(lines[: ends[1]]), encoding="utf-8")
    epochs = "() => [...fitlog.plots.get('phases-0').renderers[0].data_source.data.x].length"
    with chromium() as browser, served(tmp_path) as (_, port):
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("html[data-drawn]")
        before = page.evaluate(epochs)
        append(run / "phases.jsonl", "".join(lines[ends[1] :]))
        page.wait_for_function(f"n => ({epochs})() === n", arg=len(ends))

    assert before == 2


def test_only_two_addresses_are_served_and_only_to_who_names_this_host(folder: Path) -> None:
    with served(folder) as (_, port):
        assert status(port, "/", f"127.0.0.1:{port}") == 200
        assert status(port, "/", f"localhost:{port}") == 200
        assert status(port, "/", f"evil.example:{port}") == 421
        assert status(port, "/events", "evil.example") == 421
        for path in ("/one.log", "/../one.log", "/%2e%2e/one.log", "//etc/passwd"):
            assert status(port, path, "localhost") == 404
        assert status(port, "/", "localhost", "POST") == 501


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
    assert [y for point in told for y in point["y"]][-1] in (800.0, 850.0)
    assert json.loads(unknown[0][1]) == {"whole": True}


def test_ctrl_c_ends_it_also_with_somebody_listening(folder: Path) -> None:
    with served(folder) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", "/events?since=x")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)
        connection.close()

    assert (process.returncode, errors) == (130, "fitlog: interrupted\n")
