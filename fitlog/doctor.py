"""What to know of a log before trusting it: its runs, its writer, and every doubt with a remedy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fitlog.printable import printable
from fitlog.remedies import REMEDIES
from fitlog.tables import RunLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One finding: where it is, why it matters and what can be done."""

    code: str
    line: int
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A log as the doctor saw it.

    `dialects` counts lines by dialect, `mxnet` says which versions write such lines (empty where
    they do not tell), `runs` pairs each run's number with how it ended, `times` says what the
    time stamps are.
    """

    name: str
    lines: int
    dialects: dict[str, int]
    mxnet: str
    runs: list[tuple[int, str]]
    times: str
    doubts: list[Doubt]

    def to_dict(self) -> dict[str, Any]:
        """The examination as JSON has it."""
        return asdict(self)


def examine(log: RunLog) -> Examination:
    """What a log's tables and warnings say of it."""
    doubts = [
        Doubt(code=code, line=int(line), reason=text, remedy=REMEDIES.get(code, ""))
        for code, line, text in log.warnings[["code", "line", "text"]].itertuples(index=False)
    ]
    if len(log.unparsed):
        first = log.unparsed.iloc[0]
        text = f"pieces of text that look like records and were not read: {len(log.unparsed)}"
        line = int(first["line"])
        doubts.append(Doubt(code="unread", line=line, reason=text, remedy=REMEDIES["unread"]))
    ends = log.runs.drop_duplicates("run")
    return Examination(
        name=log.name,
        lines=log.lines,
        dialects=log.dialects,
        mxnet=mxnet_versions(log),
        runs=[
            (int(run), str(status)) for run, status in zip(ends["run"], ends["status"], strict=True)
        ],
        times=_times(log),
        doubts=sorted(doubts, key=lambda doubt: (doubt.line, doubt.code)),
    )


def mxnet_versions(log: RunLog) -> str:
    """The versions of MXNet whose Speedometer writes such lines; empty where nothing tells.

    From 1.4 on it prints a window's first batch, up to 0.9 it printed a line for each metric
    (callback.py, Speedometer), as the packages for Perl, Scala and Clojure do in every version;
    before 0.7, in 2015, fit counted iterations. Without a metric all versions write the same.
    """
    if 2 * log.dialects.get("module", 0) <= sum(log.dialects.values()) or "scala" in log.dialects:
        return ""
    if log.events["text"].str.startswith("Iteration[").any():
        return "2015"
    training = log.metrics[(log.metrics["scope"] != "epoch") & (log.metrics["split"] == "train")]
    speed = log.speed[log.speed["epoch"].notna() & log.speed["line"].isin(training["line"])]
    if not len(speed):
        return ""
    ranged = speed["batch_start"].notna()
    if ranged.all():
        return "1.4 or newer"
    if ranged.any():
        return "several: 1.4 or newer, and older"
    per_line = training[training["line"].isin(speed["line"])].groupby("line").size()
    if per_line.max() > 1:
        return "0.10 to 1.3"
    reports = training.groupby(["run", "epoch", "batch_end"], dropna=False)["metric"].nunique()
    if reports.max() > 1:
        return "0.7 to 0.9; any, from Perl or Scala"
    return "0.7 to 1.3; any, from Perl or Scala"


def format_examination(found: Examination) -> str:
    """The examination as text for people."""
    dialects = ", ".join(f"{name} {count:,}" for name, count in found.dialects.items())
    lines = [
        printable(found.name),  # the name of a file may hold a line's end
        f"  {found.lines:,} line{'s' * (found.lines != 1)}; with a record: {dialects}",
        "  " + ", ".join(f"run {run} {status}" for run, status in found.runs),
        f"  {found.times}",
    ]
    if found.mxnet:
        lines.insert(2, f"  MXNet: {found.mxnet}")
    if not found.doubts:
        lines.append("  nothing to doubt")
    for doubt in found.doubts:
        lines += ["", f"  line {doubt.line}: {doubt.code}", f"    {doubt.reason}"]
        if doubt.remedy:
            lines.append(f"    -> {doubt.remedy}")
    return "\n".join([*lines, ""])


def _times(log: RunLog) -> str:
    import pandas as pd

    times = pd.concat([log.speed["time"], log.metrics["time"], log.events["time"]]).dropna()
    if times.empty:
        return "no time stamps"
    return f"times from {times.min()} to {times.max()}, by the writer's clock; no zone is logged"
