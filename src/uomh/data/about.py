"""What a run's ``config.json`` tells of its data: plain values, read without torch."""

from __future__ import annotations

from pydantic import ConfigDict

from uomh.settings import Settings


class About(Settings):
    """What a run was trained on."""

    model_config = ConfigDict(extra="ignore")

    name: str
    """as loaded"""
    fingerprint: str
    """of the content"""
    shape: tuple[int, ...]
    """of a point: (C, H, W) of an image, (D,) of a vector"""
    levels: int | None
    """grey levels of an image; null: a vector"""
    classes: tuple[str, ...]
    """names of the classes, in the order of the labels"""
    sizes: dict[str, int]
    """points by split: train, valid, test"""
