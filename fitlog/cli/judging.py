"""`fitlog check`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from fitlog.choices import Undecided, VerdictFormat
from fitlog.cli.app import Command, Where, require_one_stdin
from fitlog.cli.completing import complete_measure
from fitlog.cli.verdicts import errors_written, exit_code_of, write_judgement
from fitlog.endings import user_errors

_BASELINE: Final = "--baseline"


class CheckCommand(Command):
    """Takes what a shell makes of `--baseline good/*.log`: several logs behind the option's name.

    To take the others for candidates would judge good runs, and pass.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, with --baseline repeated before each of the logs that follow one.

        Raises:
            typer.BadParameter: there is no candidate before them, so any may be one.
        """
        return list(super().parse_args(ctx, list(self._repeated(ctx, args))))

    def _repeated(self, ctx: Any, args: list[str]) -> Iterator[str]:
        end = args.index("--") if "--" in args else len(args)
        place = 0
        while place < end:
            yield args[place]
            place += 1
            if args[place - 1] != _BASELINE or place == end:
                continue
            behind = list(itertools.takewhile(_is_log, args[place:end]))
            yield from behind[:1]
            others = behind[1:]
            if self._has_candidate(ctx, args[: place - 1]):
                for log in others:
                    yield from (_BASELINE, log)
            elif len(others) > 1:
                raise typer.BadParameter(
                    f"{len(behind)} logs follow: are they baselines or candidates? Name the"
                    f" candidates first, and all that follow {_BASELINE} are baselines",
                    ctx=ctx,
                    param_hint=_BASELINE,
                )
            else:
                yield from others
            place += len(behind)
        yield from args[end:]

    def _has_candidate(self, ctx: Any, args: list[str]) -> bool:
        values, _, _ = self.make_parser(ctx).parse_args(list(args))
        return bool(values.get("candidates"))


def _is_log(word: str) -> bool:
    return word == "-" or not word.startswith("-")


def check(
    candidates: Annotated[
        list[str], typer.Argument(metavar="CANDIDATE...", help="Logs of the runs to judge.")
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LOG", help="A log to compare with; more may follow, or the option be repeated."
        ),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="LEDGER",
            help="The past runs to compare with: a ledger (fitlog history), or an archive.",
        ),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            autocompletion=complete_measure,
            help="pace, throughput, time_cost, or one such as validation-accuracy.",
        ),
    ] = "pace",
    better: Annotated[
        str | None, typer.Option(metavar="higher|lower", help="If the metric's name does not tell.")
    ] = None,
    tolerance: Annotated[str, typer.Option(help="The slowdown that must be ruled out.")] = "5%",
    min_effect: Annotated[str, typer.Option(help="The least change that is called one.")] = "2%",
    alpha: Annotated[
        float | None,
        typer.Option(help="The rate of false alarms to allow.  [default: 0.005 to 0.01]"),
    ] = None,
    warmup: Annotated[
        str, typer.Option(metavar="auto|N", help="Windows to drop from each run.")
    ] = "auto",
    series: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compare with runs added under this name.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Compare although this setting or part differs."),
    ] = None,
    where: Where = None,
    inconclusive: Annotated[
        Undecided, typer.Option(help="'pass' makes an undecided check end with 0.")
    ] = Undecided.FAIL,
    form: Annotated[VerdictFormat, typer.Option("--format")] = VerdictFormat.TEXT,
) -> None:
    """Judge a training against a baseline or a history: its throughput, or a metric.

    Exits with 0 (pass, improved), 1 (regression), 2 (data that cannot be judged) or 3
    (inconclusive).
    """
    with user_errors() as outcome, errors_written(form, metric):
        from fitlog.chosen import choose_history, choose_runs, is_archive
        from fitlog.gate import check as check_runs
        from fitlog.options import fraction, number_of_windows

        require_one_stdin([*candidates, *(baseline or [])])
        warm_up = number_of_windows(warmup)
        old = baseline or []
        of_history = None if any(map(is_archive, [*candidates, *old])) else where
        judgement = check_runs(
            choose_runs(candidates, where, others=[*old, history]),
            baseline=choose_runs(old, where, others=[*candidates, history]),
            history=(
                None
                if history is None
                else choose_history(history, of_history, series=series, warm_up=warm_up)
            ),
            metric=metric,
            better=better,
            tolerance=fraction("--tolerance", tolerance),
            min_effect=fraction("--min-effect", min_effect),
            alpha=alpha,
            warm_up=warm_up,
            series=series,
            ignore=ignore or (),
        )
        outcome.exit_code = exit_code_of(judgement, inconclusive)
        write_judgement(judgement, form, inconclusive)
        raise typer.Exit(outcome.exit_code)
