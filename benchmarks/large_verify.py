"""Verify a million points in a thousand groups, at anchors: how long it takes, in what memory.

    python benchmarks/large_verify.py [--points 1000000] [--groups 1000] [--coordinates 128]

The groups are balls of dimension 4 and 8 in turn, each in directions and at a place of its own. The
points stand in a file that is mapped into memory. With --limits the command fails where it takes
more than ten minutes or 4 GiB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import uomh
from uomh.parallel import Progress

DIMENSIONS = (4, 8)
LIMITS = 600.0, 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--coordinates", type=int, default=128)
    parser.add_argument("--anchors", type=int, help="by default what verify takes")
    parser.add_argument("--nulls", type=int, default=199)
    parser.add_argument("--limits", action="store_true", help="fail beyond 10 minutes or 4 GiB")
    arguments = parser.parse_args()
    labels = np.arange(arguments.points) * arguments.groups // arguments.points
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.npy"
        write(file, labels, arguments.coordinates)
        start = time.perf_counter()
        report = uomh.verify(
            np.load(file, mmap_mode="r"),
            labels,
            nulls=arguments.nulls,
            anchors=arguments.anchors,
            progress=Told(),
        )
        seconds = time.perf_counter() - start
    gibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    at = f"{report.anchors:,} anchors" if report.anchors else "all points"
    print(f"{report.n:,} x {report.ambient_dim} in {len(report.groups):,} groups, at {at}:")
    print(f"{seconds:.0f} s, {gibibytes:.2f} GiB")
    for kind, dimension in enumerate(DIMENSIONS):
        mine = [group.k[10].dimension for group in report.groups[kind :: len(DIMENSIONS)]]
        print(
            f"groups of dimension {dimension}: {np.mean(mine):.2f} (deviation {np.std(mine):.2f})"
        )
    for name, claim in report.claims.by_name().items():
        print(f"{name}: {claim.status}")
    if arguments.limits and (seconds > LIMITS[0] or gibibytes > LIMITS[1]):
        sys.exit("beyond the limits")


def write(file: Path, labels: NDArray[np.int64], coordinates: int) -> None:
    """Balls of dimension 4 and 8, each turned and moved at random, as float32."""
    shape = len(labels), coordinates
    points = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    rng = np.random.default_rng(0)
    for group in range(labels[-1] + 1):
        (rows,) = np.nonzero(labels == group)
        dimension = DIMENSIONS[group % len(DIMENSIONS)]
        turn = np.linalg.qr(rng.normal(size=(coordinates, dimension)))[0]
        ball = rng.normal(size=(len(rows), dimension))
        ball /= np.linalg.norm(ball, axis=1, keepdims=True)
        ball *= rng.uniform(size=(len(rows), 1)) ** (1 / dimension)
        points[rows[0] : rows[-1] + 1] = ball @ turn.T + rng.normal(size=coordinates)
    points.flush()


class Told(Progress):
    """Says when a stage ends, and after how many seconds."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def stage(self, name: str, done: int, total: int) -> None:
        """Print after how long a stage ended."""
        if done == total:
            print(
                f"  {time.perf_counter() - self.start:.0f} s: {name}", file=sys.stderr, flush=True
            )


if __name__ == "__main__":
    main()
