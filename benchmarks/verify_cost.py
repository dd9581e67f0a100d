"""What `verify` costs beside one exact search of the same points, and with more groups.

    python benchmarks/verify_cost.py --data-root data [--datasets mnist cifar10] [--points N]

The search is of 20 neighbours among all training images; `verify` has 199 shuffles of the labels.
The classes are then replaced by random groups, ten, a hundred and as many as leave 50 points each.
Beside the time stands processor time, whose ratios a busy machine changes little.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

# As the command line sets it: threads that spin for long slow a busy machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import numpy as np
import torch

import uomh


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", default="data")
    parser.add_argument("--datasets", nargs="+", default=["mnist", "cifar10"])
    parser.add_argument("--points", type=int, help="the first so many images (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    uomh.nearest_neighbours(np.random.default_rng(0).normal(size=(500, 8)), 20)  # imports
    for name in arguments.datasets:
        data = uomh.load_data(name, data_root=arguments.data_root, valid_fraction=0.0)
        x = data.train.x[: arguments.points].flatten(1).numpy()
        y = data.train.y[: arguments.points].numpy()
        n = len(x)
        search = seconds(lambda x=x: uomh.nearest_neighbours(x, 20))
        print(f"{name}: {n:,} x {x.shape[1]} {x.dtype}, one search {search[0]:.1f} s", flush=True)
        ten = None
        for count in (None, 10, 100, n // 50):
            labels = y if count is None else np.random.default_rng(0).permutation(n) % count
            took = seconds(lambda x=x, labels=labels: uomh.verify(x, labels, nulls=199))
            ten = took if count == 10 else ten
            words = "classes" if count is None else f"{count:,} random groups"
            beside = f", {ratio(took, ten)} of ten groups" if ten else ""
            print(
                f"  {words}: {took[0]:.1f} s, {ratio(took, search)} of the search{beside}",
                flush=True,
            )


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of all processors."""
    start = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def ratio(took: tuple[float, float], other: tuple[float, float]) -> str:
    by_clock, of_processors = took[0] / other[0], took[1] / other[1]
    return f"{by_clock:.2f} ({of_processors:.2f} by processor time)"


if __name__ == "__main__":
    main()
