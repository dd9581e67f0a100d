"""How well a score tells foreign points from a data set's own, and the paper's decision stump.

Scores are one number a point, higher for points of the data set (a log-likelihood, say). Points of
the data set are called inside, foreign ones outside. Infinite scores have their place in the order.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from uomh.metrics.inputs import scores_of
from uomh.metrics.intervals import Estimate, Floats, variance_of, wilson
from uomh.metrics.shares import share_beyond
from uomh.metrics.values import NORMAL_95


def auroc(inside: Any, outside: Any) -> Estimate:
    """The area under the ROC curve: P(inside > outside) + P(equal) / 2, with a 95% interval.

    The variance is that of DeLong, DeLong & Clarke-Pearson (1988), the interval symmetric in the
    logit of the area.

    Args:
        inside: (n,) scores of the data set's points.
        outside: (m,) scores of foreign points.

    Returns:
        The area, 0.5 for a score that tells nothing, with the influence of each point.

    Raises:
        UomhError: scores that are NaN or no list, fewer than two of either.

    Examples:
        >>> auroc([3.0, 2.0, 1.0], [0.0, 2.0]).value
        0.75
    """
    x, y = scores_of(inside, "inside", 2), scores_of(outside, "outside", 2)
    n, m = len(x), len(y)
    ranks = rankdata(np.concatenate([x, y]))
    above = (ranks[:n] - rankdata(x)) / m  # share of the outside below each inside point
    below = 1 - (ranks[n:] - rankdata(y)) / n
    area = float(above.mean())
    influences = {"inside": above - area, "outside": below - area}
    variance = variance_of(influences)
    if variance == 0 or not 0 < area < 1:
        return Estimate(area, *wilson(area, min(n, m)), influences)
    logit, half = math.log(area / (1 - area)), NORMAL_95 * math.sqrt(variance) / (area * (1 - area))
    low, high = (
        1 / (1 + math.exp(-min(max(end, -700), 700))) for end in (logit - half, logit + half)
    )
    return Estimate(area, low, high, influences)


def aupr(inside: Any, outside: Any) -> float:
    """The area under the precision-recall curve, inside being positive (average precision).

    The sum over thresholds of precision times the gain in recall, which is the share of inside
    points among all for a score that tells nothing.

    Args:
        inside: (n,) scores of the data set's points.
        outside: (m,) scores of foreign points.

    Raises:
        UomhError: scores that are NaN or no list, or none.
    """
    x, y = scores_of(inside, "inside"), scores_of(outside, "outside")
    _, hits, falls = _by_threshold(x, y)
    gain = np.diff(hits, prepend=0)  # whole numbers, whose sum is the number of points exactly
    return float((gain * hits / (hits + falls)).sum()) / len(x)


def fpr_at_95(inside: Any, outside: Any, level: float = 0.95) -> Estimate:
    """The share of foreign points that pass where 95% of the data set's points pass.

    A point passes with a score of at least t, the largest t that lets 95% of inside pass.

    Args:
        inside: (n,) scores of the data set's points.
        outside: (m,) scores of foreign points.
        level: the share of inside points that pass.

    Returns:
        The rate, 0 at best, with a 95% interval over both sets of points.

    Raises:
        UomhError: scores that are NaN or no list, or none.
    """
    x, y = scores_of(inside, "inside"), scores_of(outside, "outside")
    beyond = share_beyond(-y, -x, level)
    names = {"generated": "outside", "held_out": "inside"}
    influences = {names[name]: -values for name, values in beyond.influences.items()}
    return Estimate(1 - beyond.value, 1 - beyond.high, 1 - beyond.low, influences)


class Stump(NamedTuple):
    """A decision stump between two sets of scores, and how it does on two others.

    Attributes:
        threshold: points with a score above it are taken for the data set's own.
        accuracy: balanced accuracy on the test scores, in [0, 1], with its 95% interval at this
            threshold.
    """

    threshold: float
    accuracy: Estimate


def decision_stump(
    inside_train: Any, inside_test: Any, outside_train: Any, outside_test: Any
) -> Stump:
    """The out-of-distribution rate of the paper.

    The threshold t is that of a decision tree of one split (least Gini impurity, halfway between
    two scores) between the training scores; the rate is

        [#(inside_test > t) + n_in / n_out #(outside_test <= t)] / (2 n_in),

    the balanced accuracy of "above t is inside", whichever side the tree itself would choose.

    Args:
        inside_train: scores of the data set's training points.
        inside_test: of its test points.
        outside_train: of the foreign training points.
        outside_test: of the foreign test points.

    Raises:
        UomhError: scores that are NaN or no list, or none.
    """
    names = ("inside_train", "inside_test", "outside_train", "outside_test")
    given = (inside_train, inside_test, outside_train, outside_test)
    x, x_test, y, y_test = (scores_of(s, name) for s, name in zip(given, names, strict=True))
    threshold = _threshold(x, y)
    right = {
        "inside": (x_test > threshold).astype(np.float64),
        "outside": (y_test <= threshold).astype(np.float64),
    }
    rate = sum(float(values.mean()) for values in right.values()) / 2
    influences = {name: (values - values.mean()) / 2 for name, values in right.items()}
    sizes = {name: len(values) for name, values in right.items()}
    variance = sum(float(v.var()) / sizes[name] for name, v in influences.items())
    effective = rate * (1 - rate) / variance if variance > 0 else float(min(sizes.values()))
    return Stump(threshold, Estimate(rate, *wilson(rate, effective), influences))


def _by_threshold(x: Floats, y: Floats) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Thresholds from above, and how many of x and of y reach each."""
    values = np.unique(np.concatenate([x, y]))[::-1]
    reached = [
        len(scores) - np.searchsorted(np.sort(scores), values, side="left") for scores in (x, y)
    ]
    return values, reached[0], reached[1]


def _threshold(x: Floats, y: Floats) -> float:
    """Where one split leaves the least Gini impurity; the score itself where all are equal."""
    values, hits, falls = _by_threshold(x, y)
    if len(values) == 1:
        return float(values[0])
    up = np.stack([hits, falls])[:, :-1].astype(np.float64)
    down = np.array([[len(x)], [len(y)]]) - up
    # The impurity of both sides, weighted by their points, is all points less these.
    purity = sum((side**2).sum(0) / side.sum(0) for side in (up, down))
    best = len(purity) - 1 - int(np.argmax(purity[::-1]))  # the lowest of equal ones, as the tree's
    above, under = values[best], values[best + 1]
    middle = under + (above - under) / 2 if np.isfinite([above, under]).all() else under
    return float(under if middle >= above else middle)
