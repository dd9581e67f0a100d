"""Training time of ten parts on MNIST: serially, in two processes, and one model for all data.

    python benchmarks/parts.py --data-root DIR [--epochs 20]

Every run has as many passes over the images, one processor thread a part, and the same networks;
what is timed is a whole `train`, from the loaded data to the pictures. The three take turns, and
the ratios are medians over the turns.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from uomh.parallel.core import Parallel
from uomh.training.resolve import resolve
from uomh.training.run import train

CASES = {
    "one model": (False, Parallel()),
    "ten parts, serial": (True, Parallel()),
    "ten parts, two processes": (True, Parallel("processes", 2)),
}


def seconds(data_root: str, epochs: int, disconnected: bool, parallel: Parallel) -> float:
    values = {
        "data": {"dataset": "mnist", "data_root": data_root},
        "threads": 1,
        "train": {"max_epochs": epochs},
    }
    config, data = resolve(values=values, disconnected=disconnected)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        train(config, data, Path(folder) / "run", parallel=parallel)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default="data")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(given.repeats):
        for name, (disconnected, parallel) in CASES.items():
            times[name].append(seconds(given.data_root, given.epochs, disconnected, parallel))
            print(f"{name}: {times[name][-1]:.1f} s", flush=True)
    for name, base in (
        ("ten parts, serial", "one model"),
        ("ten parts, two processes", "ten parts, serial"),
    ):
        ratios = [own / other for own, other in zip(times[name], times[base], strict=True)]
        print(f"{name} / {base}: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
