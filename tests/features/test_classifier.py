"""The classifier that features come from: trained once, the same again, whole or not at all."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from uomh.data import Data, DataSpec, Split
from uomh.errors import UomhError
from uomh.features import build_extractor
from uomh.features import classifier as module
from uomh.features.classifier import ClassifierFeatures
from uomh.models.classifier import Classifier, ClassifierConfig

SPLITS = ("train", "valid", "test")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UOMH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "classifiers"


@pytest.fixture
def trainings(monkeypatch):
    """How often something was trained."""
    seen = []
    train_leaf = module.train_leaf

    def counted(scope, model, data):
        seen.append(data.name)
        train_leaf(scope, model, data)

    monkeypatch.setattr(module, "train_leaf", counted)
    return seen


def config(**settings):
    return ClassifierFeatures.Config(name="classifier", **{"epochs": 1, **settings})


def test_it_is_trained_once_and_kept(digits, trainings, cache):
    first = build_extractor(config(), digits)
    again = build_extractor(config(batch_size=3), digits)
    assert trainings == ["digits"]
    assert (first.key, first.accuracy) == (again.key, again.accuracy)
    x = digits.test.x
    assert torch.equal(first.extract(x, 17), ClassifierFeatures(config(), digits).extract(x, 17))
    assert len(list(cache.glob("digits-*.pt"))) == 1


def test_the_same_data_and_seed_give_the_same_weights(digits, tmp_path, monkeypatch):
    first = build_extractor(config(), digits)
    monkeypatch.setenv("UOMH_CACHE", str(tmp_path / "another"))
    torch.manual_seed(7)
    assert build_extractor(config(), digits).key == first.key
    assert build_extractor(config(seed=1), digits).key != first.key


def test_other_points_labels_or_settings_are_trained_anew(digits, trainings):
    build_extractor(config(), digits)
    turned = Split(digits.train.x.flip(3), digits.train.y)
    wrong = Split(digits.train.x, (digits.train.y + 1) % 10)
    for train in (turned, wrong):  # of one fingerprint, as `Data.map` leaves behind
        build_extractor(config(), replace(digits, train=train))
    build_extractor(config(epochs=2), digits)
    build_extractor(config(classifier=ClassifierConfig(width=4)), digits)
    assert len(trainings) == 5


def test_its_accuracy_on_test_points_stands_beside_it(digits):
    extractor = build_extractor("classifier", digits)
    features = extractor.extract(digits.test.x, 17)
    probabilities = extractor.probabilities(features)
    assert torch.allclose(probabilities.sum(1), torch.ones(60))
    right = (probabilities.argmax(1) == digits.test.y).double().mean().item()
    found = extractor.accuracy
    assert found.value == pytest.approx(right)
    assert right > 0.85  # of 270 training images
    assert found.low < found.value < found.high
    assert found.n == 60
    assert extractor.about.startswith(f"classifier of {100 * right:.1f}% test accuracy (")


def test_without_test_points_the_validation_points_are_told_of(digits):
    none = digits.test[:0]
    assert "valid accuracy" in build_extractor(config(), replace(digits, test=none)).about
    bare = build_extractor(config(), replace(digits, test=none, valid=none))
    assert "of unknown accuracy" in bare.about
    assert bare.accuracy.value is None


def test_an_interrupted_training_leaves_nothing(digits, trainings, cache, monkeypatch):
    def interrupted(scope, model, data):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "train_leaf", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build_extractor(config(), digits)
    assert not list(cache.glob("*.pt*"))
    build_extractor(config(), digits)
    assert trainings == ["digits"]


def test_a_damaged_file_is_written_anew_and_leftovers_removed(digits, trainings, cache):
    first = build_extractor(config(), digits)
    (file,) = cache.glob("*.pt")
    whole = file.read_bytes()
    leftover = file.with_name(f".{file.name}-0a1b2c3d")
    for damaged in (whole[: len(whole) // 2], b"", b"nothing"):
        file.write_bytes(damaged)
        leftover.write_bytes(b"half")
        assert build_extractor(config(), digits).key == first.key
    assert not leftover.exists()
    assert len(trainings) == 4


CHILD = """
import uomh
from uomh.features.classifier import ClassifierFeatures
data = uomh.load_data("digits", limit=300, test_limit=60)
print(ClassifierFeatures(ClassifierFeatures.Config(name="classifier", epochs=1), data).key)
"""


def test_two_processes_train_one(cache):
    both = [
        subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    first, second = (child.communicate()[0] for child in both)
    assert first == second
    assert first.startswith("classifier-")
    assert len(list(cache.glob("*.pt"))) == 1


def test_a_cache_that_cannot_be_written_is_named(digits, tmp_path, monkeypatch, trainings):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UOMH_CACHE", str(tmp_path / "file"))
    with pytest.raises(UomhError, match=r"cannot keep the classifier in .*set UOMH_CACHE"):
        build_extractor(config(), digits)
    assert not trainings


def test_data_without_labels_are_told_what_to_choose(digits):
    bare = [Split(getattr(digits, name).x) for name in ("train", "valid", "test")]
    unlabelled = Data("plain", *bare, (), 17, "plain")
    message = "plain has no labels; choose --features pixels, inception, dinov2 or run:PATH"
    with pytest.raises(UomhError, match=message):
        build_extractor("classifier", unlabelled)
    y = torch.zeros(300, dtype=torch.int64)
    one = [Split(getattr(digits, name).x, y[: len(getattr(digits, name))]) for name in SPLITS]
    with pytest.raises(UomhError, match="has one class; choose"):
        build_extractor("classifier", Data("single", *one, ("a",), 17, "single"))


def test_one_training_point_is_too_few(digits):
    with pytest.raises(UomhError, match="has one training point; a classifier needs two"):
        build_extractor(config(), replace(digits, train=digits.train[:1]))


@pytest.mark.parametrize("network", ["small", "resnet18", "resnet34", "vgg19"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 16, 20), (3, 96, 64)])
def test_networks_take_images_of_any_size(network, shape):
    spec = DataSpec(shape, 256, 7)
    model = Classifier(ClassifierConfig(network=network, width=2), spec).eval()
    x = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    assert model(x).shape == (3, 7)
    assert model.features(x).shape == (3, model.head.in_features)
    assert model.objective(x, torch.tensor([0, 6, 3])).shape == (3,)


def test_networks_have_the_published_sizes():
    spec = DataSpec((3, 32, 32), 256, 100)
    counts = {
        network: sum(
            p.numel() for p in Classifier(ClassifierConfig(network=network), spec).parameters()
        )
        for network in ("resnet18", "resnet34", "vgg19")
    }
    assert counts == {"resnet18": 11_220_132, "resnet34": 21_328_292, "vgg19": 20_081_188}
    # VGG without the 5,504 biases that normalisation would remove


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        ("resnet18", (5,), "resnet18 takes images, and these data are vectors"),
        ("vgg19", (1, 8, 8), "vgg19 halves images 5 times, and these are 8x8"),
    ],
)
def test_networks_say_what_they_do_not_take(network, shape, message):
    with pytest.raises(UomhError, match=message):
        Classifier(ClassifierConfig(network=network), DataSpec(shape, None, 3))


def test_a_pixel_that_never_changes_and_far_vectors_are_learnt_from(vectors):
    far = [Split(s.x * 1e4 + 1e6, s.y) for s in (vectors.train, vectors.valid, vectors.test)]
    extractor = build_extractor("classifier", Data("far", *far, vectors.classes, None, "far"))
    assert extractor.accuracy.value > 0.95
