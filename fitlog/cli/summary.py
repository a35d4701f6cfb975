"""What a run came to, in a few lines, and what to do next."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from fitlog.run_folder import PHASE_FILE, RUN_LOG


def format_summary(record: dict[str, Any], folder: Path) -> str:
    """The figures of the record's results, if there are any, how long it took, and where it is."""
    results = record["results"]
    facts = {"time": f"{record['seconds']:.1f} s", "folder": str(folder)}
    if results:
        facts = {
            **_describe_metric(results["metrics"]),
            "throughput": _describe_speed(record),
            **_describe_ranks(results),
            **facts,
        }
    width = max(21, *(len(name) + 2 for name in facts))
    return "\n".join(f"{name:<{width}}{value}" for name, value in facts.items())


def format_next(folder: Path) -> str:
    """The commands that show or judge the run."""
    log, fitlog = shlex.quote(str(folder / RUN_LOG)), _own_name()
    phases = f"\n  {fitlog} phases {shlex.quote(str(folder))}" * (folder / PHASE_FILE).exists()
    return f"""
next:
  {fitlog} plot {log}{phases}
  {fitlog} parse {log} --table speed
  {fitlog} check {log} --baseline OTHER/run.log"""


def _own_name() -> str:
    """How this command can be called again: an environment need not be on the path."""
    if shutil.which("fitlog"):
        return "fitlog"
    if sys.argv[0].endswith("__main__.py"):
        return f"{shlex.quote(sys.executable)} -m fitlog"
    return shlex.quote(sys.argv[0])


def _describe_speed(record: dict[str, Any]) -> str:
    """The median speed, of several ranks all of theirs together."""
    results = record["results"]
    if results["samples_per_sec"] is None:
        is_own = "disp_batches" in record["arguments"]
        reason = ": an epoch has no more batches than --disp-batches" if is_own else ""
        return f"no speed line{reason}"
    windows = f"{results['windows']} window" + ("s" if results["windows"] != 1 else "")
    kind = "sum of the ranks' medians," if "ranks" in results else "median"
    return f"{results['samples_per_sec']:,.0f} samples/sec, {kind} of {windows}"


def _describe_ranks(results: dict[str, Any]) -> dict[str, str]:
    """Of a distributed training, what each rank did, and which ones held up the others."""
    facts: dict[str, str] = {}
    for rank in results.get("ranks", ()):
        speed, own = rank["samples_per_sec"], rank["own_seconds_per_batch"]
        text = "no speed line" if speed is None else f"{speed:,.0f} samples/sec"
        if own is not None:
            text += f"; {1000 * own:,.2f} ms of its own for a batch"
        facts[f"rank {rank['rank']}"] = text
    if results.get("stragglers"):
        ranks = ", ".join(map(str, results["stragglers"]))
        share = results["straggler_share"]
        facts["stragglers"] = f"{ranks}: over {share:.0%} slower by itself than the median rank"
    if results.get("parameters_agree") is False and results["in_step"]:
        facts["parameters"] = "not the same on all ranks, though they trained in step"
    return facts


def _describe_metric(metrics: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Of the first metric, as validated where that was done, the last value and the best."""
    from fitlog.directions import unit_of

    validated = [name for name in metrics if name.startswith("validation-")]
    name = next(iter(validated or metrics), None)
    if name is None:
        return {}
    split, _, metric = name.partition("-")
    form = ".2%" if unit_of(metric) == "share" else ".6g"
    found = metrics[name]
    last = "not a finite number" if found["last"] is None else f"{found['last']:{form}}"
    facts = {f"{split} {metric}": last}
    if found["best"] is not None:
        facts["best"] = f"{found['best']:{form}} in epoch {found['best_epoch']}"
    return facts
