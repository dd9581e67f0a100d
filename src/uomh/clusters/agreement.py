"""How well groups agree with classes, on the training split.

*Purity* is the share of points that are of the most frequent class of their group; it grows with
the number of groups by itself. The *adjusted Rand index* is the share of pairs of points on which
two groupings agree, shifted and scaled to 0 on average for random groups of these sizes and 1 for
equal ones (Hubert & Arabie 1985). *Normalised mutual information* is the mutual information of
group and class over the mean of their entropies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from uomh.data.core import Data
from uomh.errors import UomhError


@dataclass(frozen=True)
class Agreement:
    """Sizes of groups, and their agreement with classes; None where there are no classes.

    Attributes:
        sizes: training points of each group.
        purity: share of points of their group's most frequent class.
        adjusted_rand: adjusted Rand index.
        mutual_information: normalised by the mean entropy.
    """

    sizes: tuple[int, ...]
    purity: float | None = None
    adjusted_rand: float | None = None
    mutual_information: float | None = None

    def sentence(self) -> str:
        """How many groups of what size, and how they agree with the classes.

        >>> Agreement((30, 70), 0.9, 0.5, 0.4).sentence()[:46]
        '2 groups of 30 to 70 points; against the class'
        """
        sizes = f"{len(self.sizes)} groups of {min(self.sizes):,} to {max(self.sizes):,} points"
        if self.purity is None:
            return sizes
        return (
            f"{sizes}; against the classes: purity {self.purity:.3f}, adjusted Rand index "
            f"{self.adjusted_rand:.3f}, normalised mutual information {self.mutual_information:.3f}"
        )


def compare(clustered: Data, original: Data) -> Agreement:
    """Groups against classes, over the training split.

    Args:
        clustered: the labelled data.
        original: the same points with their classes, or without labels.

    Raises:
        UomhError: the first has no labels, or the two are not the same points.
    """
    groups, classes = clustered.train.y, original.train.y
    if groups is None:
        raise UomhError(f"{clustered.name} has no labels to compare")
    sizes = np.bincount(groups.numpy(), minlength=len(clustered.classes))
    if classes is None:
        return Agreement(tuple(sizes.tolist()))
    if len(classes) != len(groups):
        raise UomhError(
            f"{len(groups)} labels and {len(classes)} classes are not of the same points"
        )
    table = np.zeros((len(sizes), int(classes.max()) + 1), dtype=np.int64)
    np.add.at(table, (groups.numpy(), classes.numpy()), 1)
    return Agreement(
        sizes=tuple(sizes.tolist()),
        purity=float(table.max(axis=1).sum() / len(groups)),
        adjusted_rand=float(adjusted_rand_score(classes, groups)),
        mutual_information=float(normalized_mutual_info_score(classes, groups)),
    )
