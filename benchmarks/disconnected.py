"""Does it pay to train one VAE for each class of MNIST? Bits per dimension, and paired differences.

    python benchmarks/disconnected.py --data-root DIR [--out out/disconnected]

Trains what is missing of five runs in folders of --out, and scores all of them on the same test
points: intervals are 95% over points, those of differences over the points' own differences. One
seed, so they say nothing of others.
"""

import argparse
import math
from pathlib import Path

import torch

from uomh.metrics import Evaluation, Value
from uomh.training.resolve import resolve
from uomh.training.run import train

ONE = "one model"
CASES: dict[str, dict[str, object]] = {
    ONE: {},
    "one for each class": {"clusters": {"name": "class"}},
    "random groups": {"clusters": {"name": "random"}},
}
MATCHED = ", model.match=parameters"
for name in list(CASES)[1:]:
    CASES[name + MATCHED] = CASES[name]


def scored(case: str, folder: Path, data_root: str) -> tuple[int, torch.Tensor, torch.Tensor]:
    """Parameters, bits per dimension of every test point (n,), and its class (n,)."""
    values = {
        "data": {"dataset": "mnist", "data_root": data_root},
        "train": {"max_epochs": 20},
        "model": {"name": "vae", "importance_samples": 16},
        "threads": 1,
        **CASES[case],
    }
    overrides = ["model.match=parameters"] if case.endswith(MATCHED) else []
    config, data = resolve(values=values, disconnected=case != ONE, overrides=overrides)
    model, _ = train(config, data, folder / case.replace(" ", "_"))
    evaluation = Evaluation(model, data, data.test, config.seed)
    bits = -evaluation.log_prob / (data.spec.dim * math.log(2))
    assert data.test.y is not None
    return sum(each.numel() for each in model.parameters()), bits, data.test.y


def shown(points: torch.Tensor, sign: str = "") -> str:
    found = Value.mean(points)
    return f"{found.value:{sign}.3f} ({found.low:{sign}.3f} to {found.high:{sign}.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default="data")
    parser.add_argument("--out", type=Path, default=Path("out/disconnected"))
    given = parser.parse_args()
    print("| | parameters | bits/dim | minus that of one model |\n|---|---|---|---|")
    one = torch.zeros(0)
    for case in CASES:
        parameters, bits, classes = scored(case, given.out, given.data_root)
        if case == ONE:
            one = bits
        difference = "" if case == ONE else shown(bits - one, "+")
        print(f"| {case} | {parameters:,} | {shown(bits)} | {difference} |", flush=True)
        by_class = [bits[classes == k].mean() for k in range(10)]
        print(f"  by class: {' '.join(f'{each:.2f}' for each in by_class)}")


if __name__ == "__main__":
    main()
