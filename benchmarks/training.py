"""Images a second: our trainer, a bare PyTorch loop, and a per-item DataLoader, in one run.

    python benchmarks/training.py [--threads 2] [--repeats 5] [--only NAME ...]

The bare loop is the limit: the same network and optimiser on batches that already lie in memory.
The loader is what a user would write: `torch.utils.data.DataLoader` over single images, collated.
All three take turns, repeat by repeat, on the same random images; medians are printed.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader, TensorDataset

from uomh import registry
from uomh.data import Data, DataSpec, Split
from uomh.models.core import Model
from uomh.settings import Nested
from uomh.training import TrainConfig, Trainer
from uomh.training.optim import build_optimizer

BATCH = 128
GREY = DataSpec((1, 28, 28), 256, 0)
COLOUR = DataSpec((3, 32, 32), 256, 0)


@dataclass(frozen=True)
class Case:
    """A model on random images, and how many batches make a timing of two seconds or so."""

    model: str
    spec: DataSpec
    batches: int
    settings: Nested


WIDE = {"encoder": {"hidden_dims": [512, 512]}, "decoder": {"hidden_dims": [512, 512]}}
CASES = {
    "vae (MLP, 28x28)": Case("vae", GREY, 200, WIDE),
    "vae (CNN, 32x32x3)": Case("vae", COLOUR, 16, {}),
}


def build(case: Case) -> tuple[Model, Data, TrainConfig]:
    """A fresh model, its data, and how it is trained."""
    torch.manual_seed(0)
    x = torch.randint(0, 256, (case.batches * BATCH, *case.spec.shape), dtype=torch.uint8)
    data = Data("random", Split(x), Split(x[:0]), Split(x[:0]), (), case.spec.levels)
    cls = registry.load("models", case.model)
    defaults = cls.Config.defaults(case.spec)
    config = cls.Config.of({**defaults.get("model", {}), **case.settings})
    train = {**defaults.get("train", {}), "max_epochs": 1, "batch_size": BATCH}
    train |= {"valid_metrics": (), "early_stopping_metric": None}
    return cls(config, case.spec), data, TrainConfig.of(train)


def ours(case: Case) -> Callable[[], None]:
    """An epoch of our trainer."""
    model, data, config = build(case)
    return lambda: Trainer(config).fit(model, data)


def loop(case: Case, feed: Callable[[Tensor], Iterable[Tensor]]) -> Callable[[], None]:
    """An epoch of a plain loop over the batches that ``feed`` makes of the images."""
    model, data, config = build(case)
    model.prepare(data)
    model.train()
    groups = model.groups()
    settings = {name: config.for_group(name) for name in groups}
    optimizers = {name: build_optimizer(settings[name], groups[name]) for name in groups}
    batches = feed(data.train.x)

    def epoch() -> None:
        for step, x in enumerate(batches):
            for name, loss in model.losses(x, None, step):
                optimizers[name].zero_grad()
                loss.backward(inputs=groups[name])
                clip = settings[name].max_grad_norm
                if clip is not None:
                    clip_grad_norm_(groups[name], clip)
                optimizers[name].step()

    return epoch


def per_item(x: Tensor) -> Iterable[Tensor]:
    """Batches collated from single images."""

    def collate(items: list[tuple[Tensor]]) -> Tensor:
        return torch.stack([image for (image,) in items])

    return DataLoader(TensorDataset(x), BATCH, shuffle=True, collate_fn=collate)


def seconds(run: Callable[[], None]) -> float:
    """Wall-clock time of a call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", nargs="*", choices=CASES, help="these rows alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {given.threads} threads, torch {torch.__version__}, batch {BATCH}")
    columns = ("ours", "bare", "loader", "ours/bare", "ours/loader", "ms/step")
    print(f"{'images a second':20}" + "".join(f"{column:>12}" for column in columns))
    for name in given.only or CASES:
        case = CASES[name]
        runs = {
            "ours": ours(case),
            "bare": loop(case, lambda x: list(x.split(BATCH))),
            "loader": loop(case, per_item),
        }
        times: dict[str, list[float]] = {key: [] for key in runs}
        for repeat in range(given.repeats + 1):
            for key, run in runs.items():
                elapsed = seconds(run)
                if repeat:  # the first of each warms up
                    times[key].append(elapsed)
        ratios = {
            key: statistics.median(
                other / own for own, other in zip(times["ours"], times[key], strict=True)
            )
            for key in ("bare", "loader")
        }
        images = case.batches * BATCH
        medians = {key: images / statistics.median(each) for key, each in times.items()}
        speeds = "".join(f"{medians[key]:12.0f}" for key in runs)
        step = 1000 * BATCH / medians["ours"]
        print(f"{name:20}{speeds}{ratios['bare']:12.2f}{ratios['loader']:12.2f}{step:12.1f}")


if __name__ == "__main__":
    main()
