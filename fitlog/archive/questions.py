"""Questions that people with many logs ask, as SQL over an archive's tables.

Each stands over `{runs}`: the table of runs, or those of them that somebody chose. It is the first
of the tables that are joined, for a condition on runs could see the columns of those before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fitlog.archive import LOST
from fitlog.archive.query import filtered
from fitlog.errors import QueryError

_KIND: Final = (
    "network, batch_size, coalesce(dtype, '') AS dtype, coalesce(kv_store, '') AS kv_store"
)
# What was heard of a run last: its last dated line or, where its record says that it is running,
# the change of its log. A day covers all time zones that a log's clock may have.
_FATES: Final = """(
SELECT chosen.*,
  coalesce(ended, CASE record_status WHEN 'running'
    THEN make_timestamp(try_cast(version AS BIGINT) // 1000) END) AS heard,
  epoch(make_timestamp(epoch_us(now())) - heard) / 3600 AS silent_hours,
  CASE record_status WHEN 'running' THEN status IN ('cut', 'finished')
    ELSE record_status IS NULL AND status = 'cut' END
    AND coalesce(abs(silent_hours) < 24, false) AS is_running,
  (status <> 'finished' OR coalesce(record_status, 'finished') <> 'finished')
    AND NOT is_running AS is_dead
FROM {runs} AS chosen LEFT JOIN (SELECT file, version FROM main.sources) USING (file))"""


# The first accuracy that was validated, as a share, and its name; toolkits name it differently, and
# some write percents.
_VALIDATED: Final = """
[one FOR one IN map_entries(best) IF regexp_matches(lower(one.key),
  '^validation-(test-)?(acc(uracy)?([-_]?top[-_]?1)?|top[-_]?1([-_]?acc(uracy)?)?)$')][1]"""
_ACCURACY: Final = f"""
(SELECT *, {_VALIDATED} AS validated, validated['key'] AS metric,
  validated['value'] / CASE WHEN validated['value'] > 1 THEN 100 ELSE 1 END AS accuracy
FROM {{runs}})"""
_PACE: Final = {"without a pace": "pace IS NOT NULL"}
# Nothing that is not known is taken to be alike.
_ALIKE: Final = {
    "whose network is not known": "network IS NOT NULL",
    "whose batch size is not known": "batch_size IS NOT NULL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A ready question: `text` is what it answers.

    `needs` are the conditions on runs that it asks of, by what is said of a run that is left out.
    """

    name: str
    text: str
    sql: str
    needs: dict[str, str]


def _question(name: str, text: str, sql: str, needs: Mapping[str, str] = {}) -> Question:
    whole = sql.replace("{needs}", " AND ".join(needs.values()))
    lines = (line.strip() for line in whole.strip().splitlines())
    return Question(name=name, text=text, sql="\n".join(lines), needs=dict(needs))


QUESTIONS: Final = (
    _question(
        "fastest",
        "the fastest run of each network and batch size, beside the median of all",
        """
        SELECT network, batch_size, count(*) AS runs,
          round(max(pace), 1) AS best_samples_per_sec,
          round(median(pace), 1) AS median_samples_per_sec,
          arg_max(host, pace) AS host, arg_max(file, pace) AS file, arg_max(run_id, pace) AS run_id
        FROM {runs}
        WHERE {needs}
        GROUP BY network, batch_size
        ORDER BY network, batch_size
        """,
        _PACE,
    ),
    _question(
        "regressions",
        "runs slower by 5 % than the median of three to ten like them before, the latest first",
        """
        WITH like_runs AS (
        SELECT *, median(pace) OVER earlier AS before, count(*) OVER earlier AS earlier_runs
        FROM {runs}
        WHERE {needs}
        WINDOW earlier AS (
        PARTITION BY network, batch_size, dtype, kv_store, host
        ORDER BY started, file, run ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING))
        SELECT started, network, batch_size, host,
          round(100 * (pace / before - 1), 1) AS change_percent,
          round(pace, 1) AS samples_per_sec, round(before, 1) AS before_samples_per_sec,
          earlier_runs, mxnet, file, run_id
        FROM like_runs
        WHERE earlier_runs >= 3 AND pace < 0.95 * before
        ORDER BY started DESC, file, run
        """,
        {
            **_PACE,
            "without a date": "started IS NOT NULL",
            **_ALIKE,
            "whose host is not known": "host IS NOT NULL",
        },
    ),
    _question(
        "trend",
        "the pace of each network and batch size by month, and its change",
        """
        WITH months AS (
        SELECT network, batch_size, month, count(*) AS runs, median(pace) AS pace
        FROM {runs}
        WHERE {needs}
        GROUP BY network, batch_size, month)
        SELECT network, batch_size, month, runs, round(pace, 1) AS median_samples_per_sec,
          round(100 * (pace / lag(pace) OVER (PARTITION BY network, batch_size ORDER BY month) - 1),
          1) AS change_percent
        FROM months
        ORDER BY network, batch_size, month
        """,
        {**_PACE, "without a date": "month <> 'unknown'", **_ALIKE},
    ),
    _question(
        "died",
        "runs that did not finish, the latest first: how far they came and what ended them",
        f"""
        SELECT started,
          coalesce(nullif(record_status, 'running'), nullif(status, 'finished'), 'silent')
          AS status,
          network, batch_size, host, last_epoch, num_epochs, error, file, run_id
        FROM {_FATES}
        WHERE is_dead
        ORDER BY started DESC NULLS LAST, file, run
        """,
    ),
    _question(
        "running",
        "runs that may still go on, and for how long their logs have been silent",
        f"""
        SELECT started, network, batch_size, host, last_epoch, num_epochs,
          round(silent_hours, 2) AS silent_hours, file, run_id
        FROM {_FATES}
        WHERE is_running
        ORDER BY silent_hours, file, run
        """,
    ),
    _question(
        "hosts",
        "the machines, slowest first: their pace against the median of like runs anywhere",
        f"""
        WITH like_runs AS (
        SELECT host, is_dead,
          CASE WHEN {" AND ".join(_ALIKE.values())} THEN
          pace / median(pace) OVER (PARTITION BY network, batch_size, dtype, kv_store) END
          AS relative
        FROM {_FATES})
        SELECT host, count(*) AS runs, count(relative) AS compared,
          round(100 * median(relative), 1) AS pace_percent,
          count(*) FILTER (WHERE is_dead) AS died
        FROM like_runs
        GROUP BY host
        ORDER BY pace_percent NULLS LAST, host
        """,
    ),
    _question(
        "accuracy",
        "the best validated accuracy of each network, and the run that reached it",
        f"""
        SELECT network, count(*) AS runs, max(accuracy) AS best_accuracy,
          median(accuracy) AS median_accuracy, arg_max(batch_size, accuracy) AS batch_size,
          arg_max(optimizer, accuracy) AS optimizer, arg_max(lr, accuracy) AS lr,
          arg_max(metric, accuracy) AS metric,
          arg_max(file, accuracy) AS file, arg_max(run_id, accuracy) AS run_id
        FROM {_ACCURACY}
        WHERE accuracy IS NOT NULL
        GROUP BY network
        ORDER BY network
        """,
        {"without a validated accuracy": f"{_VALIDATED} IS NOT NULL"},
    ),
    _question(
        "settings",
        "what was tried: each network's settings, with accuracy and pace",
        f"""
        SELECT {_KIND}, optimizer, lr, count(*) AS runs,
          count(*) FILTER (WHERE is_dead) AS died,
          max(accuracy) AS best_accuracy, round(median(pace), 1) AS median_samples_per_sec
        FROM {_FATES.replace("{runs}", _ACCURACY)}
        GROUP BY ALL
        ORDER BY network, runs DESC, batch_size, dtype, kv_store, optimizer, lr
        """,
    ),
    _question(
        "epochs",
        "how long an epoch takes, by network and batch size",
        """
        SELECT network, batch_size, count(*) AS epochs,
          round(median(time_cost), 2) AS median_seconds,
          round(quantile_cont(time_cost, 0.95), 2) AS slow_seconds
        FROM {runs} AS chosen JOIN main.epochs USING (run_id)
        WHERE time_cost IS NOT NULL
        GROUP BY network, batch_size
        ORDER BY network, batch_size
        """,
        {
            "without a timed epoch": (
                "run_id IN (SELECT e.run_id FROM main.epochs AS e WHERE e.time_cost IS NOT NULL)"
            )
        },
    ),
    _question(
        "diverged",
        "runs with a metric that became nan or infinite, and the first epoch of it",
        """
        SELECT started, network, batch_size, optimizer, lr, bad.split, bad.metric,
          min(bad.epoch) AS first_epoch, chosen.file, run_id
        FROM {runs} AS chosen JOIN main.metrics AS bad USING (run_id)
        WHERE NOT isfinite(bad.value)
        GROUP BY ALL
        ORDER BY started DESC NULLS LAST, chosen.file, run_id, bad.split, bad.metric
        """,
    ),
    _question(
        "noisy",
        "the 50 runs whose own pace is known worst: the width of its 95 % interval",
        """
        SELECT started, network, batch_size, host, windows,
          round(pace, 1) AS samples_per_sec,
          round(100 * (pace_high - pace_low) / pace, 2) AS interval_percent, file, run_id
        FROM {runs}
        WHERE {needs}
        ORDER BY interval_percent DESC, file, run
        LIMIT 50
        """,
        _PACE,
    ),
    _question(
        "months",
        "how much was trained in each month: runs, hours, machines, and what died",
        f"""
        SELECT month, count(*) AS runs,
          round(sum(epoch_ms(ended - started)) / 3.6e6, 1) AS hours,
          count(DISTINCT host) AS hosts, count(*) FILTER (WHERE is_dead) AS died
        FROM {_FATES}
        GROUP BY month
        ORDER BY month
        """,
    ),
    _question(
        "unread",
        "logs that could not be read, and why",
        f"""
        SELECT file, size, reason
        FROM sources
        WHERE reason IS NOT NULL AND (deleted IS NULL OR reads = {LOST})
        ORDER BY file
        """,
    ),
    _question(
        "findings",
        "what not to trust in the logs of runs: what was found in each, how often and where first",
        """
        WITH logs AS (SELECT DISTINCT file FROM {runs}),
        found AS (
        SELECT file, 'like a record' AS what, reason AS text, line FROM main.unparsed
        UNION ALL
        SELECT file, code, text, line FROM main.warnings)
        SELECT file, what, count(*) AS times, min(line) AS first_line, arg_min(text, line) AS first
        FROM logs JOIN found USING (file)
        GROUP BY file, what
        ORDER BY file, what
        """,
    ),
)


def find_question(name: str) -> Question:
    """The question of this name.

    Raises:
        QueryError: there is none.
    """
    for question in QUESTIONS:
        if question.name == name:
            return question
    known = ", ".join(question.name for question in QUESTIONS)
    raise QueryError(f"no question is named {name!r}; known: {known}")


def sql_of(question: Question, where: str | None = None) -> str:
    """What the question asks, of the runs that `where` is true of, in SQL.

    Raises:
        QueryError: the question is not of runs, and runs are chosen.
    """
    if where is not None and "{runs}" not in question.sql:
        raise QueryError(f"{question.name!r} asks of logs, and not of runs: --where does not apply")
    return question.sql.replace("{runs}", filtered(where))


def left_out_sql(question: Question, where: str | None = None) -> str | None:
    """What asks how many of these runs the question leaves out, by the reason; None if it has none.

    Raises:
        QueryError: as `sql_of`.
    """
    if not question.needs:
        return None
    reasons = " ".join(
        f"WHEN NOT ({condition}) THEN '{said}'" for said, condition in question.needs.items()
    )
    return f"""
SELECT CASE {reasons} END AS reason, count(*) AS runs
FROM {filtered(where)}
GROUP BY reason HAVING reason IS NOT NULL ORDER BY runs DESC, reason"""
