"""The neighbour search is exact on devices without float64, and where products are rough."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from tests.device.simulated import simulated
from uomh import nearest_neighbours
from uomh.clusters.ward import ward
from uomh.neighbours import bounds


def on_a_circle(n=1500, dim=3):
    """Neighbours far nearer to each other than to the centre, which float32 can tell apart."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, dim))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def of_bytes(n=2700):
    rng = np.random.default_rng(1)
    return (rng.normal(size=(n, 5)) @ rng.normal(size=(5, 64)) * 15 + 120).clip(0, 255).astype("u1")


POINTS = {
    "circle": on_a_circle(),
    "many directions": of_bytes(),
    "far from the centre": 1e7 + np.random.default_rng(2).normal(size=(900, 4)),
    "two far groups": np.random.default_rng(3).normal(size=(900, 4))
    + 1e7 * (np.arange(900) % 2)[:, None],
    "tiny": 1e-30 * np.random.default_rng(4).normal(size=(700, 4)),
}


def true(points, k):
    x = np.asarray(points, np.float64)
    squared = np.stack([np.square(x - row).sum(1) for row in x])
    np.fill_diagonal(squared, np.inf)
    return np.argsort(squared, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("name", POINTS)
def test_a_device_finds_what_the_processor_finds(name, kind, monkeypatch):
    points = POINTS[name]
    here = nearest_neighbours(points, 7), nearest_neighbours(points, 7, points[:50])
    with simulated(kind, monkeypatch) as device:
        there = (
            nearest_neighbours(points, 7, device=kind),
            nearest_neighbours(points, 7, points[:50], device=kind),
        )
        assert device.reads or (kind == "mps" and name == "two far groups")  # needs float64
    for one, two in zip(here, there, strict=True):
        assert (one.indices == two.indices).all()
        assert (one.distances == two.distances).all()


def set_new(**precisions):
    for name, value in precisions.items():
        getattr(torch.backends, name).matmul.fp32_precision = value


SETTINGS = {
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "of CUDA": lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
    "new": lambda: set_new(cuda="tf32", mkldnn="bf16"),
    "new, of CUDA": lambda: set_new(cuda="tf32"),
}


def precisions():
    found = [torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision]
    try:
        return [*found, torch.get_float32_matmul_precision()]
    except RuntimeError:
        return found


@pytest.fixture(autouse=True)
def settings_of_torch():
    """As they were, after each test; whether products are rough is asked anew."""
    bounds.is_rough.cache_clear()
    yield
    torch.set_float32_matmul_precision("highest")
    bounds.is_rough.cache_clear()


def rough(patch, obeys=True):
    """Products of float32 take 10 binary digits of their factors, as TF32 does, where allowed."""
    mm = torch.mm

    def ten_digits(x):
        return ((x.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)

    def product(a, b, out=None):
        if a.dtype == torch.float32 and not (obeys and precisions()[0] in ("ieee", "none")):
            a, b = ten_digits(a.contiguous()), ten_digits(b.contiguous())
        return mm(a, b, out=out)

    patch.setattr(torch, "mm", product)


@pytest.mark.parametrize("setting", SETTINGS)
def test_digits_are_kept_whatever_the_host_allows_and_its_setting_returns(setting, monkeypatch):
    rough(monkeypatch)
    SETTINGS[setting]()
    before = precisions()
    found = nearest_neighbours(POINTS["circle"], 7).indices
    assert precisions() == before
    assert (found == true(POINTS["circle"], 7)).all()


def test_a_search_that_lets_the_host_have_its_way_loses_neighbours(monkeypatch):
    rough(monkeypatch)
    SETTINGS["high"]()
    monkeypatch.setattr(bounds, "all_digits", nullcontext)
    monkeypatch.setattr("uomh.neighbours.exact.is_rough", lambda device: False)
    found = nearest_neighbours(POINTS["circle"], 7).indices
    assert (found != true(POINTS["circle"], 7)).any()


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps"])
def test_a_device_that_is_always_rough_leaves_it_to_float64(kind, monkeypatch):
    rough(monkeypatch, obeys=False)
    with simulated("cuda" if kind == "cpu" else kind, monkeypatch):
        assert bounds.is_rough(torch.device(kind))
        found = nearest_neighbours(POINTS["circle"], 7, device=kind)
    assert (found.indices == true(POINTS["circle"], 7)).all()


def test_wards_hierarchy_keeps_its_digits(monkeypatch):
    points = POINTS["circle"][:400]
    expected = ward(points)
    rough(monkeypatch, obeys=False)
    bounds.is_rough.cache_clear()
    found = ward(points)
    assert (found.edges == expected.edges).all()
    assert (found.heights == expected.heights).all()
