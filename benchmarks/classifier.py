"""Images a second of ResNet-18 on images of 32x32: our trainer, and a bare loop of the network.

    python benchmarks/classifier.py [--threads 2] [--repeats 5] [--batches 3] [--network resnet18]

The bare loop is what is left when everything else is taken away: the same network in the same
memory format, cross-entropy and fused SGD, on batches that lie in memory as floats already
normalised. Ours shuffles, gathers, normalises, counts by class, schedules, validates nothing, and
saves in memory. They take turns, repeat by repeat; medians are printed, and the median of the
ratios of neighbouring turns. On a machine that is busy with other work the wall clock tells little:
the ratio of processor seconds, which count the process alone, stands beside it.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional

from uomh import memory
from uomh.data import Data, Split
from uomh.models.classifier import Classifier, ClassifierConfig
from uomh.training import TrainConfig
from uomh.training.fit import Leaf
from uomh.training.scope import Scope

BATCH = 128
CLASSES = 100


def data_of(batches: int) -> Data:
    """Random images of as many classes as CIFAR-100 has."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (batches * BATCH, 3, 32, 32), generator=generator)
    y = torch.arange(len(x)) % CLASSES
    split = Split(x.to(torch.uint8), y)
    names = tuple(map(str, range(CLASSES)))
    return Data("random", split, split[:0], split[:0], names, 256)


def settings(network: str, data: Data) -> ClassifierConfig:
    """The settings of the paper, for one epoch."""
    train = {"max_epochs": 1, "valid_metrics": []}
    given = {"name": "classifier", "network": network}
    return ClassifierConfig.of(Classifier.complete(given, data.spec, train))


def ours(network: str, data: Data) -> Callable[[], None]:
    """An epoch of our loop, its saving included; what a run does once is not."""
    torch.manual_seed(0)
    config = settings(network, data)
    model = Classifier(config, data.spec)
    leaf = Leaf(Scope(config.train or TrainConfig()), model, data)
    model.prepare(data)

    def epoch() -> None:
        with memory.keeping_freed_memory():
            leaf.one_epoch()

    return epoch


def bare(network: str, data: Data) -> Callable[[], None]:
    """An epoch of a plain loop over batches that are ready."""
    torch.manual_seed(0)
    config = settings(network, data)
    model = Classifier(config, data.spec)
    model.prepare(data)
    net = torch.nn.Sequential(model.backbone, model.head).train()
    with torch.no_grad():
        z, _ = model.normalise(model.cells(data.train.x))
    assert data.train.y is not None
    images = [x.contiguous(memory_format=torch.channels_last) for x in z.split(BATCH)]
    batches = list(zip(images, data.train.y.split(BATCH), strict=True))
    sgd = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, fused=True)

    def epoch() -> None:
        with memory.keeping_freed_memory():  # as the trainer does
            for x, y in batches:
                sgd.zero_grad()
                functional.cross_entropy(net(x), y).backward()
                sgd.step()

    return epoch


def seconds(run: Callable[[], None]) -> tuple[float, float]:
    """Wall-clock and processor time of a call."""
    start, busy = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - busy


def main() -> None:
    """Print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--network", default="resnet18")
    given = parser.parse_args()
    memory.allow()  # as the command line does
    torch.set_num_threads(given.threads)
    data = data_of(given.batches)
    runs = {"ours": ours(given.network, data), "bare": bare(given.network, data)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for repeat in range(given.repeats + 1):
        for name in runs if repeat % 2 else reversed(runs):  # neither always follows the other
            elapsed = seconds(runs[name])
            if repeat:  # the first of each warms up
                times[name].append(elapsed)
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {given.threads} threads, torch {torch.__version__}, {given.network}")
    for name, measured in times.items():
        wall, busy = (statistics.median(column) for column in zip(*measured, strict=True))
        images = given.batches * BATCH
        print(f"{name:5} {images / wall:7.1f} images a second, {images / busy:7.1f} a busy second")
    for clock, what in enumerate(("wall clock", "processor seconds")):
        pairs = zip(times["ours"], times["bare"], strict=True)
        ratios = [theirs[clock] / own[clock] for own, theirs in pairs]
        extremes = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(f"ours/bare by {what}: {statistics.median(ratios):.3f} ({extremes})")


if __name__ == "__main__":
    main()
