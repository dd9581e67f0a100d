"""Memory is estimated before the work, nothing is changed by it, and what does not fit is said."""

import math
import re

import pytest
import torch

import uomh
from tests.fitted import fitted
from uomh import memory, registry
from uomh.config import RunConfig, TrainConfig
from uomh.data.core import Data, DataSpec, Split
from uomh.errors import UomhError
from uomh.models.arm import ARM
from uomh.settings import merged
from uomh.sizes import at_once
from uomh.training import budget, need
from uomh.training.measure import measure
from uomh.training.samples import draw

NAMES = ["ae", "vae", "avb", "wae", "gan", "bigan", "flow", "flow_matching", "arm", "ebm"]
CPU = torch.device("cpu")


def pictures(n=40, side=8, channels=1):
    x = torch.randint(16, (n, channels, side, side), generator=torch.Generator().manual_seed(0))
    x = x.to(torch.uint8)
    return Data("pictures", Split(x[:-8]), Split(x[-8:-4]), Split(x[-4:]), (), 16, "f")


def built(name, spec, **changes):
    cls = registry.load("models", name)
    defaults = merged(
        cls.Config().model_dump(mode="json"), cls.Config.defaults(spec).get("model", {})
    )
    return cls(cls.Config.of(merged(defaults, changes)), spec)


@pytest.fixture
def scarce(monkeypatch):
    """Make so many bytes free."""

    def set_free(size):
        monkeypatch.setattr(budget, "free_memory", lambda device: size)

    return set_free


def test_tensors_alive_at_once_are_counted_and_freed_ones_are_not():
    x = torch.zeros(1000, requires_grad=True)
    with need.PeakMemory([x]) as counted:
        for _ in range(5):
            y = x + 1
            del y
        assert counted.peak == 4000
        kept = x.exp().exp().exp()  # the graph keeps each
        assert counted.live == 12000
        del kept
    assert counted.live == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_estimate_grows_with_the_batch_as_the_step_does(name):
    data = pictures()
    model = built(name, data.spec)
    model.prepare(data)
    config = TrainConfig.of(type(model).Config.defaults(data.spec).get("train", {}))
    found = budget.training_need(model, data.train.x[:3], None, config)
    groups = model.groups()
    with need.PeakMemory([*model.parameters(), *model.buffers(), data.train.x]) as counted:
        for group, loss in model.losses(data.train.x[:32], None, 0):
            loss.backward(inputs=groups[group])
    parameters = sum(4 * each.numel() for each in model.parameters())
    most = counted.peak + 3 * parameters  # two states of the optimiser, and gradients
    assert most / 1.5 < (found.of(32) - need.KERNELS) / need.SLACK < 1.5 * most


def test_a_run_that_was_estimated_is_the_same_to_the_last_bit(monkeypatch):
    data = pictures()
    settings = ["train.max_epochs=2", "train.batch_size=16", "model.ld_steps=3"]
    plain = fitted("ebm", data, settings).state_dict()
    tried = []
    found = budget.training_need

    def counting(*given):
        tried.append(found(*given))
        return tried[-1]

    monkeypatch.setattr(budget, "_is_plenty", lambda *given: False)
    monkeypatch.setattr(budget, "training_need", counting)
    estimated = fitted("ebm", data, settings).state_dict()
    assert len(tried) == 1
    assert tried[0].slope > 0
    assert all(torch.equal(plain[key], estimated[key]) for key in plain)


def test_small_runs_are_not_tried_at_all(monkeypatch):
    monkeypatch.setattr(need, "_need", None)  # to call it is an error
    fitted("vae", pictures(), ["train.max_epochs=1"])


def test_training_that_does_not_fit_names_the_batch_size_that_does(scarce):
    data = pictures()
    model = built("flow", data.spec)
    found = budget.training_need(model, data.train.x[:3], None, TrainConfig())
    scarce(found.of(8))
    with pytest.raises(UomhError) as caught:
        fitted("flow", data, ["train.batch_size=32", "train.max_epochs=1"])
    words = str(caught.value)
    assert words.startswith("training 'model' (flow) takes about ")
    fitting = re.search(r"lower train.batch_size \(now 32\) to (\d+) or less", words)
    assert 5 <= int(fitting[1]) <= 6
    fitted("flow", data, [f"train.batch_size={fitting[1]}", "train.max_epochs=1"])


def test_a_model_that_does_not_fit_whatever_the_batch_is_said_to_be_too_large(scarce):
    scarce(1e6)
    with pytest.raises(UomhError, match=r"takes about .* GB are free; choose a smaller model"):
        fitted("flow", pictures(), ["train.max_epochs=1"])


def test_weights_that_have_no_room_are_refused_before_they_are_made(scarce):
    spec = DataSpec((3, 96, 96), 256, 0)
    cls = registry.load("models", "flow")
    config = cls.Config.of({"transform": "coupling"})
    scarce(8e9)
    with pytest.raises(UomhError, match=r"building Flow takes about 3. GB of memory"):
        budget.built(cls, config, spec)


def test_measuring_that_does_not_fit_names_the_size_of_its_batches(scarce):
    data = pictures()
    model = built("flow", data.spec).eval()
    config = RunConfig.of({"model": {"name": "flow"}, "threads": 1})
    measure(model, data, config)
    found = budget.scoring_need(model, data.test.x, None)
    scarce(found.of(3) + found.slope / 2)
    with pytest.raises(UomhError, match=r"measuring .*lower evaluate.batch_size \(now 512\) to 2"):
        measure(model, data, config)


def test_samples_that_have_no_room_are_refused_and_a_few_are_drawn(scarce):
    model = built("vae", pictures().spec).eval()
    scarce(1e9)
    with (
        pytest.raises(UomhError, match=r"lower -n \(now 1000000000\) to \d+ or less"),
        budget.for_sampling(model, 10**9, None, picture=False),
    ):
        raise AssertionError("it should not begin")
    with budget.for_sampling(model, 64, None, picture=True):
        assert draw(model, 64, levels=16).dtype == torch.uint8


@pytest.mark.parametrize(
    "failure",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
)
def test_memory_that_runs_out_all_the_same_is_a_sentence(monkeypatch, failure):
    def fails(*given):
        raise failure

    monkeypatch.setattr("uomh.models.vae.VAE.objective", fails)
    with pytest.raises(UomhError, match=r"memory ran out while training.*lower train.batch_size"):
        fitted("vae", pictures(), ["train.max_epochs=1"])


def test_other_errors_of_torch_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), budget.naming_what_to_lower("x", "y"):
        raise RuntimeError("shapes do not match")


def test_free_memory_is_what_the_tightest_limit_leaves(monkeypatch, tmp_path):
    free = memory.free_memory(CPU)
    assert 0 < free <= math.inf
    files = {"memory.max": "5000000", "memory.current": "4000000", "memory.stat": "inactive_file 7"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = memory._room(tmp_path, "memory.max", "memory.current", "inactive_file")
    assert found == 1_000_007
    monkeypatch.setattr(memory, "_rooms_of_groups", lambda: [found])
    assert memory.free_memory(CPU) == found
    (tmp_path / "memory.max").write_text("max")
    assert memory._room(tmp_path, "memory.max", "memory.current", "inactive_file") == math.inf


@pytest.mark.parametrize("name", NAMES)
def test_defaults_of_usual_images_are_those_of_the_paper(name):
    defaults = registry.load("models", name).Config.defaults
    for shape in ((1, 28, 28), (3, 32, 32)):
        given = defaults(DataSpec(shape, 256, 0))
        assert "batch_size" not in given.get("train", {})
        assert "transform" not in given.get("model", {})


@pytest.mark.parametrize("shape", [(3, 64, 64), (3, 65, 65)])
def test_default_flows_of_large_images_have_no_map_of_all_coordinates(shape):
    model = built("flow", DataSpec(shape, 256, 0), num_layers=1)
    assert max(each.numel() for each in model.parameters()) < 2e7
    x = torch.randint(256, (2, *shape)).to(torch.uint8)
    z, log_det = model.flow(*_inputs(model, x))
    back = model.flow.inverse(z, None)
    assert torch.allclose(back.flatten(1), _inputs(model, x)[0].flatten(1), atol=1e-3)
    assert log_det.isfinite().all()


def _inputs(model, x):
    torch.manual_seed(0)
    x, _ = model.preprocess(x)
    return (x.flatten(1) if model.flat else x), None


def test_an_autoregressive_model_in_segments_is_that_of_the_whole(monkeypatch):
    monkeypatch.setattr("uomh.models.arm.SEGMENT", 10)
    model = ARM(ARM.Config(hidden_size=8), DataSpec((1, 6, 6), 256, 0)).eval()
    x = 256 * torch.rand(3, 1, 6, 6)
    whole = model.log_density(x, None)
    (gradient,) = torch.autograd.grad(whole.sum(), model.head.weight)
    monkeypatch.setattr("uomh.models.arm.is_large", lambda dim: True)
    parts = model.log_density(x, None)
    assert torch.allclose(parts, whole, rtol=1e-5)
    assert torch.allclose(
        torch.autograd.grad(parts.sum(), model.head.weight)[0], gradient, rtol=1e-4, atol=1e-4
    )
    with torch.no_grad():
        assert torch.allclose(model.log_density(x, None), whole, rtol=1e-5)


def test_large_points_are_measured_and_drawn_fewer_at_once():
    assert at_once(512, 3 * 32 * 32) == 512
    assert at_once(512, 3 * 64 * 64) == 128
    data = pictures(side=64, channels=3)
    assert uomh.metrics.Evaluation(built("ae", data.spec), data, data.test).batch_size == 128
