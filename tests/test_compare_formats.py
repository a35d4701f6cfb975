"""Comparisons as text, Markdown, JSON, CSV and HTML."""

from __future__ import annotations

import csv
import html
import io
import json
from html.parser import HTMLParser
from pathlib import Path

from comparing import log_of, phased
from fitlog import (
    compare,
)
from fitlog.compare_formats import format_comparison


def test_text_is_80_columns_wide(samples: Path, tmp_path: Path) -> None:
    one = phased(tmp_path / "one", last=0.8, samples=100, data=0.25, compute=0.5, metric=0.25)
    logs = [samples / f"lenet-{i}.log" for i in (1, 2, 3)]

    text = format_comparison(
        compare(*logs, samples / "lenet-naive-1.log", one, log_of(level=10.0)), "text"
    )

    assert max(map(len, text.splitlines())) <= 80
    assert "B against A" in text
    assert "F against A" in text


def test_json_and_csv_hold_the_same_numbers(samples: Path) -> None:
    comparison = compare(samples / "lenet-1.log", samples / "lenet-naive-1.log")

    plain = json.loads(format_comparison(comparison, "json"))
    rows = list(csv.DictReader(io.StringIO(format_comparison(comparison, "csv"))))

    assert [run["label"] for run in plain["runs"]] == ["A", "B"]
    assert (plain["schema"], plain["baseline"], plain["confidence"]) == (1, "A", 0.99)
    for quantity in plain["quantities"]:
        mine = [
            r for r in rows if (r["group"], r["quantity"]) == (quantity["group"], quantity["name"])
        ]
        assert [float(r["value"]) for r in mine] == quantity["values"]
        assert float(mine[1]["effect"]) == quantity["differences"][1]["effect"]
        assert mine[1]["sureness"] == quantity["differences"][1]["sureness"]


def test_names_in_a_log_can_do_no_harm() -> None:
    name = "<script>alert(1)</script>|`x`\a"
    said = f"INFO:root:start Namespace(net='{name}')\n".encode()
    other = b"INFO:root:start Namespace(net='mlp')\n"

    comparison = compare(said + log_of(), other + log_of(level=9.0))

    assert comparison.settings[0].values[1] == "mlp"
    page = format_comparison(comparison, "html")
    assert html.escape("<script>alert(1)</script>|`x`") in page
    assert "<script" not in page
    assert "src=" not in page
    assert "href=" not in page
    assert "\\<script\\>alert(1)\\</script\\>\\|\\`x\\`" in format_comparison(
        comparison, "markdown"
    )
    for form in ("text", "markdown", "json", "csv", "html"):
        assert "\a" not in format_comparison(comparison, form)


def test_markdown_tables_have_as_many_cells_in_every_line(samples: Path) -> None:
    logs = [samples / "lenet-1.log", samples / "lenet-naive-1.log", samples / "mlp.log"]
    text = format_comparison(compare(*logs), "markdown")

    for table in text.split("\n\n"):
        if table.startswith("|"):
            assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_the_page_closes_what_it_opens_and_marks_what_is_worse(samples: Path) -> None:
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(
            self,
            tag: str,
            attrs: list[tuple[str, str | None]],  # noqa: ARG002  # as HTMLParser calls it
        ) -> None:
            if tag != "meta":
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    page = format_comparison(
        compare(samples / "lenet-1.log", samples / "lenet-naive-1.log"), "html"
    )
    Reader().feed(page)

    assert opened == []
    assert page.count('<td class="worse">worse, likely</td>') == 1
