"""What metrics share is computed once, kept, and never stale; groups are rows of the whole."""

import numpy as np
import pytest
import torch
from torch.nn import Parameter

import uomh
from tests.gaussian import Gaussian
from uomh.data import Split
from uomh.errors import UomhError
from uomh.metrics import Evaluation, PointSource, evaluate, weights_of
from uomh.metrics.cache import VARIABLE, Cache
from uomh.metrics.core import evaluate_with_groups
from uomh.metrics.groups import groups_of
from uomh.models.disconnected import Disconnected
from uomh.settings import ComponentSettings


class Pixels:
    """An extractor that counts what it is given."""

    name = "pixels"
    key = "pixels"
    Config = ComponentSettings
    given: list[int]

    def __init__(self, config, data, device):
        del config, data, device

    def extract(self, x, levels, advance=None):
        """The points as they are."""
        del levels, advance
        Pixels.given.append(len(x))
        return x.flatten(1).float()


@pytest.fixture(autouse=True)
def extractors(monkeypatch):
    Pixels.given = []
    monkeypatch.setattr("uomh.registry._defined", {("extractors", "pixels"): Pixels})


def gaussian(data, mean=0.0):
    model = Gaussian(Gaussian.Config(), data.spec)
    model.mean = Parameter(torch.full_like(model.mean, mean))
    return model.eval()


def disconnected(data):
    pieces = zip(data.classes, data.parts(), strict=True)
    parts = {name: gaussian(piece, float(k)) for k, (name, piece) in enumerate(pieces)}
    return Disconnected(parts, data.weights, data.spec).eval()


def evaluation_of(model, data, **more):
    pixels = ComponentSettings(name="pixels")
    return Evaluation(model, data, data.test, extractor=pixels, **more)


def counted(model, method):
    """The numbers of points that a method of a model is called with."""
    calls, original = [], getattr(model, method)

    def call(x, *rest):
        calls.append(x if isinstance(x, int) else len(x))
        return original(x, *rest)

    setattr(model, method, call)
    return calls


def test_every_point_is_scored_once_by_every_part(digits):
    model = disconnected(digits)
    calls = [counted(part, "log_prob") for part in model.parts().values()]
    names = ["log_likelihood", "bits_per_dim", "loss"]
    values = evaluate_with_groups(names, evaluation_of(model, digits))
    assert sum(map(sum, calls)) == 10 * len(digits.test)
    assert values["loss"].value is None
    for k, name in enumerate(digits.classes):
        rows = int((digits.test.y == k).sum())
        value = values[f"log_likelihood[{name}]"]
        assert (value.group, value.n) == (name, rows)
        assert values[f"loss[{name}]"].value == pytest.approx(-value.value, rel=1e-6)


def test_the_values_of_a_part_are_its_own(vectors):
    model = disconnected(vectors)
    values = evaluate_with_groups(["log_likelihood"], evaluation_of(model, vectors))
    pieces = zip(model.parts().items(), vectors.parts(), strict=True)
    for (name, part), piece in pieces:
        alone = evaluate(["log_likelihood"], Evaluation(part, piece, piece.test))["log_likelihood"]
        assert values[f"log_likelihood[{name}]"].value == pytest.approx(alone.value, rel=1e-6)
    with torch.no_grad():
        whole = model.log_prob(vectors.test.x).double().mean().item()
    assert values["log_likelihood"].value == pytest.approx(whole, rel=1e-6)


def test_a_class_of_a_conditional_model_is_scored_given_its_label(vectors):
    model = Gaussian(Gaussian.Config(conditional=True), vectors.spec)
    model.label_weights.copy_(vectors.weights)
    model.mean = Parameter(torch.randn_like(model.mean))
    groups = groups_of(evaluation_of(model, vectors))
    assert [group.group for group in groups] == list(vectors.classes)
    for k, group in enumerate(groups):
        x = vectors.test.x[vectors.test.y == k]
        with torch.no_grad():
            given = model.log_prob(x, torch.full((len(x),), k)).double()
        torch.testing.assert_close(group.log_prob(), given)
    assert "log_likelihood[a]" not in evaluate_with_groups(["log_likelihood"], groups[0].whole)


def test_fewer_samples_are_the_first_of_more(digits):
    model = disconnected(digits)
    more, fewer = evaluation_of(model, digits).samples(700), evaluation_of(model, digits).samples(9)
    assert torch.equal(more.x[:9], fewer.x)
    assert torch.equal(more.y[:9], fewer.y)
    assert more.x.dtype == torch.uint8
    evaluation = evaluation_of(model, digits)
    calls = counted(model, "sample")
    assert len(evaluation.samples(20)) == 20
    assert len(evaluation.samples(10)) == 10
    assert len(calls) == 1


def test_groups_are_rows_of_the_whole(digits):
    model = disconnected(digits)
    evaluation = evaluation_of(model, digits, samples=200)
    train, drawn = PointSource("train"), PointSource("samples")
    whole, labels = evaluation.features(drawn), evaluation.samples().y
    given = list(Pixels.given)
    for k, group in enumerate(groups_of(evaluation)):
        assert torch.equal(group.features(drawn), whole[labels == k])
        assert torch.equal(group.samples().x, evaluation.samples().x[labels == k])
        assert len(group.features(train)) == len(group.points(train))
        found = group.neighbours(train, drawn, 2)
        distances = torch.cdist(group.features(drawn), group.features(train)).sort(1)[0]
        np.testing.assert_allclose(found.distances, distances[:, :2], rtol=1e-4)
    assert given == [200]
    assert Pixels.given == [200, len(digits.train)]


def test_neighbours_are_searched_once_for_the_largest_k(vectors):
    evaluation = evaluation_of(gaussian(vectors), vectors, samples=50)
    train, drawn = PointSource("train"), PointSource("samples")
    five = evaluation.neighbours(train, drawn, 5)
    two = evaluation.neighbours(train, drawn, 2)
    np.testing.assert_array_equal(two.distances, five.distances[:, :2])
    within = evaluation.neighbours(train, train, 1)
    assert (within.indices[:, 0] != np.arange(len(within))).all()
    with pytest.raises(UomhError, match="k is 51 but X has 50 points"):
        evaluation.neighbours(drawn, train, 51)


def test_held_out_points_have_one_name(vectors):
    evaluation = evaluation_of(gaussian(vectors), vectors)
    evaluation.features(PointSource("held_out"))
    evaluation.features(PointSource("test"))
    assert Pixels.given == [len(vectors.test)]
    few = evaluation.points(PointSource("train", 10)).x
    assert len(few) == 10
    assert torch.equal(few[-1], vectors.train.x[-1])


def test_what_is_kept_on_disk_is_not_computed_again(tmp_path, digits):
    def values(model, state):
        evaluation = evaluation_of(
            model, digits, samples=30, cache=Cache(tmp_path / "cache"), state=state
        )
        source = PointSource("samples")
        found = evaluation.neighbours(PointSource("train"), source, 3).distances
        return evaluation.log_prob(), evaluation.samples().x, found

    model = disconnected(digits)
    first = values(model, weights_of(model))
    calls = [counted(part, "log_prob") for part in model.parts().values()]
    calls += [counted(model, "sample"), Pixels.given]
    Pixels.given.clear()
    second = values(model, weights_of(model))
    assert not any(calls)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    for path in (tmp_path / "cache").iterdir():  # a damaged file is computed again
        path.write_bytes(path.read_bytes()[:100])
    third = values(model, weights_of(model))
    assert all(calls)
    np.testing.assert_array_equal(first[2], third[2])
    with torch.no_grad():
        for part in model.parts().values():
            part.mean += 1
    changed = values(model, weights_of(model))
    assert not torch.equal(first[0], changed[0])
    assert not torch.equal(first[1], changed[1])


def test_a_cache_is_bounded_and_drops_what_was_used_longest_ago(tmp_path):
    cache = Cache(tmp_path / "cache", limit=2500)
    array = {"x": np.zeros(100)}
    for name in "ab":
        cache.put("kind", (name,), array)
    assert cache.get("kind", ("a",)) is not None  # used: b is the older one now
    cache.put("kind", ("c",), array)
    assert [cache.get("kind", (name,)) is None for name in "abc"] == [False, True, False]
    cache.put("kind", ("large",), {"x": np.zeros(1000)})
    assert cache.get("kind", ("large",)) is None
    assert cache.get("kind", ("c",)) is not None
    assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= 2500
    nothing = Cache(tmp_path / "none", limit=0)
    nothing.put("kind", ("a",), array)
    assert not nothing.folder.exists()


def test_the_size_of_a_cache_is_a_number(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.5")
    assert Cache(tmp_path).limit == 500_000_000
    for text in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(UomhError, match=f"{VARIABLE}='{text}' should be a number"):
            Cache(tmp_path)


def test_a_full_disk_costs_time_alone(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = Cache(tmp_path / "cache")
    cache.put("kind", ("a",), {"x": np.zeros(3)})
    assert cache.get("kind", ("a",)) is None


def test_samples_that_are_not_numbers_are_refused(vectors):
    model = gaussian(vectors, float("nan"))
    with pytest.raises(UomhError, match="samples 0 to 29 are not finite"):
        evaluation_of(model, vectors).samples(30)


def test_what_there_is_no_source_of_is_one_sentence(vectors):
    empty = uomh.data.Data("bare", vectors.train, vectors.test[:0], vectors.test, vectors.classes)
    evaluation = evaluation_of(gaussian(vectors), empty)
    with pytest.raises(UomhError, match="bare has no valid points"):
        evaluation.features(PointSource("valid"))
    foreign = PointSource("test", data="digits")
    with pytest.raises(UomhError, match="other data, as 'digits', are not to be had here"):
        evaluation.features(foreign)
    other = evaluation_of(gaussian(vectors), vectors, other=uomh.load_data)
    with pytest.raises(UomhError, match=r"8x8 with 17 grey .*those of vectors vectors.*same kind"):
        other.features(foreign)


def test_images_of_another_size_are_to_be_brought_to_one(digits):
    large = digits.train.x.repeat(1, 1, 2, 2)
    other = uomh.data.Data("large", *[Split(large, None)] * 3, (), digits.levels)
    evaluation = evaluation_of(gaussian(digits), digits, other=lambda name: other)
    with pytest.raises(UomhError, match=r"1x16x16 .* and those of .* 1x8x8 .*train with --resize"):
        evaluation.other("large")


def test_retraining_a_run_leaves_nothing_stale(tmp_path):
    few = ["data.limit=200", "data.test_limit=30", "threads=1", "model.latent_dim=2"]
    few += ["model.encoder_hidden_dims=[16]", "model.decoder_hidden_dims=[16]"]

    def values(epochs):
        config, data = uomh.resolve(overrides=[*few, f"train.max_epochs={epochs}"])
        model, data = uomh.train(config, data, tmp_path)
        found = uomh.measure(model, data, config, ["log_likelihood"], tmp_path)
        return found["log_likelihood"].value

    first = values(1)
    assert any((tmp_path / "cache").iterdir())
    assert values(1) == first
    assert values(3) != first
