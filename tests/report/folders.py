"""Folders as commands leave them, made without training: for pages of many things."""

import json
from dataclasses import replace

import numpy as np

import uomh
from uomh.report.sheets import save_sheets, sheets_of

SCRIPT = "<script>alert(1)</script>"


def verification(folder, names=("flat", "<b>&amp;</b>", SCRIPT), name="clouds", n=40, **settings):
    """Groups of dimension 1, 2, 3, 1, ... shown as images of 4 x 4 pixels."""
    rng = np.random.default_rng(0)
    x = np.zeros((n * len(names), 1, 4, 4), dtype=np.uint8)
    flat = x.reshape(len(x), 16)
    for i in range(len(names)):
        flat[i * n : (i + 1) * n, : i % 3 + 1] = rng.integers(0, 256, (n, i % 3 + 1))
        flat[i * n : (i + 1) * n, 3:8] = rng.integers(0, 4, (n, 5))
        flat[i * n : (i + 1) * n, 8:] = (37 * i) % 256
    settings = {"k": (3, 5), "nulls": 19, "duplicates": "drop", **settings}
    report = uomh.verify(x, np.arange(len(x)) // n, classes=names, name=name, **settings)
    report.save(folder)
    save_sheets(sheets_of(report.details, x, 256), folder)
    return report


def multiplied(report, count):
    """The report with its groups again and again, under other names."""
    groups = report.groups
    many = [replace(groups[i % len(groups)], label=f"class {i}") for i in range(count)]
    return replace(report, groups=tuple(many), details=None)


def run(folder, seed=0, model="vae", epochs=30, metrics=None, **more):
    """A run with curves, metrics and pictures."""
    from PIL import Image

    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    settings = {"seed": seed, "device": "cpu", "model": {"name": model, "latent_dim": 2 + seed}}
    about = {
        "name": "clouds",
        "fingerprint": "f" * 16,
        "shape": [1, 8, 8],
        "levels": 256,
        "classes": ["a", SCRIPT],
        "sizes": {"train": 80, "valid": 10, "test": 10},
    }
    config = {"asked": settings, "config": settings, "data": about, "versions": {"torch": "2"}}
    (folder / "config.json").write_text(json.dumps(config | {"device": "cpu"} | more))
    rows = [
        {"path": path, "epoch": e, "step": e, "split": split, "name": "loss", "value": value}
        for path in ("model/part0", "model/part1")
        for split in ("train", "valid")
        for e, value in enumerate((10 / np.arange(1, epochs + 1) + rng.random(epochs)).tolist(), 1)
    ]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    if metrics is None:
        metrics = {"bits_per_dim": measured("bits_per_dim", 3.0 + seed, higher=False)}
        for group in ("a", SCRIPT):
            for name, value in {"id": 4.0 + seed, "id_real": 5.0}.items():
                metrics[f"{name}[{group}]"] = measured(name, value, group=group)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    for name in ("samples", "reconstructions"):
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    (folder / "command.txt").write_text(f"uomh train --model {model} seed={seed} --run-dir 'a b'\n")
    return folder


def measured(name, value, higher=None, group=None, half=0.5, **more):
    entry = {"value": value, "low": value - half, "high": value + half, "n": 10, "kind": "exact"}
    entry |= {"name": name, "metric": name, "higher_is_better": higher, "group": group}
    return {key: v for key, v in {**entry, **more}.items() if v is not None}


def experiment(folder):
    """An experiment of two arms on one data set, one run of which failed."""
    folder.mkdir(parents=True)
    cells = [
        {
            "dataset": "digits",
            "arm": arm,
            "metric": "fid",
            "value": value,
            "low": value - 1,
            "high": value + 1,
            "interval": "seeds",
            "n": 3,
            "higher_is_better": False,
            **more,
        }
        for arm, value, more in (
            ("vanilla", 30.5, {}),
            ("disconnected", 20.25, {"difference": -10.25, "p_holm": 0.01}),
        )
    ]
    runs = [
        {"arm": "vanilla", "dataset": "digits", "seed": 0, "state": "done"},
        {"arm": "vanilla", "dataset": "digits", "seed": 1, "state": "failed", "error": "no room"},
    ]
    content = {"name": "table2", "summary": "One model or several.", "cells": cells, "runs": runs}
    (folder / "experiment.json").write_text(json.dumps(content | {"seeds": 3, "scale": 0.5}))
    return folder


def arrays(run, seed=0):
    """What measuring leaves in a run's folder: pairs, odd samples, scores, dimensions."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (10, 1, 8, 8), dtype=np.uint8)
    content = {
        "closest_pairs": {
            "sample_points": images,
            "training_points": images,
            "distances": np.arange(10.0),
            "levels": np.array(256),
        },
        "between": {"sample_points": images[:3], "levels": np.array(256)},
        "pointwise_id": {
            "samples": rng.normal(5, 1, 200),
            "training": rng.normal(6, 1, 200),
            "limits": np.array([4.0, 8.0]),
            "k": np.array(10),
        },
        "ood_svhn": {
            "is_test_lowdim_False": rng.normal(0, 1, 100),
            "oos_test_lowdim_False": np.append(rng.normal(3, 1, 100), np.inf),
            "threshold_lowdim_False": np.array(1.5),
        },
    }
    for name, values in content.items():
        (run / "arrays" / name).mkdir(parents=True)
        for key, array in values.items():
            np.save(run / "arrays" / name / f"{key}.npy", array)
    return content


def results(root):
    """A verification by two estimators, two runs and an experiment, in a folder."""
    verification(root / "v" / "clouds")
    verification(root / "v" / "twonn", estimator="twonn", k=None)
    run(root / "r" / "one")
    run(root / "r" / "two", seed=1, model="flow")
    experiment(root / "e")
    return root
