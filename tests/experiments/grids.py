"""A small grid, and the command on it in a process of its own that may die on the way."""

import os
import signal

import torch.utils.tensorboard  # noqa: F401  (loaded once, in the server that children fork from)

from uomh.cli.reproduce import reproduce
from uomh.experiments import training

BASE = [
    "model.name=vae",
    "model.encoder.hidden_dims=[8]",
    "model.decoder.hidden_dims=[8]",
    "data.limit=200",
    "data.test_limit=40",
    "train.max_epochs=2",
    "evaluate.metrics=[loss,bits_per_dim]",
]
ARMS = [f"model.latent_dim={n}" for n in (2, 3)]


def grid_file(folder, base=BASE, arms=ARMS, **more):
    """The path of a grid in a file."""
    lines = [f"base: [{', '.join(repr(text) for text in base)}]", f"product: [{arms}]"]
    lines += [f"{key}: {value!r}" for key, value in more.items()]
    path = folder / "small.yaml"
    path.write_text("\n".join(lines))
    return path


def run(file, out, *settings, **options):
    """The command, quietly."""
    reproduce(str(file), list(settings), folder=out, quiet=True, **options)


def reproduced(name, out, *settings, **options):
    """An experiment by its name, quietly."""
    reproduce(name, list(settings), folder=out, quiet=True, **options)


def run_and_die(file, out, seeds, after):
    """The command, killed as its run number ``after + 1`` has saved its first epoch."""
    done = 0
    complete = training.complete

    def counted(config, folder, data, progress):
        nonlocal done
        if done == after:
            progress.epoch = lambda *told: os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        return complete(config, folder, data, progress)

    training.complete = counted
    run(file, out, seeds=seeds)
