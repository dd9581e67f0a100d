"""Pieces of work that resume from their folders, for workers that may die on the way."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch

from uomh.files import replacing
from uomh.parallel.core import resumable_map

STEPS = 6
SIZE = 300  # products of this size are shared among threads


def piece(root, i, **trouble):
    """A configuration: its folder, and what goes wrong."""
    return {"folder": str(root / f"piece{i}"), "seed": i, **trouble}


def multiply(config, progress):
    """Multiply matrices step by step, saving each; where it ran and how."""
    folder = Path(config["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.pt"
    done = torch.load(state)["step"] if state.exists() else 0
    with (folder / "starts").open("a") as starts:
        starts.write(json.dumps({"pid": os.getpid(), "node": node(), "step": done}) + "\n")
    progress.start(folder.name, done, STEPS, SIZE)
    generator = torch.Generator().manual_seed(config["seed"])
    factor = torch.randn(SIZE, SIZE, generator=generator) / SIZE**0.5
    product = torch.load(state)["product"] if done else factor
    for step in range(done + 1, STEPS + 1):
        time.sleep(config.get("seconds", 0))
        product = product @ factor
        progress.advance(folder.name, SIZE)
        progress.stage(f"stage{config['seed']}", step, STEPS)
        with replacing(state) as temporary:
            torch.save({"step": step, "product": product}, temporary)
        progress.epoch(folder.name, step, {"train": {"norm": product.norm().item()}}, 0.0)
        trouble(config, folder, step)
    progress.stop(folder.name, "finished")
    return {"threads": torch.get_num_threads(), "OMP": os.environ.get("OMP_NUM_THREADS")}


def trouble(config, folder, step):
    if step == 3 and config.get("fail"):
        raise config["fail"]
    if config.get("die") == "always" or (config.get("die") == "once" and step == 3):
        os.kill(os.getpid(), signal.SIGKILL)


def node():
    """The Ray node this runs on, if it does."""
    ray = sys.modules.get("ray")
    return ray.get_runtime_context().get_node_id() if ray and ray.is_initialized() else None


def starts(root, i):
    path = root / f"piece{i}" / "starts"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def products(root, n):
    return [torch.load(root / f"piece{i}" / "state.pt")["product"] for i in range(n)]


if __name__ == "__main__":
    root, backend = Path(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` leaves it ignored
    # Ray's workers notice the death of their driver after four seconds, and a busy machine may
    # take as long to deliver Ctrl-C: in the middle of a piece.
    configs = [piece(root, i, seconds=2) for i in range(2)]
    resumable_map(multiply, configs, backend=backend, jobs=2, folder=root)
