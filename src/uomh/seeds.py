"""Randomness as a function of (seed, path, epoch), so that resuming needs no saved state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

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
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(derived_seed(*key))
        yield
