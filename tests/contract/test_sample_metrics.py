"""Metrics of samples on models whose samples are known: fresh data, copies, points in between."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import uomh
from tests.gaussian import Gaussian
from uomh.clusters.core import relabelled
from uomh.data import Data, Split
from uomh.data.core import Grouping
from uomh.metrics import Evaluation, evaluate, frechet_distance, kid, prdc
from uomh.metrics.core import evaluate_with_groups
from uomh.models.disconnected import Disconnected
from uomh.settings import ComponentSettings, config_class

PIXELS = ComponentSettings(name="pixels")
QUALITY = ["fid", "fid_infinity", "kid", "mmd", "precision_recall_density_coverage"]


def groups(n, seed=0):
    """Labelled points of two far Gaussians in the plane."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    return Split(torch.randn(n, 2, generator=generator) + 12.0 * y[:, None], y)


@pytest.fixture(scope="module")
def data():
    return Data("groups", groups(400), groups(100, 1), groups(300, 2), ("a", "b"), None, "groups")


def evaluation_of(draw, data, **more):
    model = Gaussian(Gaussian.Config(), data.spec)
    model.draw = draw
    return Evaluation(model, data, data.test, extractor=PIXELS, **more)


def fresh(n, y):
    return groups(n, 5).x


def copies(n, y):
    return groups(400).x[torch.randint(400, (n,))] + 1e-3 * torch.randn(n, 2)


def between(n, y):
    """A tenth of the samples halfway between the groups."""
    x = groups(n, 6).x
    x[::10] = 6.0
    return x


def test_values_are_those_of_the_functions_on_arrays(data):
    values = evaluate(QUALITY, evaluation_of(fresh, data))
    drawn = evaluation_of(fresh, data).samples().x
    real = data.train.x
    assert values["fid"].value == pytest.approx(frechet_distance(real, drawn), rel=1e-6)
    assert values["kid"].value == pytest.approx(kid(real, drawn), rel=1e-6)
    for name, number in prdc(real, drawn, 5)._asdict().items():
        assert values[name].value == pytest.approx(number, rel=1e-9)
        assert values[name].metric == "precision_recall_density_coverage"
        assert values[name].higher_is_better
    for name in ("fid", "fid_infinity", "kid", "mmd"):
        value = values[name]
        assert value.low <= value.value <= value.high
        assert (value.n, value.higher_is_better) == (len(drawn), False)
        assert "pixels features, 400 train points" in value.about


def test_samples_between_the_manifolds_are_counted(data):
    some = evaluate(["between"], evaluation_of(between, data))
    none = evaluate(["between"], evaluation_of(fresh, data))
    for name in ("between", "between_pixels"):
        assert some[name].value == pytest.approx(0.11, abs=0.02)
        assert some[name].low < 0.11 < some[name].high
        assert none[name].low <= 0.01 <= none[name].high
    assert "say no class" in none["between_unplaced"].reason


def test_copies_of_training_points_are_flagged_and_fresh_points_are_not(data):
    copied = evaluate(["memorisation"], evaluation_of(copies, data))
    new = evaluate(["memorisation"], evaluation_of(fresh, data))
    assert copied["memorisation"].low > 0.3
    assert copied["c_t"].high < -3
    assert copied["authenticity"].value < 0.1
    assert copied["memorisation"].about.startswith("copies of training points")
    assert new["memorisation"].low < 0 < new["memorisation"].high
    assert new["c_t"].low < 0 < new["c_t"].high
    assert new["memorisation"].about.startswith("no copies")


@pytest.mark.parametrize("name", ["likelihood_ood_acc", "neighbour_ood_acc"])
def test_other_data_are_told_apart(data, name):
    far = replace(data, name="far", test=replace(data.test, x=data.test.x + 100), fingerprint="far")
    far = replace(far, train=replace(data.train, x=data.train.x + 100))
    others = {"far": far, "same": data}
    evaluation = evaluation_of(fresh, data, other=others.get)
    config = config_class("metrics", name)
    found = {other: evaluate([config(name=name, ood=other)], evaluation) for other in others}
    prefix = name.removesuffix("_acc")
    assert found["far"][name].value == pytest.approx(1)
    assert found["far"][f"{prefix}_auroc"].value == pytest.approx(1)
    assert found["far"][f"{prefix}_aupr"].value == pytest.approx(1)
    assert found["far"][f"{prefix}_fpr95"].value == pytest.approx(0)
    area = found["same"][f"{prefix}_auroc"]
    assert area.value == pytest.approx(0.5)
    assert area.low < 0.5 < area.high
    assert found["far"][name].about == "against far"
    nothing = evaluate([name], evaluation)[name]
    assert nothing.reason == "no other data were named; give --ood DATASET"


def test_classes_and_parts_are_compared_with_their_own_points(data):
    conditional = Gaussian(Gaussian.Config(conditional=True), data.spec)
    conditional.label_weights.copy_(data.weights)
    conditional.mean.data = torch.tensor([[0.0, 0.0], [12.0, 12.0]])
    pieces = zip(data.classes, data.parts(), strict=True)
    parts = {name: Gaussian(Gaussian.Config(), piece.spec) for name, piece in pieces}
    for k, part in enumerate(parts.values()):
        part.mean.data.fill_(12.0 * k)
    for model in (conditional, Disconnected(parts, data.weights, data.spec)):
        model.eval()
        evaluation = Evaluation(model, data, data.test, extractor=PIXELS, samples=600)
        values = evaluate_with_groups(["fid"], evaluation)
        assert sum(values[f"fid[{name}]"].n for name in data.classes) == 600
        for name in data.classes:  # own points; those of the other class are at 288
            assert values[f"fid[{name}]"].value < 0.2


def test_what_cannot_be_compared_leaves_the_others(data):
    values = evaluate(["fid", "null_metric"], evaluation_of(fresh, data, samples=1))
    assert "needs at least 4 generated points, and there is 1; give more" in values["fid"].reason
    assert values["null_metric"].value == 0
    infinite = evaluate(
        ["fid", "kid", "loss"], evaluation_of(lambda n, y: torch.full((n, 2), np.nan), data)
    )
    assert "not finite" in infinite["fid"].reason
    assert infinite["loss"].value is not None
    few = evaluate(["precision_recall_density_coverage"], evaluation_of(fresh, data, samples=5))
    assert few["precision_recall_density_coverage"].reason


def test_validation_by_fid_chooses_weights(tmp_path):
    few = ["data.limit=200", "threads=1", "train.max_epochs=2", "model.latent_dim=2"]
    fid = 'train.valid_metrics=[{"name":"fid","samples":50,"features":"pixels"}]'
    config, digits = uomh.resolve(overrides=[*few, fid])
    uomh.train(config, digits, tmp_path)
    log = (tmp_path / "metrics.jsonl").read_text()
    assert log.count('"name": "fid"') == 2


@pytest.mark.parametrize("name", ["gan", "bigan"])
def test_the_loss_of_a_critic_is_its_mean_score(name, data):
    config = {"name": name, "critic": {"hidden_dims": [8]}, "latent_dim": 2}
    cls = uomh.registry.load("models", name)
    model = cls(cls.Config.of(config), data.spec).eval()
    with torch.no_grad():
        for weight in model.critic.parameters():
            weight.mul_(3)
    values = evaluate(["loss", "disc_loss"], Evaluation(model, data, data.test))
    seen = []
    forward = model.critic.forward
    model.critic.forward = lambda inputs, y: seen.append(forward(inputs, y)) or seen[-1]
    again = evaluate(["disc_loss"], Evaluation(model, data, data.test))["disc_loss"]
    of_points, of_samples = (torch.cat(seen[start::2]).double() for start in (0, 1))
    assert again.value == pytest.approx((of_samples - of_points).mean().item(), rel=1e-6)
    assert values["disc_loss"].value == again.value  # on a stream of its own
    assert values["loss"].value == pytest.approx(of_points.mean().item(), rel=1e-6)
    assert values["loss"].n == len(data.test)
    assert values["disc_loss"].higher_is_better is None
    plain = evaluate(["disc_loss"], evaluation_of(fresh, data))["disc_loss"]
    assert plain.reason == "Gaussian has no critic of points"


def test_clusters_are_counted_by_the_classes_of_the_source(data):
    generator = torch.Generator().manual_seed(0)
    labels = [
        torch.randint(3, (len(split),), generator=generator).numpy()
        for split in (data.train, data.valid, data.test)
    ]
    grouped = relabelled(data, labels, ["0", "1", "2"], Grouping("random"))
    model = Gaussian(Gaussian.Config(), grouped.spec)
    evaluation = Evaluation(model, grouped, grouped.test, labelled=lambda: data)
    values = evaluate(["clusters"], evaluation)
    assert values["clusters"].value == 3
    for k in range(3):
        inside = labels[0] == k
        share = data.train.y.numpy()[inside].mean()
        assert values[f"train_size[{k}]"].value == inside.sum()
        assert values[f"test_size[{k}]"].value == (labels[2] == k).sum()
        assert values[f"share_of_b[{k}]"].value == pytest.approx(share)
        assert values[f"majority_share[{k}]"].value == pytest.approx(max(share, 1 - share))
    plain = evaluate(["clusters"], evaluation_of(fresh, data))
    assert plain["train_size[a]"].value == 200
    assert "majority_share[a]" not in plain


def test_features_are_those_of_the_classes_whatever_the_groups(data):
    labels = [np.zeros(len(split), int) for split in (data.train, data.valid, data.test)]
    grouped = relabelled(data, labels, ["all"], Grouping("saved"))
    model = Gaussian(Gaussian.Config(), grouped.spec)
    model.draw = fresh
    seen = []

    class Classes:
        """An extractor that says which classes it was built for."""

        name, key, label, about, Config = "pixels", "k", "classes", "", ComponentSettings

        def __init__(self, config, data, device):
            seen.append((config.name, data.classes))

        def extract(self, x, levels, advance=None):
            """The points as they are."""
            return x.flatten(1).float()

    defined = {("extractors", name): Classes for name in ("classifier", "pixels")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("uomh.registry._defined", defined)
        evaluate(["fid"], Evaluation(model, grouped, grouped.test, labelled=lambda: data))
        evaluate(["fid"], Evaluation(model, grouped, grouped.test))
    assert seen == [("classifier", ("a", "b")), ("pixels", ("all",))]


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, torch.linalg.LinAlgError])
def test_a_decomposition_that_fails_leaves_the_others(data, error, monkeypatch):
    def fail(*arguments, **options):
        raise error("linalg.svd: The algorithm failed to converge\nbecause")

    monkeypatch.setattr("uomh.metrics.frechet.torch.linalg.svd", fail)
    values = evaluate(["fid", "fid_infinity", "kid"], evaluation_of(fresh, data))
    for name in ("fid", "fid_infinity"):
        assert values[name].value is None
        assert "matrix did not converge" in values[name].reason
    assert values["kid"].value is not None


def test_a_rate_that_needs_more_points_leaves_the_areas(data):
    few = replace(data, test=data.test[:19], fingerprint="few")
    values = evaluate(
        [config_class("metrics", "likelihood_ood_acc")(name="likelihood_ood_acc", ood="few")],
        evaluation_of(fresh, few, other=lambda name: few),
    )
    assert "19 reference scores have none beyond 95%" in values["likelihood_ood_fpr95"].reason
    assert values["likelihood_ood_fpr95"].higher_is_better is False
    for name in ("acc", "auroc", "aupr"):
        assert values[f"likelihood_ood_{name}"].value is not None


def test_shares_say_of_how_many_held_out_points_they_know_the_limit(data):
    values = evaluate(["between"], evaluation_of(fresh, replace(data, test=data.test[:150])))
    assert "of 150 held-out points" in values["between"].about
