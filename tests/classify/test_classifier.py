"""The classifier as a run: the paper's schedule and weights, precision, logs, resuming."""

import json
from dataclasses import replace

import pytest
import torch

import uomh
from uomh.config import TrainConfig
from uomh.data import Data, DataSpec, Split
from uomh.errors import UomhError
from uomh.models.class_dimension import ClassDimension, class_dimensions, dimension_weights
from uomh.models.classifier import Classifier, ClassifierConfig
from uomh.training import Trainer
from uomh.training.optim import learning_rate

SMALL = ["data.limit=300", "data.test_limit=60", "threads=1"]


def resolved(*overrides, **model):
    return uomh.resolve(
        values={"model": {"name": "classifier", **model}}, overrides=[*SMALL, *overrides]
    )


def state(folder, name="last"):
    return torch.load(folder / f"checkpoints/model/{name}.pt", weights_only=True)["model"]


def colour(n=40, classes=4, name="colour"):
    generator = torch.Generator().manual_seed(0)

    def split(n):
        y = torch.arange(n) % classes
        x = torch.randint(0, 128, (n, 3, 32, 32), generator=generator) + 30 * y[:, None, None, None]
        return Split(x.to(torch.uint8), y)

    names = tuple(map(str, range(classes)))
    return Data(name, split(n), split(classes * 2), split(classes * 2), names, 256, name)


def test_the_schedule_of_the_paper_is_the_default_for_images_of_its_size():
    spec = DataSpec((3, 32, 32), 256, 100)
    whole = Classifier.complete({"name": "classifier"}, spec, {})
    config = ClassifierConfig.of(whole)
    train = config.train
    assert (config.network, train.max_epochs, train.batch_size) == ("resnet18", 200, 128)
    assert (train.optimizer, train.momentum, train.weight_decay) == ("sgd", 0.9, 5e-4)
    assert not train.horizontal_flip
    assert train.max_grad_norm is None
    at = (0, 59.99, 60, 119.99, 120, 159.99, 160, 199.99)
    rates = [learning_rate(train, epoch, train.max_epochs) for epoch in at]
    assert rates == pytest.approx([0.1, 0.1, 0.02, 0.02, 0.004, 0.004, 0.0008, 0.0008])
    assert train.selection_metric == "accuracy"
    assert Classifier.complete({"name": "classifier"}, DataSpec((1, 28, 28), 256, 10), {})[
        "network"
    ] == "small"  # fmt: skip


def test_weights_are_those_of_the_paper_and_their_factor_is_without_effect():
    dimensions = tuple(ClassDimension(n=9, dimension=d) for d in (5.0, 10.0, 25.0))
    assert dimension_weights(dimensions).tolist() == [12.5, 25.0, 62.5]
    spec = DataSpec((4,), None, 3)
    config = ClassifierConfig(weight_by_dimension=True, dimensions=dimensions)
    torch.manual_seed(0)
    model = Classifier(config, spec).eval()
    x, y = torch.randn(6, 4), torch.tensor([0, 1, 2, 2, 1, 0])
    single = model.objective(x, y).detach()
    weights = torch.tensor([5.0, 10.0, 25.0])[y]  # of another factor
    ((_, loss),) = model.losses(x, y, 0)
    assert loss.item() == pytest.approx(float((weights * single).sum() / weights.sum()), rel=1e-6)
    plain = Classifier(config.model_copy(update={"weight_by_dimension": False}), spec).eval()
    plain.load_state_dict(model.state_dict())
    ((_, loss),) = plain.losses(x, y, 0)
    assert loss.item() == pytest.approx(float(single.mean()), rel=1e-6)


def test_dimensions_are_those_of_the_estimator_class_by_class_and_are_kept_with_the_run(tmp_path):
    from uomh.dimension.mle import MLE

    config, data = resolved("train.max_epochs=1", weight_by_dimension=True)
    model, _ = uomh.train(config, data, tmp_path / "run")
    kept = json.loads((tmp_path / "run/config.json").read_text())["config"]["model"]["dimensions"]
    members = data.train.x[data.train.y == 4].flatten(1).numpy()
    expected = MLE(10).fit(members)
    assert kept[4]["dimension"] == expected.dimension_
    assert (kept[4]["low"], kept[4]["high"]) == expected.interval_
    assert kept[4]["n"] == len(members)
    weights = torch.tensor([100 * d["dimension"] for d in kept]).double()
    total = sum(d["dimension"] for d in kept)
    assert torch.allclose(model.class_weights.double(), weights / total)
    loaded = uomh.load_run(tmp_path / "run").model
    assert torch.equal(loaded.class_weights, model.class_weights)


def test_a_class_too_small_for_a_dimension_is_named_where_it_is_needed(digits):
    few = (digits.train.y != 3) | (torch.arange(len(digits.train)) < 40)
    small = replace(digits, train=digits.train[few.nonzero()[:, 0]])
    assert class_dimensions(small, 10)[3].dimension is None
    config = ClassifierConfig(dimension_k=10)
    decided = Classifier.decide(config, small, small.spec, None)
    assert "are too few for 10 neighbours" in decided.dimensions[3].reason
    weighted = config.model_copy(update={"weight_by_dimension": True})
    with pytest.raises(UomhError, match=r"class '3' has no dimension to be weighted by .*too few"):
        Classifier.decide(weighted, small, small.spec, None)


def test_copies_alone_have_no_dimension():
    y = torch.arange(40) % 2
    x = torch.where(y[:, None] == 0, torch.zeros(40, 3), torch.randn(40, 3))
    data = Data("copies", Split(x, y), Split(x, y), Split(x, y), ("same", "other"), None)
    same, other = class_dimensions(data, 5)
    assert same.dimension is None
    assert same.reason
    assert other.low < other.dimension < other.high


def test_cifar100_is_normalised_as_published_and_others_by_their_training_images():
    data = colour(name="cifar100")
    model = Classifier(ClassifierConfig(width=2), data.spec)
    model.prepare(data)
    z, _ = model.normalise(model.cells(data.train.x))
    published = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
    mean, std = (torch.tensor(numbers).reshape(3, 1, 1) for numbers in published)
    assert torch.allclose(z, (data.train.x / 255 - mean) / std, atol=1e-5)
    other = colour(name="other")
    model = Classifier(
        Classifier.decide(ClassifierConfig(width=2), other, other.spec, None), other.spec
    )
    model.prepare(other)
    z, _ = model.normalise(model.cells(other.train.x))
    assert z.mean((0, 2, 3)).abs().max() < 1e-4
    assert (z.std((0, 2, 3)) - 1).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mean": (0.5, 0.5)}, "one number for each channel, both, and there are 3"),
        ({"mean": (0.5,) * 3, "std": (0.1,) * 2}, "one number for each channel"),
        ({"mean": (0.5,) * 3, "std": (0.1, 0.0, 0.1)}, "deviations are above 0"),
    ],
)
def test_a_normalisation_that_does_not_fit_is_one_sentence(settings, sentence):
    data = colour()
    with pytest.raises(UomhError, match=sentence):
        Classifier(ClassifierConfig(width=2, **settings), data.spec).prepare(data)


def test_what_each_epoch_shows_is_logged_by_split_and_class(tmp_path):
    config, data = resolved("train.max_epochs=2")
    uomh.train(config, data, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    found = {(row["epoch"], row["split"], row["name"]): row["value"] for row in rows}
    for epoch in (1, 2):
        for split in ("train", "valid"):
            assert (epoch, split, "loss") in found
            for name in ("accuracy", "right_probability"):
                points = getattr(data, split)
                counts = torch.bincount(points.y, minlength=10)
                classes = [found[epoch, split, f"{name}[{c}]"] for c in data.classes]
                mean = float((torch.tensor(classes).double() * counts).sum() / counts.sum())
                assert found[epoch, split, name] == pytest.approx(mean, abs=1e-6)


def test_the_best_weights_are_those_of_the_best_validation_accuracy(tmp_path):
    config, data = resolved("train.max_epochs=4", "train.lr=0.05")
    model, data = uomh.train(config, data, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    accuracies = [r["value"] for r in rows if (r["split"], r["name"]) == ("valid", "accuracy")]
    right = model.correct(data.valid) / len(data.valid)
    assert right == pytest.approx(max(accuracies))


@pytest.mark.parametrize("precision", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
def test_lower_precision_learns_and_keeps_float32_weights(tmp_path, precision):
    config, data = resolved("train.max_epochs=4", precision=precision)
    model, data = uomh.train(config, data, tmp_path)
    seen = []
    model.backbone[0].layers[0].register_forward_hook(lambda m, x, y: seen.append(y.dtype))
    assert model(data.test.x).dtype == torch.float32
    assert seen == [getattr(torch, precision)]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.correct(data.test) / len(data.test) > 0.7  # of 270 training images
    full = Classifier(model.config.model_copy(update={"precision": "float32"}), data.spec).eval()
    full.load_state_dict(model.state_dict())
    # bfloat16 keeps 8 bits of each product.
    assert torch.allclose(model(data.test.x), full(data.test.x), atol=0.3)


def test_gradients_of_float16_are_those_of_scaled_losses(tmp_path):
    config, data = resolved("train.max_epochs=1", precision="float16")
    uomh.train(config, data, tmp_path)
    last = torch.load(tmp_path / "checkpoints/model/last.pt", weights_only=True)
    assert last["scaler"]["scale"] > 1
    plain, data = resolved("train.max_epochs=1")
    uomh.train(plain, data, tmp_path / "plain")
    assert not torch.load(tmp_path / "plain/checkpoints/model/last.pt", weights_only=True)["scaler"]


@pytest.mark.parametrize(
    "settings",
    [
        {"weight_by_dimension": True},
        {"precision": "bfloat16"},
        pytest.param({"precision": "float16"}, marks=pytest.mark.slow),
    ],
)
def test_going_on_gives_the_weights_of_an_uninterrupted_run(tmp_path, settings):
    for folder, epochs in (("whole", [3]), ("parts", [1, 3])):
        for until in epochs:
            # A constant rate, as more epochs stretch the schedule of a run.
            texts = [f"train.max_epochs={until}", "train.schedule=constant"]
            config, data = resolved(*texts, **settings)
            uomh.train(config, data, tmp_path / folder)
    whole, parts = (state(tmp_path / folder) for folder in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    logs = [(tmp_path / folder / "metrics.jsonl").read_text() for folder in ("whole", "parts")]
    assert logs[0] == logs[1]


def test_the_order_of_channels_in_memory_changes_no_more_than_rounding():
    spec = DataSpec((3, 16, 16), 256, 4)
    config = ClassifierConfig(width=4, network="resnet18")
    torch.manual_seed(0)
    first = Classifier(config, spec).eval()
    second = Classifier(config.model_copy(update={"channels_last": False}), spec).eval()
    second.load_state_dict(first.state_dict())
    assert first.backbone[0].layers[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert second.backbone[0].layers[0].weight.is_contiguous()
    x = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    assert torch.allclose(first(x), second(x), atol=1e-4)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.name=disconnected", "model.part.name=classifier"],
        ["model.name=two_step", "model.autoencoder.name=vae", "model.density.name=classifier"],
    ],
)
def test_a_classifier_is_no_part_of_another_model(overrides):
    with pytest.raises(UomhError, match="Classifier generates nothing, so it cannot stand in"):
        uomh.resolve(overrides=overrides)


def test_a_generative_model_has_no_accuracy_and_a_classifier_no_samples(digits):
    config, data = resolved("train.max_epochs=1")
    model, data = uomh.train(config, data)
    values = uomh.measure(model, data, config, ["fid", "log_likelihood", "accuracy"])
    assert values["accuracy"].value is not None
    assert values["fid"].reason == "Classifier is no generative model"
    assert values["log_likelihood"].reason == "Classifier is no generative model"
    vae, _ = uomh.resolve(overrides=[*SMALL, "model.latent_dim=2"])
    values = uomh.measure(uomh.build(vae, digits), digits, vae, ["accuracy", "calibration_error"])
    assert values["accuracy"].reason == "VAE is no classifier"


def test_one_class_or_none_is_one_sentence():
    for classes, what in (("a",), "one class"), ((), "no labels"):
        y = torch.zeros(20, dtype=torch.int64) if classes else None
        split = Split(torch.randn(20, 3), y)
        data = Data("plain", split, split, split, classes, None)
        with pytest.raises(UomhError, match=f"needs two classes, and these data have {what}"):
            Trainer(TrainConfig(max_epochs=1)).fit(Classifier(ClassifierConfig(), data.spec), data)
