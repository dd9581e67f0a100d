"""Randomness as a function of (seed, path, epoch), so that resuming needs no saved state.

The streams belong to the program that calls us: what draws from them stands in a block
`seeded` or `preserved`, after which they go on as if nothing had been drawn.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derived_seed(*key: int | str) -> int:
    """A 63-bit seed from whatever identifies a piece of work.

    >>> derived_seed(0, "model", 3) == derived_seed(0, "model", 3) != derived_seed(0, "model", 4)
    True
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@contextmanager
def seeded(*key: int | str) -> Iterator[None]:
    """Run a block on its own random stream; the surrounding stream goes on unchanged after it."""
    with preserved():
        reseed(*key)
        yield


@contextmanager
def preserved() -> Iterator[None]:
    """Give back the random streams of this block as they were, on every device in use.

    Those of Python and NumPy, too, from which nothing here draws, but what is imported may.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    before = [(generator, generator.get_state()) for generator in _in_use()]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        for generator, state in before:
            generator.set_state(state)
        for generator in _in_use()[len(before) :]:  # of devices that were first used in the block
            generator.manual_seed(torch.initial_seed())


def reseed(*key: int | str) -> None:
    """Begin the streams of all devices in use anew; within a block `seeded` or `preserved`."""
    for generator in _in_use():
        generator.manual_seed(derived_seed(*key))


def _in_use() -> list[torch.Generator]:
    """The streams of the processor and of the devices that were used so far.

    Not by ``torch.manual_seed``, which leaves word for CUDA to be seeded once it is first used.
    """
    generators = [torch.default_generator]
    for device in (torch.cuda, torch.xpu):
        if device.is_initialized():
            generators += device.default_generators
    if torch.backends.mps.is_available():
        generators.append(torch.mps._get_default_mps_generator())
    return generators
