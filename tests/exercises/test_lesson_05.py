"""Right and wrong answers to the exercises of lesson 5."""

import copy
import math
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


def pairs(matching, mismatched, loss_d):
    return {"matching": matching, "mismatched": mismatched, "loss_d": loss_d}


answers.accept(
    "5.1",
    pairs(0.91, 0, 0.34),
    pairs(10 / 11, 0.0, 0.335),
    pairs("91 %", "0 %", "0.335 nats"),
    pairs("91%", "0%", "0.33"),
    pairs(np.float32(10 / 11), [0], torch.tensor(0.335)),
    pairs(torch.tensor([0.909]), False, math.log(1.1) + math.log(11) / 10),
)
answers.refuse(
    "5.1",
    pairs(0.5, 0.5, math.log(4)),
    pairs(1.0, 0.0, 0.0),
    pairs(0.909, 0.0, 0.095 + 2.398),
    pairs(0.1, 0.0, 0.335),
    pairs(0.909, 0.01, 0.095),
    pairs(0.909, 0.0, -0.335),
)


@answers.accept("5.2")
def into_zeros(x, labels, num_classes):
    planes = torch.zeros(len(x), num_classes, *x.shape[2:])
    planes[torch.arange(len(x)), labels] = 1
    return torch.cat([x, planes], 1)


@answers.accept("5.2")
def in_a_loop(x, labels, num_classes):
    rows = []
    for picture, label in zip(x, labels, strict=True):
        planes = [torch.full_like(picture[0], float(k == label)) for k in range(num_classes)]
        rows.append(torch.cat([picture, torch.stack(planes)]))
    return torch.stack(rows)


@answers.accept("5.2")
def by_comparison(x, labels, num_classes):
    planes = labels.view(-1, 1, 1, 1) == torch.arange(num_classes).view(1, -1, 1, 1)
    return torch.cat((x, planes * torch.ones_like(x[:, :1])), dim=1)


@answers.accept("5.2")
def by_einsum(x, labels, num_classes):
    planes = torch.einsum("nk,hw->nkhw", torch.eye(num_classes)[labels], torch.ones(x.shape[2:]))
    return torch.hstack([x, planes])


@answers.accept("5.2")
def in_double(x, labels, num_classes):
    return into_zeros(x.double(), labels, num_classes)


@answers.refuse("5.2")
def one_plane_of_integers(x, labels, num_classes):
    return torch.cat([x, labels.to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])], 1)


@answers.refuse("5.2")
def labels_of_the_first(x, labels, num_classes):
    planes = F.one_hot(labels[:1], num_classes).to(x.dtype)[:, :, None, None]
    return torch.cat([x, planes.expand(len(x), -1, *x.shape[2:])], 1)


@answers.refuse("5.2")
def planes_first(x, labels, num_classes):
    planes = F.one_hot(labels, num_classes).to(x.dtype)[:, :, None, None]
    return torch.cat([planes.expand(-1, -1, *x.shape[2:]), x], 1)


@answers.refuse("5.2")
def one_row_only(x, labels, num_classes):
    planes = torch.zeros(len(x), num_classes, *x.shape[2:])
    planes[torch.arange(len(x)), labels, 0] = 1
    return torch.cat([x, planes], 1)


@answers.refuse("5.2")
def as_many_as_occur(x, labels, num_classes):
    return into_zeros(x, labels, max(num_classes if len(x) == 4 else 0, int(labels.max()) + 1))


@answers.refuse("5.2")
def pictures_without_a_gradient(x, labels, num_classes):
    return into_zeros(x.detach(), labels, num_classes)


@answers.accept("5.3")
def one_hot_replaced(netG, z, y):
    with mock.patch.object(F, "one_hot", lambda labels, count: y):
        return netG(z, torch.zeros(len(z), dtype=torch.int64))


@answers.accept("5.3")
def forward_of_the_layer_replaced(netG, z, y):
    layer = netG.from_y
    layer.forward = lambda ignored: F.linear(y, layer.weight, layer.bias)
    try:
        return netG(z, torch.arange(len(z)))
    finally:
        del layer.forward


@answers.accept("5.3")
def output_replaced(netG, z, y):
    found = netG.from_y(y)
    with netG.from_y.register_forward_hook(lambda layer, inputs, output: found):
        return netG(z, torch.ones(len(z), dtype=torch.int64))


@answers.accept("5.3")
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


@answers.accept("5.3")
def one_picture_at_a_time(netG, z, y):
    rows = zip(z.split(1), y.split(1), strict=True)
    return torch.cat([lesson_05.draw_mixture(netG, *row) for row in rows])


@answers.refuse("5.3")
def most_likely_class(netG, z, y):
    return netG(z, y.argmax(1))


@answers.refuse("5.3")
def averaged_pictures(netG, z, y):
    every = [netG(z, torch.full((len(z),), c)) for c in range(netG.num_classes)]
    return sum(y[:, c, None, None, None] * pictures for c, pictures in enumerate(every))


@answers.refuse("5.3")
def a_copy_of_forward(netG, z, y):
    h = torch.cat([netG.from_z(z), netG.from_y(y)], 1)
    h = netG.drop(F.relu(h))
    h = netG.drop(F.relu(netG.joint(h)))
    return torch.tanh(netG.out(h)).unflatten(1, netG.sample_shape)


@answers.refuse("5.3")
def hook_left_behind(netG, z, y):
    netG.from_y.register_forward_pre_hook(lambda layer, inputs: (y,))
    return netG(z, torch.zeros(len(z), dtype=torch.int64))


@answers.refuse("5.3")
def without_dropout(netG, z, y):
    return lesson_05.draw_mixture(copy.deepcopy(netG).eval(), z, y)


@answers.refuse("5.3")
def the_mean_of_all(netG, z, y):
    return lesson_05.draw_mixture(netG, z, y.mean(0, keepdim=True).expand_as(y))


@answers.refuse("5.3")
def no_gradient_for_the_shares(netG, z, y):
    return lesson_05.draw_mixture(netG, z, y.detach())


answers.accept("5.4", cgan.train_step)


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


@answers.accept("5.4")
def one_pass_over_both(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(*netD(torch.cat([real, fake]), torch.cat([labels, given])).chunk(2))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


@answers.accept("5.4")
def keywords(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(labels=labels, x=real), netD(x=fake, labels=given))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


@answers.accept("5.4")
def fresh_fakes_for_g(gan, batch, run):
    return a_step(gan, batch, run, loss_d=right_d, loss_g=right_g, fresh=True)


@answers.accept("5.4")
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


@answers.accept("5.4")
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


answers.refuse("5.4", broken_step)


@answers.refuse("5.4")
def mended_for_g_alone(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(real, labels), netD(fake, labels))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


@answers.refuse("5.4")
def mended_for_d_alone(gan, batch, run):
    def loss_g(netD, fake, given, labels):
        return cgan.g_loss(netD(fake, labels))

    return a_step(gan, batch, run, loss_d=right_d, loss_g=loss_g)


@answers.refuse("5.4")
def real_pictures_with_fake_labels(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(real, given), netD(fake, given))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


@answers.refuse("5.4")
def real_and_fake_swapped_and_the_sign_of_g(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(fake, given), netD(real, labels))

    def loss_g(netD, fake, given, labels):
        return -cgan.g_loss(netD(fake, given))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=loss_g)


@answers.refuse("5.4")
def the_saturating_loss(gan, batch, run):
    def loss_g(netD, fake, given, labels):
        return -F.softplus(netD(fake, given)).mean()

    return a_step(gan, batch, run, loss_d=right_d, loss_g=loss_g)


@answers.refuse("5.4")
def other_labels_than_g_was_given(gan, batch, run):
    def loss_d(netD, real, labels, fake, given):
        return cgan.d_loss(netD(real, labels), netD(fake, given.roll(1)))

    return a_step(gan, batch, run, loss_d=loss_d, loss_g=right_g)


answers.accept("5.5", "abc", "(a), (b), (c)", ["C", "B", "A"], {"a", "b", "c"}, "a, b and c")
answers.refuse("5.5", {"a", "b"}, {"a", "b", "c", "d"}, {"a", "b", "c", "f"}, "e", "abcdef")

test_right, test_wrong, test_enough = answers.tests()
