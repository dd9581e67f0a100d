"""Every estimator, here and in scikit-dimension, against manifolds of known dimension.

    OMP_NUM_THREADS=1 python benchmarks/truth.py [--sizes 1000 5000] [--estimators capca qe tls]

Writes docs/truth.md and docs/figures/bias.png; with --estimators it runs these alone, minutes where
all take hours, and prints their rows of the first table. One draw of each manifold; results are
kept in out/truth.json and only what is missing is run, so the script can be stopped and started.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skdim.id

from uomh.data.manifolds import MANIFOLDS, sample_manifold
from uomh.dimension.calibration import calibrated_band, expected_estimate
from uomh.dimension.core import Estimator
from uomh.errors import UomhError
from uomh.files import replacing
from uomh.neighbours import Neighbours, nearest_neighbours
from uomh.registry import load

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "out/truth.json"
K = 10  # of the calibrated estimate, as in the paper's middle column
OURS = ("mle", "twonn", "gride", "corrint", "geomle", "mom", "tle", "lpca", "ess", "knn")
OURS += ("bracket", "capca", "qe", "tls")
MISSED = 0.1  # relative error from which a set is named as missed
EQUAL = "MLE, TwoNN (ml), GRIDE, CorrInt, MOM, TLE, ESS and pointwise lPCA"


def their(name: str) -> Callable[[np.ndarray], float]:
    """scikit-dimension with its defaults."""
    id_ = skdim.id
    match name:
        case "MLE":
            return lambda x: id_.MLE().fit(x).dimension_
        case "TwoNN":
            return lambda x: id_.TwoNN().fit(x).dimension_
        case "lPCA":
            return lambda x: id_.lPCA().fit(x).dimension_
        case "MOM":
            return lambda x: id_.MOM().fit(x).dimension_
        case "MADA":
            return lambda x: id_.MADA().fit(x).dimension_
        case "KNN":
            return lambda x: id_.KNN(random_state=0).fit(x).dimension_
        case "FisherS":
            return lambda x: id_.FisherS().fit(x).dimension_
        case "MiND_ML":
            return lambda x: id_.MiND_ML(D=100).fit(x).dimension_
        case "TLE" | "CorrInt" | "GRIDE":
            return lambda x: getattr(id_, name)().fit(x).dimension_
        case "DANCo":
            return lambda x: id_.DANCo(D=min(x.shape[1], 30)).fit(x).dimension_
        case "ESS":
            return lambda x: id_.ESS(random_state=0).fit(x).dimension_
    raise KeyError(name)


THEIRS = ("MLE", "TwoNN", "GRIDE", "CorrInt", "MOM", "TLE", "lPCA")
THEIRS += ("MADA", "KNN", "FisherS", "MiND_ML", "ESS", "DANCo")


EVERY = (*OURS, *(f"skdim {name}" for name in THEIRS))


def results(sizes: list[int], keys: Sequence[str] = EVERY) -> dict[str, float | None]:
    """Estimates by "manifold/n/estimator"; None where one fails or is not run."""
    found = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    for n in sizes:
        for name in MANIFOLDS:
            missing = [key for key in keys if f"{name}/{n}/{key}" not in found]
            if not missing:
                continue
            start = time.perf_counter()
            x, _ = sample_manifold(name, n)
            neighbours = nearest_neighbours(x, 170)
            for key in missing:
                found[f"{name}/{n}/{key}"] = estimate(key, x, neighbours)
            CACHE.parent.mkdir(exist_ok=True)
            with replacing(CACHE) as temporary:
                temporary.write_text(json.dumps(found, indent=0))
            print(f"{name} {n}: {time.perf_counter() - start:.1f} s", flush=True)
    return found


def estimate(key: str, x: np.ndarray, neighbours: Neighbours) -> float | None:
    """The dimension by one estimator with its defaults."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not key.startswith("skdim "):
                estimator: Estimator = load("estimators", key)()
                estimator.splits = 0
                return estimator.fit(x, neighbours=neighbours).dimension_
            value = float(their(key.removeprefix("skdim "))(x))
            return value if np.isfinite(value) else None
        except (UomhError, ValueError, IndexError, np.linalg.LinAlgError):
            return None


def errors(found: dict[str, float | None], n: int, key: str) -> list[float]:
    """Relative errors over the manifolds that are no unions; none if a set is not measured."""
    if any(f"{name}/{n}/{key}" not in found for name in MANIFOLDS):
        return []
    pairs = [
        (found[f"{name}/{n}/{key}"], m.dimension)
        for name, m in MANIFOLDS.items()
        if len(m.dimensions) == 1
    ]
    return [abs(value / true - 1) for value, true in pairs if value is not None]


def failures(found: dict[str, float | None], n: int) -> str:
    """Which of ours is best at this size, and the sets on which it is off by a tenth or more."""
    means = {key: float(np.mean(e)) for key in OURS if (e := errors(found, n, key))}
    best = min(means, key=means.__getitem__)
    missed = []
    for name, m in MANIFOLDS.items():
        value = found[f"{name}/{n}/{best}"]
        if len(m.dimensions) == 1 and (value is None or abs(value / m.dimension - 1) >= MISSED):
            said = "nothing" if value is None else f"{value:.1f}"
            missed.append((name, said, m.dimension))
    where = ", ".join(f"{name} ({said} for {d:g})" for name, said, d in missed)
    return (
        f"The best of ours at {n:,} points is `{best}`, {means[best]:.1%} off on average; by a"
        f" tenth or more it misses {where or 'none'}."
    )


def outside(found: dict[str, float | None], n: int) -> tuple[list[float], list[float]]:
    """For the calibrated estimate: error of its middle, and how far the band misses the truth."""
    middle, miss = [], []
    for name, m in MANIFOLDS.items():
        if len(m.dimensions) > 1:
            continue
        low, high = calibrated_band(found[f"{name}/{n}/mle"], n, K)
        middle.append(abs((low * high) ** 0.5 / m.dimension - 1))
        nearest = min(max(m.dimension, low), high)
        miss.append(abs(nearest / m.dimension - 1))
    return middle, miss


def page(found: dict[str, float | None], sizes: list[int]) -> str:
    """The tables as markdown."""
    single = [m for m in MANIFOLDS.values() if len(m.dimensions) == 1]
    lines = [
        "# Estimators against the truth",
        "",
        f"Every estimator with its defaults on {len(MANIFOLDS)} sets of known dimension, one draw"
        " of each, by `python benchmarks/truth.py`. The sets are those of `uomh.data.manifolds`,"
        " M1 to Mp3 of scikit-dimension's benchmark among them.",
        "",
        f"## Mean relative error over the {len(single)} sets of one dimension",
        "",
        "| estimator |" + "".join(f" n = {n:,} | median |" for n in sizes),
        "|---|" + "---|---|" * len(sizes),
    ]
    summary: list[tuple[str, list[list[float]]]] = [
        (f"`{key}`", [errors(found, n, key) for n in sizes]) for key in OURS
    ]
    calibrated = [outside(found, n) for n in sizes]
    summary.insert(1, ("`mle`, middle of the calibrated band", [c[0] for c in calibrated]))
    summary.insert(2, ("`mle`, what the calibrated band misses by", [c[1] for c in calibrated]))
    summary += [
        (f"scikit-dimension {key}", [errors(found, n, f"skdim {key}") for n in sizes])
        for key in THEIRS
    ]
    lines += [row(label, columns) for label, columns in summary]
    lines += [
        "",
        f"At equal settings scikit-dimension's {EQUAL} are the numbers of `mle`, `twonn`, `gride`,"
        " `corrint`, `mom`, `tle`, `ess` and `lpca` to 1e-6 (see [Estimators](estimators.md)); the"
        " rows above differ from ours by its defaults (MLE k = 20; TwoNN linear; MOM k = 100; lPCA"
        " on the whole set). DANCo is given at most 30 dimensions. scikit-dimension's ESS takes"
        " half a minute a set at 1,000 points and 200 s at 5,000.",
        "",
        *(failures(found, n) for n in sizes),
        "",
        "`capca`, `qe` and `tls` look at 100 neighbours, which are few for many dimensions: `qe`"
        " says at most 12; `tls` at most 13, never 1, and less than d from about 8 on; `capca`"
        " calls a neighbourhood nearly as wide as the space where neighbours are not several times"
        " d. For few dimensions `qe` is close, as its median at 5,000 points shows. Their rows"
        " alone: `python benchmarks/truth.py --estimators capca qe tls`, minutes in place of"
        " hours.",
        "",
        "![Bias of the maximum likelihood estimate](figures/bias.png)",
        "",
        "Bias of `mle` at k = 10 against dimension and number of points: exact means on a flat"
        " torus (upper edge) and in a ball (lower edge), and the sets above (dots).",
    ]
    for n in sizes:
        lines += table(found, n)
    return "\n".join(lines) + "\n"


def row(label: str, columns: list[list[float]]) -> str:
    """Mean and median error at each size."""
    cells = (f" {np.mean(c):.1%} | {np.median(c):.1%} |" if c else " not run | |" for c in columns)
    return f"| {label} |" + "".join(cells)


def table(found: dict[str, float | None], n: int) -> list[str]:
    """Estimates set by set."""
    lines = [
        "",
        f"## Estimates at {n:,} points",
        "",
        "`band` is the calibrated band of `mle` at k = 10; names in code font are ours, the others"
        " scikit-dimension's. Of a union, d is the harmonic mean of its dimensions, to which local"
        " estimates average.",
        "",
        "| set | d | band | " + " | ".join([*(f"`{key}`" for key in OURS), *THEIRS]) + " |",
        "|---" * (3 + len(OURS) + len(THEIRS)) + "|",
    ]
    for name, m in MANIFOLDS.items():
        low, high = calibrated_band(found[f"{name}/{n}/mle"], n, K)
        keys = [*OURS, *(f"skdim {key}" for key in THEIRS)]
        values = [found.get(f"{name}/{n}/{key}") for key in keys]
        cells = " | ".join("-" if v is None else f"{v:.1f}" for v in values)
        lines.append(f"| {name} | {m.dimension:.3g} | {low:.1f}-{high:.1f} | {cells} |")
    return lines


def figure(found: dict[str, float | None], sizes: list[int], path: Path) -> None:
    """Bias against d and against n."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    dimensions = np.unique(np.geomspace(1, 100, 60))
    for i, n in enumerate((100, 1000, 10_000, 100_000)):
        edges = [
            [expected_estimate(d, n, K, shape) / d for d in dimensions]
            for shape in ("ball", "torus")
        ]
        left.fill_between(dimensions, *edges, color=f"C{i}", alpha=0.3, label=f"n = {n:,}")
    for n, marker in zip(sizes, "o^", strict=False):
        single = [(k, m.dimension) for k, m in MANIFOLDS.items() if len(m.dimensions) == 1]
        ratios = [found[f"{k}/{n}/mle"] / d for k, d in single]
        label = f"sets, n = {n:,}"
        left.plot([d for _, d in single], ratios, f"k{marker}", ms=3, alpha=0.6, label=label)
    left.set(xscale="log", xlabel="true dimension d", ylabel="estimate / d", ylim=(0.3, 1.5))
    counts = np.unique(np.geomspace(50, 1_000_000, 60).round().astype(int))
    for i, d in enumerate((2, 5, 10, 20, 40)):
        edges = [
            [expected_estimate(d, int(n), K, shape) / d for n in counts]
            for shape in ("ball", "torus")
        ]
        right.fill_between(counts, *edges, color=f"C{i}", alpha=0.3, label=f"d = {d}")
    right.set(xscale="log", xlabel="points n", ylabel="estimate / d")
    for axes in (left, right):
        axes.axhline(1, color="0.5", lw=0.8)
        axes.legend(fontsize=8)
    path.parent.mkdir(exist_ok=True)
    fig.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--only-page", action="store_true", help="write what is measured so far")
    parser.add_argument("--estimators", nargs="+", choices=OURS, help="run these alone")
    given = parser.parse_args()
    sizes = given.sizes
    if given.estimators:
        found = results(sizes, given.estimators)
        for key in given.estimators:
            print(row(f"`{key}`", [errors(found, n, key) for n in sizes]))
        return
    found = json.loads(CACHE.read_text()) if given.only_page else results(sizes)
    figure(found, sizes, ROOT / "docs/figures/bias.png")
    text = page(found, sizes)
    (ROOT / "docs/truth.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
