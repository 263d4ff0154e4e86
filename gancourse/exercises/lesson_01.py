"""The exercises of lesson 1: the vanilla GAN."""

import math
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from gancourse.data.mixtures import ring
from gancourse.exercises import (
    exercise,
    expect,
    expect_names,
    expect_number,
    expect_same,
    multiple_choice,
    steps,
)
from gancourse.exercises.reading import number
from gancourse.gans import vanilla
from gancourse.training import runtime


@exercise("1.1", "Implement: G's loss in equation 1")
def minimax(loss):
    """Expect ``loss(fake_logits)``."""
    yield "where D cannot tell (logit 0) it is log(1 - 1/2)"
    expect(loss(torch.zeros(4)), -math.log(2))

    yield "it falls where D is deceived: G minimises it"
    assert loss(torch.full((4,), 2.0)) < loss(torch.zeros(4)), "it rises with D's logit"

    yield "loss and gradient are right for any logits"
    expect_same(loss, minimax.answer, 3 * torch.randn(9))

    yield "they are so where the sigmoid rounds to 0 or 1: compute them from the logits"
    for far in (40.0, 300.0):
        expect_same(loss, minimax.answer, torch.tensor([-far, far]), atol=1e-4)


@minimax.solution
def minimax_loss(fake_logits):
    """Return log(1 - D(G(z))): 1 - sigmoid(t) is sigmoid(-t), whose -log is softplus(t)."""
    return -F.softplus(fake_logits).mean()


def check_step(step):
    """Name and test what ``train_step`` does in two steps: the first two updates of each player."""
    run = runtime.start("cpu", 0)
    cfg = replace(vanilla.PLANE["smoke"], batch_size=16, ema_decay=0.0)
    gan, twin = vanilla.build(cfg, run), vanilla.build(cfg, run)
    batches = [ring().batch(i, cfg.batch_size, run) for i in range(2)]
    yield "it can be called like train_step"
    done = steps.take(step, gan, batches, run)

    def loss_d(nets, z, real):
        return vanilla.d_loss(nets.netD(real), nets.netD(nets.netG(z)))

    def loss_g(nets, z, saturating=False):
        return vanilla.g_loss(nets.netD(nets.netG(z)), saturating)

    def against_d(nets, z):
        return -loss_g(nets, z)

    for one, batch, which in zip(done, batches, ("first", "second"), strict=True):
        yield f"D's {which} update uses the gradient of the {which} batch alone"
        steps.expect_update(one, "D", twin, partial(loss_d, real=batch["real"]))

        yield f"G's {which} update uses the gradient of g_loss alone"
        steps.expect_update(
            one,
            "G",
            twin,
            loss_g,
            mistakes={
                "G follows equation 1, the saturating loss": partial(loss_g, saturating=True),
                "G makes D right: the sign of its loss is turned": against_d,
            },
        )


@exercise("1.2", "Implement: one step of the game")
def game(step):
    """Expect a ``train_step``."""
    yield from check_step(step)


@game.solution
def my_step(gan, batch, run):
    """Update D by real points and fakes that it cannot change, then G through D."""
    real = batch["real"]
    fake = gan.netG(vanilla.draw_z(gan.cfg, len(real), device=run.device))
    loss_d = vanilla.d_loss(gan.netD(real), gan.netD(fake.detach()))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    loss_g = vanilla.g_loss(gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@exercise("1.3", "Predict: the losses when D cannot tell real from fake")
def at_the_optimum(answer):
    """Expect a dict of three numbers."""
    yield "the answer names loss_d, loss_g and jsd"
    expect_names(answer, ("loss_d", "loss_g", "jsd"))
    yield "loss_d is right to two decimals"
    got = number(answer["loss_d"])
    assert abs(got - math.log(2)) > 0.01, "log 2 is one of its two terms: d_loss adds both"
    expect_number(got, math.log(4), "D(x) = 1/2 everywhere; put that into both terms")
    yield "loss_g is right to two decimals"
    expect_number(answer["loss_g"], math.log(2), "what is -log D(G(z))?")
    yield "jsd is right to two decimals"
    expect_number(answer["jsd"], 0, "how far apart are two equal distributions?")


at_the_optimum.solution(
    {"loss_d": 1.3863, "loss_g": 0.6931, "jsd": 0.0},
    "D outputs 1/2 everywhere, so d_loss is -log(1/2) - log(1/2) = log 4 and g_loss is -log(1/2) = "
    "log 2. The samples are distributed like the data, so the divergence is 0.",
)


@exercise("1.4", "Implement: one-sided label smoothing")
def label_smoothing(smooth_d_loss):
    """Expect ``smooth_d_loss(real_logits, fake_logits, target)``."""
    right = label_smoothing.answer
    real, fake = torch.randn(8), torch.randn(8)
    yield "with target 1 it is d_loss, and so is its gradient"
    expect_same(smooth_d_loss, right, real, fake, 1.0)

    yield "the gradient is 0 where D gives a real sample the probability `target`"
    sure = torch.full((4,), math.log(0.9 / 0.1), requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_d_loss(sure, fake, 0.9), sure)
    assert slope.abs().max() < 1e-5, f"the gradient there is {slope[0]:.4f} per sample"

    yield "the targets of fakes are not smoothed"
    expect_same(lambda t: smooth_d_loss(real, t, 0.9), lambda t: right(real, t, 0.9), -20 * fake)

    yield "loss and gradient are right for any logits and targets"
    for target in (0.6, 0.9):
        expect_same(smooth_d_loss, right, 3 * real, 3 * fake, target)

    yield "they are so where the sigmoid rounds to 0 or 1: compute them from the logits"
    for far in (40.0, 300.0):
        ends = torch.tensor([-far, far])
        expect_same(smooth_d_loss, right, ends, ends, 0.9, atol=1e-4)


@label_smoothing.solution
def smooth_d_loss(real_logits, fake_logits, target=0.9):
    """Reward D for giving real samples the probability ``target`` instead of 1."""
    targets = torch.full_like(real_logits, target)
    real = F.binary_cross_entropy_with_logits(real_logits, targets)
    return real + F.softplus(fake_logits).mean()


def broken_step(gan, batch, run):
    """Update D and G; one line of the real ``train_step`` is missing."""
    real = batch["real"]
    fake = gan.netG(vanilla.draw_z(gan.cfg, len(real), device=run.device))
    loss_d = vanilla.d_loss(gan.netD(real), gan.netD(fake.detach()))
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = vanilla.g_loss(gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@exercise("1.5", "Diagnose: a run that goes in circles")
def mended(step):
    """Expect a ``train_step``."""
    yield from check_step(step)


@mended.solution
def mended_step(gan, batch, run):
    """Update D and G; D's gradients of the last batch are cleared first."""
    real = batch["real"]
    fake = gan.netG(vanilla.draw_z(gan.cfg, len(real), device=run.device))
    loss_d = vanilla.d_loss(gan.netD(real), gan.netD(fake.detach()))
    gan.opt_d.zero_grad()  # the missing line: .backward() adds to the gradients that are there
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = vanilla.g_loss(gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


the_proof = multiple_choice(
    "1.6",
    "Read: what the convergence proof asks for",
    "abcde",
    right="abc",
    hints={
        "d": "read proposition 2 (section 4.2) again: does it say anything about step sizes?",
        "e": "read proposition 2 (section 4.2) again: does it say anything about momentum?",
    },
)
the_proof.solution(
    ["a", "b", "c"],
    "Proposition 2 asks for enough capacity (a), for D to reach its optimum given G at each step "
    "(b), and for updates of the distribution p_g itself, in which the criterion is convex (c). "
    "Practice meets none of them: the networks are finite, D takes one step, and the updates "
    "change weights, in which nothing is convex. The proof asks neither for equal step sizes nor "
    "for momentum.",
)
