"""Time and memory of the exact Ward hierarchy against the number of points, and against scipy's.

    python benchmarks/ward.py --data-root data

The first N training images of MNIST (of the 54,000 that `uomh train` trains on), each N in a
process of its own, so that the peak memory is its own. scipy takes float64 points and keeps all
pairs of them, so it is timed, in turn with ours, up to --scipy points.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

# As the command line sets it: threads that spin for long slow a busy machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import numpy as np
import torch
from scipy.cluster import hierarchy
from sklearn.metrics import adjusted_rand_score

from uomh import load_data
from uomh.clusters.ward import ward


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", default="data", help="folder that holds mnist/*.parquet")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3000, 6000, 12000, 24000, 54000])
    parser.add_argument("--scipy", type=int, default=12000, help="most points given to scipy")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", type=int, help="measure this number alone, and print JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.one, arguments)))
        return
    print(f"{'points':>7} {'ours, s':>9} {'GiB':>6} {'scipy, s':>9} {'ratio':>6}  same at 10")
    times = []
    for n in arguments.sizes:
        words = [sys.executable, __file__, "--one", str(n), "--data-root", arguments.data_root]
        words += ["--threads", str(arguments.threads), "--scipy", str(arguments.scipy)]
        result = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
        times.append(result["ours"])
        line = f"{n:7,} {result['ours']:9.2f} {result['memory']:6.2f}"
        if "scipy" in result:
            ratio = result["scipy"] / result["ours"]
            line += f" {result['scipy']:9.2f} {ratio:6.1f}  {result['same']}"
        print(line, flush=True)
    if len(times) > 1:
        exponent = np.polyfit(np.log(arguments.sizes), np.log(times), 1)[0]
        last = np.diff(np.log(times[-2:]))[0] / np.diff(np.log(arguments.sizes[-2:]))[0]
        print(f"time grows as N^{exponent:.2f} (fitted), N^{last:.2f} between the last two")


def measured(n: int, arguments: argparse.Namespace) -> dict[str, object]:
    """Seconds, peak GiB of the process, and scipy's seconds where it is asked."""
    torch.set_num_threads(arguments.threads)
    x = load_data("mnist", data_root=arguments.data_root).train.x[:n].flatten(1).numpy()
    start = time.perf_counter()
    tree = ward(x)
    result: dict[str, object] = {"ours": time.perf_counter() - start}
    result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if n <= arguments.scipy:
        points = x.astype(np.float64)
        start = time.perf_counter()
        linkage = hierarchy.ward(points)
        result["scipy"] = time.perf_counter() - start
        theirs = hierarchy.fcluster(linkage, 10, "maxclust")
        heights = np.abs(tree.heights / linkage[:, 2] - 1).max()
        same = adjusted_rand_score(tree.cut(10), theirs) == 1
        result["same"] = f"{'yes' if same else 'no'}, heights within {heights:.0e}"
    return result


if __name__ == "__main__":
    main()
