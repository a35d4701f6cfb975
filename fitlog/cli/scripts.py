"""`fitlog run` with a script or a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from fitlog.cli.app import Command, given_options

_COMMAND = "--"
_OPTIONS = ("words", "out", "name")


class RunCommand(Command):
    """Leaves what stands behind the first word alone; `words` tells whether `--` was before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before the script or command."""
        ctx.allow_interspersed_args = False
        given = list(args)
        rest = super().parse_args(ctx, args)
        words = list(ctx.params.get("words") or ())
        if given[len(given) - len(words) - 1 :][:1] == [_COMMAND]:
            ctx.params["words"] = [_COMMAND, *words]
        return rest


def run_words(context: typer.Context, words: list[str], *, out: Path, name: str | None) -> None:
    """Run the script, or the command behind `--`, and end with its exit code.

    Raises:
        SettingError: an option that is none of a script.
        TrainingError: it cannot be run.
    """
    from fitlog.cli.summary import format_next, format_summary
    from fitlog.errors import SettingError
    from fitlog.printable import printable
    from fitlog.run.script import run_command, run_script

    given = given_options(context, besides=_OPTIONS)
    if given:
        raise SettingError(
            f"{', '.join(given)}: of fitlog's own training, not of what others wrote;"
            " the options of a script stand behind its name"
        )
    is_command = words[0] == _COMMAND
    result = (
        run_command(words[1:], out=out, name=name)
        if is_command
        else run_script(words, out=out, name=name)
    )
    record, folder = result.record, result.folder
    how = record["status"] + (f": {record['error']}" if record["error"] else "")
    summary = f"fitlog: {how}\n{format_summary(record, folder)}"
    if record["results"]:
        summary += f"\n{format_next(folder)}"
    typer.echo(printable(summary, keep="\n"), err=True)
    raise typer.Exit(result.exit_code)
