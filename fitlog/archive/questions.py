"""Questions that people with many logs ask, as SQL over an archive's tables.

Each stands over `{runs}`: the table of runs, or those of them that somebody chose. It is the first
of the tables that are joined, for a condition on runs could see the columns of those before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
  status = 'cut' AND coalesce(record_status, 'running') = 'running'
    AND coalesce(abs(silent_hours) < 24, false) AS is_running,
  (status <> 'finished' OR coalesce(record_status, 'finished') <> 'finished')
    AND NOT is_running AS is_dead
FROM {runs} AS chosen LEFT JOIN (SELECT file, version FROM main.sources) USING (file))"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A ready question: `text` is what it answers."""

    name: str
    text: str
    sql: str


def _question(name: str, text: str, sql: str) -> Question:
    lines = (line.strip() for line in sql.strip().splitlines())
    return Question(name=name, text=text, sql="\n".join(lines))


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
        WHERE pace IS NOT NULL
        GROUP BY network, batch_size
        ORDER BY network, batch_size
        """,
    ),
    _question(
        "regressions",
        "runs slower by 5 % than the median of up to ten like them before, the latest first",
        """
        WITH like_runs AS (
        SELECT *, median(pace) OVER earlier AS before, count(*) OVER earlier AS earlier_runs
        FROM {runs}
        WHERE pace IS NOT NULL AND started IS NOT NULL
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
    ),
    _question(
        "trend",
        "the pace of each network and batch size by month, and its change",
        """
        WITH months AS (
        SELECT network, batch_size, month, count(*) AS runs, median(pace) AS pace
        FROM {runs}
        WHERE pace IS NOT NULL AND month <> 'unknown'
        GROUP BY network, batch_size, month)
        SELECT network, batch_size, month, runs, round(pace, 1) AS median_samples_per_sec,
          round(100 * (pace / lag(pace) OVER (PARTITION BY network, batch_size ORDER BY month) - 1),
          1) AS change_percent
        FROM months
        ORDER BY network, batch_size, month
        """,
    ),
    _question(
        "died",
        "runs that did not finish, the latest first: how far they came and what ended them",
        f"""
        SELECT started, coalesce(record_status, status) AS status, network, batch_size, host,
          last_epoch, num_epochs, error, file, run_id
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
          pace / median(pace) OVER (PARTITION BY network, batch_size, dtype, kv_store) AS relative
        FROM {_FATES})
        SELECT host, count(*) AS runs, round(100 * median(relative), 1) AS pace_percent,
          count(*) FILTER (WHERE is_dead) AS died
        FROM like_runs
        GROUP BY host
        ORDER BY pace_percent NULLS LAST, host
        """,
    ),
    _question(
        "accuracy",
        "the best validated accuracy of each network, and the run that reached it",
        """
        SELECT network, count(*) AS runs, max(accuracy) AS best_accuracy,
          median(accuracy) AS median_accuracy, arg_max(batch_size, accuracy) AS batch_size,
          arg_max(optimizer, accuracy) AS optimizer, arg_max(lr, accuracy) AS lr,
          arg_max(file, accuracy) AS file, arg_max(run_id, accuracy) AS run_id
        FROM (SELECT *, best['validation-accuracy'] AS accuracy FROM {runs})
        WHERE accuracy IS NOT NULL
        GROUP BY network
        ORDER BY network
        """,
    ),
    _question(
        "settings",
        "what was tried: each network's settings, with accuracy and pace",
        f"""
        SELECT {_KIND}, optimizer, lr, count(*) AS runs,
          count(*) FILTER (WHERE is_dead) AS died,
          max(best['validation-accuracy']) AS best_accuracy,
          round(median(pace), 1) AS median_samples_per_sec
        FROM {_FATES}
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
        "runs whose own pace is known worst: the width of its 95 % interval",
        """
        SELECT started, network, batch_size, host, windows,
          round(pace, 1) AS samples_per_sec,
          round(100 * (pace_high - pace_low) / pace, 2) AS interval_percent, file, run_id
        FROM {runs}
        WHERE pace IS NOT NULL
        ORDER BY interval_percent DESC, file, run
        LIMIT 50
        """,
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
        "logs that could not be read, or not wholly, and why",
        """
        SELECT file, 'not read' AS what, 1 AS times, reason AS first
        FROM sources
        WHERE reason IS NOT NULL
        UNION ALL
        SELECT file, 'like a record', count(*), arg_min(reason, line) FROM unparsed GROUP BY file
        UNION ALL
        SELECT file, code::VARCHAR, count(*), arg_min(text, line) FROM warnings GROUP BY file, code
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
