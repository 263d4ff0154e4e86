"""A judge is as good as its card says, and refuses what it was not trained on."""

import hashlib

import pytest
import torch
from safetensors import safe_open

from gancourse.data import load, shipped
from gancourse.errors import CourseError
from gancourse.metrics import JUDGES, load_judge


@pytest.fixture(scope="module")
def judge():
    return load_judge("digits")


@pytest.fixture(scope="module")
def held_out():
    return load("digits", split="test")


def test_the_held_out_accuracy_is_the_one_on_the_card(judge, held_out):
    accuracy = (judge.predict(held_out.images()) == held_out.labels).double().mean().item()
    assert accuracy == pytest.approx(judge.card["accuracy"], abs=1e-3)
    assert accuracy >= 0.975
    assert 1 - sum(judge.card["confused"].values()) / len(held_out) == pytest.approx(accuracy)


def test_the_card_names_the_very_pictures_that_ship(judge, held_out):
    for name, data in (("train", load("digits")), ("held_out", held_out)):
        assert judge.card[f"{name}_pictures"] == len(data)
        digest = hashlib.sha256(data.pixels.numpy().tobytes()).hexdigest()
        assert judge.card[f"{name}_sha256"] == digest


def test_the_card_says_how_the_judge_came_to_be(judge):
    assert {"data", "steps", "seed", "seconds", "torch", "date", "commit"} <= judge.card.keys()
    assert judge.card["classes"] == list("0123456789")


@pytest.mark.parametrize("name", JUDGES)
def test_the_weights_are_small_on_disk_and_in_full_precision_in_memory(name):
    path = shipped(f"judge-{name}.safetensors")
    assert path.stat().st_size < 400_000
    with safe_open(path, framework="pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16, torch.int64}
    assert {p.dtype for p in load_judge(name).net.parameters()} == {torch.float32}


def test_the_answers_fit_together(judge, held_out):
    images = held_out.images(slice(0, 50))
    features, logits = judge.features(images), judge.logits(images)
    assert features.shape == (50, judge.num_features)
    assert logits.shape == (50, 10)
    assert not (features.requires_grad or logits.requires_grad)
    assert torch.equal(judge.net.head(features), logits)
    assert torch.equal(judge.predict(images), logits.argmax(1))
    torch.testing.assert_close(judge.confidence(images), logits.softmax(1).max(1).values)


def test_the_judge_is_sure_of_digits_and_knows_that_noise_is_none(judge, held_out):
    noise = torch.rand(200, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert judge.confidence(held_out.images(slice(0, 200))).mean() > 0.95
    assert judge.confidence(noise).mean() < 0.3


def test_a_picture_is_judged_alone_whatever_it_comes_with(judge, held_out, monkeypatch):
    images = held_out.images(slice(0, 50))
    together = judge.logits(images)
    monkeypatch.setattr("gancourse.metrics.judges.CHUNK", 7)
    torch.testing.assert_close(judge.logits(images), together, rtol=1e-4, atol=1e-4)


def test_the_border_of_padded_digits_is_cut_off(judge, held_out):
    padded = load("digits", split="test", image_size=32)
    assert padded.shape == (1, 32, 32)
    index = slice(0, 20)
    assert torch.equal(
        judge.logits(padded.images(index)),
        judge.logits(held_out.images(index)),
    )


def test_loading_and_asking_leave_the_random_state_alone(held_out):
    before = torch.get_rng_state()
    load_judge("digits").predict(held_out.images(slice(0, 10)))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_judge_is_refused_with_the_known_ones():
    with pytest.raises(CourseError, match="unknown judge 'digit'; there are: digits"):
        load_judge("digit")


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (torch.zeros(28, 28), r"shape \(28, 28\)"),
        (torch.zeros(4, 3, 28, 28), r"shape \(4, 3, 28, 28\)"),
        (torch.zeros(0, 1, 28, 28), r"shape \(0, 1, 28, 28\)"),
        (torch.zeros(4, 1, 64, 64), "64x64 pixels; resize"),
        (torch.zeros(4, 1, 28, 28, dtype=torch.uint8), "torch.uint8"),
        (torch.full((4, 1, 28, 28), 255.0), "values from 255 to 255"),
        (torch.full((4, 1, 28, 28), -1.02), "values from -1.02"),
        (torch.full((4, 1, 28, 28), torch.nan), "values from nan"),
    ],
)
def test_pictures_that_the_judge_does_not_know_are_refused(judge, images, complaint):
    with pytest.raises(CourseError, match=rf"float pictures \(N, 1, 28, 28\).*{complaint}"):
        judge.features(images)
