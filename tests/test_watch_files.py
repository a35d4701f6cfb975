"""Which logs are found and followed where a folder is watched."""

from __future__ import annotations

from pathlib import Path

from fitlog.watch_files import Watch


def test_a_link_that_leads_nowhere_does_not_hide_the_other_logs(tmp_path: Path) -> None:
    (tmp_path / "round.log").symlink_to("round.log")
    (tmp_path / "gone.log").symlink_to("nowhere.log")
    (tmp_path / "train.log").write_text("Epoch[0] Train-accuracy=0.5\n", "utf-8")

    watch = Watch([str(tmp_path)])
    while not watch.poll():
        pass

    assert [run.name for run in watch.runs] == ["train.log"]
    watch.close()
