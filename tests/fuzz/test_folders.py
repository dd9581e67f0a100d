"""Folders of images: every file is a point, is counted, or is named in a refusal."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import uomh
from tests.fuzz.checks import attempt, fuzz, mostly

NAMES = ("cat", "train", "test", "valid", "dev", "brack[1]", "a b", "éé", "nan", "-1", "0", "x.png")
FILES = ("0.png", "photo of test tubes.png", "cat-test-0.png", "train.png", "UPPER.PNG", "é.png")
MODES = ("L", "RGB", "1", "P", "LA", "RGBA", "I;16", "CMYK", "F", "I")
ODD = ("", "stray", "deeper", "hidden", "text", "broken", "empty class", "frames", "size", "link")


def picture(mode, rng, size=(6, 6)):
    """A random picture of a mode."""
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 2**16, size, dtype=np.uint16))
    if mode in ("F", "I"):
        return Image.fromarray((rng.random(size) * 255).astype("f4" if mode == "F" else "i4"))
    return Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).convert(mode)


@fuzz(120)
@given(
    classes=st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    files=st.lists(st.sampled_from(FILES), min_size=1, max_size=4, unique=True),
    mode=mostly("RGB", MODES),
    odd=mostly("", ODD),
    seed=st.integers(0, 9),
)
def test_trees_of_images(classes, files, mode, odd, seed):
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "data"
        folders = [root / name for name in classes] or [root]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            for file in files:
                ending = ".tif" if mode in ("F", "I", "CMYK") else Path(file).suffix
                picture(mode, rng).save(folder / (Path(file).stem + ending))
        count = len(folders) * len(files)
        match odd:
            case "stray":
                picture("L", rng).save(root / "preview.png")
                count += 0 if (root / "preview.png").parent == folders[0] else 1
                count += 1 if folders == [root] else 0
            case "deeper":
                (folders[0] / "more").mkdir()
                picture("L", rng).save(folders[0] / "more" / "0.png")
                count += 1
            case "hidden":
                (root / ".git").mkdir()
                picture("L", rng).save(root / ".git" / "0.png")
            case "text":
                (folders[0] / "notes.txt").write_text("about these")
            case "broken":
                (folders[0] / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
                count += 1
            case "empty class":
                (root / "nobody").mkdir()
            case "frames":
                frames = [picture("P", rng) for _ in range(3)]
                frames[0].save(folders[0] / "moving.gif", save_all=True, append_images=frames[1:])
                count += 1
            case "size":
                picture("RGB", rng, (9, 5)).save(folders[0] / "large.png")
                count += 1
            case "link":
                (folders[0] / "around").symlink_to(root, target_is_directory=True)
        data = attempt(uomh.load_data, str(root))
    if data is not None:
        kept = len(data.train) + len(data.valid) + len(data.test)
        assert kept == count, (classes, files, mode, odd)
        assert data.spec.levels == 256
        assert data.spec.shape[0] in (1, 3)
        if "train" not in classes:
            assert sorted(data.classes) == sorted(classes)
