"""Data sets that are known by name."""

from __future__ import annotations

HUB = {
    "mnist": ("ylecun/mnist", None),
    "fashion-mnist": ("zalando-datasets/fashion_mnist", None),
    "svhn": ("ufldl-stanford/svhn", "cropped_digits"),
    "cifar10": ("uoft-cs/cifar10", None),
    "cifar100": ("uoft-cs/cifar100", None),
}
"""The named sets: repository on the Hub and its configuration."""

SUMMARIES = {
    "digits": "1,797 handwritten digits, 8x8, 17 grey levels; inside scikit-learn, no network",
    "mnist": "70,000 handwritten digits, 28x28 grey",
    "fashion-mnist": "70,000 pieces of clothing, 28x28 grey",
    "svhn": "99,289 house numbers, 32x32 colour",
    "cifar10": "60,000 photographs in 10 classes, 32x32 colour",
    "cifar100": "60,000 photographs in 100 classes, 32x32 colour",
    "hub:ORG/NAME": "any data set on the Hub with a column of images or vectors",
    "manifold:NAME": "points on a manifold of known dimension, such as manifold:union-2-5",
    "FOLDER": "images in class folders, or parquet files in the Hub's layout",
    "FILE.npz": "arrays x (images or vectors) and maybe y, x_test, y_test, classes, levels",
    "FILE.npy": "one array of images or vectors, without labels",
    "FILE.csv": "a table of numbers, and maybe a column of labels (label, class, target or y)",
}
"""What ``--dataset`` takes, one line each."""
