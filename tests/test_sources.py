"""Where logs come from, and what is said when one does not come."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fitlog import LogError, UnknownDialectError, read_log, read_logs
from support import SAMPLES, Fitlog

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

    with pytest.raises(LogError, match=r'pip install "backports.zstd'):
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


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_what_lies_behind_a_compressed_log_is_read_or_doubted(
    compress: Callable[[bytes], bytes],
) -> None:
    first, padding = compress(b"Epoch[0] Time cost=1.000\n"), b"\0" * 512
    second = compress(b"Epoch[1] Time cost=2.000\n")
    broken = bytearray(second)
    broken[len(second) // 2] ^= 0xFF

    assert len(read_log(first + second).events) == 2
    assert len(read_log(first + padding + second + padding).events) == 2
    for behind in (bytes(broken), second[:-9], second[:3], b"garbage\n", padding + b"garbage\n"):
        log = read_log(first + behind)

        assert log.events["value"].tolist()[:1] == [1.0]
        assert log.warnings["code"].tolist() == ["damaged"]


class Slow(io.RawIOBase):
    """A pipe that gives one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._left = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._left.read(1)
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, bz2.compress])
@pytest.mark.parametrize("text", [TEXT[:58], b"BEpoch[0] Time cost=1.000\n", b"BZ", b""])
def test_a_pipe_that_gives_little_at_a_time_is_read_as_any(
    text: bytes, compress: Callable[[bytes], bytes]
) -> None:
    log = read_log(io.BufferedReader(Slow(compress(text))))

    assert (log.lines, len(log.events)) == (len(text.splitlines()), text.count(b"cost"))


def test_what_unpacks_to_absurdly_much_is_bounded_also_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fitlog.sources._ALWAYS_BYTES", 1 << 20)
    bomb = b"Epoch[0] Time cost=1.000\n" + b"\n" * (60 << 20)

    log = read_log(io.BufferedReader(Slow(bz2.compress(bomb))))

    assert log.lines < 4 << 20
    assert "unpacks to more than 250 times its size" in log.warnings["text"].iloc[0]


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


def test_a_folder_stands_for_the_logs_in_it_and_below(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    names = ["z.log", "b/run.log.1", "b/a.txt.gz", "b/picture.png", "b/log"]
    for i, name in enumerate(names):
        line = f"Epoch[{i}] Time cost=1.000\n".encode()
        (tmp_path / name).write_bytes(gzip.compress(line) if name.endswith("gz") else line)

    tables = read_logs([tmp_path])

    assert [Path(name).name for name in tables.events["file"]] == ["a.txt.gz", "run.log.1", "z.log"]


def test_a_glob_stands_for_the_logs_that_it_matches(tmp_path: Path) -> None:
    for name in ("b.log", "a.log", "c.txt"):
        (tmp_path / name).write_text("Epoch[0] Time cost=1.000\n")

    tables = read_logs([f"{tmp_path}/*.log"])

    assert [Path(name).name for name in tables.events["file"]] == ["a.log", "b.log"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    log = tmp_path / "run[1].log"
    log.write_text("Epoch[0] Time cost=1.000\n")

    assert len(read_logs([log]).events) == 1


def test_a_folder_or_a_glob_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"is a folder without a log .*\("):
        read_logs([tmp_path])
    with pytest.raises(LogError, match=r"matches no file \("):
        read_logs([f"{tmp_path}/*.log"])
    (tmp_path / "run").mkdir()
    with pytest.raises(LogError, match=r"matches no file, but folders: say .*/\*/\*\.log \("):
        read_logs([f"{tmp_path}/*"])


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_what_unpacks_to_absurdly_much_is_read_up_to_a_bound(
    compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitlog.sources._ALWAYS_BYTES", 100_000)
    bomb = compress(b"Epoch[0] Time cost=1.000\n" + b"\n" * 20_000_000)

    log = read_log(bomb)

    assert 100_000 <= log.lines < 20_000_000
    assert len(log.events) == 1
    assert log.warnings["code"].tolist() == ["damaged"]
    assert "more than 250 times its size" in log.warnings["text"].iloc[0]


def test_an_xz_log_that_asks_for_much_memory_is_refused(fitlog: Fitlog, tmp_path: Path) -> None:
    greedy = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 512 << 20}
    path = tmp_path / "run.log.xz"
    path.write_bytes(lzma.compress(TEXT, filters=[greedy]))
    reason = "it asks for more than 256 MiB of memory: unpack it yourself, and read it then"
    message = f"is damaged: {reason} ({path})"

    with pytest.raises(LogError) as caught:
        read_log(path)
    done = [fitlog("parse", path), fitlog("check", SAMPLES / "long.log", "--baseline", path)]

    assert str(caught.value) == message
    assert [(each.returncode, each.stderr) for each in done] == [(2, f"fitlog: {message}\n")] * 2


def test_an_xz_log_that_was_compressed_as_well_as_can_be_is_read() -> None:
    assert read_log(lzma.compress(TEXT, preset=9 | lzma.PRESET_EXTREME)).lines == 1000


def test_a_log_that_compresses_well_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fitlog.sources._ALWAYS_BYTES", 1000)
    text = b"".join(b"Epoch[%d] Time cost=%d.000\n" % (i, i) for i in range(2000))

    assert len(read_log(gzip.compress(text)).events) == 2000


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_nearly_all_that_stands_before_the_damage_is_read(
    compress: Callable[[bytes], bytes],
) -> None:
    text = "".join(f"Epoch[{i}] Time cost={i**3 % 99991}.000\n" for i in range(20_000)).encode()
    packed = bytearray(compress(text))
    damage = len(packed) * 9 // 10
    packed[damage : damage + 20] = b"\xff" * 20

    log = read_log(bytes(packed))

    assert len(log.events) > 0.85 * 20_000
    # What is damaged may unpack to other text for a while, before it is noticed.
    sound = log.events["value"].tolist()[:-100]
    assert sound == [i**3 % 99991 for i in range(len(sound))]
    assert "damaged" in log.warnings["code"].tolist()


def test_a_damaged_block_of_bzip2s_gives_nothing_and_those_before_all() -> None:
    text = "".join(f"Epoch[{i}] Time cost={i}.000\n" for i in range(80_000)).encode()
    packed = bytearray(bz2.compress(text))
    packed[-60:-40] = b"\xff" * 20

    log = read_log(bytes(packed))

    assert 0 < len(log.events) < 80_000
    assert log.events["value"].tolist() == list(range(len(log.events)))
    assert log.warnings["code"].tolist() == ["damaged"]
