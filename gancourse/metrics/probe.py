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


def attribute_probe(features, attributes, test_features, test_attributes):
    """Fit a linear function for each attribute, and return how well it ranks test samples.

    The functions are ridge regressions, as in :func:`linear_probe`.

    Parameters
    ----------
    features, test_features : float torch.Tensor, (N, d) and (M, d)
    attributes, test_attributes : bool torch.Tensor, (N, k) and (M, k)

    Returns
    -------
    float32 torch.Tensor, (k,)
        Of all pairs of a test sample with the attribute and one without, the share in which the
        first has the larger value: the area under the ROC curve. Chance is 0.5, however rare the
        attribute is; NaN if all test samples or none have it.
    """
    cut, targets = len(features) * 4 // 5, attributes.float()
    known, validation = (features[:cut], targets[:cut]), (features[cut:], attributes[cut:])

    def quality(penalty):
        return ranked(_predict(*known, validation[0], penalty), validation[1]).nanmean()

    best = max(PENALTIES, key=quality)
    return ranked(_predict(features, targets, test_features, best), test_attributes)


def ranked(scores, attributes):
    """Return the share of pairs, one with and one without an attribute, in the right order.

    Parameters
    ----------
    scores : float torch.Tensor, (M, k)
    attributes : bool torch.Tensor, (M, k)

    Returns
    -------
    float torch.Tensor, (k,)
        A pair with equal scores counts half.
    """
    shares = []
    for score, has in zip(scores.T, attributes.T.bool(), strict=True):
        gap = score[has][:, None] - score[~has]
        shares.append((gap.sign().mean() + 1) / 2)
    return torch.stack(shares)


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
    targets = F.one_hot(labels).to(features)
    predicted = _predict(features, targets, test_features, penalty)
    return (predicted.argmax(1) == test_labels).float().mean().item()


def _predict(features, targets, test_features, penalty):
    """Fit a ridge regression, and return what it predicts for test samples."""
    mean, std = features.mean(0), features.std(0) + 1e-3
    x, y = (features - mean) / std, (test_features - mean) / std
    centre = targets.mean(0)
    # The dual form solves N x N equations; there are more features than samples.
    kernel = x @ x.T + penalty * x.shape[1] * torch.eye(len(x), device=x.device)
    return y @ (x.T @ torch.linalg.solve(kernel, targets - centre)) + centre
