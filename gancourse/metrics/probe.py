"""Linear probes: how well a linear classifier predicts labels from features."""

import torch
import torch.nn.functional as F

from gancourse.errors import CourseError

PENALTIES = (0.01, 0.1, 1.0, 10.0)  # of the ridge regression, per feature
SIDE = 4  # fields along each side, to which feature maps are pooled
CHUNK = 250  # images that go through a network at once


def linear_probe(features, labels, test_features, test_labels):
    """Fit a linear classifier, and return its accuracy on test samples.

    The classifier is a ridge regression on one-hot labels, with features scaled to mean 0 and
    variance 1. Of four penalties, it takes the one that is best on a validation set, a fifth of
    the training samples.

    Parameters
    ----------
    features, test_features : float torch.Tensor, (N, d) and (M, d)
    labels, test_labels : int64 torch.Tensor, (N,) and (M,)
        Classes, counted from 0. N is at least 10.

    Returns
    -------
    float
        The accuracy on the test samples, 0 to 1.

    Raises
    ------
    CourseError
        If there are fewer than 10 training samples, or the two sets differ in their features.
    """
    if len(features) < 10 or features.shape[1:] != test_features.shape[1:]:
        raise CourseError(
            "expected at least 10 training samples, and test samples with the same features; found "
            f"shapes {tuple(features.shape)} and {tuple(test_features.shape)}"
        )
    cut = len(features) * 4 // 5
    validation = features[cut:], labels[cut:]
    best = max(PENALTIES, key=lambda p: _accuracy(features[:cut], labels[:cut], *validation, p))
    return _accuracy(features, labels, test_features, test_labels, best)


def pooled_features(net, images):
    """Return the features of all layers of a network, max-pooled to 4x4 fields.

    Radford et al. 2016 (arXiv 1511.06434, section 5.1) classify by a discriminator's features in
    this way.

    Parameters
    ----------
    net : torch.nn.Module
        Its ``features(images)`` is a list of feature maps (N, channels, H, W). It runs in
        evaluation mode, and its mode is restored.
    images : float torch.Tensor, (N, C, H, W)

    Returns
    -------
    float torch.Tensor, (N, 16 * channels of all layers)
    """
    training, parts = net.training, []
    net.eval()
    with torch.no_grad():
        for part in images.split(CHUNK):
            pooled = [F.adaptive_max_pool2d(maps, SIDE) for maps in net.features(part)]
            parts.append(torch.cat([maps.flatten(1) for maps in pooled], 1))
    net.train(training)
    return torch.cat(parts)


def _accuracy(features, labels, test_features, test_labels, penalty):
    mean, std = features.mean(0), features.std(0) + 1e-3
    x, y = (features - mean) / std, (test_features - mean) / std
    targets = F.one_hot(labels).to(x)
    centre = targets.mean(0)
    # The dual form solves N x N equations; there are more features than samples.
    kernel = x @ x.T + penalty * x.shape[1] * torch.eye(len(x), device=x.device)
    predicted = y @ (x.T @ torch.linalg.solve(kernel, targets - centre)) + centre
    return (predicted.argmax(1) == test_labels).float().mean().item()
