"""Pictures that training leaves: by group, and between codes."""

import numpy as np
import pytest
import torch
from PIL import Image

from uomh.data import Data, Split
from uomh.data.core import DataSpec
from uomh.training.samples import ROW, STEPS, save_by_group, save_interpolation


class Lines:
    """A model whose code is the mean of an image, and whose samples are as bright as the label."""

    spec = DataSpec((1, 4, 4), 256, 3)
    num_classes, latent_dim, can_sample, device = 3, 1, True, torch.device("cpu")

    def encode(self, x, y=None):
        return x.float().mean((1, 2, 3))[:, None]

    def decode(self, z, y=None):
        return z[:, :, None, None].expand(-1, 1, 4, 4)

    def sample(self, n, y=None):
        return (100.0 * y)[:, None, None, None].expand(n, 1, 4, 4)


def cells(path, columns):
    """The brightness of each cell of a grid, enlarged as it may be."""
    pixels = np.asarray(Image.open(path))[..., 0]
    zoom = max(1, pixels.shape[1] // (5 * columns - 1))
    return pixels[2 * zoom :: 5 * zoom, 2 * zoom :: 5 * zoom]


def data(y):
    x = torch.tensor([10, 20, 90, 200])[:, None, None, None].expand(4, 1, 4, 4).to(torch.uint8)
    split = Split(x, y)
    return Data("lines", split, split, split, ("a", "b", "c") if y is not None else (), 256, "f")


def test_samples_stand_in_rows_by_group(tmp_path):
    save_by_group(Lines(), tmp_path / "groups.png")
    assert (cells(tmp_path / "groups.png", ROW) == np.array([[0], [100], [200]])).all()


def test_codes_go_straight_from_one_image_to_another_of_its_class(tmp_path):
    save_interpolation(Lines(), data(torch.tensor([0, 1, 0, 1])), tmp_path / "way.png")
    expected = [np.linspace(10, 90, STEPS), np.linspace(20, 200, STEPS)]
    assert np.abs(cells(tmp_path / "way.png", STEPS) - np.array(expected)).max() <= 1


@pytest.mark.parametrize(("y", "rows"), [(None, 2), (torch.tensor([0, 0, 1, 2]), 1)])
def test_pairs_are_of_one_class_where_there_are_classes(y, rows, tmp_path):
    pixels = save_interpolation(Lines(), data(y), tmp_path / "way.png")
    assert pixels.shape[0] == 5 * rows - 1


def test_without_pairs_or_labels_there_is_no_picture(tmp_path):
    assert (
        save_interpolation(Lines(), data(torch.tensor([0, 1, 2, -1])), tmp_path / "a.png") is None
    )
    model = Lines()
    model.num_classes = 0
    assert save_by_group(model, tmp_path / "a.png") is None
    assert not (tmp_path / "a.png").exists()
