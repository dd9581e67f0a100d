"""The metrics that the paper's options name: those that exist here, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from uomh import registry
from uomh.errors import UomhError
from uomh.settings import Nested, parse_value

MISSING_METRICS = {
    name: f"{what} is not measured by this version"
    for name, what in {
        "fid": "the Frechet distance of samples and data",
        "precision_recall_density_coverage": "precision, recall, density and coverage of samples",
        "disc_loss": "the loss of the discriminator",
        "likelihood_ood_acc": "detection of other data by likelihood",
        "likelihood_ood_acc_low_dim": "detection of other data by the likelihood of codes",
        "id": "the dimension of samples",
        "clustered_id": "the dimension of samples by cluster",
    }.items()
}
"""Metrics of the paper's code that do not exist here, and why there is no value."""


def early_stopping(name: Any) -> Nested:
    """The metric that chooses the best weights.

    Raises:
        UomhError: it does not exist here.
    """
    if reason := _missing(str(name)):
        raise UomhError(f"early_stopping_metric={name} cannot choose the best weights: {reason}")
    return {"train": {"early_stopping_metric": name}}


def metrics(section: str, member: str) -> Callable[[Any], Nested]:
    """Metrics that are measured; `missing_metrics` has those that do not exist."""

    def present(names: Any) -> Nested:
        return {section: {member: [each for each in _names(names) if not _missing(each)]}}

    return present


def _missing(metric: str) -> str | None:
    """Why a metric of the paper has no value here; None where it has, or is none of the paper's."""
    known = registry.entries("metrics")
    return None if metric in known else MISSING_METRICS.get(metric)


def _names(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else [str(each) for each in names or ()]


def missing_metrics(options: Sequence[str], test_ood: bool = False) -> dict[str, str]:
    """Metrics that ``NAME=VALUE`` options ask for and that do not exist here, with the reason.

    Args:
        options: as typed.
        test_ood: whether ``--test-ood`` asks for the detection of other data.
    """
    asked = ["likelihood_ood_acc"] if test_ood else []
    for option in options:
        name, _, text = option.partition("=")
        if name in ("test_metrics", "valid_metrics"):
            asked += _names(parse_value(text))
    reasons = {each: _missing(each) for each in asked}
    return {each: reason for each, reason in reasons.items() if reason}
