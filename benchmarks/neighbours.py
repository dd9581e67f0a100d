"""Time the exact neighbour search against what a user would pick instead, and against the limit.

    python benchmarks/neighbours.py --data-root data [--plot neighbours.png] [--dadapy-python PATH]

Every contender runs with the same number of threads, in turn, `--repeats` times; the table shows
medians and their ratio to ours. The bytes of the images are given to ours and float32 to the
others, which is what each handles best (`ours, float32` takes the same float32). "product" is the
bare matrix product of the points with themselves and nothing else: the floor of any method that
computes every distance in full.

DADApy pins an old numpy, so it runs in an environment of its own:
python -m venv dadapy && dadapy/bin/pip install dadapy, then --dadapy-python dadapy/bin/python.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# As the command line sets it: idle threads of one library would slow the next one's turn.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import faiss
import numpy as np
import skdim
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from uomh import UomhError, load_data, nearest_neighbours
from uomh.neighbours import whole

K = 20
CLASS_K = 10
Bytes = NDArray[np.uint8]
Runs = dict[str, Callable[[], float]]

DADAPY = """
import sys, time
import numpy as np
from dadapy import Data
points = Data(coordinates=np.load(sys.argv[1]), n_jobs=int(sys.argv[3]))
start = time.perf_counter()
points.compute_distances(maxk=int(sys.argv[2]))
print(time.perf_counter() - start)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", default="data", help="folder that holds mnist/*.parquet")
    parser.add_argument("--sizes", type=int, nargs="+", default=[6000, 20000, 60000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dadapy-python", help="interpreter of an environment with DADApy")
    parser.add_argument("--plot", type=Path, help="write the cost against N and D to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    faiss.omp_set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        machine(arguments.threads)
        x, y = images(arguments.data_root)
        for n in arguments.sizes:
            search(x[:n], arguments)
        small(arguments)
        classes(x, y, arguments)
        scaling(x, arguments)


def machine(threads: int) -> None:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":")[1] for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = f"{len(names)} x{names[0]}"
    versions = ", ".join(
        f"{module.__name__} {module.__version__}" for module in (torch, faiss, sklearn, skdim, np)
    )
    print(f"machine: {cpu}, {platform.system()}; {threads} threads")
    print(f"versions: Python {platform.python_version()}, {versions}\n")


def images(root: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The training images of MNIST, or points of a like spectrum."""
    try:
        train = load_data("mnist", data_root=root, valid_fraction=0).train
    except UomhError as error:
        print(f"notice: synthetic points instead of MNIST ({error})\n")
        return synthetic(60_000, 784), np.arange(60_000) % 10
    return train.x.flatten(1).numpy(), np.asarray(train.y)


def synthetic(n: int, dim: int, latent: int = 12) -> NDArray[np.uint8]:
    """Waves of random direction over a cube: a curved manifold whose spectrum falls off slowly."""
    rng = np.random.default_rng(0)
    u = rng.uniform(size=(n, latent))
    waves = 4 * latent
    phase = u @ rng.normal(scale=2.0, size=(latent, waves)) + rng.uniform(0, 2 * np.pi, waves)
    scale = 60 / np.sqrt(np.arange(1, waves + 1))
    x = 128 + (np.cos(phase) * scale) @ rng.normal(size=(waves, dim)) / 2
    return np.clip(x + rng.normal(scale=8, size=(n, dim)), 0, 255).astype(np.uint8)


def timed(function: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return run


def alternate(runs: Runs, repeats: int) -> dict[str, float]:
    """Median seconds of each; they take turns, so that a slow minute hits all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            seconds[name].append(run())
            print(f"  {name}: {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    return {name: statistics.median(values) for name, values in seconds.items()}


def table(title: str, seconds: dict[str, float], absent: dict[str, str], ours: str) -> None:
    print(f"{title}\n")
    print("| | seconds | ours takes, of its time |\n|---|---|---|")
    for name, value in seconds.items():
        print(f"| {name} | {value:.2f} | {seconds[ours] / value:.2f} |")
    for name, reason in absent.items():
        print(f"| {name} | n/a | {reason} |")
    print(flush=True)


def search(x: NDArray[np.uint8], arguments: argparse.Namespace) -> None:
    """Exact search of K neighbours among n images, by everyone."""
    points = x.astype(np.float32)
    threads = arguments.threads

    def by_faiss() -> None:
        index = faiss.IndexFlatL2(points.shape[1])
        index.add(points)
        index.search(points, K + 1)

    def by_sklearn() -> None:
        NearestNeighbors(n_neighbors=K, algorithm="brute", n_jobs=threads).fit(points).kneighbors()

    def product() -> None:
        whole = torch.from_numpy(points)
        block = torch.empty(1024, len(points))
        for rows in whole.split(1024):
            torch.mm(rows, whole.T, out=block[: len(rows)])

    runs = {
        "ours": timed(lambda: nearest_neighbours(x, K)),
        "ours, by bounds": timed(lambda: by_bounds(x)),
        "ours, float32": timed(lambda: nearest_neighbours(points, K)),
        "faiss.IndexFlatL2": timed(by_faiss),
        "scikit-learn brute force": timed(by_sklearn),
        "scikit-dimension get_nn": timed(
            lambda: skdim._commonfuncs.get_nn(points, K, n_jobs=threads)
        ),
        "product (the limit)": timed(product),
    }
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.dadapy_python is None:
            absent["DADApy"] = "no --dadapy-python given"
        else:
            file = Path(folder) / "x.npy"
            np.save(file, points)
            command = [arguments.dadapy_python, "-c", DADAPY, str(file), str(K), str(threads)]
            runs["DADApy"] = lambda: float(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[
                    -1
                ]
            )
        seconds = alternate(runs, arguments.repeats)
    title = f"{K} nearest neighbours of {len(x)} x {x.shape[1]} points"
    table(title, seconds, absent, "ours")


def small(arguments: argparse.Namespace) -> None:
    """Searches that should take hardly more than their plain product and topk in float32."""
    x = synthetic(5000, 3072)
    for title, points, queries in (
        ("8 queries among 5,000 x 3,072 bytes", x, x[:8] ^ 1),
        ("500 x 3,072 bytes among themselves", x[:500], None),
    ):
        right = torch.from_numpy(points).float()
        left = right if queries is None else torch.from_numpy(queries).float()

        def product(left: torch.Tensor = left, right: torch.Tensor = right) -> None:
            torch.mm(left, right.T).topk(K)

        def ours(points: Bytes = points, queries: Bytes | None = queries) -> None:
            nearest_neighbours(points, K, queries)

        runs = {"ours": often(ours), "plain product and topk": often(product)}
        seconds = {name: 1000 * value for name, value in alternate(runs, arguments.repeats).items()}
        table(f"{title}, milliseconds", seconds, {}, "ours")


def often(function: Callable[[], None], times: int = 20) -> Callable[[], float]:
    """Seconds of one of many calls, the quickest: short ones are easily disturbed."""
    return lambda: min(timed(function)() for _ in range(times))


def by_bounds(x: Bytes) -> None:
    """The same search without products of whole numbers, as on processors that lack them."""
    exact, whole.is_exact = whole.is_exact, lambda: False
    try:
        nearest_neighbours(x, K)
    finally:
        whole.is_exact = exact


def classes(x: NDArray[np.uint8], y: NDArray[np.int64], arguments: argparse.Namespace) -> None:
    """The dimension of each class by maximum likelihood, neighbour search included."""
    parts = [x[y == label] for label in np.unique(y)]
    floats = [part.astype(np.float32) for part in parts]
    estimates: dict[str, list[float]] = {}

    def ours() -> None:
        logs = [np.log(nearest_neighbours(part, CLASS_K).distances) for part in parts]
        estimates["ours"] = [1 / (d[:, -1:] - d[:, :-1]).mean() for d in logs]

    def theirs() -> None:
        estimates["theirs"] = [
            skdim.id.MLE().fit(part, n_neighbors=CLASS_K, n_jobs=arguments.threads).dimension_
            for part in floats
        ]

    seconds = alternate(
        {"ours": timed(ours), "scikit-dimension MLE": timed(theirs)}, arguments.repeats
    )
    table(f"mle of {len(parts)} classes at k = {CLASS_K}", seconds, {}, "ours")
    for name, values in estimates.items():
        print(f"{name}: " + " ".join(f"{value:.2f}" for value in values))
    print()


def scaling(x: NDArray[np.uint8], arguments: argparse.Namespace) -> None:
    """Seconds against the number of points and of coordinates, with fitted exponents."""
    sizes = [n for n in (2000, 4000, 8000, 16000, 32000) if n <= len(x)]
    dims = [32, 128, 512, 2048]
    wide = synthetic(10_000, dims[-1])
    curves: dict[str, tuple[list[int], list[float]]] = {}
    for axis, values in (("N", sizes), ("D", dims)):
        runs = {}
        for value in values:
            points = x[:value] if axis == "N" else np.ascontiguousarray(wide[:, :value])
            runs[str(value)] = timed(lambda points=points: nearest_neighbours(points, K))
        curves[axis] = values, list(alternate(runs, arguments.repeats).values())
    for axis, (values, seconds) in curves.items():
        slope = np.polyfit(np.log(values), np.log(seconds), 1)[0]
        other = "784 coordinates" if axis == "N" else "10,000 synthetic points"
        line = ", ".join(f"{v}: {s:.2f} s" for v, s in zip(values, seconds, strict=True))
        print(f"cost against {axis} ({other}): {axis}^{slope:.2f} ({line})")
    if arguments.plot is not None:
        draw(curves, arguments.plot)


def draw(curves: dict[str, tuple[list[int], list[float]]], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(8, 3.4), layout="constrained")
    for axis, (name, (values, seconds)) in zip(axes, curves.items(), strict=True):
        slope, shift = np.polyfit(np.log(values), np.log(seconds), 1)
        axis.loglog(values, seconds, "o", color="C0")
        axis.loglog(values, np.exp(shift) * np.array(values, float) ** slope, color="C0", lw=1)
        axis.set_xticks(values, [f"{value:,}" for value in values])
        low, high = min(seconds) / 1.5, max(seconds) * 1.5
        ticks = [each for each in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if low < each < high]
        axis.set_yticks(ticks, [f"{each:g}" for each in ticks])
        axis.minorticks_off()
        label = {"N": "points N", "D": "coordinates D"}[name]
        axis.set(xlabel=label, ylabel="seconds", title=f"{name}$^{{{slope:.2f}}}$")
    figure.savefig(file, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()
