"""The codes of warnings, and what can be done about each."""

from __future__ import annotations

from typing import Final

REMEDIES: Final = {
    "asynchronous-speed": "trust the epoch's time; end each batch with a metric or mx.nd.waitall()",
    "damaged": "fetch the file again: what stands before the damage was read",
    "date-order": "say the order yourself: log with %Y-%m-%d",
    "doubled-lines": "remove one of the log handlers; medians and last values are not affected",
    "evaluation-reset": "give no Speedometer as eval_batch_end_callback: it resets the metric",
    "impossible-speed": "leave these windows out; the clock stood still, or an epoch has one batch",
    "interleaved-workers": "log each worker into its own file, or with Node[rank] before each line",
    "lost-lines": "look for a second process that wrote or cut the file; rates are not affected",
    "missing-epochs": "look for a log that holds them: the epochs were trained elsewhere, or lost",
    "negative-window": "an epoch has one batch: report every batch (frequent=1), or not at all",
    "no-date": "use differences of times only, or log with a date",
    "no-year": "use differences of times only, or log with a year",
    "nul-bytes": "the text behind the NUL bytes may be of another encoding: look at the line",
    "repeated-batch": "compare the two runs' settings; start a new file for each run",
    "residual-metric": "use the windows' metrics; Train- lines leave most batches out",
    "restart": "nothing to do: runs are kept apart; use the column run",
    "rotated": "nothing to do: what follows is of the next file, and lines are counted on",
    "traceback": "read what the log says there; a run that a crash ended counts as cut",
    "truncated": "nothing to do: what was read stays read, and lines are counted on",
    "undecided-windows": "see whether these speeds are the evaluation's before you compare them",
    "unread": "see `fitlog parse LOG --table unparsed`",
    "wide-epochs": "take these metrics from the table metrics, which has all of them",
}

# Told from the numbers of whole tables, by `findings`; the others are told by the lines.
TOLD_BY_TABLES: Final = frozenset(
    {
        "asynchronous-speed",
        "doubled-lines",
        "evaluation-reset",
        "impossible-speed",
        "lost-lines",
        "missing-epochs",
        "negative-window",
        "residual-metric",
        "wide-epochs",
    }
)
