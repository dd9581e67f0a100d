"""A small run in a process of its own that may die on the way."""

import os
import signal

import torch.utils.tensorboard  # noqa: F401  (loaded once, in the server that children fork from)

import uomh
from uomh.training.checkpoints import Checkpoints

BASE = ["data.limit=300", "data.test_limit=50", "model.encoder_hidden_dims=[24]"]
BASE += ["model.decoder_hidden_dims=[24]", "model.latent_dim=3", "threads=1", "train.lr=0.01"]


def train(run, overrides, die_before=None, ready=None):
    """Train; with ``die_before=("last", 3)``, SIGKILL before the third `last` is saved."""
    if die_before is not None:
        _arm(*die_before)
    config, data = uomh.resolve(overrides=[*BASE, *overrides])
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
