"""Many answers to one input, against values worked out by hand and against the renderer."""

import pytest
import torch

from gancourse import toons
from gancourse.errors import CourseError
from gancourse.metrics.looks import (
    diversity,
    looks_covered,
    nearest_truth,
    relative_diversity,
)
from gancourse.toons import SCENE_LOOKS, SceneFactors


def flat(*rows):
    """Pictures of one brightness each: a row of values is what one input has."""
    return torch.tensor(rows)[..., None, None, None].expand(-1, -1, 3, 4, 4)


@pytest.fixture(scope="module")
def scenes():
    """The looks of three scenes, (3, 12, 3, 32, 32)."""
    factors = SceneFactors.sample(3, seed=4).in_every_look()
    return (toons.draw_scenes(factors, 32).images / 127.5 - 1).unflatten(0, (3, 12))


def test_the_nearest_true_picture_is_found_with_its_distance():
    nearest, distances = nearest_truth(flat([-0.9, 0.2, 0.5]), flat([-1.0, 0.0, 1.0]))
    assert nearest.tolist() == [[0, 1, 1]]  # 0.5 is as near to 1: the first counts
    expected = torch.tensor([[0.05, 0.45, 0.95], [0.6, 0.1, 0.4], [0.75, 0.25, 0.25]])
    assert torch.allclose(distances[0], expected)


def test_a_mask_limits_what_is_compared():
    truths = flat([-1.0, 1.0]).clone()
    sample = flat([-1.0]).clone()
    sample[..., :2] = 1
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[..., :2] = True
    assert nearest_truth(sample, truths, mask)[0].item() == 1
    assert nearest_truth(sample, truths, ~mask)[0].item() == 0
    nearest, distances = nearest_truth(sample, truths, mask & ~mask)
    assert nearest.item() == -1 and distances.isnan().all()


def test_true_pictures_cover_all_and_one_picture_covers_one(scenes):
    found = looks_covered(scenes, scenes, blocks=1)
    assert found.covered.tolist() == [12] * 3
    assert found.nearest.tolist() == [list(range(12))] * 3
    assert (found.distance == 0).all()
    assert looks_covered(scenes[:, 5:6].repeat(1, 24, 1, 1, 1), scenes).covered.tolist() == [1] * 3


@pytest.mark.parametrize("looks", [[0], [3, 3, 7], [11, 2, 5, 2, 8, 9]])
def test_as_many_looks_are_covered_as_there_are_among_the_samples(scenes, looks):
    padded = torch.nn.functional.pad(scenes[:, looks].flatten(0, 1), [2] * 4, mode="replicate")
    blurred = torch.nn.functional.avg_pool2d(padded, 5, 1).unflatten(0, (3, -1))
    noise = torch.randn(blurred.shape, generator=torch.Generator().manual_seed(0))
    for samples in (scenes[:, looks], blurred, scenes[:, looks] + 0.1 * noise):
        found = looks_covered(samples, scenes)
        assert found.nearest.tolist() == [looks] * 3
        assert looks_covered(samples, scenes, within=None).covered.tolist() == [len({*looks})] * 3
    assert found.covered.tolist() == [len({*looks})] * 3


def test_what_lies_between_the_looks_covers_none_of_them(scenes):
    mean = scenes.mean(1, keepdim=True)
    assert looks_covered(mean, scenes, within=None).covered.tolist() == [1] * 3
    assert looks_covered(mean, scenes).covered.tolist() == [0] * 3
    noise = torch.rand(3, 24, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert looks_covered(noise, scenes).covered.tolist() == [0] * 3
    assert (looks_covered(noise, scenes, within=None).covered > 0).all()


def test_the_order_and_the_number_of_inputs_make_no_difference(scenes, monkeypatch):
    samples = scenes[:, [4, 4, 1]] * 0.9
    whole = looks_covered(samples, scenes)
    monkeypatch.setattr("gancourse.metrics.looks.CHUNK", 2)
    parts = looks_covered(samples.flip(1), scenes)
    assert torch.equal(parts.nearest.flip(1), whole.nearest)
    assert torch.equal(parts.covered, whole.covered)


def test_the_kind_of_a_tree_is_read_in_its_own_region():
    factors = SceneFactors.sample(40, seed=3).replace(round_trees="three", fir_trees="none")
    both = [toons.draw_scenes(f, 32) for f in (factors, factors.with_other_trees())]
    truths = torch.stack([side.images for side in both], 1) / 127.5 - 1
    chosen = toons.TREES.choose(both[0])
    sides = [toons.scene_layout.numbers(side, chosen) for side in both]
    for tree in (1, 2, 3):
        region = (sides[0] == tree) | (sides[1] == tree)
        nearest, _ = nearest_truth(truths, truths, region)
        there = nearest[:, 0] >= 0
        assert there.sum() > 35
        assert nearest[there].tolist() == [[0, 1]] * int(there.sum())


# Diversity


def test_diversity_is_the_mean_distance_over_all_pairs():
    assert diversity(flat([0.0, 0.0, 0.0])) == 0
    assert diversity(flat([-1.0, 1.0])) == 1
    samples = flat([-0.2, 0.4, 1.0], [0.0, 0.0, 0.3])
    expected = ((0.6 + 0.6 + 1.2) / 3 + (0.3 + 0.3) / 3) / 2 / 2
    assert diversity(samples) == pytest.approx(expected)
    assert diversity(samples[:, [2, 0, 1]]) == pytest.approx(expected)


def test_features_give_the_distance_their_own_unit():
    samples = flat([0.0, 1.0, 1.0])

    def features(images):
        value = images[:, 0, 0, 0]
        return torch.stack([3 * value, 4 * value], 1)

    assert diversity(samples, features) == pytest.approx((5 + 5 + 0) / 3)
    assert relative_diversity(samples, samples, features) == 1


def test_diversity_is_relative_to_that_of_the_real_answers(scenes):
    assert relative_diversity(scenes, scenes) == 1
    assert relative_diversity(scenes[:, :1].repeat(1, 5, 1, 1, 1), scenes) == 0
    assert relative_diversity(scenes * 0.5, scenes) == pytest.approx(0.5)
    doubled = relative_diversity(scenes.repeat(1, 2, 1, 1, 1), scenes)
    assert doubled == pytest.approx(22 / 23)  # of 23 other samples one is of the same look
    draws = torch.randint(12, (3, 400), generator=torch.Generator().manual_seed(0))
    samples = torch.stack([looks[rows] for looks, rows in zip(scenes, draws, strict=True)])
    pairs = samples.unflatten(1, (-1, 20)).flatten(0, 1)
    real = scenes.repeat_interleave(20, 0)
    assert relative_diversity(pairs, real) == pytest.approx(11 / 12, abs=0.05)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda x: diversity(x[:, :1]), "two samples or more"),
        (lambda x: diversity(x[0]), "two samples or more"),
        (lambda x: relative_diversity(x, x * 0), "no diversity"),
        (lambda x: looks_covered(x, x[:1]), r"\(2, 3, 3, 1, 1\) and \(1, 3, 3, 1, 1\)"),
        (lambda x: looks_covered(x, x[..., :2], blocks=1), r"\(2, 3, 3, 4, 2\)"),
        (lambda x: nearest_truth(x, x, x[:, 0]), "expected a mask"),
        (lambda x: nearest_truth(x / 0, x), "not finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(measure, message):
    with pytest.raises(CourseError, match=message):
        measure(flat([0.0, 0.5, 1.0], [0.0, 0.1, 0.2]))


def test_there_are_twelve_looks():
    assert len(SCENE_LOOKS) == 12
    assert SCENE_LOOKS[0] == "spring day" and SCENE_LOOKS[-1] == "winter night"
