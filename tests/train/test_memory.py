"""Freed memory is reused in a block that asks for it, and given back at its end."""

import multiprocessing
import resource
from types import SimpleNamespace

import pytest
import torch

from uomh import memory


def faults():
    """Pages fetched from the system while tensors of 64 MiB come and go; each has 16,384."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.zeros(2**24).add_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def kept_and_returned():
    """The asserts of the test below, for a process whose heap has no holes of other tests."""
    memory.allow()
    usual, start = faults(), resident()
    with memory.keeping_freed_memory():
        faults()
        assert resident() - start > 2**25
        # Eight tensors in the place of one: no page is fetched twice.
        assert faults() < usual / 8
    # Whether the next tensors are fetched anew is left to the library, which may have kept a hole
    # of their size between other blocks; that it is told so is asserted below.
    assert resident() - start < 2**25


@pytest.mark.skipif(memory._glibc() is None, reason="the C library is not glibc")
def test_freed_memory_is_kept_in_the_block_and_returned_after_it():
    process = multiprocessing.get_context("spawn").Process(target=kept_and_returned)
    process.start()
    process.join(120)
    assert process.exitcode == 0  # its own traceback stands in what the test printed


def test_an_older_glibc_is_told_the_most_that_it_takes(monkeypatch):
    told = []

    def mallopt(parameter, value):
        told.append((parameter, value))
        return int(parameter != memory._MMAP_THRESHOLD or value <= 32 * 2**20)

    stub = SimpleNamespace(mallopt=mallopt, malloc_trim=lambda pad: told.append("trim"))
    monkeypatch.setattr(memory, "_glibc", lambda: stub)
    monkeypatch.setattr(memory, "allowed", True)
    with memory.keeping_freed_memory():
        assert told == [(-3, 2**31 - 1), (-3, 2**25), (-1, 2**31 - 1)]
    assert told[3:] == [(-3, 2**25), (-1, 2**26), "trim"]


@pytest.mark.parametrize("handle", [TypeError, SimpleNamespace], ids=["none", "of another library"])
def test_without_glibc_nothing_is_told(handle, monkeypatch):
    def library(name):
        if handle is TypeError:
            raise TypeError
        return handle()

    monkeypatch.setattr("ctypes.CDLL", library)
    assert memory._glibc() is None
    monkeypatch.setattr(memory, "allowed", True)
    with memory.keeping_freed_memory():
        pass
