"""Where logs come from, and what is said when one does not come."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fitlog import LogError, UnknownDialectError, read_log

ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
TEXT = b"Epoch[0] Train-accuracy=0.500000\nEpoch[0] Time cost=1.000\n" * 500


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_a_compressed_log_is_told_by_its_first_bytes(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "run.log"
    path.write_bytes(compress(TEXT))

    assert read_log(path).lines == 1000


def test_zstd_is_opened(tmp_path: Path) -> None:
    zstd = pytest.importorskip(ZSTD)
    path = tmp_path / "run.log.zst"
    path.write_bytes(zstd.compress(TEXT))

    assert read_log(path).lines == 1000


def test_a_damaged_zstd_log_is_an_error() -> None:
    zstd = pytest.importorskip(ZSTD)
    whole = bytearray(zstd.compress(TEXT))
    whole[8:16] = b"\xff" * 8

    with pytest.raises(LogError, match="is damaged: "):
        read_log(bytes(whole))


def test_without_zstd_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, ZSTD, None)

    with pytest.raises(LogError, match=r"pip install backports\.zstd"):
        read_log(b"\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00\x99\xe9\xd8\x51")


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_a_compressed_log_that_ends_early_gives_what_it_holds(
    compress: Callable[[bytes], bytes],
) -> None:
    text = b"".join(b"Epoch[%d] Time cost=%d.000\n" % (i, i**3 % 99_991) for i in range(90_000))
    whole = compress(text)

    log = read_log(whole[: len(whole) // 2])

    assert 10_000 < len(log.events) < 80_000
    assert log.warnings["code"].tolist() == ["damaged"]


def test_a_compressed_log_damaged_from_its_start_is_an_error() -> None:
    with pytest.raises(LogError, match="is damaged: "):
        read_log(gzip.compress(TEXT)[:15])


def test_an_open_file_is_read_and_left_open() -> None:
    file = io.BytesIO(TEXT)

    assert read_log(file).lines == 1000
    assert not file.closed


def test_a_text_file_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="open it with mode 'rb'"):
        read_log(io.StringIO("Epoch[0] Time cost=1.000\n"))  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize("data", [b"\x00\x01\x02\xff" * 300, b"PK\x03\x04\x14\x00\x00\x00"])
def test_binary_data_are_no_log(data: bytes) -> None:
    with pytest.raises(LogError, match="is binary data, not a log"):
        read_log(data)


def test_a_log_with_a_hole_of_nul_bytes_is_read() -> None:
    log = read_log(TEXT + b"\0" * 4096 + TEXT)

    assert log.events["kind"].value_counts().to_dict() == {"time_cost": 1000}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        LogError, match=r"cannot be opened: no such file or directory \(.*/no\.log\)"
    ):
        read_log(tmp_path / "no.log")


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="is a directory"):
        read_log(tmp_path)


def test_a_dialect_can_be_chosen_and_must_exist() -> None:
    assert read_log(TEXT, dialect="module").lines == 1000
    with pytest.raises(UnknownDialectError, match="known: module"):
        read_log(TEXT, dialect="keras")
