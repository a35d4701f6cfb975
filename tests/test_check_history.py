"""New runs judged against a ledger: verdicts, confirmation, drift, acceptance, likeness."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from fitlog import BaselineError, check
from fitlog.gate import format_judgement
from fitlog.ledger import Acceptance, accept, read_ledger
from speeds import HOST, levels_around, log_of, make_ledger, write_logs, write_run


def steady(folder: Path, count: int = 30, *, spread: float = 0.006) -> Path:
    logs = write_logs(folder / "logs", levels_around(1000, count, spread=spread))
    return make_ledger(folder, logs)


def new(folder: Path, *levels: float, seed: int = 900, **made: Any) -> list[Path]:
    return write_logs(folder / "new", levels, name="new", seed=seed, **made)


def test_a_run_like_its_history_passes(tmp_path: Path) -> None:
    judgement = check(new(tmp_path, 1000), history=steady(tmp_path))

    assert judgement.verdict == "pass"
    assert judgement.reference is not None
    assert judgement.reference.runs == judgement.reference.level_runs == 30
    assert judgement.spread == pytest.approx(0.0065, abs=0.002)


def test_a_slow_run_is_a_regression_and_a_fast_one_an_improvement(tmp_path: Path) -> None:
    ledger = steady(tmp_path)

    slow, fast = new(tmp_path, 940, 1060)

    assert check([slow], history=ledger).verdict == "regression"
    assert check([fast], history=ledger).verdict == "improved"


def test_a_suspicious_run_is_judged_together_with_two_more(tmp_path: Path) -> None:
    ledger = steady(tmp_path, spread=0.012)
    slow = new(tmp_path, 972, 970, 971)

    alone = check(slow[:1], history=ledger)
    together = check(slow, history=ledger)

    assert (alone.verdict, alone.suspect) == ("inconclusive", True)
    assert any("together with two more" in reason for reason in alone.reasons)
    assert (together.verdict, together.suspect) == ("regression", False)


def test_two_more_runs_at_the_level_clear_a_suspicious_one(tmp_path: Path) -> None:
    ledger = steady(tmp_path, spread=0.012)
    runs = new(tmp_path, 972, 1001, 1000)

    assert check(runs[:1], history=ledger).suspect
    assert check(runs, history=ledger).verdict == "pass"


def test_a_short_history_is_a_baseline_of_several_runs(tmp_path: Path) -> None:
    judgement = check(new(tmp_path, 1000, 1003, 998), history=steady(tmp_path, 5))

    assert judgement.verdict == "pass"
    assert judgement.reference is None
    assert len(judgement.baseline) == 5
    assert any("from 8 on, history tells" in reason for reason in judgement.reasons)


def test_with_a_baseline_the_history_only_tells_the_spread(tmp_path: Path) -> None:
    ledger = steady(tmp_path)
    old, slow = new(tmp_path, 800, 770)

    alone = check([slow], baseline=[old])
    told = check([slow], baseline=[old], history=ledger)

    assert alone.verdict == "inconclusive"
    assert told.verdict == "regression"
    assert told.effect == pytest.approx(-0.0375, abs=0.01)
    assert told.spread < 0.01 < alone.spread
    assert "as the 30 runs of" in told.spread_source


def test_a_level_that_came_down_in_small_steps_is_judged_by_the_best(tmp_path: Path) -> None:
    steps = [1000.0] * 10 + [975.0] * 10 + [950.0] * 10
    levels = [
        a * b / 1000 for a, b in zip(steps, levels_around(1000, 30, spread=0.004), strict=True)
    ]
    ledger = make_ledger(tmp_path, write_logs(tmp_path / "logs", levels))
    (run,) = new(tmp_path, 942)

    judgement = check([run], history=ledger)

    assert judgement.verdict == "regression"
    assert any("the level has come down from" in reason for reason in judgement.reasons)
    assert judgement.effect == pytest.approx(-0.058, abs=0.01)


def test_an_accepted_level_is_the_new_measure(tmp_path: Path) -> None:
    levels = levels_around(1000, 20, spread=0.005) + levels_around(900, 3, spread=0.005, seed=6)
    ledger = make_ledger(tmp_path, write_logs(tmp_path / "logs", levels))
    (run,) = new(tmp_path, 902)

    before = check([run], history=ledger)
    first_slow = read_ledger(ledger).entries[20].id
    accept(ledger, Acceptance(run=first_slow, reason="a new kernel", added="now", by="me"))
    after = check([run], history=ledger)

    assert before.verdict == "regression"
    assert after.verdict == "pass"
    assert after.reference is not None
    assert after.reference.level_runs == 3


def test_a_candidate_in_the_ledger_is_no_past_of_itself(tmp_path: Path) -> None:
    ledger = steady(tmp_path)
    candidate = tmp_path / "logs" / "old-07.log"

    judgement = check([candidate], history=ledger)

    assert judgement.reference is not None
    assert judgement.reference.runs == 29
    assert any("is left out of it" in reason for reason in judgement.reasons)


def test_contended_runs_of_the_history_do_not_count(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", levels_around(1000, 20, spread=0.006))
    logs += write_logs(tmp_path / "logs", [600.0] * 5, name="noisy", noise=0.2, seed=300)
    ledger = make_ledger(tmp_path, logs)

    judgement = check(new(tmp_path, 1000), history=ledger)

    assert judgement.verdict == "pass"
    assert judgement.reference is not None
    assert (judgement.reference.runs, judgement.reference.set_aside) == (20, 5)


def test_a_contended_candidate_is_set_aside_and_never_fails(tmp_path: Path) -> None:
    judgement = check(new(tmp_path, 500, noise=0.2), history=steady(tmp_path))

    assert judgement.verdict == "inconclusive"
    assert math.isnan(judgement.effect)
    assert "cannot be compared with the history" in format_judgement(judgement)


def test_a_run_that_is_left_of_several_must_be_the_more_certain(tmp_path: Path) -> None:
    ledger = steady(tmp_path, spread=0.012)
    spoilt = new(tmp_path, 700, 700, noise=0.2)
    (slow, slower) = write_logs(tmp_path / "more", [962.0, 930.0], seed=700)

    assert check([slow], history=ledger).verdict == "regression"
    assert check([slow, *spoilt], history=ledger).verdict == "inconclusive"
    assert check([slower, *spoilt], history=ledger).verdict == "regression"


def runs_of(
    folder: Path, count: int, *, level: float = 1000, seed: int = 40, **how: Any
) -> list[Path]:
    return [
        write_run(folder / f"run-{i:02}", log_of(one, seed + i), **how)
        for i, one in enumerate(levels_around(level, count, spread=0.006))
    ]


def test_a_run_that_did_not_get_its_processor_time_is_set_aside(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, runs_of(tmp_path / "runs", 12, share=1.0))
    slow = write_run(tmp_path / "slow", log_of(600, 3), share=0.6, load=3.5)

    judgement = check([slow], history=ledger)

    assert judgement.verdict == "inconclusive"
    assert "0.60 seconds of processor time a second, where 1.00 are usual" in (
        judgement.candidates[0].set_aside
    )
    assert "load 3.5 on 2 processors" in judgement.candidates[0].set_aside


def test_a_training_that_waits_for_its_data_is_slower_and_not_contended(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, runs_of(tmp_path / "runs", 12, share=1.0))
    slow = write_run(tmp_path / "slow", log_of(600, 3), share=0.6, load=3.5, data=0.38)

    judgement = check([slow], history=ledger)

    assert judgement.verdict == "regression"
    assert any("it waited for data 38% of the time" in reason for reason in judgement.reasons)


def test_less_processor_time_on_an_idle_machine_is_only_a_doubt(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, runs_of(tmp_path / "runs", 12, share=1.0))
    slow = write_run(tmp_path / "slow", log_of(600, 3), share=0.6, load=0.7)

    judgement = check([slow], history=ledger)

    assert judgement.verdict == "regression"
    assert any("nothing tells whether the machine was busy" in r for r in judgement.reasons)


def test_a_training_that_waits_in_callbacks_is_not_contended_however_high_the_load(
    tmp_path: Path,
) -> None:
    quiet = runs_of(tmp_path / "runs", 12, share=0.97, callbacks=0.02)
    ledger = make_ledger(tmp_path, quiet)
    slow = write_run(tmp_path / "slow", log_of(600, 3), share=0.6, load=3.5, callbacks=0.39)

    judgement = check([slow], history=ledger)

    assert judgement.verdict == "regression"
    assert any("it waited in 'callbacks' 39% of the time" in reason for reason in judgement.reasons)


def test_callbacks_that_take_their_usual_part_do_not_excuse_a_busy_machine(tmp_path: Path) -> None:
    usual = runs_of(tmp_path / "runs", 12, share=1.0, callbacks=0.3)
    ledger = make_ledger(tmp_path, usual)
    slow = write_run(tmp_path / "slow", log_of(600, 3), share=0.6, load=3.5, callbacks=0.3)

    judgement = check([slow], history=ledger)

    assert judgement.verdict == "inconclusive"
    assert "a busy machine (load 3.5" in judgement.candidates[0].set_aside


def test_a_ledger_that_knows_no_pauses_is_read(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, runs_of(tmp_path / "runs", 12, share=1.0))
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    for line in lines:
        del line["usage"]["pauses"]
    ledger.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    slow = write_run(tmp_path / "slow", log_of(600, 3), share=0.6, load=3.5, callbacks=0.3)

    assert check([slow], history=ledger).verdict == "inconclusive"
    assert read_ledger(ledger).doubts == ()


def test_runs_of_another_machine_are_refused_with_what_differs(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, runs_of(tmp_path / "runs", 10))
    other = write_run(tmp_path / "other", log_of(1000, 3), host={**HOST, "cpu": "B"})

    with pytest.raises(BaselineError, match=r"cpu is 'B' here and 'A' there .*--ignore NAME"):
        check([other], history=ledger)

    assert check([other], history=ledger, ignore=["cpu"]).verdict == "pass"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"arguments": {"network": "mlp", "batch_size": 64}}, "network is 'mlp'"),
        ({"arguments": {"network": "lenet", "batch_size": 32}}, "batch_size is '32'"),
        ({"mxnet": "1.8.0"}, "mxnet is '1.8.0'"),
        ({"host": {**HOST, "environment": {}}}, "environment is not set here"),
        ({"host": {**HOST, "cpus_allowed": 1}}, "cpus_allowed is '1'"),
    ],
)
def test_unlike_settings_are_refused(how: dict[str, Any], told: str, tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, runs_of(tmp_path / "runs", 2))
    other = write_run(tmp_path / "other", log_of(1000, 3), **how)

    with pytest.raises(BaselineError, match=told):
        check([other], history=ledger)


def test_only_like_runs_of_a_mixed_ledger_are_compared(tmp_path: Path) -> None:
    fast = {"network": "mlp", "batch_size": 64}
    logs = runs_of(tmp_path / "lenet", 10)
    logs += runs_of(tmp_path / "mlp", 12, level=5000, arguments=fast)
    ledger = make_ledger(tmp_path, logs)
    run = write_run(tmp_path / "new", log_of(5000, 3), arguments=fast)

    judgement = check([run], history=ledger)

    assert judgement.verdict == "pass"
    assert judgement.reference is not None
    assert judgement.reference.runs == 12


def test_a_bare_log_among_runs_of_two_kinds_is_refused(tmp_path: Path) -> None:
    host = {key: HOST[key] for key in ("cpu", "machine", "cpus_allowed")}
    logs = runs_of(tmp_path / "lenet", 3, host=host)
    logs += runs_of(tmp_path / "mlp", 3, seed=80, arguments={"network": "mlp"}, host=host)
    ledger = make_ledger(tmp_path, logs)

    with pytest.raises(BaselineError, match=r"of several kinds .* network is"):
        check(new(tmp_path, 1000), history=ledger, ignore=["cpu", "machine", "cpus_allowed"])


def test_series_keep_apart_what_logs_do_not_tell(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", levels_around(1000, 10))
    ledger = make_ledger(tmp_path, logs, series="r50")
    run = new(tmp_path, 1000)

    with pytest.raises(BaselineError, match="series is 'resnet50' here and 'r50' there"):
        check(run, history=ledger, series="resnet50")
    with pytest.raises(BaselineError, match="series is not set here and 'r50' there"):
        check(run, history=ledger)

    assert check(run, history=ledger, series="r50").verdict == "pass"


def test_a_baseline_of_other_settings_is_refused_too(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", log_of(1000, 1))
    other = write_run(tmp_path / "two", log_of(1000, 2), arguments={"batch_size": 32})

    with pytest.raises(BaselineError, match="are not alike: batch_size is '64' here"):
        check([one], baseline=[other])

    assert check([one], baseline=[other], ignore=["batch_size"]).verdict != "regression"


def test_a_baseline_of_another_mxnet_is_compared_and_that_is_said(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", log_of(1000, 1))
    other = write_run(tmp_path / "two", log_of(1000, 2), mxnet="1.8.0")

    judgement = check([one], baseline=[other])

    assert any("mxnet is '1.9.1' here and '1.8.0' there" in r for r in judgement.reasons)


def test_the_judgement_as_plain_data_has_the_history(tmp_path: Path) -> None:
    plain = check(new(tmp_path, 1000), history=steady(tmp_path)).to_dict()

    assert plain["reference"]["level"] == pytest.approx(1000, rel=0.02)
    assert plain["measure"] == "pace"
    assert plain["better"] == "higher"
    assert len(plain["baseline"]) == 30


def test_speeds_as_far_apart_as_numbers_go_are_judged() -> None:
    slow = re.sub(rb"Speed: \S+", b"Speed: 0.01", log_of(1))
    fast = re.sub(rb"Speed: \S+", b"Speed: %.2f" % 1e308, log_of(1, 2))

    assert check([slow], baseline=[fast]).verdict == "regression"
    assert check([fast], baseline=[slow]).verdict == "improved"
