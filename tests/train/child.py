"""A small run in a process of its own that may die on the way."""

import os
import signal
import time

import torch.utils.tensorboard  # noqa: F401  (loaded once, in the server that children fork from)

import uomh
import uomh.dimension.evidence
import uomh.training.run
from tests.tree import tree
from uomh.cli import app
from uomh.cli.runs import evaluate
from uomh.cli.train import run
from uomh.errors import UomhError
from uomh.parallel.core import Parallel
from uomh.training.checkpoints import Checkpoints

BASE = ["data.limit=300", "data.test_limit=50", "model.encoder_hidden_dims=[24]"]
BASE += ["model.decoder_hidden_dims=[24]", "model.latent_dim=3", "threads=1", "train.lr=0.01"]


def train(run, overrides, die_before=None, ready=None):
    """Train; with ``die_before=("last", 3)``, SIGKILL before the third `last` is saved."""
    if die_before is not None:
        _arm(*die_before)
    config, data = uomh.resolve(overrides=tree([*BASE, *overrides]))
    if ready is not None:
        ready.set()
    uomh.train(config, data, run)


def _arm(name, count):
    save = Checkpoints.save

    def counted(self, saved, state):
        nonlocal count
        if saved == name:
            count -= 1
            if count == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        save(self, saved, state)

    Checkpoints.save = counted


KINDS = {
    "vanilla": ["train.max_epochs=3"],
    "two-step": ["train.max_epochs=2", "density.name=flow", "density.train.max_epochs=2"],
    "processes": ["train.max_epochs=2", "clusters.name=kmeans", "clusters.num_clusters=2"],
}
KINDS["two-step"] += ["density.num_layers=1", "step.importance_samples=4"]
KINDS["processes"] += ["parts"]


def command(kind, folder, pretrained=None, ready=None, go=None, wait=0.0):
    """A command of a kind on a folder, once `go` is set and so many seconds later.

    Who is refused leaves the sentence beside the folder, and exits with 2.
    """
    if ready is not None:
        ready.set()
    if go is not None:
        go.wait()
    time.sleep(wait)
    try:
        _do(kind, folder, pretrained)
    except UomhError as error:
        (folder.parent / f"{os.getpid()}.refused").write_text(str(error))
        raise SystemExit(2) from None


def _do(kind, folder, pretrained):
    if kind == "verify":
        data = [
            "--dataset",
            "digits",
            "data.limit=400",
            "--k",
            "3,5",
            "--nulls",
            "19",
            "--threads",
            "1",
        ]
        app(["verify", *data, "--quiet", "--out", str(folder)], standalone_mode=False)
    elif kind == "evaluate":
        evaluate([folder], metrics="all", quiet=True)
    else:
        overrides = [*BASE, *KINDS[kind]]
        if kind == "two-step":
            overrides.append(f"step.autoencoder_run={pretrained}")
        parallel = Parallel("processes", 2) if kind == "processes" else None
        run({}, tree(overrides), None, folder, True, parallel)
