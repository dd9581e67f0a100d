"""Images a second: our trainer, a bare PyTorch loop, and a per-item DataLoader, in one run.

    python benchmarks/training.py [--threads 2] [--repeats 5] [--models NAME ...] [--loader]

The bare loop is the limit: the same network and optimiser on batches that already lie in memory.
The loader (``--loader``) is what a user would write: `torch.utils.data.DataLoader` over single
images, collated. They take turns, repeat by repeat, on the same random images; medians are printed.

Each model has the network of the paper, at batch 128. The last columns set our step beside the
published code's, measured on two such cores on the same work: its ms per step, and how many times
faster ours is.
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

from uomh import memory, registry
from uomh.data import Data, DataSpec, Split
from uomh.models.leaf import Model
from uomh.settings import Nested
from uomh.training import TrainConfig, Trainer
from uomh.training.optim import build_optimizer

BATCH = 128
GREY = DataSpec((1, 28, 28), 256, 0)
COLOUR = DataSpec((3, 32, 32), 256, 0)


@dataclass(frozen=True)
class Case:
    """A model on random images, how many batches make a timing of some seconds, and the paper's."""

    model: str
    spec: DataSpec
    batches: int
    settings: Nested
    paper: float | None = None
    """milliseconds of a step of the published code on two AMD EPYC cores"""


WIDE = {"encoder": {"hidden_dims": [512, 512]}, "decoder": {"hidden_dims": [512, 512]}}
CASES = {
    "ae": Case("ae", GREY, 400, {}, 11),
    "vae": Case("vae", GREY, 200, WIDE, 18),
    "vae-cnn": Case("vae", COLOUR, 16, {}, 320),
    "avb": Case("avb", GREY, 100, {}),
    "wae": Case("wae", GREY, 5, {}, 1114),
    "bigan": Case("bigan", GREY, 120, {}, 32),
    "gan": Case("gan", GREY, 10, {}, 443),
    "flow": Case("flow", GREY, 16, {}, 296),
    "ebm": Case("ebm", GREY, 20, {}, 192),
    "arm": Case("arm", GREY, 1, {}, 5759),
    "flow_matching": Case("flow_matching", GREY, 12, {}),
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
        with memory.keeping_freed_memory():  # as the trainer does
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
    parser.add_argument("--models", nargs="*", choices=CASES, help="these rows alone")
    parser.add_argument("--loader", action="store_true", help="time a DataLoader too")
    given = parser.parse_args()
    memory.allow()  # as the command line does
    torch.set_num_threads(given.threads)
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {given.threads} threads, torch {torch.__version__}, batch {BATCH}")
    others = ("bare", "loader") if given.loader else ("bare",)
    columns = ["ours", *others, *(f"ours/{other}" for other in others)]
    columns += ["ms/step", "paper's", "faster"]
    print(f"{'images a second':16}" + "".join(f"{column:>12}" for column in columns))
    for name in given.models or CASES:
        case = CASES[name]
        runs = {"ours": ours(case), "bare": loop(case, lambda x: list(x.split(BATCH)))}
        if given.loader:
            runs["loader"] = loop(case, per_item)
        times: dict[str, list[float]] = {key: [] for key in runs}
        for repeat in range(given.repeats + 1):
            for key, run in runs.items():
                elapsed = seconds(run)
                if repeat:  # the first of each warms up
                    times[key].append(elapsed)
        images = case.batches * BATCH
        row = [f"{images / statistics.median(each):.0f}" for each in times.values()]
        for key in others:
            pairs = zip(times["ours"], times[key], strict=True)
            row.append(f"{statistics.median(other / own for own, other in pairs):.2f}")
        step = 1000 * statistics.median(times["ours"]) / case.batches
        row.append(f"{step:.1f}")
        row += ["-", "-"] if case.paper is None else [f"{case.paper}", f"{case.paper / step:.1f}"]
        print(f"{name:16}" + "".join(f"{each:>12}" for each in row), flush=True)


if __name__ == "__main__":
    main()
