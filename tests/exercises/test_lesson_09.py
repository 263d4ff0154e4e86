"""Right and wrong answers to the exercises of lesson 9."""

import numpy as np
import scipy.linalg
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises.lesson_09 import (
    broken_search,
    extrapolate,
    frechet,
    mended_search,
    score,
    unit,
)

answers = Answers(9)


@answers.accept("9.1")
def entropies(logits):
    """I(y; x) = H(y) - H(y | x)."""
    p = logits.softmax(1)
    marginal = p.mean(0)
    of_classes = -torch.special.xlogy(marginal, marginal).sum()
    return torch.exp(of_classes + torch.special.xlogy(p, p).sum() / len(p))


@answers.accept("9.1")
def by_kl_div(logits):
    log_p = F.log_softmax(logits, 1)
    marginal = log_p.exp().mean(0).clamp(min=1e-30).log().expand_as(log_p)
    return F.kl_div(marginal, log_p, reduction="batchmean", log_target=True).exp()


@answers.accept("9.1")
def a_product_over_pictures(logits):
    log_p = logits.log_softmax(1)
    log_m = torch.logsumexp(log_p, 0) - np.log(len(log_p))
    return torch.stack([(a.exp() * (a - log_m)).sum().exp() for a in log_p]).log().mean().exp()


@answers.accept("9.1")
def in_bits(logits):
    log_p = logits.double().log_softmax(1) / np.log(2)
    log_m = (log_p * np.log(2)).logsumexp(0) / np.log(2) - np.log2(len(log_p))
    return 2 ** ((2**log_p) * (log_p - log_m)).sum(1).mean()


@answers.accept("9.1")
def in_a_list(logits):
    return [score(logits)]


@answers.refuse("9.1")
def without_the_exponential(logits):
    return score(logits).log()


@answers.refuse("9.1")
def against_uniform_classes(logits):
    log_p = logits.log_softmax(1)
    return (log_p.exp() * (log_p + np.log(logits.shape[1]))).sum(1).mean().exp()


@answers.refuse("9.1")
def mean_over_classes(logits):
    return score(logits).log().div(logits.shape[1]).exp()


@answers.refuse("9.1")
def exponential_of_each(logits):
    log_p = logits.log_softmax(1)
    log_m = log_p.logsumexp(0) - np.log(len(log_p))
    return (log_p.exp() * (log_p - log_m)).sum(1).exp().mean()


@answers.refuse("9.1")
def the_other_way_round(logits):
    log_p = logits.log_softmax(1)
    log_m = log_p.logsumexp(0) - np.log(len(log_p))
    return (log_m.exp() * (log_m - log_p)).sum(1).mean().exp()


@answers.refuse("9.1")
def softmax_over_pictures(logits):
    return score(logits.T)


@answers.accept("9.1")
def a_detached_marginal(logits):
    """The gradient through p(y) is that of sum p(y), which is 0."""
    log_p = logits.log_softmax(1)
    log_m = log_p.detach().logsumexp(0) - np.log(len(log_p))
    return (log_p.exp() * (log_p - log_m)).sum(1).mean().exp()


@answers.accept("9.2")
def by_eigenvalues_of_the_product(a, b):
    one, other = a.T.cov(), b.T.cov()
    root = torch.linalg.eigvals(one @ other).sqrt().real.sum()
    return (a.mean(0) - b.mean(0)).pow(2).sum() + torch.trace(one + other) - 2 * root


@answers.accept("9.2")
def by_scipy(a, b):
    one, other = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(one @ other).real
    return np.square(a.numpy().mean(0) - b.numpy().mean(0)).sum() + np.trace(one + other - 2 * root)


@answers.accept("9.2")
def by_singular_values(a, b):
    """tr (C_a C_b)^(1/2) is the nuclear norm of A B^T for centred points."""
    x, y = ((p - p.mean(0)) / (len(p) - 1) ** 0.5 for p in (a, b))
    cross = torch.linalg.matrix_norm(x @ y.T, "nuc")
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + (x * x).sum() + (y * y).sum() - 2 * cross


@answers.accept("9.2")
def as_a_plain_number(a, b):
    return float(frechet(b, a))


@answers.accept("9.2")
def in_an_array(a, b):
    return np.array([frechet(a, b).item()])


@answers.refuse("9.2")
def without_the_root(a, b):
    return (a.mean(0) - b.mean(0)).square().sum() + (a.T.cov() - b.T.cov()).square().sum()


@answers.refuse("9.2")
def variances_only(a, b):
    apart = (a.std(0) - b.std(0)).square().sum()
    return (a.mean(0) - b.mean(0)).square().sum() + apart


@answers.refuse("9.2")
def a_root_of_each_entry(a, b):
    one, other = a.T.cov(), b.T.cov()
    root = (one @ other).abs().sqrt()
    return (a.mean(0) - b.mean(0)).square().sum() + torch.trace(one + other - 2 * root)


@answers.refuse("9.2")
def divided_by_n(a, b):
    one, other = a.T.cov(correction=0), b.T.cov(correction=0)
    root = torch.linalg.eigvals(one @ other).sqrt().real.sum()
    return (a.mean(0) - b.mean(0)).square().sum() + torch.trace(one + other) - 2 * root


@answers.refuse("9.2")
def length_not_squared(a, b):
    apart = a.mean(0) - b.mean(0)
    return frechet(a, b) - apart.square().sum() + apart.norm()


@answers.refuse("9.2")
def covariance_of_the_points(a, b):
    return frechet(a.T, b.T) if a.shape == b.shape else frechet(a[: len(b)].T, b[: len(a)].T)


@answers.accept("9.3")
def by_normalize(weight, transposed=False):
    if transposed:
        return (
            F.normalize(weight.transpose(0, 1).flatten(1))
            .view_as(weight.transpose(0, 1))
            .transpose(0, 1)
        )
    return F.normalize(weight.flatten(1)).view_as(weight)


@answers.accept("9.3")
def output_by_output(weight, transposed=False):
    axis = int(transposed)
    return torch.stack([w / w.norm() for w in weight.unbind(axis)], axis)


@answers.accept("9.3")
def with_an_epsilon(weight, transposed=False):
    rows = weight.transpose(0, int(transposed))
    lengths = torch.sqrt(rows.pow(2).flatten(1).sum(1) + 1e-12)
    return (rows / lengths.view(-1, *[1] * (weight.ndim - 1))).transpose(0, int(transposed))


@answers.accept("9.3")
def by_vector_norm(weight, transposed=False):
    others = tuple({*range(weight.dim())} - {1 if transposed else 0})
    return weight * torch.linalg.vector_norm(weight, dim=others, keepdim=True).reciprocal()


@answers.accept("9.3")
def by_einsum(weight, transposed=False):
    rows = weight.movedim(1, 0) if transposed else weight
    flat = rows.flatten(1)
    squares = torch.einsum("oi,oi->o", flat, flat)
    out = (flat.T * squares.rsqrt()).T.reshape(rows.shape)
    return out.movedim(0, 1) if transposed else out


@answers.refuse("9.3")
def always_the_first_axis(weight, transposed=False):
    return unit(weight, False)


@answers.refuse("9.3")
def the_axes_swapped(weight, transposed=False):
    return unit(weight, not transposed) if weight.ndim > 1 else weight


@answers.refuse("9.3")
def one_length_for_all(weight, transposed=False):
    return weight / weight.norm()


@answers.refuse("9.3")
def lengths_detached(weight, transposed=False):
    axis = int(transposed)
    return torch.stack([w / w.norm().detach() for w in weight.unbind(axis)], axis)


@answers.refuse("9.3")
def squared_length(weight, transposed=False):
    axis = int(transposed)
    return torch.stack([w / w.square().sum() for w in weight.unbind(axis)], axis)


@answers.refuse("9.3")
def each_position_by_itself(weight, transposed=False):
    return weight / weight.norm(dim=0 if transposed else 1, keepdim=True)


@answers.accept("9.4")
def by_polyfit(sizes, distances):
    return np.polyfit(1 / np.asarray(sizes), np.asarray(distances), 1)[1]


@answers.accept("9.4")
def by_lstsq(sizes, distances):
    x = torch.stack([torch.ones(len(sizes)), 1 / sizes.float()], 1).double()
    return torch.linalg.lstsq(x, distances.double()[:, None]).solution[0]


@answers.accept("9.4")
def by_normal_equations(sizes, distances):
    x = np.stack([np.ones(len(sizes)), 1 / np.asarray(sizes, float)])
    return np.linalg.solve(x @ x.T, x @ np.asarray(distances))[:1]


@answers.accept("9.4")
def weighted_by_hand(sizes, distances):
    """N * FID = c N + b, with each residual divided by N, is the same fit."""
    n = sizes.double()
    x = torch.stack([n, torch.ones_like(n)], 1) / n[:, None]
    return torch.linalg.pinv(x)[0] @ distances.double()


@answers.accept("9.4")
def by_linregress(sizes, distances):
    from scipy.stats import linregress

    return linregress(1 / sizes.numpy(), distances.numpy()).intercept


@answers.refuse("9.4")
def over_n(sizes, distances):
    return np.polyfit(np.asarray(sizes), np.asarray(distances), 1)[1]


@answers.refuse("9.4")
def the_largest_n(sizes, distances):
    return distances[sizes.argmax()]


@answers.refuse("9.4")
def the_slope(sizes, distances):
    return np.polyfit(1 / np.asarray(sizes), np.asarray(distances), 1)[0]


@answers.refuse("9.4")
def never_negative(sizes, distances):
    return max(0.0, extrapolate(sizes, distances))


@answers.refuse("9.4")
def through_the_two_ends(sizes, distances):
    i, j = sizes.argmin(), sizes.argmax()
    x, y = 1 / sizes.double(), distances
    return y[j] - x[j] * (y[i] - y[j]) / (x[i] - x[j])


@answers.refuse("9.4")
def over_the_root_of_n(sizes, distances):
    return np.polyfit(np.asarray(sizes) ** -0.5, np.asarray(distances), 1)[1]


@answers.accept("9.5")
def on_a_copy(netG, targets, z, steps=50, lr=0.1):
    import copy

    return broken_search(copy.deepcopy(netG).eval(), targets, z, steps, lr)


@answers.accept("9.5")
def layer_by_layer(netG, targets, z, steps=50, lr=0.1):
    modes = [(module, module.training) for module in netG.modules()]
    for module, _ in modes:
        module.training = False
    found = broken_search(netG, targets, z, steps, lr)
    for module, mode in modes:
        module.training = mode
    return found


@answers.accept("9.5")
def one_after_the_other(netG, targets, z, steps=50, lr=0.1):
    pairs = zip(targets.split(1), z.split(1), strict=True)
    errors, places = zip(*(mended_search(netG, *pair, steps, lr) for pair in pairs), strict=True)
    return torch.cat(errors), torch.cat(places)


@answers.accept("9.5")
def best_of_two(netG, targets, z, steps=50, lr=0.1):
    one, other = mended_search(netG, targets, z, steps, lr), mended_search(netG, targets, z, 1)
    nearer = one[0] <= other[0]
    return [torch.where(nearer, one[0], other[0]), torch.where(nearer[:, None], one[1], other[1])]


@answers.accept("9.5")
def errors_as_a_column(netG, targets, z, steps=50, lr=0.1):
    errors, places = mended_search(netG, targets, z, steps, lr)
    return errors[:, None], places


@answers.refuse("9.5")
def never_put_back(netG, targets, z, steps=50, lr=0.1):
    netG.eval()
    return broken_search(netG, targets, z, steps, lr)


@answers.refuse("9.5")
def always_put_into_training(netG, targets, z, steps=50, lr=0.1):
    netG.eval()
    found = broken_search(netG, targets, z, steps, lr)
    netG.train()
    return found


@answers.refuse("9.5")
def statistics_put_back_alone(netG, targets, z, steps=50, lr=0.1):
    state = {name: value.clone() for name, value in netG.state_dict().items()}
    found = broken_search(netG, targets, z, steps, lr)
    netG.load_state_dict(state)
    return found


@answers.refuse("9.5")
def weights_left_frozen(netG, targets, z, steps=50, lr=0.1):
    netG.requires_grad_(False)
    return mended_search(netG, targets, z, steps, lr)


@answers.refuse("9.5")
def no_search_at_all(netG, targets, z, steps=50, lr=0.1):
    return mended_search(netG, targets, z, 1, lr)


answers.refuse("9.5", broken_search)

answers.accept("9.6", "bde", "(b), (d), (e)", ["E", "D", "B"], {"b", "d", "e"}, "b, d and e")
answers.refuse("9.6", {"a", "d", "e"}, {"b", "c", "d", "e"}, {"d", "e"}, "abcde", "f")

test_right, test_wrong, test_enough = answers.tests()
