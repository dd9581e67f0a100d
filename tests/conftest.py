import numpy as np
import pytest
import torch
from PIL import Image

import uomh
from uomh.data import Data, Split


@pytest.fixture(scope="session")
def digits():
    return uomh.load_data("digits", limit=300, test_limit=60)


@pytest.fixture
def write_images():
    """Write random images of a size and channel count into class folders."""

    def write(folder, classes=("cat", "dog"), each=6, size=(8, 8), channels=3):
        rng = np.random.default_rng(0)
        for name in classes:
            (folder / name).mkdir(parents=True, exist_ok=True)
            for i in range(each):
                shape = (*size, 3) if channels == 3 else size
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(
                    folder / name / f"{channels}-{size[0]}x{size[1]}-{i}.png"
                )

    return write


@pytest.fixture
def vectors():
    """Labelled Gaussian vectors (N, 2) in three far groups."""
    generator = torch.Generator().manual_seed(0)

    def split(n):
        y = torch.arange(n) % 3
        centres = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
        return Split(centres[y] + torch.randn(n, 2, generator=generator), y)

    return Data("vectors", split(600), split(90), split(90), ("a", "b", "c"), None, "vectors")
