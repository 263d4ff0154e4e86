"""Right and wrong answers to the exercises of lesson 5."""

import copy
import math
from functools import partial
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers
from torch import nn

from gancourse.exercises import lesson_05
from gancourse.exercises.lesson_05 import broken_step
from gancourse.gans import cgan

answers = Answers(5)


def pair_loss(real_logits, fake_logits, wrong_logits, mismatch, *, share=None, sign=1.0):
    """Return D's loss with shares and a sign of one's choice."""
    a, b = (1 - mismatch, mismatch) if share is None else share(mismatch)
    fakes = a * F.softplus(fake_logits).mean() + b * F.softplus(wrong_logits).mean()
    return F.softplus(-sign * real_logits).mean() + fakes


@answers.accept("5.1")
def by_logsigmoid(real_logits, fake_logits, wrong_logits, mismatch):
    fake, wrong = F.logsigmoid(-fake_logits), F.logsigmoid(-wrong_logits)
    return -(F.logsigmoid(real_logits) + (1 - mismatch) * fake + mismatch * wrong).mean()


@answers.accept("5.1")
def by_cross_entropy(real_logits, fake_logits, wrong_logits, mismatch):
    bce, no = F.binary_cross_entropy_with_logits, torch.zeros_like(fake_logits)
    fakes = (1 - mismatch) * bce(fake_logits, no) + mismatch * bce(wrong_logits, no)
    return bce(real_logits, torch.ones_like(real_logits)) + fakes


@answers.accept("5.1")
def with_lerp(real_logits, fake_logits, wrong_logits, mismatch):
    fake, wrong = F.softplus(fake_logits).mean(), F.softplus(wrong_logits).mean()
    return F.softplus(-real_logits).mean() + torch.lerp(fake, wrong, mismatch)


@answers.accept("5.1")
def with_two_cases(real_logits, fake_logits, wrong_logits, mismatch):
    loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    if not mismatch:
        return loss
    gap = F.softplus(wrong_logits).mean() - F.softplus(fake_logits).mean()
    return loss + mismatch * gap


@answers.accept("5.1")
def by_logaddexp(real_logits, fake_logits, wrong_logits, mismatch):
    zero = torch.zeros(())
    costs = [torch.logaddexp(zero, x) for x in (-real_logits, fake_logits, wrong_logits)]
    real, fake, wrong = (cost.sum() / len(cost) for cost in costs)
    return real + fake - mismatch * fake + wrong * mismatch


answers.refuse(
    "5.1",
    partial(pair_loss, share=lambda m: (1.0, m)),
    partial(pair_loss, share=lambda m: (0.5, 0.5)),
    partial(pair_loss, share=lambda m: (m, 1 - m)),
    partial(pair_loss, share=lambda m: (1 - m, -m)),
    partial(pair_loss, sign=-1.0),
)


@answers.refuse("5.1")
def wrong_pairs_are_ignored(real_logits, fake_logits, wrong_logits, mismatch):
    return cgan.d_loss(real_logits, fake_logits)


@answers.refuse("5.1")
def infinite_where_the_sigmoid_rounds(real_logits, fake_logits, wrong_logits, mismatch):
    real, fake, wrong = (x.sigmoid() for x in (real_logits, fake_logits, wrong_logits))
    fakes = (1 - mismatch) * (1 - fake).log().mean() + mismatch * (1 - wrong).log().mean()
    return -real.log().mean() - fakes


def losses(netG, netD, real, labels, wrong, z, mismatch, *, d="right", g="right"):
    """Return the losses of a step with the faults that ``d`` and ``g`` name."""
    fake = netG(z, labels)
    shown = fake if d == "attached" else fake.detach()
    fake_logits = netD(shown, wrong if d == "fakes with wrong labels" else labels)
    pictures = shown if d == "wrong labels for fakes" else real
    loss_d = cgan.d_loss(netD(real, labels), fake_logits, netD(pictures, wrong), mismatch)
    if g == "wrong labels":
        return loss_d, cgan.g_loss(netD(fake, wrong))
    if g == "saturating":
        return loss_d, -F.softplus(netD(fake, labels)).mean()
    return loss_d, cgan.g_loss(netD(fake.detach() if g == "detached" else fake, labels))


@answers.accept("5.2")
def in_one_pass(netG, netD, real, labels, wrong, z, mismatch):
    fake = netG(z, labels)
    logits = netD(torch.cat([real, fake.detach(), real]), torch.cat([labels, labels, wrong]))
    return cgan.d_loss(*logits.chunk(3), mismatch), cgan.g_loss(netD(fake, labels))


@answers.accept("5.2")
def with_frozen_weights(netG, netD, real, labels, wrong, z, mismatch):
    netD.requires_grad_(False)
    loss_g = cgan.g_loss(netD(netG(z, labels), labels))
    netD.requires_grad_(True)
    return losses(netG, netD, real, labels, wrong, z, mismatch)[0], loss_g


@answers.accept("5.2")
def as_a_list_and_with_keywords(netG, netD, real, labels, wrong, z, mismatch):
    fake = netG(labels=labels, z=z)
    real_logits, wrong_logits = netD(x=real, labels=labels), netD(labels=wrong, x=real)
    fake_logits = netD(fake.detach(), labels=labels)
    loss_d = cgan.d_loss(real_logits, fake_logits, wrong_logits=wrong_logits, mismatch=mismatch)
    return [loss_d, cgan.g_loss(netD(labels=labels, x=fake))]


@answers.accept("5.2")
def fakes_drawn_twice(netG, netD, real, labels, wrong, z, mismatch):
    with torch.no_grad():
        fake = netG(z, labels)
    fakes = mismatch * F.softplus(netD(real, wrong)) + (1 - mismatch) * F.softplus(
        netD(fake, labels)
    )
    loss_d = (F.softplus(-netD(real, labels)) + fakes).mean()
    return loss_d, F.softplus(-netD(netG(z, labels), labels)).mean()


@answers.accept("5.2")
def of_one_element(netG, netD, real, labels, wrong, z, mismatch):
    loss_d, loss_g = losses(netG, netD, real, labels, wrong, z, mismatch)
    return loss_d[None], loss_g.view(1, 1)


answers.refuse(
    "5.2",
    *(
        partial(losses, **change)
        for change in (
            {"d": "attached"},
            {"d": "fakes with wrong labels"},
            {"d": "wrong labels for fakes"},
            {"g": "wrong labels"},
            {"g": "saturating"},
            {"g": "detached"},
        )
    ),
)


@answers.refuse("5.2")
def without_mismatched_pairs(netG, netD, real, labels, wrong, z, mismatch):
    return losses(netG, netD, real, labels, wrong, z, 0.0)


@answers.refuse("5.2")
def in_the_other_order(netG, netD, real, labels, wrong, z, mismatch):
    return losses(netG, netD, real, labels, wrong, z, mismatch)[::-1]


def pairs(matching, mismatched, loss_d):
    return {"matching": matching, "mismatched": mismatched, "loss_d": loss_d}


answers.accept(
    "5.3",
    pairs(0.91, 0, 0.34),
    pairs(10 / 11, 0.0, 0.335),
    pairs("91 %", "0 %", "0.335 nats"),
    pairs("91%", "0%", "0.33"),
    pairs(np.float32(10 / 11), [0], torch.tensor(0.335)),
    pairs(torch.tensor([0.909]), False, math.log(1.1) + math.log(11) / 10),
)
answers.refuse(
    "5.3",
    pairs(0.5, 0.5, math.log(4)),
    pairs(1.0, 0.0, 0.0),
    pairs(0.909, 0.0, 0.095 + 2.398),
    pairs(0.1, 0.0, 0.335),
    pairs(0.909, 0.01, 0.095),
    pairs(0.909, 0.0, -0.335),
)


@answers.accept("5.4")
def one_hot_replaced(netG, z, y):
    with mock.patch.object(F, "one_hot", lambda labels, count: y):
        return netG(z, torch.zeros(len(z), dtype=torch.int64))


@answers.accept("5.4")
def forward_of_the_layer_replaced(netG, z, y):
    layer = netG.from_y
    layer.forward = lambda ignored: F.linear(y, layer.weight, layer.bias)
    try:
        return netG(z, torch.arange(len(z)))
    finally:
        del layer.forward


@answers.accept("5.4")
def output_replaced(netG, z, y):
    found = netG.from_y(y)
    with netG.from_y.register_forward_hook(lambda layer, inputs, output: found):
        return netG(z, torch.ones(len(z), dtype=torch.int64))


@answers.accept("5.4")
def layer_replaced(netG, z, y):
    class Known(nn.Module):
        def forward(self, ignored):
            return known

    layer, known = netG.from_y, netG.from_y(y)
    netG.from_y = Known()
    try:
        return netG(z, labels=y.argmax(1))
    finally:
        netG.from_y = layer


@answers.accept("5.4")
def one_picture_at_a_time(netG, z, y):
    rows = zip(z.split(1), y.split(1), strict=True)
    return torch.cat([lesson_05.draw_mixture(netG, *row) for row in rows])


@answers.refuse("5.4")
def most_likely_class(netG, z, y):
    return netG(z, y.argmax(1))


@answers.refuse("5.4")
def averaged_pictures(netG, z, y):
    every = [netG(z, torch.full((len(z),), c)) for c in range(netG.num_classes)]
    return sum(y[:, c, None, None, None] * pictures for c, pictures in enumerate(every))


@answers.refuse("5.4")
def a_copy_of_forward(netG, z, y):
    h = torch.cat([netG.from_z(z), netG.from_y(y)], 1)
    h = netG.drop(F.relu(h))
    h = netG.drop(F.relu(netG.joint(h)))
    return torch.tanh(netG.out(h)).unflatten(1, netG.sample_shape)


@answers.refuse("5.4")
def hook_left_behind(netG, z, y):
    netG.from_y.register_forward_pre_hook(lambda layer, inputs: (y,))
    return netG(z, torch.zeros(len(z), dtype=torch.int64))


@answers.refuse("5.4")
def without_dropout(netG, z, y):
    return lesson_05.draw_mixture(copy.deepcopy(netG).eval(), z, y)


@answers.refuse("5.4")
def the_mean_of_all(netG, z, y):
    return lesson_05.draw_mixture(netG, z, y.mean(0, keepdim=True).expand_as(y))


@answers.refuse("5.4")
def no_gradient_for_the_shares(netG, z, y):
    return lesson_05.draw_mixture(netG, z, y.detach())


answers.accept("5.5", cgan.train_step)


def a_step(gan, batch, run, *, loss_d, loss_g, fresh=False):
    """Take a step with other losses."""
    real, labels, cfg = batch["real"], batch["labels"], gan.cfg

    def draw():
        given = torch.randint(cfg.num_classes, labels.shape)
        return gan.netG(cgan.draw_z(cfg, len(real)), given), given

    fake, given = draw()
    value_d = loss_d(gan.netD, real, labels, fake.detach(), given)
    gan.opt_d.zero_grad()
    value_d.backward()
    gan.opt_d.step()
    fake, given = draw() if fresh else (fake, given)
    value_g = loss_g(gan.netD, fake, given, labels)
    gan.opt_g.zero_grad()
    value_g.backward()
    gan.opt_g.step()
    return {"D/adv": value_d.detach(), "G/adv": value_g.detach()}


def right_d(netD, real, labels, fake, given):
    return cgan.d_loss(netD(real, labels), netD(fake, given))


def right_g(netD, fake, given, labels):
    return cgan.g_loss(netD(fake, given))


@answers.accept("5.5")
def one_pass_over_both(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(*netD(torch.cat([real, fake]), torch.cat([labels, given])).chunk(2))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


@answers.accept("5.5")
def keywords(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(labels=labels, x=real), netD(x=fake, labels=given))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


@answers.accept("5.5")
def fresh_fakes_for_g(gan, batch, run):
    return a_step(gan, batch, run, loss_d=right_d, loss_g=right_g, fresh=True)


@answers.accept("5.5")
def fakes_of_the_classes_of_the_batch(gan, batch, run):
    real, labels = batch["real"], batch["labels"]
    fake = gan.netG(cgan.draw_z(gan.cfg, len(real)), labels)
    loss_d = right_d(gan.netD, real, labels, fake.detach(), labels)
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    gan.opt_g.zero_grad()
    loss_g = right_g(gan.netD, fake, labels, labels)
    loss_g.backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@answers.accept("5.5")
def both_losses_before_the_updates(gan, batch, run):
    real, labels = batch["real"], batch["labels"]
    given = torch.randint(10, labels.shape)
    fake = gan.netG(cgan.draw_z(gan.cfg, len(real)), given)
    loss_d = right_d(gan.netD, real, labels, fake.detach(), given)
    loss_g = right_g(gan.netD, fake, given, labels)
    return update(gan, loss_d, loss_g)


def update(gan, loss_d, loss_g):
    """Update both players from losses that were computed beforehand."""
    slopes_g = torch.autograd.grad(loss_g, list(gan.netG.parameters()), retain_graph=True)
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    for weight, slope in zip(gan.netG.parameters(), slopes_g, strict=True):
        weight.grad = slope
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


answers.refuse("5.5", broken_step)


@answers.refuse("5.5")
def mended_for_g_alone(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(real, labels), netD(fake, labels))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


@answers.refuse("5.5")
def mended_for_d_alone(gan, batch, run):
    def loss_g(netD, fake, given, labels):
        return cgan.g_loss(netD(fake, labels))

    return a_step(gan, batch, run, loss_d=right_d, loss_g=loss_g)


@answers.refuse("5.5")
def real_pictures_with_fake_labels(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(real, given), netD(fake, given))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


@answers.refuse("5.5")
def real_and_fake_swapped_and_the_sign_of_g(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(fake, given), netD(real, labels))

    def loss_g(netD, fake, given, labels):
        return -cgan.g_loss(netD(fake, given))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=loss_g)


@answers.refuse("5.5")
def the_saturating_loss(gan, batch, run):
    def loss_g(netD, fake, given, labels):
        return -F.softplus(netD(fake, given)).mean()

    return a_step(gan, batch, run, loss_d=right_d, loss_g=loss_g)


@answers.refuse("5.5")
def other_labels_than_g_was_given(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(real, labels), netD(fake, given.roll(1)))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


answers.accept("5.6", "abc", "(a), (b), (c)", ["C", "B", "A"], {"a", "b", "c"}, "a, b and c")
answers.refuse("5.6", {"a", "b"}, {"a", "b", "c", "d"}, {"a", "b", "c", "f"}, "e", "abcdef")

test_right, test_wrong, test_enough = answers.tests()
