"""The documentation builds into a site without a warning, the notebook runs, no page is stale."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from support import PROJECT

DOCS = PROJECT / "docs"


class _Page(HTMLParser):
    """The links and the anchors of a page, and what it fetches from elsewhere."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.fetched: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if "id" in said:
            self.anchors.add(said["id"])
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        if tag in ("img", "script", "iframe") and "src" in said:
            self.fetched.append(said["src"])
        if tag == "link" and said.get("rel") == "stylesheet":
            self.fetched.append(said["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as its command does."""
    for name in ("sphinx", "myst_nb", "furo", "ipykernel"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: it is in the extra docs")
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, DOCS / "make_site.py", "-o", folder],
        capture_output=True, text=True, timeout=300, check=False, env=without_network(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def without_network() -> dict[str, str]:
    """The environment of a process whose requests would go nowhere."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    return {**os.environ, **nowhere}


def test_every_page_is_in_the_site_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {path: _Page(path) for path in site.glob("*.html")}

    assert {path.stem for path in DOCS.glob("*.md")} <= {path.stem for path in pages}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            assert target.exists(), f"{path.name}: {link}"
            if parts.fragment and target in pages:
                known = pages[target].anchors
                assert not known or unquote(parts.fragment) in known, f"{path.name}: {link}"


def test_the_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    for path in site.glob("*.html"):
        for source in _Page(path).fetched:
            assert not urlsplit(source).netloc, f"{path.name}: {source}"


def test_pictures_and_notebook_are_made_by_the_build(site: Path) -> None:
    drawn = {path.name for path in (site / "_images").glob("*.png")}
    notebook = (site / "notebook.html").read_text("utf-8")

    assert {"lenet-3.png", "naive.png", "phases.png", "compared.png"} <= drawn
    assert len(drawn) >= 6  # the notebook's two are beside them
    assert "regression: -12.2%" in notebook


def test_the_reference_has_every_public_name(site: Path) -> None:
    import fitlog.plots
    import fitlog_parsers

    anchors = {name.rpartition(".")[2] for name in _Page(site / "api.html").anchors}

    assert {*fitlog.__all__, *fitlog_parsers.__all__, *fitlog.plots.__all__} <= anchors


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        from make_commands import PAGE, format_commands
    finally:
        sys.path.remove(str(DOCS))

    assert PAGE.read_text("utf-8") == format_commands(), (
        "docs/commands.md is stale: run `python docs/make_commands.py`"
    )


def test_the_notebook_runs_and_is_kept_without_outputs() -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is in the extra docs")
    pytest.importorskip("ipykernel", reason="ipykernel is in the extra docs")
    nbformat: Any = pytest.importorskip("nbformat")
    kept = json.loads((DOCS / "notebook.ipynb").read_text("utf-8"))
    assert all(not cell.get("outputs") for cell in kept["cells"])
    notebook = nbformat.read(DOCS / "notebook.ipynb", as_version=4)

    nbclient.NotebookClient(
        notebook, timeout=60, resources={"metadata": {"path": str(DOCS)}}
    ).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    said = "".join(output.get("text", "") for output in outputs)
    assert re.search(r"^regression: -1\d\.\d%", said, re.MULTILINE), said
