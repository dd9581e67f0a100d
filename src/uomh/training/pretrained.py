"""What a run takes from another run: an autoencoder to begin with, codes to cluster by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from uomh.config import RunConfig
from uomh.errors import UomhError
from uomh.models.compose import TwoStep, parts_of
from uomh.models.core import Codec, Generative
from uomh.training.load import load_run
from uomh.training.plan import Plan


def encoder_of(run_dir: str) -> Callable[[Tensor], Tensor]:
    """The codes of a batch by the model of a run.

    Raises:
        UomhError: its model has no codes, or needs labels for them.
    """
    model = load_run(run_dir).model
    if not isinstance(model, Codec) or getattr(model, "num_classes", False):
        raise UomhError(f"cluster_codes={run_dir}: its model has no codes of points without labels")
    return model.encode


def begin_from(
    config: RunConfig, plan: Plan, parts: Mapping[str, Generative], folder: Path | None
) -> None:
    """Give two-step models the autoencoder of another run, part by part.

    Args:
        config: of the run.
        plan: of the run.
        parts: models by the path of their part; those whose autoencoder has a checkpoint go on
            from it.
        folder: of the run.

    Raises:
        UomhError: that run has no such autoencoder.
    """
    source = config.two_step.autoencoder_run
    if source is None:
        return
    new = {path: part for path, part in parts.items() if not _is_begun(part, path, folder)}
    if not new:
        return
    theirs = parts_of(load_run(source).model)
    paths = [part.path for part in plan.parts]
    if len(theirs) not in (1, len(paths)):
        raise UomhError(f"{source!r} has {len(theirs)} parts, and this run {len(paths)}")
    for path, part in new.items():
        if not isinstance(part, TwoStep):
            raise UomhError("two_step.autoencoder_run is for two-step models; add a density")
        other = theirs[paths.index(path) if len(theirs) > 1 else 0]
        other = other.autoencoder if isinstance(other, TwoStep) else other
        try:
            part.autoencoder.load_state_dict(other.state_dict())
        except RuntimeError:
            raise UomhError(
                f"the autoencoder of {source!r} has other settings than this run's; repeat them"
            ) from None


def _is_begun(part: Generative, path: str, folder: Path | None) -> bool:
    """Whether the autoencoder of a part has a checkpoint that training goes on from."""
    if folder is None:
        return False
    first, _ = next(part.leaves())
    name = "best" if isinstance(part, TwoStep) and part.frozen else "last"
    return (folder / "checkpoints" / path / first / f"{name}.pt").is_file()
