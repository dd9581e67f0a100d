"""What the groups of a run's data are made of: sizes, and shares of the classes of the source."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from uomh.errors import UomhError
from uomh.metrics.core import Metric
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.values import Value
from uomh.registry import register


@register("metrics", "clusters")
class Clusters(Metric):
    """Number of groups; of each its points, and where it is a cluster, its classes.

    The dimension of each group is in `id` (``id_real``), which has intervals.
    """

    higher_is_better = None
    groups = "none"

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Of each group ``train_size``, ``test_size``, ``majority_share``, ``share_of_CLASS``."""
        data, source = evaluation.data, evaluation.labelled()
        train, test = data.train.y, data.test.y
        if train is None or not data.classes:
            raise UomhError(f"{data.name} has no groups")
        yield self.name, _exact(len(data.classes), len(train))
        classes = source.train.y if data.grouping is not None else None
        for label, group in enumerate(data.classes):
            inside = train == label
            size = int(inside.sum())
            yield "train_size", _exact(size, size, group)
            if test is not None:
                yield "test_size", _exact(int((test == label).sum()), size, group)
            if classes is None or not size:
                continue
            shares = torch.bincount(classes[inside], minlength=len(source.classes)).double() / size
            yield "majority_share", _exact(shares.max().item(), size, group)
            for name, share in zip(source.classes, shares.tolist(), strict=True):
                yield f"share_of_{name}", _exact(share, size, group)


def _exact(value: float, n: int, group: str | None = None) -> Value:
    """A count or a share of the points that there are, which is no estimate."""
    return Value(float(value), n=n, group=group, by="training points")
