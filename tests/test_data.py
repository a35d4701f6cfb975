"""What `fitlog run` trains with: data of every kind, parts of them, and what is wrong with them."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitlog.errors import TrainingError
from fitlog.run.data import Data, open_data
from fitlog.run.settings import RunOptions

RANDOM = np.random.default_rng(1)
IMAGES = RANDOM.integers(0, 256, (30, 4, 5), "uint8")
LABELS = np.arange(30) % 3


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_npz(**arrays: Any) -> None:
    np.savez("d.npz", **arrays)


def write_csv(rows: Any, header: str = "", path: str = "d.csv") -> None:
    np.savetxt(path, rows, fmt="%d", delimiter=",", header=header, comments="")


def write_idx(name: str, array: Any, *, zipped: bool = False) -> None:
    data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    data += array.astype("uint8").tobytes()
    path = Path("m", f"{name}-idx{array.ndim}-ubyte{'.gz' if zipped else ''}")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(data) if zipped else data)


def write_rec(mx: Any, images: Any, labels: Any, path: str = "d.rec") -> None:
    from PIL import Image

    record = mx.recordio.MXRecordIO(path, "w")
    for image, label in zip(images, labels, strict=True):
        file = io.BytesIO()
        Image.fromarray(image).convert("RGB").save(file, "PNG")
        header = mx.recordio.IRHeader(0, float(label), 0, 0)
        record.write(mx.recordio.pack(header, file.getvalue()))
    record.close()


def opened(mx: Any, part: int = 0, num_parts: int = 1, **options: Any) -> Data:
    settings: dict[str, Any] = {"batch_size": 8, "network": "mlp", **options}
    return open_data(mx, RunOptions(**settings), part=part, num_parts=num_parts)


def epoch_of(iterator: Any) -> tuple[Any, Any]:
    """Images and labels of one epoch, without what fills up the last batch."""
    images, labels = [], []
    iterator.reset()
    for batch in iterator:
        count = len(batch.label[0]) - (batch.pad or 0)
        images.append(batch.data[0].asnumpy()[:count])
        labels.append(batch.label[0].asnumpy()[:count])
    return np.concatenate(images), np.concatenate(labels)


def sorted_rows(images: Any, labels: Any) -> Any:
    """A row for each sample, in an order that does not depend on theirs; whole numbers."""
    rows = np.c_[np.rint(images.reshape(len(images), -1) * 255), labels].astype(int)
    return rows[np.lexsort(rows.T)]


EXPECTED = sorted_rows(IMAGES / 255, LABELS)


def check_all(data: Data, image_shape: tuple[int, ...]) -> None:
    """All of IMAGES, in a new order with each epoch, with pixels from 0 to 1."""
    first, second = epoch_of(data.train), epoch_of(data.train)
    np.testing.assert_array_equal(sorted_rows(*first), EXPECTED)
    np.testing.assert_array_equal(sorted_rows(*second), EXPECTED)
    assert not np.array_equal(first[0], second[0])
    assert (data.image_shape, data.num_classes) == (image_shape, 3)
    assert (data.samples, data.batches_per_epoch) == (30, 4)


def test_csv_files_hold_a_sample_a_row_with_the_label_last(mx: Any) -> None:
    write_csv(np.c_[IMAGES.reshape(30, -1), LABELS])

    data = opened(mx, data="csv:d.csv")

    check_all(data, (20,))
    assert data.validation is None
    assert opened(mx, data="csv:d.csv", image_shape=(1, 4, 5)).image_shape == (1, 4, 5)


def test_a_header_names_the_label_and_the_file_may_be_compressed(mx: Any) -> None:
    header = "Label," + ",".join(f"pixel{i}" for i in range(20))
    write_csv(np.c_[LABELS, IMAGES.reshape(30, -1)], header, "d.csv.gz")

    check_all(opened(mx, data="csv:d.csv.gz"), (20,))


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (IMAGES, (1, 4, 5)),
        (IMAGES[:, None], (1, 4, 5)),
        (IMAGES[..., None], (1, 4, 5)),
        (IMAGES.reshape(30, 20), (20,)),
        (IMAGES / 255, (1, 4, 5)),
        (IMAGES.astype("int64"), (1, 4, 5)),
    ],
)
def test_npz_files_hold_images_of_several_layouts(
    images: Any, shape: tuple[int, ...], mx: Any
) -> None:
    write_npz(images=images, labels=LABELS[:, None])

    data = opened(mx, data="npz:d.npz")

    assert IMAGES.max() == 255  # by which whole numbers of any type are divided
    check_all(data, shape)


def test_kerass_arrays_bring_their_validation_data(mx: Any) -> None:
    write_npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:7], y_test=LABELS[:7])

    data = opened(mx, data="npz:d.npz")

    check_all(data, (1, 4, 5))
    found = sorted_rows(*epoch_of(data.validation))
    np.testing.assert_array_equal(found, sorted_rows(IMAGES[:7] / 255, LABELS[:7]))


@pytest.mark.parametrize("zipped", [False, True])
def test_mnists_files_are_read_as_they_are_distributed(zipped: bool, mx: Any) -> None:
    write_idx("train-images", IMAGES, zipped=zipped)
    write_idx("train-labels", LABELS, zipped=zipped)
    assert opened(mx, data="mnist:m").validation is None
    write_idx("t10k-images", IMAGES[:7], zipped=zipped)
    write_idx("t10k-labels", LABELS[:7], zipped=zipped)

    data = opened(mx, data="mnist:m")

    check_all(data, (1, 4, 5))
    assert len(epoch_of(data.validation)[1]) == 7


def test_record_files_are_read_by_mxnets_iterator(mx: Any) -> None:
    write_rec(mx, IMAGES, LABELS)
    write_rec(mx, IMAGES[:7], LABELS[:7], "v.rec")

    data = opened(mx, data="rec:d.rec", data_val="rec:v.rec", image_shape=(3, 4, 5))

    assert (data.num_classes, data.samples, data.batches_per_epoch) == (3, 30, 4)
    batches = [batch.data[0].shape for batch in data.train]
    assert batches == [(8, 3, 4, 5)] * 4
    for _ in range(2):
        images, labels = epoch_of(data.validation)
        assert labels.tolist() == LABELS[:7].tolist()
        np.testing.assert_allclose(images[:, 1], IMAGES[:7] / 255, atol=1e-6)


def test_a_validation_by_a_record_file_is_the_same_each_time(mx: Any) -> None:
    images = np.zeros((131, 2, 2), "uint8")
    write_rec(mx, images, np.arange(131))
    data = opened(mx, data="rec:d.rec", data_val="rec:d.rec", image_shape=(1, 2, 2))

    epochs = [epoch_of(data.validation)[1].tolist() for _ in range(3)]

    assert epochs == [list(range(130))] * 3


def test_epochs_of_a_record_file_are_equally_long_and_draw_each_image_in_turn(mx: Any) -> None:
    write_rec(mx, IMAGES, LABELS)
    data = opened(mx, data="rec:d.rec", image_shape=(1, 4, 5))

    epochs = []
    for _ in range(4):
        data.train.reset()
        epochs.append([batch.label[0].asnumpy() for batch in data.train])

    assert [len(epoch) for epoch in epochs] == [4] * 4
    assert set(np.concatenate(epochs[0])) == {0, 1, 2}
    assert not np.array_equal(epochs[0], epochs[1])


def test_the_order_of_a_record_file_comes_from_the_seed(mx: Any) -> None:
    write_rec(mx, IMAGES, np.arange(30))

    def order(seed: int) -> list[float]:
        train = opened(mx, data="rec:d.rec", image_shape=(1, 4, 5), seed=seed).train
        return [*epoch_of(train)[1], *epoch_of(train)[1]]

    assert order(3) == order(3)
    assert order(3) != order(4)


def test_images_of_a_record_file_are_cut_to_their_middle_or_scaled_up(mx: Any) -> None:
    images = np.zeros((4, 6, 6), "uint8")
    images[:, 1:5, 1:5] = 255
    write_rec(mx, images, [0, 1, 0, 1])

    cut, scaled = (
        opened(mx, data="rec:d.rec", batch_size=4, image_shape=(1, size, size)) for size in (4, 12)
    )

    assert (epoch_of(cut.train)[0] == 1).all()
    found = epoch_of(scaled.train)[0]
    assert found[:, :, 4:8, 4:8].min() == 1
    assert found[:, :, :2].max() < 0.5


@pytest.mark.parametrize("source", ["digits", "synthetic", "npz:d.npz"])
@pytest.mark.parametrize("num_parts", [2, 3, 4])
def test_parts_share_no_sample_and_have_equally_many_batches(
    source: str, num_parts: int, mx: Any
) -> None:
    images = np.arange(50).repeat(4).reshape(50, 2, 2)
    write_npz(images=images, labels=np.arange(50) % 2)

    parts = [opened(mx, part, num_parts, data=source) for part in range(num_parts)]

    samples = [{image.tobytes() for image in epoch_of(part.train)[0]} for part in parts]
    whole = opened(mx, data=source).samples
    assert len({part.batches_per_epoch for part in parts}) == 1
    assert [part.samples for part in parts] == [whole // num_parts] * num_parts
    assert len(set.union(*samples)) == sum(map(len, samples)) == whole // num_parts * num_parts


def test_parts_of_a_record_file_share_no_image_and_have_equally_many_batches(mx: Any) -> None:
    write_rec(mx, IMAGES, np.arange(30))

    parts = [
        opened(mx, part, 2, data="rec:d.rec", image_shape=(1, 4, 5), batch_size=5)
        for part in range(2)
    ]

    labels = [set(epoch_of(part.train)[1]) for part in parts]
    assert [part.batches_per_epoch for part in parts] == [3, 3]
    assert not labels[0] & labels[1]
    assert {len(found) for found in labels} == {15}


def test_a_share_of_the_data_validates_and_always_the_same(mx: Any) -> None:
    write_npz(images=IMAGES, labels=LABELS)

    data = opened(mx, data="npz:d.npz", val_share=0.2)
    again = opened(mx, data="npz:d.npz", val_share=0.2, seed=1)

    train, validation = epoch_of(data.train), epoch_of(data.validation)
    assert (len(train[1]), len(validation[1])) == (24, 6)
    both = [np.concatenate(pair) for pair in zip(train, validation, strict=True)]
    np.testing.assert_array_equal(sorted_rows(*both), EXPECTED)
    np.testing.assert_array_equal(epoch_of(again.validation)[0], validation[0])


def test_what_validates_is_scaled_as_what_trains(mx: Any) -> None:
    write_npz(images=IMAGES, labels=LABELS)
    dark = IMAGES.reshape(30, -1) // 4
    write_csv(np.c_[dark, LABELS])

    data = opened(mx, data="npz:d.npz", data_val="csv:d.csv")

    found = sorted_rows(*epoch_of(data.validation))
    np.testing.assert_array_equal(found, sorted_rows(dark / 255, LABELS))


@pytest.mark.parametrize(("count", "counted"), [(7, 7), (360, 360), (1009, 1008), (131, 130)])
def test_a_validation_counts_no_image_twice(count: int, counted: int, mx: Any) -> None:
    images = np.arange(count).repeat(2).reshape(count, 2) / count
    np.savez("v.npz", images=images, labels=np.arange(count) % 3)
    write_npz(images=np.ones((20, 2)), labels=np.arange(20) % 3)

    data = opened(mx, data="npz:d.npz", data_val="npz:v.npz")

    validation: Any = data.validation
    for _ in range(2):
        validation.reset()
        batches = list(validation)
        assert sum(batch.pad for batch in batches) == 0
        seen = np.concatenate([batch.data[0].asnumpy() for batch in batches])
        assert len(np.unique(seen[:, 0])) == len(seen) == counted


def test_so_many_examples_are_trained_with(mx: Any) -> None:
    write_npz(images=IMAGES, labels=LABELS)

    data = opened(mx, data="npz:d.npz", num_examples=17)

    assert (data.samples, data.batches_per_epoch) == (17, 3)
    assert set(epoch_of(data.train)[1]) == {0, 1, 2}
    with pytest.raises(TrainingError, match=r"--num-examples 31: npz:d.npz has no more than 30"):
        opened(mx, data="npz:d.npz", num_examples=31)


def test_synthetic_images_are_the_same_each_time_and_can_be_learned(mx: Any) -> None:
    shape, count = (2, 3, 3), 40

    first, again = (
        opened(mx, data="synthetic", image_shape=shape, num_classes=4, num_examples=count)
        for _ in range(2)
    )

    images, labels = epoch_of(first.validation)
    np.testing.assert_array_equal(epoch_of(again.validation)[0], images)
    assert (first.samples, len(labels), first.num_classes) == (40, 8, 4)
    means = [images[labels == k].mean(axis=0).mean(axis=0) for k in range(4)]
    assert all(np.abs(a - b).max() > 0.5 for a in means for b in means if a is not b)


def test_a_benchmark_hands_out_one_batch_again_and_again(mx: Any) -> None:
    data = opened(mx, benchmark=True, network="resnet20", num_examples=20)

    batches = list(data.train)
    data.train.reset()

    assert (data.batches_per_epoch, data.samples, len(batches)) == (3, 24, 3)
    assert len(list(data.train)) == 3
    assert all(batch.data[0] is batches[0].data[0] for batch in batches)
    assert batches[0].data[0].shape == (8, 3, 32, 32)
    assert data.validation is None
    assert opened(mx, benchmark=True).batches_per_epoch == 100


def _bad_npz(**arrays: Any) -> Callable[[], None]:
    return lambda: write_npz(**arrays)


def _bad_file(path: str, content: bytes) -> Callable[[], object]:
    def write() -> None:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_bytes(content)

    return write


FRAME = struct.pack("<II", 0xCED7230A, 24)
ONE_PIXEL = FRAME + struct.pack("<IfQQ", 0, 0.5, 0, 0)


@pytest.mark.parametrize(
    ("write", "source", "message"),
    [
        (None, "csv:no.csv", "no.csv: cannot be read: No such file or directory"),
        (None, "npz:no.npz", "no.npz: cannot be read: No such file or directory"),
        (None, "mnist:no", "no: not a folder; mnist: needs that of the idx files"),
        (None, "rec:no.rec", "no.rec: cannot be read: No such file or directory"),
        (None, "csv:.", ".: cannot be read: Is a directory"),
        (None, "rec:.", ".: cannot be read: Is a directory"),
        (None, "mnist:.", ".: no train-images-idx3-ubyte and train-labels-idx1-ubyte"),
        (_bad_file("d.csv", b""), "csv:d.csv", "d.csv: is not a table of numbers, one image a row"),
        (_bad_file("d.csv", b"1,2,0\n1,2\n1,2,0\n"), "csv:d.csv", "d.csv, row 2, column 2: nan is"),
        (_bad_file("d.csv", b"1,2\n1,2,3,4\n"), "csv:d.csv", "d.csv: is not a table of numbers"),
        (
            _bad_file("d.csv", b"1,2,0\n1,x,0\n"),
            "csv:d.csv",
            "d.csv, row 2, column 1: 'x'",
        ),
        (_bad_file("d.csv", b"a,label\n"), "csv:d.csv", "d.csv: there are no images in it"),
        (_bad_file("d.csv", b"a,label\n1,0\n?,1\n"), "csv:d.csv", "d.csv, row 3, column a: '?'"),
        (_bad_file("d.csv", b"1\n2\n"), "csv:d.csv", "d.csv: one column; a row must hold"),
        (_bad_file("d.csv", b"1,2,0.5\n"), "csv:d.csv", "d.csv: labels must be whole numbers from"),
        (_bad_file("d.csv", b"1,2,-1\n"), "csv:d.csv", "d.csv: labels must be whole numbers from"),
        (_bad_file("d.csv", b"inf,2,1\n"), "csv:d.csv", "d.csv: not all images are finite"),
        (_bad_file("d.csv", b"\x00\xff\xd8"), "csv:d.csv", "d.csv: is not a table of numbers"),
        (
            _bad_file("d.csv.gz", b"1,2\n"),
            "csv:d.csv.gz",
            "d.csv.gz: is damaged, or is not a",
        ),
        (_bad_file("d.npz", b""), "npz:d.npz", "d.npz: is damaged, or is not an npz file of numpy"),
        (_bad_file("d.npz", b"PK\x03\x04x"), "npz:d.npz", "d.npz: is damaged, or is not an npz"),
        (_bad_file("d.npz", b"text"), "npz:d.npz", "d.npz: is not an npz file of numpy"),
        (_bad_npz(a=IMAGES), "npz:d.npz", "d.npz: needs the arrays images and labels, or x_train"),
        (_bad_npz(images=IMAGES, labels=LABELS[:9]), "npz:d.npz", "d.npz: has 30 images, but 9"),
        (_bad_npz(images=IMAGES[:0], labels=LABELS[:0]), "npz:d.npz", "d.npz: there are no images"),
        (_bad_npz(images=LABELS, labels=LABELS), "npz:d.npz", "d.npz: the images have the shape"),
        (_bad_npz(images=IMAGES, labels=IMAGES), "npz:d.npz", "d.npz: the labels have the shape"),
        (_bad_npz(images=IMAGES, labels=["a"] * 30), "npz:d.npz", "d.npz: the labels are of type"),
        (
            _bad_npz(images=IMAGES, labels=np.array([{}] * 30)),
            "npz:d.npz",
            "d.npz: is not an npz file of numpy (Object arrays cannot be loaded",
        ),
        (
            _bad_file("m/train-images-idx3-ubyte", b"x"),
            "mnist:m",
            "m: the file train-labels-... is missing in it",
        ),
        (_bad_file("d.rec", b""), "rec:d.rec", "d.rec: there are no images in it"),
        (
            _bad_file("d.rec", b"text, long enough"),
            "rec:d.rec",
            "d.rec: no record at byte 0; is",
        ),
        (_bad_file("d.rec", FRAME), "rec:d.rec", "d.rec: is cut short in the record at byte 0"),
        (_bad_file("d.rec", ONE_PIXEL), "rec:d.rec", "d.rec: the label 0.5 is no class"),
    ],
)
def test_wrong_data_are_refused_by_name(
    write: Callable[[], None] | None, source: str, message: str, mx: Any
) -> None:
    if write is not None:
        write()
    shape = (1, 2, 2) if source.startswith("rec") else None

    for data, data_val in ((source, None), ("synthetic", source)):
        with pytest.raises(TrainingError) as caught:
            opened(mx, batch_size=1, image_shape=shape, data=data, data_val=data_val)

        assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images", b"x" * 100, "m/train-images-idx3-ubyte: is not an idx file of bytes"),
        ("train-images", b"\0\0\x08\x03", "m/train-images-idx3-ubyte: is not an idx file of bytes"),
        ("train-images", b"\0\0\x08\x03" + b"\xff" * 12, "m/train-images-idx3-ubyte: is too large"),
        ("train-labels", b"\0\0\x08\x01\0\0\0\x07\0", "m/train-labels-idx1-ubyte: is not an idx"),
    ],
)
def test_damaged_idx_files_are_refused_by_name(
    name: str, content: bytes, message: str, mx: Any
) -> None:
    write_idx("train-images", IMAGES)
    write_idx("train-labels", LABELS)
    Path("m", f"{name}-idx{3 if 'images' in name else 1}-ubyte").write_bytes(content)

    with pytest.raises(TrainingError) as caught:
        opened(mx, data="mnist:m")

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 31}, "--batch-size 31: must be from 1 to 30, all the images"),
        ({"num_classes": 2}, "npz:d.npz: has the label 2; with 2 classes the highest is 1, see"),
        ({"image_shape": (3, 4, 5)}, "npz:d.npz: its images are 1x4x5, not 3x4x5"),
        ({"data_val": "csv:d.csv"}, "csv:d.csv: its images are 2 values, not 1x4x5"),
        ({"data_val": "npz:v.npz"}, "npz:v.npz: has the label 3; with 3 classes the highest is 2"),
        ({"val_share": 0.1, "data": "digits"}, "--val-share: digits brings validation data of"),
        ({"data": "rec:d.rec"}, "d.rec: say the shape of its images by --image-shape"),
        ({"data": "rec:d.rec", "val_share": 0.1}, "--val-share: a .rec file is not split"),
    ],
)
def test_options_that_do_not_fit_the_data_are_refused(
    options: dict[str, Any], message: str, mx: Any
) -> None:
    write_npz(images=IMAGES, labels=LABELS)
    write_csv([[1, 2, 0]])
    np.savez("v.npz", images=IMAGES, labels=np.arange(30) % 4)

    with pytest.raises(TrainingError) as caught:
        opened(mx, **{"data": "npz:d.npz", **options})

    assert str(caught.value).startswith(message)


def test_a_batch_must_be_no_larger_than_a_workers_part(mx: Any) -> None:
    with pytest.raises(TrainingError, match="from 1 to 718, the images of each of 2 workers"):
        opened(mx, 0, 2, batch_size=1000)
