"""Bits per dimension on MNIST of four models, each trained for one fixed budget, in one unit.

    python benchmarks/bits_per_dim.py --data-root DIR [--models vae flow ...] [--threads 2]

Each trains on 10,000 images of which a tenth chooses the best epoch, for the epochs below, which
take less than ten minutes on two cores, and is measured on the test split (flow_matching, whose
likelihoods are solved for one by one, on its first 500 images). Runs stand in out/bits_per_dim and
go on where they were stopped; what was measured is kept in out/bits_per_dim.json. The table of
docs/likelihoods.md is what this prints.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

import uomh
from uomh.files import write_json
from uomh.models.flow_matching import FlowMatching

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "out/bits_per_dim.json"
WIDE = ["model.encoder_hidden_dims=[512,512]", "model.decoder_hidden_dims=[512,512]"]
WIDE += ["model.importance_samples=100"]
MATCHING = ["model.name=flow_matching", "train.max_epochs=16", "data.test_limit=500"]
CASES: dict[str, list[str]] = {
    "vae, one deviation": ["model.name=vae", *WIDE, "train.max_epochs=200"],
    "vae, a deviation for each pixel": [
        *("model.name=vae", *WIDE, "model.decoder_sigma=per_pixel", "train.max_epochs=200")
    ],
    "flow": ["model.name=flow", "train.max_epochs=25", "train.schedule=cosine"],
    "flow_matching": MATCHING,
    "flow_matching, grey levels": [*MATCHING, "model.logit_transform=false"],
    "arm": [
        *("model.name=arm", "model.hidden_size=128", "model.num_layers=1", "train.max_epochs=12"),
        *("train.lr=3e-3",),
    ],
}
KINDS = {"exact": "exact", "bound": "bound, k = 100", "estimate": "estimate"}


def measured(name: str, data_root: str, threads: int) -> dict[str, Any]:
    """Train one model, or go on, and measure it; its processor time is added up over sittings."""
    found = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    record: dict[str, Any] = found.setdefault(name, {"cpu_seconds": 0.0})
    if "value" in record:
        return record
    overrides = ["data.dataset=mnist", f"data.data_root={data_root}", "data.limit=10000"]
    config, data = uomh.resolve(overrides=[*overrides, *CASES[name], f"threads={threads}"])
    model = uomh.build(config, data)
    start = time.process_time()
    try:
        folder = ROOT / "out/bits_per_dim" / name.replace(", ", "-").replace(" ", "_")
        uomh.fit(model, data, config, folder)
        record["parameters"] = sum(each.numel() for each in model.parameters())
        value = uomh.measure(model, data, config, ("bits_per_dim",))["bits_per_dim"]
        record |= value.to_dict()
        if isinstance(model, FlowMatching):
            record["halved_tolerance"] = halved_tolerance(model, data.test.x[:64])
    finally:
        record["cpu_seconds"] += time.process_time() - start
        found = json.loads(CACHE.read_text()) if CACHE.exists() else {}
        write_json(CACHE, {**found, name: record})
    return record


def halved_tolerance(model: FlowMatching, x: torch.Tensor) -> float:
    """By what share the mean log-density of images moves at half the solver's tolerance."""
    means = []
    for tolerance in (model.config.tolerance, model.config.tolerance / 2):
        torch.manual_seed(0)  # the same vectors for the divergence
        with torch.no_grad():
            means.append(model.estimated_log_prob(x, tolerance=tolerance).value.mean().item())
    return abs(means[1] / means[0] - 1)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-root", default="data")
    parser.add_argument("--models", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    (ROOT / "out").mkdir(exist_ok=True)
    print("| model | bits/dim (95% interval) | kind | test images | weights | processor minutes |")
    print("|---|---|---|---|---|---|")
    remarks = []
    for name in given.models:
        record = measured(name, given.data_root, given.threads)
        value = "{value:.3f} ({low:.3f} to {high:.3f})".format_map(record)
        columns = [name, value, KINDS[record["kind"]], f"{record['n']:,}"]
        columns += [f"{record['parameters']:,}", f"{record['cpu_seconds'] / 60:.1f}"]
        print(f"| {' | '.join(columns)} |", flush=True)
        if (moved := record.get("halved_tolerance")) is not None:
            remarks.append(f"{name}: half the tolerance moves the mean of 64 by {moved:.3%}")
    print("", *remarks, sep="\n")


if __name__ == "__main__":
    main()
