"""The exercises of lesson 1: the vanilla GAN."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from gancourse.data.mixtures import ring
from gancourse.exercises import exercise, expect, expect_names, multiple_choice, steps
from gancourse.gans import vanilla
from gancourse.training import runtime


@exercise("1.1", "Predict: the losses when D cannot tell real from fake")
def at_the_optimum(answer):
    """Expect a dict of three numbers."""
    logits = torch.zeros(1)
    expected = {
        "loss_d": vanilla.d_loss(logits, logits),
        "loss_g": vanilla.g_loss(logits),
        "jsd": 0.0,
    }
    yield "the answer names loss_d, loss_g and jsd"
    expect_names(answer, expected)
    for name, value in expected.items():
        yield f"{name} is right to three decimals"
        got = answer[name]
        if name == "loss_d" and abs(got - math.log(2)) < 1e-3:
            raise AssertionError("log 2 is one of its two terms: d_loss adds both")
        assert abs(float(got) - float(value)) < 1e-3, f"{got} is not what the formula gives"


at_the_optimum.solution(
    {"loss_d": 1.3863, "loss_g": 0.6931, "jsd": 0.0},
    "D outputs 1/2 everywhere, so d_loss is -log(1/2) - log(1/2) = log 4 and g_loss is -log(1/2) = "
    "log 2. The samples are distributed like the data, so the divergence is 0.",
)
at_the_optimum.wrong({"loss_d": 0.0, "loss_g": 0.0, "jsd": 0.0})
at_the_optimum.wrong({"loss_d": math.log(2), "loss_g": math.log(2), "jsd": 0.0})
at_the_optimum.wrong({"loss_d": math.log(4), "loss_g": math.log(4), "jsd": math.log(2)})


@exercise("1.2", "Implement: one-sided label smoothing")
def label_smoothing(smooth_d_loss):
    """Expect ``smooth_d_loss(real_logits, fake_logits, target)``."""
    real, fake = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([-0.3, 0.8, 1.5])
    yield "with target 1 it is d_loss"
    expect(smooth_d_loss(real, fake, 1.0), vanilla.d_loss(real, fake))

    yield "the gradient is 0 where D gives a real sample the probability `target`"
    t = torch.full((4,), math.log(0.9 / 0.1), requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_d_loss(t, fake, 0.9), t)
    assert slope.abs().max() < 1e-5, f"the gradient there is {slope[0]:.4f} per sample"

    yield "gradient descent lowers the logit where D is surer than that"
    t = torch.full((4,), 6.0, requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_d_loss(t, fake, 0.9), t)
    assert (slope > 0).all(), "at a logit of 6 the gradient must be positive"

    yield "the targets of fakes are not smoothed"
    t = torch.full((4,), -20.0, requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_d_loss(real, t, 0.9), t)
    assert slope.abs().max() < 1e-5, "at a logit of -20 the gradient of the fake term should be 0"

    yield "it is finite where the sigmoid rounds to 0 or 1"
    far = torch.tensor([300.0])
    assert smooth_d_loss(-far, far, 0.9).isfinite(), "compute it from the logits"


@label_smoothing.solution
def smooth_d_loss(real_logits, fake_logits, target=0.9):
    """Reward D for giving real samples the probability ``target`` instead of 1."""
    targets = torch.full_like(real_logits, target)
    real = F.binary_cross_entropy_with_logits(real_logits, targets)
    return real + F.softplus(fake_logits).mean()


@label_smoothing.wrong
def scaled(real_logits, fake_logits, target=0.9):
    return target * F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@label_smoothing.wrong
def two_sided(real_logits, fake_logits, target=0.9):
    bce = F.binary_cross_entropy_with_logits
    return bce(real_logits, torch.full_like(real_logits, target)) + bce(
        fake_logits, torch.full_like(fake_logits, 1 - target)
    )


@label_smoothing.wrong
def on_probabilities(real_logits, fake_logits, target=0.9):
    p, q = real_logits.sigmoid(), fake_logits.sigmoid()
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean() - (1 - q).log().mean()


@exercise("1.3", "Implement: packing")
def packing(pack):
    """Expect ``pack(x, m)``."""
    x = torch.arange(24.0).view(12, 2)
    yield "twelve points in packs of three become four inputs of six numbers"
    expect(tuple(pack(x, 3).shape), (4, 6))

    yield "with m = 1 nothing changes"
    expect(pack(x, 1), x)

    yield "every point is in exactly one pack, its coordinates side by side"
    points = pack(x, 3).reshape(-1, 2)
    assert sorted(points.tolist()) == x.tolist(), "some point was split or repeated"

    yield "images are packed along their channels"
    expect(tuple(pack(torch.zeros(6, 1, 4, 4), 2).shape), (3, 2, 4, 4))

    yield "the gradient reaches every point"
    t = torch.randn(4, 2, requires_grad=True)
    pack(t, 2).sum().backward()
    assert t.grad is not None and (t.grad == 1).all(), "the points' gradient was lost"


@packing.solution
def pack(x, m):
    """Join m samples to one input of D: (N, C, ...) becomes (N / m, m * C, ...)."""
    return x.unflatten(0, (-1, m)).flatten(1, 2)


@packing.wrong
def mixed_coordinates(x, m):
    return x.reshape(-1, x.shape[1] * m) if x.dim() == 2 else x.reshape(-1, m, *x.shape[1:])


@packing.wrong
def along_height(x, m):
    return torch.cat(x.chunk(m), dim=-1)


@packing.wrong
def detached(x, m):
    return x.detach().unflatten(0, (-1, m)).flatten(1, 2)


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


@exercise("1.4", "Diagnose: a run that goes in circles")
def mended(step):
    """Expect a ``train_step``."""
    yield "it can be called like train_step"
    gan, reference = _two_steps(step), _two_steps(vanilla.train_step)

    yield "D's second update uses the gradient of the second batch alone"
    steps.expect_same_weights(gan.netD, reference.netD)

    yield "G is updated as by train_step"
    steps.expect_same_weights(gan.netG, reference.netG)


def _two_steps(step):
    """Return a small GAN after two steps, always from the same initial weights."""
    run = runtime.start("cpu", 0)
    cfg = replace(
        vanilla.PLANE["smoke"], optimizer="sgd", lr_g=0.1, lr_d=0.1, batch_size=16, ema_decay=0.0
    )
    gan = vanilla.build(cfg, run)
    steps.take(step, gan, [ring().batch(i, cfg.batch_size, run) for i in range(2)], run)
    return gan


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


mended.wrong(broken_step)


@mended.wrong
def cleared_too_late(gan, batch, run):
    losses = broken_step(gan, batch, run)
    gan.opt_g.zero_grad()
    return losses


@mended.wrong
def half_the_rate(gan, batch, run):
    for group in gan.opt_d.param_groups:
        group["lr"] = 0.05
    return broken_step(gan, batch, run)


the_proof = multiple_choice(
    "1.5",
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
the_proof.wrong({"a", "b"})
the_proof.wrong({"a", "b", "c", "d"})
the_proof.wrong({"e"})
