"""Several words behind one `--baseline`, as a shell makes them of `--baseline good/*.log`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from fitlog.cli.app import Command

_BASELINE: Final = "--baseline"
_REST: Final = "--"


class CheckCommand(Command):
    """Takes all words behind `--baseline`, up to the next option, as baselines."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `--baseline` before each of its words, then parse."""
        valued = {name for p in self.params if not getattr(p, "is_flag", False) for name in p.opts}
        try:
            args = spread_baselines(args, valued)
        except ValueError as error:
            ctx.fail(str(error))
        return super().parse_args(ctx, args)


def spread_baselines(args: Sequence[str], valued: Collection[str]) -> list[str]:
    """The command line with `--baseline` before each of its words.

    `valued` are the options that take a word. Where no candidate stands anywhere else, one word
    behind that of `--baseline` is the candidate.

    Raises:
        ValueError: so there are several, and nothing tells which are candidates.
    """
    rest = list(args).index(_REST) if _REST in args else len(args)
    words, behind = list(args[:rest]), list(args[rest:])
    groups: list[list[str]] = []  # each an option with its words, or a candidate
    while words:
        group = [words.pop(0)]
        if group[0] == _BASELINE:
            while words and not _is_option(words[0]):
                group.append(words.pop(0))
        elif group[0] in valued and words:
            group.append(words.pop(0))
        groups.append(group)
    if len(behind) < 2 and all(_is_option(group[0]) for group in groups):
        more = [word for group in groups if group[0] == _BASELINE for word in group[2:]]
        if len(more) > 1:
            raise ValueError(
                f"nothing tells whether {more[0]} is a baseline or a candidate: name the candidates"
                f" first, as in CANDIDATE... {_BASELINE} LOG..."
            )
        return list(args)
    spread = []
    for group in groups:
        if group[0] == _BASELINE and len(group) > 1:
            spread += [part for word in group[1:] for part in (_BASELINE, word)]
        else:
            spread += group
    return spread + behind


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"
