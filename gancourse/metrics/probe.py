"""Linear probes: how much of a label can be read off features by a linear map."""

import torch
import torch.nn.functional as F

from gancourse.errors import CourseError

PENALTIES = (0.01, 0.1, 1.0, 10.0)  # per feature


def linear_probe(features, labels, test_features, test_labels):
    """Fit a linear classifier, and return how often it is right on other samples.

    Ridge regression on one-hot labels, with features scaled to mean 0 and variance 1. The penalty
    is the best of four on a held-back fifth of the training samples; the test samples have no
    part in it.

    Parameters
    ----------
    features, test_features : float torch.Tensor, (N, d) and (M, d)
    labels, test_labels : int64 torch.Tensor, (N,) and (M,)
        Classes, counted from 0; N is 10 or more.

    Returns
    -------
    float
        The share of the test samples that is classified rightly.
    """
    if len(features) < 10 or features.shape[1:] != test_features.shape[1:]:
        raise CourseError(
            f"a probe needs 10 samples or more, and the same features of both sets: found "
            f"{tuple(features.shape)} and {tuple(test_features.shape)}."
        )
    cut = len(features) * 4 // 5
    held_back = features[cut:], labels[cut:]
    best = max(PENALTIES, key=lambda p: _right(features[:cut], labels[:cut], *held_back, p))
    return _right(features, labels, test_features, test_labels, best)


def pooled_features(net, images, side=4, chunk=250):
    """Return what every layer of a network sees in images, pooled to a few places.

    As Radford et al. 2016 (arXiv:1511.06434, section 5.1) took the features of a discriminator:
    the maximum of each feature map in each of 4x4 fields.

    Parameters
    ----------
    net : torch.nn.Module
        Has ``features(images)``, a list of maps (N, channels, H, W); it is put into evaluation
        mode, and back afterwards.
    images : float torch.Tensor, (N, C, H, W)
    side : int
        Fields along each side.
    chunk : int
        Images that go through the network at once.

    Returns
    -------
    float torch.Tensor, (N, side * side * channels of all layers)
    """
    training, parts = net.training, []
    net.eval()
    with torch.no_grad():
        for part in images.split(chunk):
            pooled = [F.adaptive_max_pool2d(maps, side) for maps in net.features(part)]
            parts.append(torch.cat([maps.flatten(1) for maps in pooled], 1))
    net.train(training)
    return torch.cat(parts)


def _right(features, labels, test_features, test_labels, penalty):
    mean, std = features.mean(0), features.std(0) + 1e-3
    x, y = (features - mean) / std, (test_features - mean) / std
    targets = F.one_hot(labels).to(x)
    centre = targets.mean(0)
    # In the dual form: there are more features than samples.
    kernel = x @ x.T + penalty * x.shape[1] * torch.eye(len(x), device=x.device)
    answers = y @ (x.T @ torch.linalg.solve(kernel, targets - centre)) + centre
    return (answers.argmax(1) == test_labels).float().mean().item()
