"""How a verdict leaves the commands that judge: printed, and for GitHub written into its files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fitlog.choices import Undecided, VerdictFormat

if TYPE_CHECKING:
    from fitlog.verdicts import Judgement


@contextlib.contextmanager
def errors_written(form: VerdictFormat, metric: str) -> Iterator[None]:
    """What cannot be judged is said in the verdict's format, too, and raised on."""
    from fitlog.errors import FitlogError

    try:
        yield
    except FitlogError as error:
        _write_error(error, form, metric)
        raise


def exit_code_of(judgement: Judgement, inconclusive: Undecided) -> int:
    """The judgement's own, or 0 where what is inconclusive shall pass."""
    is_forgiven = judgement.verdict == "inconclusive" and inconclusive is Undecided.PASS
    return 0 if is_forgiven else judgement.exit_code


def write_judgement(judgement: Judgement, form: VerdictFormat, inconclusive: Undecided) -> None:
    """Print the judgement; as GitHub's, append it to the step's summary and outputs."""
    passes = inconclusive is Undecided.PASS
    match form:
        case VerdictFormat.TEXT:
            from fitlog.verdicts import format_judgement

            typer.echo(format_judgement(judgement))
        case VerdictFormat.JSON:
            import json

            typer.echo(json.dumps(judgement.to_dict(), indent=2))
        case VerdictFormat.MARKDOWN:
            from fitlog.judgement_formats import format_markdown

            typer.echo(format_markdown(judgement))
        case VerdictFormat.JUNIT:
            from fitlog.judgement_formats import format_junit

            typer.echo(format_junit(judgement, undecided_passes=passes))
        case VerdictFormat.GITHUB:
            from fitlog.judgement_formats import (
                format_annotation,
                format_markdown,
                format_outputs,
            )

            typer.echo(format_annotation(judgement, undecided_passes=passes))
            _append_for_github(format_markdown(judgement), format_outputs(judgement))


def _write_error(error: Exception, form: VerdictFormat, metric: str) -> None:
    from fitlog import judgement_formats as formats

    message = str(error)
    match form:
        case VerdictFormat.JSON:
            import json

            typer.echo(json.dumps({"verdict": "error", "error": message}, indent=2))
        case VerdictFormat.MARKDOWN:
            typer.echo(formats.format_markdown_error(message))
        case VerdictFormat.JUNIT:
            typer.echo(formats.format_junit_error(metric, message, type(error).__name__))
        case VerdictFormat.GITHUB:
            typer.echo(formats.format_annotation_error(message))
            summary = formats.format_markdown_error(message)
            _append_for_github(summary, formats.format_outputs_error())


def _append_for_github(summary: str, outputs: str) -> None:
    for variable, text in (
        ("GITHUB_STEP_SUMMARY", f"{summary}\n"),
        ("GITHUB_OUTPUT", outputs),
    ):
        if path := os.environ.get(variable):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
