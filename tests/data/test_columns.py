import io
from contextlib import nullcontext

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import uomh
from uomh.data.cache import decoded
from uomh.data.decode import FileReading
from uomh.data.hub import source_of_splits
from uomh.errors import UomhError


def png(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": f"{seed}.png"}


def level(seed):
    return int(np.random.default_rng(seed).integers(0, 256, (4, 4), dtype=np.uint8)[0, 0])


def table(labels, first=0, names=("cat", "dog"), **columns):
    """Images and labels as the Hub writes them: with the names of the classes."""
    kinds = {"image": datasets.Image()}
    cells = {"image": [png(first + i) for i in range(len(labels))], **columns}
    if labels and labels[0] != "none":
        kinds["label"] = datasets.ClassLabel(names=list(names))
        cells["label"] = labels
    for name in columns:
        del cells[name]
    made = datasets.Dataset.from_dict(cells, features=datasets.Features(kinds))
    for name, values in columns.items():
        made = made.add_column(name, values)
    return made


def save(made, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    made.to_parquet(str(path))


def load(folder, **settings):
    options = {"valid_fraction": 0.0, "test_fraction": 0.0, **settings}
    return uomh.load_data(str(folder), **options)


def counts(split):
    return [] if split.y is None else np.bincount(split.y).tolist()


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


IMAGES = pa.array([png(i) for i in range(4)])


def test_files_in_the_layout_of_the_hub_are_splits_with_names_of_classes(tmp_path):
    save(table([0, 1, 1]), tmp_path / "data" / "train-00000-of-00002.parquet")
    save(table([0, 1], 3), tmp_path / "data" / "train-00001-of-00002.parquet")
    save(table([1], 5), tmp_path / "data" / "test-00000-of-00001.parquet")
    data = load(tmp_path)
    assert (counts(data.train), counts(data.test)) == ([2, 3], [0, 1])
    assert (data.classes, data.spec.shape, data.notes) == (("cat", "dog"), (1, 4, 4), ())
    at = data.train.rows.argsort()
    assert data.train.x[at][:, 0, 0, 0].tolist() == [level(i) for i in range(5)]
    assert data.train.y[at].tolist() == [0, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.parquet", "test.parquet"),
        ("train/0000.parquet", "test/0000.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("a[1]/train-0.PARQUET", "a[1]/test-0.PARQUET"),
    ],
)
def test_splits_of_parquet_files_are_named_by_files_or_folders(tmp_path, train, test):
    save(table([0, 1]), tmp_path / train)
    save(table([1], 2), tmp_path / test)
    data = load(tmp_path)
    assert (counts(data.train), counts(data.test)) == ([1, 1], [0, 1])


def test_files_that_name_no_split_are_all_training_rows_and_that_is_said(tmp_path):
    save(table([0, 1]), tmp_path / "my train images.parquet")
    save(table([1], 2), tmp_path / "contest-1.parquet")
    (tmp_path / "README.md").write_text("pets")
    data = load(tmp_path)
    assert (counts(data.train), len(data.test)) == ([1, 2], 0)
    assert data.notes == (
        "1 file besides parquet files left out: README.md",
        "all 2 parquet files are training rows: none names a split",
    )


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["train.parquet", "train_2.parquet"], r"train_2.parquet' is of no split while other"),
        (["a/train-0.parquet", "b/train-0.parquet"], r"holds training files of several data sets"),
        (["test-0.parquet"], r"has no split 'train'; it has: test"),
        (["train.parquet", "val.parquet", "valid.parquet"], r"'val' and 'valid' are one split"),
    ],
)
def test_a_file_of_no_clear_split_is_refused(tmp_path, files, sentence):
    for i, name in enumerate(files):
        save(table([0, 1], 2 * i), tmp_path / name)
    with pytest.raises(UomhError, match=sentence):
        load(tmp_path)


def test_another_split_of_the_hub_is_left_out_and_said(tmp_path):
    save(table([0, 1]), tmp_path / "train-00000-of-00001.parquet")
    save(table([0, 1], 2), tmp_path / "extra-00000-of-00001.parquet")
    data = load(tmp_path)
    assert counts(data.train) == [1, 1]
    assert data.notes == ("split 'extra' left out: extra-00000-of-00001.parquet",)


def test_a_damaged_file_is_named_without_speaking_of_the_network(tmp_path):
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(UomhError, match=r"cannot read '.*train\.parquet'") as raised:
        load(tmp_path)
    assert "network" not in str(raised.value)


def test_files_and_splits_of_other_columns_are_refused(tmp_path):
    save(table([0, 1]), tmp_path / "train-0.parquet")
    save(table([0, 1], names=("dog", "cat")), tmp_path / "train-1.parquet")
    with pytest.raises(UomhError, match=r"train-1.parquet' has other columns than"):
        load(tmp_path)
    (tmp_path / "train-1.parquet").rename(tmp_path / "test-1.parquet")
    with pytest.raises(UomhError, match="column 'label' of the test split is not as in the train"):
        load(tmp_path)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 3), pa.list_(pa.float16())]
)
def test_lists_of_floats_are_vectors_of_their_type(tmp_path, kind):
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(kind.value_type.to_pandas_dtype())
    x = pa.array(list(values), kind)
    write(tmp_path / "train.parquet", label=["a", "b", "a", "b", "a"], embedding=x)
    data = load(tmp_path)
    wanted = np.float64 if kind.value_type == pa.float64() else np.float32
    found = data.train.x[data.train.rows.argsort()].numpy()
    assert found.dtype == wanted
    assert (found == values).all()
    assert (data.levels, data.classes, counts(data.train)) == (None, ("a", "b"), [3, 2])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[1.0, 2.0], [1.0]], "has 1 numbers in row 1 and 2 in the rows before"),
        ([[1.0, 2.0], None], "has no numbers in row 1"),
        ([[], []], "has no numbers in row 0"),
        ([[1.0, 2.0], [1.0, float("nan")]], "holds NaN, infinity or nothing in row 1"),
        ([[1.0, 2.0], [1.0, None]], "holds NaN, infinity or nothing in row 1"),
    ],
)
def test_lists_that_are_no_vectors_are_refused_by_row(tmp_path, rows, sentence):
    write(tmp_path / "train.parquet", x=pa.array(rows, pa.list_(pa.float64())))
    with pytest.raises(UomhError, match=f"column 'x' {sentence}"):
        load(tmp_path)


def test_a_size_means_nothing_for_vectors(tmp_path):
    write(tmp_path / "train.parquet", x=[[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(UomhError, match=r"data\.resize means nothing"):
        load(tmp_path, resize=8)


def test_vectors_of_the_test_split_have_the_same_length(tmp_path):
    write(tmp_path / "train.parquet", x=[[1.0, 2.0], [3.0, 4.0]])
    write(tmp_path / "test.parquet", x=[[1.0, 2.0, 3.0]])
    with pytest.raises(UomhError, match="has 3 numbers in row 0 and 2 in the rows before"):
        load(tmp_path)


def test_images_are_bytes_or_bytes_and_a_path_without_metadata_too(tmp_path):
    write(tmp_path / "a" / "train.parquet", picture=IMAGES)
    write(tmp_path / "b" / "train.parquet", picture=[cell["bytes"] for cell in IMAGES.to_pylist()])
    same = [load(tmp_path / name).train.x for name in "ab"]
    assert same[0].shape == (4, 1, 4, 4)
    assert (same[0] == same[1]).all()


def test_of_several_columns_the_first_is_taken_and_that_is_said(tmp_path):
    mask = pa.array([png(i + 9) for i in range(4)])
    write(tmp_path / "train.parquet", image=IMAGES, mask=mask, x=[[1.0]] * 4)
    data = load(tmp_path)
    assert data.notes == ("points are column 'image'; data.point_column chooses another (mask)",)
    assert sorted(data.train.x[:, 0, 0, 0].tolist()) == sorted(level(i) for i in range(4))
    assert load(tmp_path, point_column="x").spec.shape == (1,)
    data = load(tmp_path, point_column="mask")
    assert sorted(data.train.x[:, 0, 0, 0].tolist()) == sorted(level(i + 9) for i in range(4))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"label_column": "image"}, "column 'image' holds the points, not labels"),
        ({"label_column": "mask"}, "column 'mask' holds images, not one label a row"),
        ({"label_column": "boxes"}, "column 'boxes' holds lists, not one label a row"),
        ({"label_column": "size"}, "column 'size' holds several values a row, not one label"),
        ({"label_column": "nose"}, "has no label column 'nose'; its columns: image, mask, boxes"),
        ({"point_column": "nose"}, "has no column 'nose'; its columns: image, mask, boxes"),
        ({"point_column": "boxes"}, "column 'boxes' holds neither images nor lists of floats"),
    ],
)
def test_a_column_that_is_not_what_it_should_be_is_refused(tmp_path, settings, sentence):
    write(
        tmp_path / "train.parquet",
        image=IMAGES,
        mask=IMAGES,
        boxes=[[1, 2]] * 4,
        size=[{"w": 1}] * 4,
    )
    with pytest.raises(UomhError, match=sentence):
        load(tmp_path, **settings)


def test_labels_that_are_lists_are_refused_unless_none_are_wanted(tmp_path):
    write(tmp_path / "train.parquet", image=IMAGES, labels=[[1]] * 4)
    with pytest.raises(UomhError, match=r"column 'labels' holds lists, .*data.label_column="):
        load(tmp_path)
    data = load(tmp_path, label_column="")
    assert (len(data.train), data.train.y) == (4, None)


def test_columns_that_are_no_points_are_named(tmp_path):
    write(tmp_path / "train.parquet", a=[1.0, 2.0], b=["x", "y"])
    with pytest.raises(UomhError, match=r"has no image column and none of lists .*columns: a, b"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (pa.array(["a", None, "b", "nan"]), ("a", "b"), {0: 0, 2: 1}),
        (pa.array([1.0, float("nan"), 0.0, None]), ("0", "1"), {0: 1, 2: 0}),
        (pa.array([0, -1, 1, None]), ("0", "1"), {0: 0, 2: 1}),
        (pa.array([True, None, False, None]), ("False", "True"), {0: 1, 2: 0}),
    ],
)
def test_rows_without_a_label_are_left_out_and_counted(tmp_path, labels, classes, numbers):
    write(tmp_path / "train.parquet", image=IMAGES, label=labels)
    data = load(tmp_path)
    assert (data.classes, data.unlabelled) == (classes, 2)
    assert dict(zip(data.train.rows.tolist(), data.train.y.tolist(), strict=True)) == numbers
    assert data.notes == ("2 training rows have no label and are left out",)
    for x, row in zip(data.train.x, data.train.rows.tolist(), strict=True):
        assert x[0, 0, 0] == level(row)


def test_minus_one_of_a_class_label_is_no_class(tmp_path):
    save(table([0, -1, 1, 1, -1]), tmp_path / "train.parquet")
    data = load(tmp_path)
    assert (counts(data.train), data.unlabelled) == ([1, 2], 2)
    assert counts(load(tmp_path, class_ind=[1]).train) == [2]


def test_no_label_at_all_is_refused(tmp_path):
    save(table([-1, -1]), tmp_path / "train.parquet")
    with pytest.raises(UomhError, match=r"column 'label' holds no label at all.*label_column"):
        load(tmp_path)
    assert len(load(tmp_path, label_column="").train) == 2


@pytest.mark.parametrize("test", [[0, 2], [2, -1]])
def test_a_label_that_no_training_row_has_is_refused(tmp_path, test):
    save(table([0, 1], names="abc"), tmp_path / "train.parquet")
    save(table(test, 2, names="abc"), tmp_path / "test.parquet")
    with pytest.raises(UomhError, match="test split has the class 'c', which no training row has"):
        load(tmp_path)
    write(tmp_path / "train.parquet", image=IMAGES, label=["a", "b", "a", "b"])
    write(tmp_path / "test.parquet", image=IMAGES, label=["a", "b", "c", "b"])
    with pytest.raises(UomhError, match="has the label 'c', which is none of the 2 classes"):
        load(tmp_path)


def test_a_test_split_without_labels_is_left_out_and_said(tmp_path):
    save(table([0, 1]), tmp_path / "train.parquet")
    save(table([-1, -1, -1], 2), tmp_path / "test.parquet")
    save(table([1], 5), tmp_path / "validation.parquet")
    data = load(tmp_path)
    assert (counts(data.train), counts(data.test)) == ([1, 1], [0, 1])
    assert data.notes == (
        "the test split has no labels and is left out",
        "the validation split is the test split, as there is no other",
    )


def test_a_broken_image_is_named_by_its_row_or_left_out(tmp_path):
    cells = IMAGES.to_pylist()
    cells[1], cells[2] = {"bytes": b"", "path": None}, None
    write(tmp_path / "train.parquet", image=cells, label=[0, 1, 1, 1])
    with pytest.raises(UomhError, match="the image in row 1 of the training rows of "):
        load(tmp_path)
    data = load(tmp_path, skip_broken=True)
    assert sorted(data.train.rows.tolist()) == [0, 3]
    assert counts(data.train) == [1, 1]
    assert data.notes[0].startswith("2 training images that cannot be decoded left out: in row 1")


def from_hub(splits, name):
    return decoded(
        name, name, lambda: nullcontext(source_of_splits(splits, "me/pets", FileReading()))
    )


def test_splits_of_the_hub_are_read_by_the_same_rules(tmp_path):
    save(table([0, 1, -1]), tmp_path / "train.parquet")
    save(table([1], 3), tmp_path / "test.parquet")
    splits = {"train": table([0, 1, -1]), "test": table([1], 3), "extra": table([0], 4)}
    found = from_hub(splits, "hub")
    local = load(tmp_path)
    assert (found.classes, found.unlabelled) == (local.classes, 1)
    assert (found.train.x == local.train.x).all()
    assert (found.train.y == local.train.y).all()
    assert (found.test.x == local.test.x).all()
    assert found.notes[0] == "split 'extra' left out"
    with pytest.raises(UomhError, match="me/pets has no split 'train'; it has: test"):
        from_hub({"test": table([1])}, "hub without training")
