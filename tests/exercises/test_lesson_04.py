"""Right and wrong answers to the exercises of lesson 4."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises import lesson_04
from gancourse.exercises.lesson_04 import broken_step
from gancourse.gans import acgan

answers = Answers(4)


@answers.accept("4.1")
def by_gathering_log_softmax(class_logits, labels):
    return -class_logits.log_softmax(1).gather(1, labels[:, None]).mean()


@answers.accept("4.1")
def with_a_one_hot(class_logits, labels):
    y = F.one_hot(labels, class_logits.shape[1])
    return -(y * F.log_softmax(class_logits, 1)).sum() / len(labels)


@answers.accept("4.1")
def in_a_python_loop(class_logits, labels):
    total = 0
    for row, label in zip(class_logits, labels.tolist(), strict=True):
        total = total + torch.logsumexp(row, 0) - row[label]
    return total / len(labels)


@answers.accept("4.1")
def the_built_in_one(class_logits, labels):
    return F.cross_entropy(class_logits, labels, reduction="sum") / labels.numel()


@answers.accept("4.1")
def by_nll_loss(class_logits, labels):
    return F.nll_loss(F.log_softmax(class_logits, -1), target=labels)


@answers.accept("4.1")
def against_the_largest(class_logits, labels):
    top = class_logits.max(1, keepdim=True).values.detach()
    shifted = class_logits - top
    picked = shifted[torch.arange(len(labels)), labels]
    return (shifted.exp().sum(1).log() - picked).mean()


@answers.refuse("4.1")
def the_sum(class_logits, labels):
    return F.cross_entropy(class_logits, labels, reduction="sum")


@answers.refuse("4.1")
def a_softmax_too_many(class_logits, labels):
    return F.cross_entropy(class_logits.softmax(1), labels)


@answers.refuse("4.1")
def minus_the_probability(class_logits, labels):
    return -class_logits.softmax(1)[torch.arange(len(labels)), labels].mean()


@answers.refuse("4.1")
def the_wrong_sign(class_logits, labels):
    return class_logits.log_softmax(1)[torch.arange(len(labels)), labels].mean()


@answers.refuse("4.1")
def ten_yes_or_no_questions(class_logits, labels):
    y = F.one_hot(labels, class_logits.shape[1]).float()
    return F.binary_cross_entropy_with_logits(class_logits, y)


@answers.refuse("4.1")
def softmax_over_the_batch(class_logits, labels):
    return F.nll_loss(class_logits.log_softmax(0), labels)


@answers.refuse("4.1")
def infinite_where_the_softmax_rounds(class_logits, labels):
    return -class_logits.softmax(1).log()[torch.arange(len(labels)), labels].mean()


def losses(netG, netD, real, labels, z, c, weight, *, d="right", g="right"):
    """Return the losses of a step with the parts that ``d`` and ``g`` name."""
    fake = netG(z, c)
    real_logits, real_classes = netD(real)
    fake_logits, fake_classes = netD(fake if d == "attached" else fake.detach())
    named = acgan.class_loss(real_classes, labels)
    if d != "real classes alone":
        named = named + acgan.class_loss(fake_classes, labels if d == "labels" else c)
    loss_d = acgan.d_loss(real_logits, fake_logits) + weight * named
    logits, classes = netD(fake.detach() if g == "detached" else fake)
    named = acgan.class_loss(classes, labels if g == "labels" else c)
    loss_g = acgan.g_loss(logits) + weight * (-named if g == "minus" else named)
    return loss_d, loss_g


@answers.accept("4.2")
def in_one_pass(netG, netD, real, labels, z, c, weight):
    fake = netG(z, c)
    logits, classes = netD(torch.cat([real, fake.detach()]))
    (real_logits, fake_logits), (named, meant) = logits.chunk(2), classes.chunk(2)
    both = acgan.class_loss(named, labels) + acgan.class_loss(meant, c)
    logits, classes = netD(fake)
    return (
        acgan.d_loss(real_logits, fake_logits) + weight * both,
        acgan.g_loss(logits) + weight * acgan.class_loss(classes, c),
    )


@answers.accept("4.2")
def with_frozen_weights(netG, netD, real, labels, z, c, weight):
    netD.requires_grad_(False)
    loss_g = losses(netG, netD, real, labels, z, c, weight)[1]
    netD.requires_grad_(True)
    return losses(netG, netD, real, labels, z, c, weight)[0], loss_g


@answers.accept("4.2")
def as_a_list_and_with_keywords(netG, netD, real, labels, z, c, weight):
    return list(losses(netG, netD, real=real, labels=labels, z=z, c=c, weight=weight))


@answers.accept("4.2")
def fakes_drawn_twice(netG, netD, real, labels, z, c, weight):
    with torch.no_grad():
        fake = netG(labels=c, z=z)
    (real_logits, named), (fake_logits, meant) = netD(real), netD(x=fake)
    both = F.cross_entropy(named, labels) + F.cross_entropy(meant, c)
    loss_d = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean() + weight * both
    return loss_d, losses(netG, netD, real, labels, z, c, weight)[1]


@answers.accept("4.2")
def by_logsigmoid(netG, netD, real, labels, z, c, weight):
    loss_d, _ = losses(netG, netD, real, labels, z, c, weight)
    logits, classes = netD(netG(z, c))
    rows = torch.arange(len(c))
    return loss_d[None], -(F.logsigmoid(logits) + weight * classes.log_softmax(1)[rows, c]).mean()


answers.refuse(
    "4.2",
    *(
        partial(losses, **change)
        for change in (
            {"d": "attached"},
            {"d": "labels"},
            {"d": "real classes alone"},
            {"g": "labels"},
            {"g": "minus"},
            {"g": "detached"},
        )
    ),
)


@answers.refuse("4.2")
def without_the_weight(netG, netD, real, labels, z, c, weight):
    return losses(netG, netD, real, labels, z, c, 1.0)


@answers.refuse("4.2")
def in_the_other_order(netG, netD, real, labels, z, c, weight):
    return losses(netG, netD, real, labels, z, c, weight)[::-1]


def values(no_idea, sure_and_right, softmax_twice):
    return {
        "no_idea": no_idea,
        "sure_and_right": sure_and_right,
        "softmax_twice": softmax_twice,
    }


answers.accept(
    "4.3",
    values(2.3, 0, 1.46),
    values(math.log(10), 0.0, math.log(1 + 9 / math.e)),
    values("2.303 nats", "0", "1.461"),
    values(torch.tensor(10.0).log(), [0], np.float64(1.461)),
    values(-np.log(0.1), 1e-9, torch.tensor([1.461])),
)
answers.refuse(
    "4.3",
    values(2.303, 0.0, 0.0),
    values(1.0, 0.0, 1.461),
    values(math.log(2), 0.0, 1.461),
    values(2.303, 1.0, 1.461),
    values(3.32, 0.0, 2.11),
    values(-2.303, 0.0, 1.461),
    values(2.303, 0.0, 0.232),
)


@answers.accept("4.4")
def a_constant_without_labels(class_logits, labels):
    known = labels >= 0
    return F.cross_entropy(class_logits[known], labels[known]) if known.any() else 0.0


@answers.accept("4.4")
def a_constant_tensor_without_labels(class_logits, labels):
    known = labels != -1
    if not known.any():
        return torch.tensor(0.0)
    return F.cross_entropy(class_logits, labels, ignore_index=-1)


@answers.accept("4.4")
def with_a_mask(class_logits, labels):
    known = (labels >= 0).float()
    each = F.cross_entropy(class_logits, labels.clamp(min=0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


@answers.accept("4.4")
def a_sum_of_no_rows(class_logits, labels):
    known = labels >= 0
    total = F.cross_entropy(class_logits[known], labels[known], reduction="sum")
    return total / max(1, int(known.sum()))


@answers.accept("4.4")
def by_gathering(class_logits, labels):
    rows = (labels >= 0).nonzero().flatten()
    if len(rows) == 0:
        return class_logits.sum() * 0
    return -class_logits.log_softmax(1)[rows, labels[rows]].mean()


@answers.refuse("4.4")
def mean_over_all(class_logits, labels):
    return F.cross_entropy(class_logits, labels, ignore_index=-1, reduction="sum") / len(labels)


@answers.refuse("4.4")
def nan_without_labels(class_logits, labels):
    return F.cross_entropy(class_logits, labels, ignore_index=-1)


@answers.refuse("4.4")
def class_nine(class_logits, labels):
    return F.cross_entropy(class_logits, labels % class_logits.shape[1])


@answers.refuse("4.4")
def on_probabilities(class_logits, labels):
    return lesson_04.partial_class_loss(class_logits.softmax(1), labels)


@answers.refuse("4.4")
def without_a_gradient(class_logits, labels):
    return lesson_04.partial_class_loss(class_logits.detach(), labels)


@answers.refuse("4.4")
def nan_gradient_without_labels(class_logits, labels):
    known = labels >= 0
    each = F.cross_entropy(class_logits, labels.clamp(min=0), reduction="none")
    return ((each * known).sum() / known.sum()).nan_to_num()


@answers.refuse("4.4")
def changes_the_labels(class_logits, labels):
    known = labels >= 0
    labels[~known] = 0
    each = F.cross_entropy(class_logits, labels, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


answers.accept("4.5", acgan.train_step)


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


@answers.accept("4.5")
def fresh_fakes_for_g(gan, batch, run):
    return a_step(gan, batch, run, loss_g=both_terms, fresh=True)


@answers.accept("4.5")
def d_is_asked_twice(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        adv, cls = acgan.g_loss(gan.netD(fake)[0]), acgan.class_loss(gan.netD(fake)[1], wanted)
        return adv + gan.cfg.lambda_class * cls

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.accept("4.5")
def by_nll(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        logits, classes = gan.netD(fake)
        named = -classes.log_softmax(1)[torch.arange(len(fake)), wanted].mean()
        return -F.logsigmoid(logits).mean() + gan.cfg.lambda_class * named

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.accept("4.5")
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


answers.refuse("4.5", broken_step)


@answers.refuse("4.5")
def the_labels_of_the_batch(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        return both_terms(gan, fake, labels, labels)

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.refuse("4.5")
def without_the_class(gan, batch, run):
    gan.cfg = replace(gan.cfg, lambda_class=0.0)
    return acgan.train_step(gan, batch, run)


@answers.refuse("4.5")
def with_a_larger_weight(gan, batch, run):
    gan.cfg = replace(gan.cfg, lambda_class=10.0)
    return broken_step(gan, batch, run)


@answers.refuse("4.5")
def the_class_alone(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        return gan.cfg.lambda_class * acgan.class_loss(gan.netD(fake)[1], wanted)

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.refuse("4.5")
def d_learns_the_labels_of_the_batch(gan, batch, run):
    return a_step(gan, batch, run, loss_g=both_terms, asked="labels")


@answers.refuse("4.5")
def the_sign_of_the_class(gan, batch, run):
    def loss_g(gan, fake, wanted, labels):
        logits, classes = gan.netD(fake)
        return acgan.g_loss(logits) - gan.cfg.lambda_class * acgan.class_loss(classes, wanted)

    return a_step(gan, batch, run, loss_g=loss_g)


answers.accept("4.6", "ace", "(a), (c), (e)", ["E", "C", "A"], {"a", "c", "e"}, "a, c and e")
answers.refuse("4.6", {"a", "b", "c", "e"}, {"a", "e"}, {"a", "c", "d", "e"}, "b", "abcde")

test_right, test_wrong, test_enough = answers.tests()
