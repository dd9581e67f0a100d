"""Time and memory of the metrics on arrays against what a user would pick instead.

    python benchmarks/metrics.py [--samples 10000] [--dim 2048] [--threads 2] [--repeats 1]

Features are of a spectrum as Inception's: the spread of coordinate i falls as i^-1/2. The Frechet
distance is compared with numpy.cov and scipy.linalg.sqrtm of the product; precision, recall,
density and coverage with the direct computation, which holds three tables of distances of sklearn's
(as the package prdc does). torch-fidelity stands beside them where it can be imported. Each runs in
a process of its own, whose memory is the peak above what stood before it started. Seconds are of
the wall and, in brackets, of all processors' time, which a busy machine changes less.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# As the command line sets it: threads that spin for long slow a busy machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Features = NDArray[np.float32]
K = 5


def features(n: int, dim: int) -> tuple[Features, Features]:
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)).astype(np.float32))[0]
    spread = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    real, generated = (rng.normal(size=(n, dim)).astype(np.float32) * spread for _ in range(2))
    return real @ turn, (1.1 * generated + 0.02) @ turn


def ours_frechet(real: Features, generated: Features) -> list[float]:
    from uomh.metrics import frechet_distance

    return [frechet_distance(real, generated)]


def scipy_frechet(real: Features, generated: Features) -> list[float]:
    from scipy.linalg import sqrtm

    a, b = (x.astype(np.float64) for x in (real, generated))
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(s @ t).real
    return [float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s + t - 2 * root))]


def fidelity_frechet(real: Features, generated: Features) -> list[float]:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    both = [fid_features_to_statistics(torch.from_numpy(x).double()) for x in (generated, real)]
    return list(fid_statistics_to_metric(*both, verbose=False).values())


def ours_prdc(real: Features, generated: Features) -> list[float]:
    from uomh.metrics import prdc

    return list(prdc(real, generated, K))


def direct_prdc(real: Features, generated: Features) -> list[float]:
    from sklearn.metrics import pairwise_distances

    within = [pairwise_distances(x) for x in (real, generated)]
    real_radius, radius = (np.partition(table, K, axis=1)[:, K] for table in within)
    across = pairwise_distances(real, generated)
    inside = across <= real_radius[:, None]
    return [
        float(inside.any(0).mean()),
        float((across <= radius).any(1).mean()),
        float(inside.sum(0).mean() / K),
        float((across.min(1) <= real_radius).mean()),
    ]


def fidelity_prdc(real: Features, generated: Features) -> list[float]:
    from torch_fidelity.metric_prc import prc_features_to_metric

    found = prc_features_to_metric(
        torch.from_numpy(generated),
        torch.from_numpy(real),
        prc_neighborhood=K,
        prc_batch_size=10000,
        save_cpu_ram=False,
        verbose=False,
    )
    return [found["precision"], found["recall"]]


CONTENDERS: dict[str, dict[str, Callable[[Features, Features], list[float]]]] = {
    "Frechet distance": {
        "ours": ours_frechet,
        "scipy": scipy_frechet,
        "torch-fidelity": fidelity_frechet,
    },
    "PRDC": {"ours": ours_prdc, "direct": direct_prdc, "torch-fidelity": fidelity_prdc},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10000)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--one", nargs=2, help="measure this alone, and print JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(*arguments.one, arguments)))
        return
    print(f"{arguments.samples:,} x {arguments.samples:,} in {arguments.dim:,} dimensions")
    print(f"{arguments.threads} threads, load {os.getloadavg()[0]:.1f} before")
    for metric, contenders in CONTENDERS.items():
        ours = None
        for name in contenders:
            if name == "torch-fidelity" and importlib.util.find_spec("torch_fidelity") is None:
                continue
            runs = [in_a_process(metric, name, arguments) for _ in range(arguments.repeats)]
            keys = ("seconds", "processor", "memory")
            result = {key: statistics.median(run[key] for run in runs) for key in keys}
            values = " ".join(f"{value:.6g}" for value in runs[0]["values"])
            line = (
                f"{metric:17} {name:15} {result['seconds']:7.1f} s ({result['processor']:6.1f} s)"
            )
            line += f" {result['memory'] / 2**20:7.0f} MiB"
            if ours is None:
                ours = result
            else:
                ratios = (ours[key] / max(result[key], 1e-9) for key in keys)
                line += "  ours/it {:.2f} ({:.2f}) {:.2f}".format(*ratios)
            print(f"{line}   {values}", flush=True)


def in_a_process(metric: str, name: str, arguments: argparse.Namespace) -> dict[str, float]:
    words = [sys.executable, __file__, "--one", metric, name]
    for option in ("samples", "dim", "threads"):
        words += [f"--{option}", str(getattr(arguments, option))]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)


def measured(metric: str, name: str, arguments: argparse.Namespace) -> dict[str, object]:
    torch.set_num_threads(arguments.threads)
    real, generated = features(arguments.samples, arguments.dim)
    run = CONTENDERS[metric][name]
    with threadpool_limits(arguments.threads):
        run(real[:50], generated[:50])  # what is imported and set up once
        peak, stop = [resident()], threading.Event()
        before = peak[0]
        watch = threading.Thread(target=watched, args=(peak, stop))
        watch.start()
        start, used = time.perf_counter(), processor()
        values = run(real, generated)
        seconds, used = time.perf_counter() - start, processor() - used
        stop.set()
        watch.join()
    memory = max(peak[0] - before, 0)
    return {"seconds": seconds, "processor": used, "memory": memory, "values": values}


def processor() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def resident() -> int:
    """Bytes that the process holds now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def watched(peak: list[int], stop: threading.Event) -> None:
    while not stop.wait(0.01):
        peak[0] = max(peak[0], resident())


if __name__ == "__main__":
    main()
