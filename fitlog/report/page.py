"""The page itself: contents put into its template, with nothing that a browser would have to fetch.

Whatever comes from logs goes through the template's escaping, or through JSON without a `<`. The
page's own policy lets no other script run and nothing be sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from fitlog import __version__
from fitlog.compare_formats import comparison_parts
from fitlog.errors import OutputError
from fitlog.phase_report import format_fit
from fitlog.plots.themes import THEMES
from fitlog.printable import printable
from fitlog.report.charts import chart_item, library_script, stack_item
from fitlog.report.contents import Contents, ReportedRun
from fitlog.report.raw import pack_table
from fitlog.report.series import dash_of, tone_of
from fitlog.verdicts import format_judgement

_FOLDER: Final = Path(__file__).parent


def format_page(
    contents: Contents, *, written: str, version: str | None = None, charts: bool = True
) -> str:
    """The page as HTML; `written` says when, `version` names what a live page shows.

    Without `charts` their places stay empty, and nothing is there to draw them.

    Raises:
        OutputError: bokeh and jinja2 are not installed.
    """
    library = library_script() if charts else ""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = format_number
    script, live_script, style = (
        (_FOLDER / name).read_text(encoding="utf-8") for name in ("page.js", "live.js", "page.css")
    )
    scripts = [library, script] if version is None else [library, script, live_script]
    from markupsafe import Markup

    return environment.get_template("page.html").render(
        contents=contents,
        legend=[
            {"label": curve.label, "tone": tone_of(curve), "dash": dash_of(curve)}
            for curve in contents.curves
        ],
        version=__version__,
        written=written,
        live=version,
        policy=_policy(*scripts, connect="'none'" if version is None else "'self'"),
        style=Markup(_palette() + style),  # noqa: S704  # ours
        scripts=[Markup(text) for text in scripts],  # noqa: S704  # bokeh's and ours
        charts=Markup(_json(_items(contents) if charts else {})),  # noqa: S704  # no < in it
        comparison=contents.comparison and comparison_parts(contents.comparison),
        verdict=contents.judgement and format_judgement(contents.judgement),
        phases={run.name: format_fit(run.phases) for run in contents.runs if run.phases},
        summaries=[_summary(run) for run in contents.runs],
        settings=_settings(contents.runs),
        downloads=[
            {"name": name, "rows": len(table), "packed": pack_table(table)}
            for name, table in contents.tables.items()
            if len(table)
        ],
    )


def write_page(page: str, path: Path) -> None:
    """Write it beside its place, and rename it.

    Raises:
        OutputError: it cannot be written.
    """
    from fitlog.run.durable import write_whole

    try:
        write_whole(path, lambda draft: draft.write_text(page, encoding="utf-8", errors="replace"))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


def format_number(value: Any) -> str:
    """A figure for people; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.5g}"


def _palette() -> str:
    """The colours of runs, on both grounds, as the page's style and script ask for them."""
    light, dark = (
        "".join(f"--tone-{tone}: {color}; " for tone, color in enumerate(THEMES[name].colors))
        for name in ("light", "dark")
    )
    on_dark = "@media screen and (prefers-color-scheme: dark)"
    return f":root {{ {light}}}\n{on_dark} {{ :root {{ {dark}}} }}\n"


def _items(contents: Contents) -> dict[str, Any]:
    """The charts as bokeh takes them, by key."""
    names = [curve.label for curve in contents.curves]
    items = {chart.key: chart_item(chart, names) for chart in contents.charts}
    return items | {run.stack.key: stack_item(run.stack) for run in contents.runs if run.stack}


def _summary(run: ReportedRun) -> dict[str, Any]:
    facts = run.facts
    metrics = [name for name in facts.metrics if name.startswith("validation-")] or list(
        facts.metrics
    )
    return {
        "name": run.name,
        "path": run.log.name,
        "role": "baseline" if run.is_baseline else "",
        "status": facts.status or "unknown",
        "epochs": len(facts.epochs),
        "seconds": list(facts.wall_seconds.values())[-1] if facts.wall_seconds else None,
        "pace": facts.pace.value,
        "metrics": [(name, list(facts.metrics[name].values())[-1]) for name in metrics[:4]],
        "warnings": len(run.examination.doubts),
        "notes": facts.notes,
    }


def _settings(runs: tuple[ReportedRun, ...]) -> dict[str, Any]:
    """Those that are the same in all runs, and those that are not."""
    names = list(dict.fromkeys(name for run in runs for name in run.facts.settings))
    values = {name: [run.facts.settings.get(name) for run in runs] for name in names}
    same = {name: each[0] for name, each in values.items() if len(set(each)) == 1}
    return {"same": same, "unlike": {n: each for n, each in values.items() if n not in same}}


def _printable(value: Any) -> Any:
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return printable(value, keep="\n\t")
    return value


def _json(items: Any) -> str:
    return json.dumps(items, separators=(",", ":")).replace("<", "\\u003c")


def _policy(*scripts: str, connect: str) -> str:
    """Only these scripts run; styles are bokeh's and the page's; nothing is fetched or sent."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:;"
        f" connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
