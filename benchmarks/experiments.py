r"""What the paper's grid would cost in full: training images, operations, GPU-hours.

    python benchmarks/experiments.py --data-root DIR [--datasets mnist,cifar10] \
        [--experiments vae,wae,vae_flow,classifier]

Operations are counted on a few training steps of every leaf of every arm (`uomh train --dry-run`
counts the same), for one seed, and multiplied by the epochs and seeds. Hours are those of a device
of so many floating-point operations a second, on which a step takes no less than so many
milliseconds, as starting its kernels does: these two are assumptions, not measurements. Early
stopping, measuring and clustering are left out.
"""

import argparse
import math

from uomh.config import RunConfig
from uomh.data import load_data
from uomh.experiments.grid import experiment_of
from uomh.experiments.plan import grid, plan
from uomh.training.outline import outlines
from uomh.training.resolve import build_decided, decided, grouped

BATCH = 128
"""of all models of these experiments"""
EXPERIMENTS = ("vae", "wae", "vae_flow", "classifier")
SIDE = 32
"""of the images that the published classifiers take; of others they are left out"""


def work_of(settings: dict[str, object]) -> tuple[float, int]:
    """Operations and steps of a run; agglomerative groups are taken to cost what classes do."""
    config = RunConfig.of(settings)
    if config.clusters is not None and config.clusters.name == "agglomerative":
        config = RunConfig.of({**settings, "clusters": {"name": "class"}})
    data = grouped(config, load_data(config.data))
    settled = decided(config, data)
    leaves = outlines(build_decided(settled, data.spec), settled, data)
    flops = sum((leaf.flops or 0) * leaf.epochs for leaf in leaves)
    return flops, sum(leaf.epochs * math.ceil(leaf.points / BATCH) for leaf in leaves)


def side_of(settings: dict[str, object]) -> int:
    """Pixels of the shorter side of the images of a run."""
    return min(load_data(RunConfig.of(settings).data).spec.shape[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default="data")
    parser.add_argument("--datasets", default="mnist,cifar10")
    parser.add_argument("--experiments", default=",".join(EXPERIMENTS))
    parser.add_argument("--teraflops", type=float, default=5.0, help="operations a second / 1e12")
    parser.add_argument("--milliseconds", type=float, default=2.0, help="of a step at least")
    given = parser.parse_args()
    total = 0.0
    for name in given.experiments.split(","):
        experiment = experiment_of(name)
        for dataset in given.datasets.split(","):
            asked = grid(experiment, datasets=[dataset], seeds=1, data_root=given.data_root)
            runs = [run.prepared for run in plan(asked) if run.prepared]
            if name == "classifier" and runs and side_of(runs[0].settings) < SIDE:
                continue
            seeds = experiment.seeds
            images = seeds * sum(run.passes for run in runs)
            work = [work_of(run.settings) for run in runs]
            flops = seeds * sum(of_run for of_run, _ in work)
            seconds = seeds * sum(
                max(of_run / (given.teraflops * 1e12), steps * given.milliseconds / 1000)
                for of_run, steps in work
            )
            hours = seconds / 3600
            total += hours
            print(
                f"{name} on {dataset}: {seeds * len(runs)} runs, "
                f"{images / 1e6:,.0f} million images, "
                f"{flops / 1e15:,.1f} PFLOP, {hours:.1f} GPU-hours",
                flush=True,
            )
    print(
        f"in all {total:.1f} GPU-hours at {given.teraflops:g} TFLOP a second and "
        f"{given.milliseconds:g} ms a step"
    )


if __name__ == "__main__":
    main()
