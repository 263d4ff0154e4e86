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


def _right(features, labels, test_features, test_labels, penalty):
    mean, std = features.mean(0), features.std(0) + 1e-3
    x, y = (features - mean) / std, (test_features - mean) / std
    targets = F.one_hot(labels).to(x)
    centre = targets.mean(0)
    # In the dual form: there are more features than samples.
    kernel = x @ x.T + penalty * x.shape[1] * torch.eye(len(x), device=x.device)
    answers = y @ (x.T @ torch.linalg.solve(kernel, targets - centre)) + centre
    return (answers.argmax(1) == test_labels).float().mean().item()
