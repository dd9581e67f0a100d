"""The paper's figure: dimension of every class of every data set."""

from __future__ import annotations

from uomh.experiments.core import PAPER_DATASETS, Arm, Experiment
from uomh.registry import register

KS = (3, 10, 20)
NAMES = ("least", "q1", "median", "q3", "greatest", "whole")

FIGURE = {
    "mnist": (
        (12.5, 14.0, 14.8, 15.7, 16.6, 14.6),
        (10.6, 13.1, 14.0, 15.0, 16.1, 13.8),
        (9.7, 12.9, 13.4, 14.6, 15.8, 13.4),
    ),
    "fashion-mnist": (
        (12.2, 13.9, 14.5, 14.9, 15.8, 14.8),
        (11.3, 13.9, 14.6, 15.2, 16.8, 15.0),
        (10.7, 13.4, 14.1, 14.9, 16.7, 14.5),
    ),
    "svhn": (
        (14.3, 14.7, 15.1, 15.2, 16.4, 17.6),
        (15.1, 15.3, 15.7, 16.3, 16.6, 19.8),
        (14.4, 14.7, 14.9, 15.8, 15.8, 19.8),
    ),
    "cifar10": (
        (17.9, 20.4, 21.6, 22.5, 23.5, 25.3),
        (19.0, 22.0, 22.5, 23.5, 25.3, 28.3),
        (18.4, 21.2, 21.5, 22.5, 24.5, 27.7),
    ),
    "cifar100": (
        (8.4, 13.4, 16.1, 18.4, 22.6, 22.3),
        (10.0, 13.7, 15.7, 17.4, 20.2, 24.7),
        (9.7, 12.5, 14.3, 15.7, 18.5, 24.3),
    ),
}
"""Brown et al. 2023, read off their figure to 0.1: over classes and of the whole, at each k"""

PUBLISHED = {
    (dataset, "mle", f"{name}_k{k}"): value
    for dataset, rows in FIGURE.items()
    for k, row in zip(KS, rows, strict=True)
    for name, value in zip(NAMES, row, strict=True)
}


@register("experiments", "dimension")
class Dimension(Experiment):
    """Intrinsic dimension of every class at k = 3, 10, 20, beside the paper's values."""

    work = "uomh.experiments.verifying:Verifying"
    datasets = PAPER_DATASETS
    seeds = 1
    arms = (Arm("mle"),)
    metrics = tuple(f"{name}_k{k}" for k in KS for name in NAMES)
    reference = PUBLISHED
    notes = (
        "least, q1, median, q3, greatest: over the classes; whole: of all points together",
        "the paper's values are read off its figure, to 0.1",
        "a whole set has many times the points of a class, and estimates grow with the number of "
        "points: the claims in dimension.json test against random groups of the same sizes",
    )
