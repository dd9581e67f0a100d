"""The data of a run as its ``config.json`` describes them: plain values, read without torch."""

from __future__ import annotations

from pydantic import ConfigDict

from uomh.settings import Settings


class About(Settings):
    """What a run was trained on."""

    model_config = ConfigDict(extra="ignore")

    name: str
    """of the data set"""
    fingerprint: str
    """of points, labels and splits (`uomh.data.core.Data`)"""
    shape: tuple[int, ...]
    """of a point: (C, H, W) of an image, (D,) of a vector"""
    levels: int | None
    """grey levels of an image; null: a vector"""
    classes: tuple[str, ...]
    """names of the classes, in the order of the labels"""
    sizes: dict[str, int]
    """points by split: train, valid, test"""
