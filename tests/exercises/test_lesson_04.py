"""Right and wrong answers to the exercises of lesson 4."""

import math
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises import lesson_04
from gancourse.exercises.lesson_04 import broken_step
from gancourse.gans import acgan

answers = Answers(4)


def values(no_idea, sure_and_right, softmax_twice):
    return {
        "no_idea": no_idea,
        "sure_and_right": sure_and_right,
        "softmax_twice": softmax_twice,
    }


answers.accept(
    "4.1",
    values(2.3, 0, 1.46),
    values(math.log(10), 0.0, math.log(1 + 9 / math.e)),
    values("2.303 nats", "0", "1.461"),
    values(torch.tensor(10.0).log(), [0], np.float64(1.461)),
    values(-np.log(0.1), 1e-9, torch.tensor([1.461])),
)
answers.refuse(
    "4.1",
    values(2.303, 0.0, 0.0),
    values(1.0, 0.0, 1.461),
    values(math.log(2), 0.0, 1.461),
    values(2.303, 1.0, 1.461),
    values(3.32, 0.0, 2.11),
    values(-2.303, 0.0, 1.461),
    values(2.303, 0.0, 0.232),
)


@answers.accept("4.2")
def a_constant_without_labels(class_logits, labels):
    known = labels >= 0
    return F.cross_entropy(class_logits[known], labels[known]) if known.any() else 0.0


@answers.accept("4.2")
def a_constant_tensor_without_labels(class_logits, labels):
    known = labels != -1
    if not known.any():
        return torch.tensor(0.0)
    return F.cross_entropy(class_logits, labels, ignore_index=-1)


@answers.accept("4.2")
def with_a_mask(class_logits, labels):
    known = (labels >= 0).float()
    each = F.cross_entropy(class_logits, labels.clamp(min=0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


@answers.accept("4.2")
def a_sum_of_no_rows(class_logits, labels):
    known = labels >= 0
    total = F.cross_entropy(class_logits[known], labels[known], reduction="sum")
    return total / max(1, int(known.sum()))


@answers.accept("4.2")
def by_gathering(class_logits, labels):
    rows = (labels >= 0).nonzero().flatten()
    if len(rows) == 0:
        return class_logits.sum() * 0
    return -class_logits.log_softmax(1)[rows, labels[rows]].mean()


@answers.refuse("4.2")
def mean_over_all(class_logits, labels):
    return F.cross_entropy(class_logits, labels, ignore_index=-1, reduction="sum") / len(labels)


@answers.refuse("4.2")
def nan_without_labels(class_logits, labels):
    return F.cross_entropy(class_logits, labels, ignore_index=-1)


@answers.refuse("4.2")
def class_nine(class_logits, labels):
    return F.cross_entropy(class_logits, labels % class_logits.shape[1])


@answers.refuse("4.2")
def on_probabilities(class_logits, labels):
    return lesson_04.partial_class_loss(class_logits.softmax(1), labels)


@answers.refuse("4.2")
def without_a_gradient(class_logits, labels):
    return lesson_04.partial_class_loss(class_logits.detach(), labels)


@answers.refuse("4.2")
def nan_gradient_without_labels(class_logits, labels):
    known = labels >= 0
    each = F.cross_entropy(class_logits, labels.clamp(min=0), reduction="none")
    return ((each * known).sum() / known.sum()).nan_to_num()


@answers.refuse("4.2")
def changes_the_labels(class_logits, labels):
    known = labels >= 0
    labels[~known] = 0
    each = F.cross_entropy(class_logits, labels, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


@answers.accept("4.3")
def in_numpy(values):
    values, found = np.asarray(values), []
    for a, b in combinations(range(values.shape[1]), 2):
        both = ~np.isnan(values[:, [a, b]]).any(1)
        found.append(np.corrcoef(values[both, a], values[both, b])[0, 1])
    return np.mean(found)


@answers.accept("4.3")
def in_pandas_manner(values):
    array = np.ma.masked_invalid(values.double().numpy())
    correlation = np.ma.corrcoef(array[:, :2].T) if array.shape[1] == 2 else None
    if correlation is not None:
        return float(correlation[0, 1])
    pairs = combinations(range(array.shape[1]), 2)
    return float(np.mean([np.ma.corrcoef(array[:, a], array[:, b])[0, 1] for a, b in pairs]))


@answers.accept("4.3")
def both_orders(values):
    found = []
    for a, b in permutations(range(values.shape[1]), 2):
        rows = values[:, [a, b]]
        found.append(torch.corrcoef(rows[~rows.isnan().any(1)].T)[0, 1].item())
    return sum(found) / len(found)


@answers.accept("4.3")
def by_formula(values):
    found = []
    for a, b in combinations(values.T.double(), 2):
        both = ~(a + b).isnan()
        x, y = (column[both] - column[both].mean() for column in (a, b))
        found.append((x * y).sum() / (x.norm() * y.norm()))
    return torch.stack(found).mean()


@answers.accept("4.3")
def with_masked_sums(values):
    known = values.isfinite()
    x, m = values.double().nan_to_num(), known.double()
    n = m.T @ m
    mean_a, mean_b = (x.T @ m) / n, (m.T @ x) / n
    var_a = (x.square().T @ m) / n - mean_a**2
    var_b = (m.T @ x.square()) / n - mean_b**2
    correlation = ((x.T @ x) / n - mean_a * mean_b) / (var_a * var_b).sqrt()
    c = len(n)
    return (correlation.sum() - c) / (c * (c - 1))


@answers.refuse("4.3")
def with_the_diagonal(values):
    c = values.shape[1]
    return (lesson_04.agreement(values) * (c - 1) + 1) / c


@answers.refuse("4.3")
def without_scaling(values):
    between = values.nanmean(1).var()
    return between / (between + values.var(1).nanmean())


@answers.refuse("4.3")
def size_alone(values):
    found = [lesson_04.agreement(torch.stack(pair, 1)).abs() for pair in combinations(values.T, 2)]
    return torch.stack(found).mean()


@answers.refuse("4.3")
def without_gaps(values):
    correlation = torch.corrcoef(values.T)
    c = len(correlation)
    return (correlation.sum() - c) / (c * (c - 1))


@answers.refuse("4.3")
def complete_rows_alone(values):
    return without_gaps(values[values.isfinite().all(1)])


@answers.refuse("4.3")
def gaps_are_zero(values):
    return without_gaps(values[values.isfinite().any(1)].nan_to_num())


@answers.refuse("4.3")
def gaps_are_the_mean(values):
    return without_gaps(values.where(values.isfinite(), values.nanmean(0)))


answers.accept("4.4", acgan.train_step)


def a_step(gan, batch, run, *, loss_g, fakes=lambda x: x.detach(), fresh=False, asked=None):
    """Take a step with another loss of G."""
    cfg, real, labels = gan.cfg, batch["real"], batch["labels"]
    wanted = torch.randint(cfg.num_classes, labels.shape)
    fake = gan.netG(acgan.draw_z(cfg, len(real)), wanted)
    real_logits, real_classes = gan.netD(real)
    fake_logits, fake_classes = gan.netD(fakes(fake))
    class_d = acgan.class_loss(real_classes, labels)
    class_d = class_d + acgan.class_loss(fake_classes, labels if asked == "labels" else wanted)
    loss_d = acgan.d_loss(real_logits, fake_logits) + cfg.lambda_class * class_d
    gan.opt_d.zero_grad()
    loss_d.backward(retain_graph=True)
    gan.opt_d.step()
    if fresh:
        wanted = torch.randint(cfg.num_classes, labels.shape)
        fake = gan.netG(z=acgan.draw_z(cfg, len(real)), labels=wanted)
    value = loss_g(gan, fake, wanted, labels)
    gan.opt_g.zero_grad()
    value.backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": value.detach()}


def both_terms(gan, fake, wanted, labels):
    logits, classes = gan.netD(fake)
    return acgan.g_loss(logits) + gan.cfg.lambda_class * acgan.class_loss(classes, wanted)


@answers.accept("4.4")
def fresh_fakes_for_g(gan, batch, run):
    return a_step(gan, batch, run, loss_g=both_terms, fresh=True)


@answers.accept("4.4")
def d_is_asked_twice(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        adv, cls = acgan.g_loss(gan.netD(fake)[0]), acgan.class_loss(gan.netD(fake)[1], wanted)
        return adv + gan.cfg.lambda_class * cls

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.accept("4.4")
def by_nll(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        logits, classes = gan.netD(fake)
        named = -classes.log_softmax(1)[torch.arange(len(fake)), wanted].mean()
        return -F.logsigmoid(logits).mean() + gan.cfg.lambda_class * named

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.accept("4.4")
def g_first(gan, batch, run):
    cfg, real, labels = gan.cfg, batch["real"], batch["labels"]
    wanted = torch.randint(cfg.num_classes, labels.shape)
    fake = gan.netG(acgan.draw_z(cfg, len(real)), wanted)
    gan.opt_g.zero_grad()
    loss_g = both_terms(gan, fake, wanted, labels)
    loss_g.backward()
    gan.opt_g.step()
    gan.opt_d.zero_grad()
    (real_logits, real_classes), (logits, classes) = gan.netD(real), gan.netD(fake.detach())
    class_d = acgan.class_loss(real_classes, labels) + acgan.class_loss(classes, wanted)
    loss_d = acgan.d_loss(real_logits, logits) + cfg.lambda_class * class_d
    loss_d.backward()
    gan.opt_d.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


answers.refuse("4.4", broken_step)


@answers.refuse("4.4")
def the_labels_of_the_batch(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        return both_terms(gan, fake, labels, labels)

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.refuse("4.4")
def without_the_class(gan, batch, run):
    gan.cfg = replace(gan.cfg, lambda_class=0.0)
    return acgan.train_step(gan, batch, run)


@answers.refuse("4.4")
def with_a_larger_weight(gan, batch, run):
    gan.cfg = replace(gan.cfg, lambda_class=10.0)
    return broken_step(gan, batch, run)


@answers.refuse("4.4")
def the_class_alone(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        return gan.cfg.lambda_class * acgan.class_loss(gan.netD(fake)[1], wanted)

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.refuse("4.4")
def d_learns_the_labels_of_the_batch(gan, batch, run):
    return a_step(gan, batch, run, loss_g=both_terms, asked="labels")


@answers.refuse("4.4")
def the_sign_of_the_class(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        logits, classes = gan.netD(fake)
        return acgan.g_loss(logits) - gan.cfg.lambda_class * acgan.class_loss(classes, wanted)

    return a_step(gan, batch, run, loss_g=loss_g)


answers.accept("4.5", "ace", "(a), (c), (e)", ["E", "C", "A"], {"a", "c", "e"}, "a, c and e")
answers.refuse("4.5", {"a", "b", "c", "e"}, {"a", "e"}, {"a", "c", "d", "e"}, "b", "abcde")

test_right, test_wrong, test_enough = answers.tests()
