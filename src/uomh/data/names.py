"""The names that ``--dataset`` takes; in a file that imports none of the code that reads data."""

from __future__ import annotations

import re

from uomh import registry

HUB = {
    "mnist": ("ylecun/mnist", None),
    "fashion-mnist": ("zalando-datasets/fashion_mnist", None),
    "svhn": ("ufldl-stanford/svhn", "cropped_digits"),
    "cifar10": ("uoft-cs/cifar10", None),
    "cifar100": ("uoft-cs/cifar100", None),
}
"""data sets with a name of their own: repository on the Hub, and its configuration"""

NAMED = {
    "mnist": "70,000 handwritten digits, 28x28 grey",
    "fashion-mnist": "70,000 pieces of clothing, 28x28 grey",
    "svhn": "99,289 house numbers, 32x32 colour",
    "cifar10": "60,000 photographs in 10 classes, 32x32 colour",
    "cifar100": "60,000 photographs in 100 classes, 32x32 colour",
    "FOLDER": "Images in class folders, or parquet files in the Hub's layout",
}
"""a line for each name of `HUB`, and for folders; other kinds describe themselves"""

OF_A_FILE = re.compile(r"(.+\.py:\w+)(?::(.*))?")
"""a kind in a file, ``mine.py:Class``, and maybe an address"""


def kind_of(dataset: str) -> tuple[str, str] | None:
    """The registered kind that a text names, and the address that follows; None: it is a path.

    >>> kind_of("manifold:sphere-2"), kind_of("digits"), kind_of("mnist")
    (('manifold', 'sphere-2'), ('digits', ''), ('hub', 'mnist'))
    >>> kind_of("mine.py:Spirals:3"), kind_of("data.npz")
    (('mine.py:Spirals', '3'), None)
    """
    if dataset in HUB:
        return "hub", dataset
    if of_file := OF_A_FILE.fullmatch(dataset):
        return of_file[1], of_file[2] or ""
    name, _, address = dataset.partition(":")
    return (name, address) if name in registry.entries("datasets") else None


def summaries() -> dict[str, str]:
    """What ``--dataset`` takes, one line each."""
    kinds = {
        entry.facts.get("written") or ("FILE" if name.startswith(".") else "") + name: entry.summary
        for name, entry in registry.entries("datasets").items()
    }
    return dict(
        sorted({**kinds, **NAMED}.items(), key=lambda item: (item[0][0].isupper(), item[0]))
    )
