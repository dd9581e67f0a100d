import os

import numpy as np
import pytest
from PIL import Image

import uomh
from uomh.errors import UomhError


class Writer:
    """Writes one distinct grey image a file, and knows how many."""

    def __init__(self, root):
        self.root = root
        self.count = 0

    def __call__(self, *names, mode="L", size=(4, 4)):
        for name in names:
            self.count += 1
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(self.count).integers(0, 256, size, dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def write(tmp_path):
    return Writer(tmp_path / "pets")


def load(write, **settings):
    options = {"valid_fraction": 0.0, "test_fraction": 0.0, **settings}
    return uomh.load_data(str(write.root), **options)


def counts(split):
    return [] if split.y is None else np.bincount(split.y).tolist()


@pytest.mark.parametrize(
    "classes",
    [
        ["train", "bus", "bicycle"],
        ["test", "cat"],
        ["dev", "valid", "cat"],
        ["test", "valid"],
        ["training", "eval", "test"],
        ["brack[1]", "star*", "question?"],
        ["Käse", "two words", "日本"],
    ],
)
def test_class_folders_are_classes_whatever_they_are_called(write, classes):
    for name in classes:
        write(*[f"{name}/{i}.png" for i in range(3)])
    data = load(write)
    assert data.classes == tuple(sorted(classes))
    assert counts(data.train) == [3] * len(classes)
    assert len(data.test) == 0
    assert data.notes == ()


def test_names_of_files_mean_nothing(write):
    write("cat/photo of test tubes.png", "cat/cat-test-0.png", "cat/train.png", "dog/valid-1.png")
    assert counts(load(write).train) == [3, 1]


def test_endings_mean_the_same_in_capitals(write):
    write("cat/1.PNG", "cat/2.JpG", "dog/1.Tif")
    assert counts(load(write).train) == [2, 1]


def test_classes_that_are_numbers_are_ordered_as_numbers(write):
    write(*[f"{i}/1.png" for i in range(12)])
    assert load(write).classes == tuple(map(str, range(12)))


def test_split_folders_are_splits(write):
    write("train/cat/1.png", "train/cat/2.png", "train/dog/1.png", "test/dog/1.png")
    data = load(write)
    assert (counts(data.train), counts(data.test)) == ([2, 1], [0, 1])
    assert data.classes == ("cat", "dog")


def test_splits_without_classes_have_no_labels(write):
    write("train/1.png", "train/2.png", "test/1.png")
    data = load(write)
    assert (len(data.train), len(data.test), data.train.y) == (2, 1, None)


def test_one_class_of_the_name_train_is_a_split_without_classes(write):
    write("train/1.png", "train/2.png")
    assert load(write).classes == ()


@pytest.mark.parametrize("name", ["valid", "val", "validation"])
def test_a_validation_folder_beside_both_is_counted_and_said(write, name):
    write("train/a/1.png", "train/b/1.png", f"{name}/a/1.png", f"{name}/a/2.png", "test/a/1.png")
    data = load(write)
    assert (counts(data.train), counts(data.test)) == ([3, 1], [1])
    assert "2 rows of the validation split joined to the training rows" in data.notes[0]


def test_a_validation_folder_is_the_test_split_where_there_is_no_other(write):
    write("train/a/1.png", "train/b/1.png", "val/a/1.png")
    data = load(write)
    assert (counts(data.train), counts(data.test)) == ([1, 1], [1])
    assert data.notes == ("the validation split is the test split, as there is no other",)


def test_a_folder_of_images_has_no_labels(write):
    write("1.png", "2.png")
    data = load(write)
    assert (len(data.train), data.train.y, data.classes) == (2, None, ())


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["cat/1.png", "dog/1.png", "preview.png"], r"preview.png' stands beside folders \(cat, d"),
        (["cat/1.png", "dog/x/1.png"], r"x/1.png' is in a folder within a class folder"),
        (["cat/1.png", "cat/x/2.png"], r"x/2.png' is in a folder within a class folder"),
        (["train/cat/1.png", "test/cat/1.png", "p.png"], r"p.png' stands beside folders"),
        (["train/cat/1.png", "train/p.png", "test/cat/1.png"], r"p.png' stands beside folders"),
        (["train/cat/1.png", "test/1.png"], r"training split has class folders and the test split"),
        (["train/1.png", "test/cat/1.png"], r"test split has class folders and the training split"),
        (["train/cat/1.png", "test/dog/1.png"], r"test split has the class 'dog', which no train"),
        (["train/1.png", "val/1.png", "valid/1.png"], r"'val' and 'valid' are one split"),
        (["Train/1.png", "train/1.png"], r"'Train' and 'train' are one split"),
    ],
)
def test_an_image_without_a_clear_class_is_refused_by_name(write, files, sentence):
    write(*files)
    with pytest.raises(UomhError, match=sentence):
        load(write)


@pytest.mark.parametrize("empty", ["bird", "train/bird", "test"])
def test_a_folder_without_images_is_refused_by_name(write, empty):
    if empty == "bird":
        write("cat/1.png", "dog/1.png")
    else:
        write("train/cat/1.png", "train/dog/1.png")
    (write.root / empty).mkdir()
    (write.root / empty / "notes.txt").write_text("none yet")
    with pytest.raises(UomhError, match=f"{empty}' holds no image; fill it or remove it"):
        load(write)


def test_what_is_hidden_is_not_there(write):
    write("cat/1.png", "dog/1.png", ".git/x/1.png", ".ipynb_checkpoints/1.png", "cat/._1.png")
    write("cat/.ipynb_checkpoints/1-checkpoint.png")
    (write.root / ".DS_Store").write_bytes(b"")
    data = load(write)
    assert (counts(data.train), data.notes) == ([1, 1], ())


def test_files_that_are_no_images_are_left_out_and_counted(write):
    write("cat/1.png", "dog/1.png")
    (write.root / "labels.csv").write_text("a,b")
    (write.root / "cat" / "README.txt").write_text("cats")
    data = load(write)
    assert counts(data.train) == [1, 1]
    assert data.notes == ("2 files of no image format left out: cat/README.txt, labels.csv",)


def test_every_image_has_the_label_of_its_folder(write):
    write(*[f"{name}/{i}.png" for i in range(20) for name in ("cat", "dog")])
    data = load(write)
    wanted = {
        np.asarray(Image.open(path)).tobytes(): path.parent.name
        for path in write.root.rglob("*.png")
    }
    found = {
        x.numpy().tobytes(): data.classes[y]
        for x, y in zip(data.train.x, data.train.y, strict=True)
    }
    assert found == wanted


def test_links_are_followed_and_loops_refused(write, tmp_path):
    write("cat/1.png", "dog/1.png")
    (tmp_path / "birds").mkdir()
    (write.root / "dog" / "1.png").rename(tmp_path / "birds" / "1.png")
    (write.root / "dog").rmdir()
    (write.root / "bird").symlink_to(tmp_path / "birds")
    assert load(write).classes == ("bird", "cat")
    (write.root / "bird" / "loop").symlink_to(write.root)
    with pytest.raises(UomhError, match="loop' is a link to a folder that holds it"):
        load(write)


def test_images_and_parquet_files_together_are_refused(write):
    write("cat/1.png")
    (write.root / "metadata.parquet").write_bytes(b"")
    with pytest.raises(UomhError, match="holds images and parquet files"):
        load(write)


def test_a_local_error_does_not_speak_of_the_network(write):
    write.root.mkdir()
    with pytest.raises(UomhError, match="holds neither parquet files nor images") as raised:
        load(write)
    assert "network" not in str(raised.value)


def test_a_broken_image_is_named_or_left_out_and_counted(write):
    write("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
    path = write.root / "cat" / "1.png"
    path.write_bytes(path.read_bytes()[:40])
    (write.root / "dog" / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(UomhError, match=r"cannot decode the image .*cat/1\.png.*--skip-broken"):
        load(write)
    data = load(write, skip_broken=True)
    assert counts(data.train) == [1, 2]
    assert data.notes[0].startswith("2 training images that cannot be decoded left out: ")
    kept = {x.numpy().tobytes() for x in data.train.x}
    assert kept == {
        np.asarray(Image.open(write.root / name)).tobytes()
        for name in ("cat/2.png", "dog/1.png", "dog/2.png")
    }


def test_broken_images_keep_joined_rows_in_their_places(write):
    write(*[f"{split}/a/{i}.png" for split in ("train", "valid", "test") for i in range(4)])
    for name in ("train/a/3.png", "valid/a/0.png"):
        (write.root / name).write_bytes(b"broken")
    data = load(write, skip_broken=True)
    kept = sorted(x.numpy().tobytes() for x in data.train.x)
    assert kept == sorted(
        np.asarray(Image.open(path)).tobytes()
        for split in ("train", "valid")
        for path in (write.root / split).rglob("*.png")
        if path.stat().st_size > 10
    )


def test_a_palette_of_greys_goes_with_what_stands_beside_it(write):
    write("a/1.png", mode="P")
    write("a/2.png", mode="L")
    assert load(write).spec.shape == (1, 4, 4)
    (write.root / "a" / "2.png").unlink()
    write("a/3.png", mode="RGB")
    assert load(write).spec.shape == (3, 4, 4)


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_of_two_kinds_or_sizes_are_refused_in_any_split(write, split):
    write("train/1.png", "train/2.png", "test/1.png")
    write(f"{split}/9.png", mode="RGB")
    with pytest.raises(UomhError, match=r"9\.png has 3, the ones before it 1"):
        load(write)
    write(f"{split}/9.png", size=(4, 5))
    with pytest.raises(UomhError, match=r"9\.png is 5x4, the ones before it 4x4; give --resize"):
        load(write)
    assert load(write, resize=3).spec.shape == (1, 3, 3)


def test_changes_of_images_are_counted(write):
    write("a/1.png")
    for i in range(3):
        values = np.random.default_rng(i).integers(0, 65536, (4, 4), dtype=np.uint16)
        Image.fromarray(values).save(write.root / "a" / f"deep{i}.png")
    assert load(write).notes == ("3 training images scaled from 16 bits to 8",)


def test_sixteen_bits_that_would_all_be_black_are_refused(write):
    write.root.mkdir()
    Image.fromarray(np.arange(16, dtype=np.uint16).reshape(4, 4)).save(write.root / "1.png")
    with pytest.raises(UomhError, match="no value above 15, which would be black"):
        load(write)


def test_another_background_is_another_decoding(write):
    write("a/1.png", "a/2.png")
    Image.fromarray(np.zeros((4, 4, 2), dtype=np.uint8)).save(write.root / "a" / "3.png")
    means = [
        load(write, background=name).train.x.amax(dim=(1, 2, 3)) for name in ("white", "black")
    ]
    assert (int(means[0].max()), int(means[1].min())) == (255, 0)
    with pytest.raises(UomhError, match="is no colour"):
        load(write, background="none")


def test_a_folder_that_changed_is_read_again(write):
    write("cat/1.png", "dog/1.png")
    assert len(load(write).train) == 2
    write("dog/2.png")
    assert len(load(write).train) == 3


@pytest.mark.parametrize("setting", ["label_column", "point_column"])
def test_a_column_means_nothing_for_a_folder_of_images(write, setting):
    write("cat/1.png", "dog/1.png")
    with pytest.raises(UomhError, match=f"data.{setting} means nothing"):
        load(write, **{setting: "name"})


def test_a_name_that_is_no_text_is_refused(write):
    write("cat/1.png", "cat/a\tb\u202fc.png")
    assert len(load(write).train) == 2
    os.rename(write.root / "cat" / "1.png", os.fsencode(write.root / "cat") + b"/\xff.png")
    with pytest.raises(UomhError, match="is no text; rename it"):
        load(write)


def test_pipes_are_not_read(write):
    write("cat/1.png")
    os.mkfifo(write.root / "cat" / "2.png")
    assert len(load(write).train) == 1
