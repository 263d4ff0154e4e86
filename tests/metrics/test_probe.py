"""Linear probes, on features whose information is known."""

import pytest
import torch
from torch import nn

from gancourse.errors import CourseError
from gancourse.metrics.probe import attribute_probe, linear_probe, pooled_features, ranked


def clouds(n, seed, noise):
    """Three classes in 30 dimensions, of which three depend on the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=generator)
    features = torch.randn(n, 30, generator=generator) * noise
    features[:, :3] += 3.0 * torch.eye(3)[labels]
    return features, labels


def test_labels_that_are_linear_in_the_features_are_predicted():
    assert linear_probe(*clouds(200, 0, 0.3), *clouds(500, 1, 0.3)) > 0.95


def test_features_without_information_stay_at_chance():
    features, labels = clouds(200, 0, 1.0)
    tests, answers = clouds(600, 1, 1.0)
    features[:, :3], tests[:, :3] = 0, 0
    assert abs(linear_probe(features, labels, tests, answers) - 1 / 3) < 0.1


def test_more_features_than_samples_are_no_obstacle():
    assert linear_probe(*clouds(20, 0, 0.5), *clouds(500, 1, 0.5)) > 0.7


def test_the_scale_of_a_feature_does_not_matter():
    (x, y), (tests, answers) = clouds(200, 0, 0.5), clouds(300, 1, 0.5)
    scale = torch.logspace(-2, 2, 30)
    plain = linear_probe(x, y, tests, answers)
    assert abs(linear_probe(x * scale, y, tests * scale, answers) - plain) < 0.05


def test_too_few_samples_are_refused():
    with pytest.raises(CourseError, match="at least 10"):
        linear_probe(*clouds(5, 0, 1.0), *clouds(5, 1, 1.0))


class TwoLayers(nn.Module):
    """A network whose features are the pictures, and their negatives at half the side."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def features(self, x):
        x = self.norm(x)
        return [x, -x[:, :, ::2, ::2]]


def test_each_layer_is_pooled_to_its_maxima_whatever_the_chunk(monkeypatch):
    net, images = TwoLayers(), torch.rand(5, 3, 16, 16)
    net.norm.eps = 0.0
    seen = pooled_features(net, images)
    assert seen.shape == (5, 2 * 3 * 16)
    fields = images.unflatten(3, (4, 4)).unflatten(2, (4, 4)).amax((3, 5))  # (5, 3, 4, 4)
    assert torch.allclose(seen[:, :48], fields.flatten(1), atol=1e-6)
    monkeypatch.setattr("gancourse.metrics.probe.CHUNK", 2)
    assert torch.equal(seen, pooled_features(net, images))


def test_pooling_leaves_the_network_as_it_was():
    net = TwoLayers().train()
    pooled_features(net, torch.rand(5, 3, 16, 16))
    assert net.training and not net.norm.running_mean.any()


def test_pairs_in_the_right_order_are_counted():
    scores = torch.tensor([[0.1, 1.0], [0.4, 1.0], [0.3, 1.0], [0.2, 1.0]])
    has = torch.tensor([[False, True], [True, True], [False, True], [True, True]])
    shares = ranked(scores, has)
    assert shares[0] == 0.75 and shares[1].isnan()  # no sample lacks the second
    assert ranked(torch.zeros(4, 1), has[:, :1]) == 0.5


def test_attributes_that_are_linear_in_the_features_are_ranked_and_others_are_not():
    (x, y), (tests, answers) = clouds(300, 0, 0.5), clouds(600, 1, 0.5)
    coin = torch.Generator().manual_seed(2)
    known, unknown = (
        torch.stack([labels == 0, labels != 1, torch.rand(len(labels), generator=coin) < 0.1], 1)
        for labels in (y, answers)
    )
    shares = attribute_probe(x, known, tests, unknown)
    assert shares[:2].min() > 0.95
    assert abs(shares[2] - 0.5) < 0.12
