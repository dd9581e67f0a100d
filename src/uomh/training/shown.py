"""Arrays that measuring leaves in a run's folder: what its pictures are drawn from.

    RUN/arrays/closest_pairs/{samples,training,distances,...}.npy
    RUN/arrays/between/{samples,distances,limit,sample_points,levels}.npy
    RUN/arrays/pointwise_id/{samples,sample_rows,training,training_rows,limits,k}.npy
    RUN/arrays/ood_D/{is,oos}_{train,test}_lowdim_{True,False}.npy, as the paper's code names them

They are of the weights whose hash stands beside them; those of other weights are removed, with the
pictures that were drawn from them.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.files import replacing

FOLDER = "arrays"
PICTURES = ("closest_pairs.png", "ood_*.png")
"""what is drawn from the arrays, in the run's folder"""


def keep_shown(
    run_dir: Path, shown: Mapping[str, Mapping[str, NDArray[Any]]], weights: str, setup: str
) -> None:
    """Keep arrays of these weights, and drop those of others; a full disk costs pictures alone.

    Args:
        run_dir: of the run, whose only writer asks.
        shown: arrays by the name of what they show, from `Evaluation.shown`.
        weights: hash of the weights that they are of.
        setup: hash of what else they depend on.
    """
    folder, state = run_dir / FOLDER, f"{weights} {setup}\n"
    with contextlib.suppress(OSError):
        if not _is_of(folder, state):
            shutil.rmtree(folder, ignore_errors=True)
            for pattern in PICTURES:
                for path in run_dir.glob(pattern):
                    path.unlink(missing_ok=True)
        if not shown:
            return
        for name, arrays in shown.items():
            below = folder / file_name(name)
            below.mkdir(parents=True, exist_ok=True)
            for key, array in arrays.items():
                with replacing(below / f"{key}.npy") as temporary, temporary.open("wb") as file:
                    np.save(file, array, allow_pickle=False)
        with replacing(folder / "weights") as temporary:
            temporary.write_text(state, encoding="utf-8")


def file_name(name: str) -> str:
    """A name, of a data set say, as that of a file: letters, digits, dots, dashes, underscores.

    >>> file_name("ood_hub:org/set")
    'ood_hub-org-set'
    """
    return re.sub(r"[^\w.-]+", "-", name).lstrip(".") or "-"


def _is_of(folder: Path, state: str) -> bool:
    try:
        return (folder / "weights").read_text(encoding="utf-8") == state
    except (OSError, UnicodeDecodeError):
        return False
