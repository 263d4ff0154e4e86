"""Right and wrong answers to the exercises of lesson 1."""

import copy
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises import lesson_01
from gancourse.exercises.lesson_01 import broken_step
from gancourse.gans import vanilla

answers = Answers(1)
bce = F.binary_cross_entropy_with_logits


@answers.accept("1.1")
def by_logsigmoid(fake_logits):
    return F.logsigmoid(-fake_logits).mean()


@answers.accept("1.1")
def by_bce(fake_logits):
    return -bce(fake_logits, torch.zeros_like(fake_logits))


@answers.accept("1.1")
def from_the_other_probability(fake_logits):
    return (F.logsigmoid(fake_logits) - fake_logits).mean()


@answers.accept("1.1")
def by_logaddexp(t):
    return -torch.logaddexp(t.new_zeros(()), t).sum() / len(t)


@answers.accept("1.1")
def shaped(fake_logits):
    return vanilla.g_loss(fake_logits, saturating=True).reshape(1)


answers.refuse("1.1", vanilla.g_loss)


@answers.refuse("1.1")
def of_d(fake_logits):
    return F.softplus(fake_logits).mean()


@answers.refuse("1.1")
def of_the_probability(fake_logits):
    return (1 - fake_logits.sigmoid()).log().mean()


@answers.refuse("1.1")
def of_the_clamped_probability(fake_logits):
    return (1 - fake_logits.sigmoid()).clamp(min=1e-7).log().mean()


@answers.refuse("1.1")
def sum_of_all(fake_logits):
    return -F.softplus(fake_logits).sum()


@answers.refuse("1.1")
def of_the_mean(fake_logits):
    return -F.softplus(fake_logits.mean())


@answers.refuse("1.1")
def detached(fake_logits):
    return -F.softplus(fake_logits.detach()).mean()


@answers.refuse("1.1")
def without_the_log(fake_logits):
    return (1 - fake_logits.sigmoid()).mean()


def losses(loss_d, loss_g, jsd):
    return {"loss_d": loss_d, "loss_g": loss_g, "jsd": jsd}


answers.accept(
    "1.3",
    losses(1.39, 0.69, 0),
    losses(math.log(4), math.log(2), 0.0),
    losses("1.386 nats", "0.693", "0"),
    losses(np.float32(1.386), torch.tensor([0.6931]), np.array(0)),
    losses(torch.tensor(4.0).log(), [0.693], False),
    losses(Fraction(1386, 1000), 0.69, Fraction(0)),
)
answers.refuse(
    "1.3",
    losses(0.0, 0.0, 0.0),
    losses(math.log(2), math.log(2), 0.0),
    losses(math.log(4), math.log(4), math.log(2)),
    losses(2.0, 1.0, 0.0),
    losses(-math.log(4), math.log(2), 0.0),
    losses("two logarithms", 0.69, 0),
    {"loss_d": 1.386, "loss_g": 0.693},
)


@answers.accept("1.4")
def as_two_terms(real_logits, fake_logits, target=0.9):
    real = target * F.softplus(-real_logits) + (1 - target) * F.softplus(real_logits)
    return real.mean() + F.softplus(fake_logits).mean()


@answers.accept("1.4")
def linear_in_the_logit(real_logits, fake_logits, target=0.9):
    fake = torch.logaddexp(torch.zeros(()), fake_logits).mean()
    return (F.softplus(real_logits) - target * real_logits).mean() + fake


@answers.accept("1.4")
def with_two_bces(real_logits, fake_logits, target=0.9):
    real = bce(real_logits, real_logits.new_full(real_logits.shape, target))
    return real + bce(fake_logits, torch.zeros_like(fake_logits))


@answers.accept("1.4")
def with_logsigmoid(real_logits, fake_logits, target=0.9):
    real = target * F.logsigmoid(real_logits) + (1 - target) * F.logsigmoid(-real_logits)
    return -(real.mean() + F.logsigmoid(-fake_logits).mean())


@answers.accept("1.4")
def of_one_number(real_logits, fake_logits, target=0.9):
    return lesson_01.smooth_d_loss(real_logits, fake_logits, target).view(1)


@answers.refuse("1.4")
def scaled(real_logits, fake_logits, target=0.9):
    return target * F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@answers.refuse("1.4")
def two_sided(real_logits, fake_logits, target=0.9):
    return bce(real_logits, torch.full_like(real_logits, target)) + bce(
        fake_logits, torch.full_like(fake_logits, 1 - target)
    )


@answers.refuse("1.4")
def on_probabilities(real_logits, fake_logits, target=0.9):
    p, q = real_logits.sigmoid(), fake_logits.sigmoid()
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean() - (1 - q).log().mean()


@answers.refuse("1.4")
def on_clamped_probabilities(real_logits, fake_logits, target=0.9):
    p, q = (t.sigmoid().clamp(1e-7, 1 - 1e-7) for t in (real_logits, fake_logits))
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean() - (1 - q).log().mean()


@answers.refuse("1.4")
def right_values_without_gradients(real_logits, fake_logits, target=0.9):
    return lesson_01.smooth_d_loss(real_logits, fake_logits, target).detach()


@answers.refuse("1.4")
def sum_of_the_batch(real_logits, fake_logits, target=0.9):
    return len(real_logits) * lesson_01.smooth_d_loss(real_logits, fake_logits, target)


@answers.refuse("1.4")
def fixed_target(real_logits, fake_logits, target=0.9):
    return lesson_01.smooth_d_loss(real_logits, fake_logits, 0.9)


answers.accept("1.2", vanilla.train_step)
answers.accept("1.5", vanilla.train_step)


def a_step(
    gan, batch, run, *, fresh=False, clear=lambda gan: gan.opt_d.zero_grad(), freeze=True, sign=1
):
    """Take a step with some parts replaced."""
    real = batch["real"]
    fake = gan.netG(vanilla.draw_z(gan.cfg, len(real)))
    loss_d = vanilla.d_loss(gan.netD(real), gan.netD(fake.detach()))
    clear(gan)
    loss_d.backward()
    gan.opt_d.step()
    if fresh:
        fake = gan.netG(vanilla.draw_z(gan.cfg, len(real)))
    gan.netD.requires_grad_(not freeze)
    loss_g = sign * vanilla.g_loss(gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@answers.accept("1.5")
@answers.accept("1.2")
def fresh_fakes_for_g(gan, batch, run):
    return a_step(gan, batch, run, fresh=True)


@answers.accept("1.5")
@answers.accept("1.2")
def cleared_by_the_network(gan, batch, run):
    return a_step(gan, batch, run, clear=lambda gan: gan.netD.zero_grad(set_to_none=False))


@answers.accept("1.5")
@answers.accept("1.2")
def d_is_cleared_and_not_frozen(gan, batch, run):
    return a_step(gan, batch, run, freeze=False)


@answers.accept("1.5")
@answers.accept("1.2")
def cleared_after_the_update(gan, batch, run):
    losses = broken_step(gan, batch, run)
    gan.opt_d.zero_grad()
    return losses


@answers.accept("1.5")
@answers.accept("1.2")
def one_pass_for_both(gan, batch, run):
    real = batch["real"]
    fake = gan.netG(vanilla.draw_z(gan.cfg, len(real)))
    gan.opt_d.zero_grad()
    loss_d = vanilla.d_loss(*gan.netD(torch.cat([real, fake.detach()])).chunk(2))
    loss_d.backward()
    gan.opt_d.step()
    gan.opt_g.zero_grad()
    loss_g = vanilla.g_loss(copy.deepcopy(gan.netD)(fake))
    loss_g.backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


answers.refuse("1.2", broken_step)
answers.refuse("1.5", broken_step)


@answers.refuse("1.5")
@answers.refuse("1.2")
def cleared_too_late(gan, batch, run):
    losses = broken_step(gan, batch, run)
    gan.opt_g.zero_grad()
    return losses


@answers.refuse("1.5")
@answers.refuse("1.2")
def half_the_rate(gan, batch, run):
    for group in gan.opt_d.param_groups:
        group["lr"] = group["lr"] / 2
    return broken_step(gan, batch, run)


@answers.refuse("1.5")
@answers.refuse("1.2")
def cleared_before_the_update(gan, batch, run):
    gan.opt_d.register_step_pre_hook(lambda optimizer, *_: optimizer.zero_grad())
    return broken_step(gan, batch, run)


@answers.refuse("1.5")
@answers.refuse("1.2")
def the_sign_of_g(gan, batch, run):
    return a_step(gan, batch, run, sign=-1)


@answers.refuse("1.5")
@answers.refuse("1.2")
def d_stays_frozen(gan, batch, run):
    losses = vanilla.train_step(gan, batch, run)
    gan.netD.requires_grad_(False)
    return losses


@answers.refuse("1.5")
@answers.refuse("1.2")
def without_g(gan, batch, run):
    real, fake = batch["real"], gan.netG(vanilla.draw_z(gan.cfg, len(batch["real"])))
    gan.opt_d.zero_grad()
    loss_d = vanilla.d_loss(gan.netD(real), gan.netD(fake.detach()))
    loss_d.backward()
    gan.opt_d.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_d.detach()}


@answers.refuse("1.5")
@answers.refuse("1.2")
def d_twice(gan, batch, run):
    losses = vanilla.train_step(gan, batch, run)
    gan.opt_d.step()
    return losses


@answers.refuse("1.5")
@answers.refuse("1.2")
def without_losses(gan, batch, run):
    vanilla.train_step(gan, batch, run)


@answers.refuse("1.5")
@answers.refuse("1.2")
def saturating(gan, batch, run):
    gan.cfg = replace(gan.cfg, saturating=True)
    return vanilla.train_step(gan, batch, run)


@answers.refuse("1.5")
@answers.refuse("1.2")
def one_loss_for_both(gan, batch, run):
    fake = gan.netG(vanilla.draw_z(gan.cfg, len(batch["real"])))
    loss = vanilla.d_loss(gan.netD(batch["real"]), gan.netD(fake))
    for optimizer in (gan.opt_d, gan.opt_g):
        optimizer.zero_grad()
    loss.backward()
    gan.opt_d.step()
    gan.opt_g.step()
    return {"D/adv": loss.detach()}


answers.accept(
    "1.6",
    "(a), (b), (c)",
    "abc",
    ["A", "B", "C"],
    ("c)", "a)", "b)"),
    "a, b and c",
    {"a": True, "b": True, "c": True, "d": False, "e": False},
)
answers.refuse("1.6", "(a), (b)", {"a", "b", "c", "d"}, "e", "abcx", "", {"a": True, "d": True})

test_right, test_wrong, test_enough = answers.tests()
