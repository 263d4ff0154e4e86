"""The exercises of lesson 3: the least squares GAN."""

import math
from functools import partial

import torch
import torch.nn.functional as F

from gancourse.exercises import (
    exercise,
    expect,
    expect_names,
    expect_number,
    expect_same,
    multiple_choice,
    steps,
)
from gancourse.exercises.reading import number, numbers
from gancourse.gans import dcgan, lsgan
from gancourse.training import runtime


@exercise("3.1", "Predict: the pull on three fakes")
def three_pulls(answer):
    """Expect a dict of three lists: the gradient of G's loss at the logits -3, 0.5 and 6."""
    t = torch.tensor([-3.0, 0.5, 6.0], requires_grad=True)
    losses = {
        "cross-entropy": dcgan.g_loss(t),
        "c = 1": lsgan.g_loss(t, 1.0),
        "c = 0": lsgan.g_loss(t, 0.0),
    }
    yield f"the answer names {', '.join(losses)}"
    expect_names(answer, losses)
    for name, loss in losses.items():
        yield f"{name}: three gradients, right to two decimals"
        (slopes,) = torch.autograd.grad(3 * loss, t)  # times 3, as the loss is a mean
        got = torch.tensor(numbers(answer[name]))
        assert got.shape == (3,), f"found {len(got)} numbers"
        traps = {
            "the sizes are right; a positive gradient pushes the logit down": -slopes,
            "the factor 1/2 of the loss cancels the 2 of the derivative": 2 * slopes,
            "each fake has a loss of its own: do not divide by their number": slopes / 3,
        }
        for hint, trap in traps.items():
            assert not torch.allclose(got, trap, atol=0.01), hint
        for logit, mine, right in zip(t.tolist(), got, slopes, strict=True):
            expect_number(mine, right, f"that is not the slope at the logit {logit:g}")


three_pulls.solution(
    {
        "cross-entropy": [-0.953, -0.378, -0.002],
        "c = 1": [-4.0, -0.5, 5.0],
        "c = 0": [-3.0, 0.5, 6.0],
    },
    "The cross-entropy's gradient is -(1 - sigmoid(t)): between -1 and 0, and nearly 0 at 6. "
    "Least squares give t - c, which grows with the distance from the target, on both sides. A "
    "logit of 0.5 is already too high for c = 0 and not yet high enough for c = 1.",
)


@exercise("3.2", "Implement: a pull with a limit")
def limited_pull(huber_g_loss):
    """Expect ``huber_g_loss(fake_logits, c, limit)``."""
    right = limited_pull.answer
    near = torch.tensor([0.4, 1.0, 1.9])
    yield "close to the target it is g_loss"
    expect_same(lambda t: huber_g_loss(t, 1.0, 1.0), lambda t: lsgan.g_loss(t, 1.0), near)

    def slopes(values, c, limit):
        t = torch.tensor(values, requires_grad=True)
        (slope,) = torch.autograd.grad(len(t) * huber_g_loss(t, c, limit), t)
        return slope

    yield "far from it the gradient is -limit below the target and +limit above"
    expect(slopes([-40.0, 40.0], 1.0, 2.0), torch.tensor([-2.0, 2.0]))

    yield "the gradient grows up to the limit without a jump"
    expect(slopes([1.5, 2.999, 3.001], 1.0, 2.0), torch.tensor([0.5, 1.999, 2.0]), atol=2e-3)

    yield "the loss itself has no jump at the limit"
    sides = [huber_g_loss(torch.tensor([x]), 0.0, 2.0) for x in (1.9999, 2.0001)]
    expect(sides[0], sides[1], atol=1e-2)

    yield "loss and gradient are right for any logits, targets and limits"
    for c, limit in ((0.0, 0.5), (1.0, 3.0), (-1.0, 1.0)):
        expect_same(huber_g_loss, right, 4 * torch.randn(20), c, limit, atol=1e-4)


@limited_pull.solution
def huber_g_loss(fake_logits, c=1.0, limit=1.0):
    """Return least squares up to the distance ``limit`` from the target, then a straight line."""
    return F.huber_loss(fake_logits, torch.full_like(fake_logits, c), delta=limit)


@exercise("3.3", "Derive: the value of the game for any coding")
def any_coding(value):
    """Expect ``value(a, b, c, chi_square)``, which returns 2 C(G)."""
    x = torch.linspace(-12, 20, 6401, dtype=torch.float64)
    cell = (x[1] - x[0]).item()

    def measured(distance, a, b, c):
        p, q = (torch.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0, distance))
        best = (b * p + a * q) / (p + q)
        chi_square = ((p - q).square() / (p + q)).sum().item() * cell
        return chi_square, ((best - c).square() * (p + q)).sum().item() * cell

    names = {
        (-1, 1, 0): "for -1, 1, 0 it is the divergence itself",
        (0, 1, 1): "for 0, 1, 1 it agrees with the integral",
        (0, 1, 0): "for 0, 1, 0, where G has the target of fakes, it agrees with the integral",
        (1, -1, 0.3): "for 1, -1, 0.3, where D's targets are swapped, it agrees with the integral",
    }
    a, b, c = (4 * torch.rand(3) - 2).tolist()
    names[a, b, c] = f"it agrees with the integral for {a:.2f}, {b:.2f}, {c:.2f} too"
    for coding, name in names.items():
        yield name
        for distance in (0.0, 1.0, 6.0):
            chi_square, right = measured(distance, *coding)
            got = value(*coding, chi_square)
            if got is None or got is ...:
                raise NotImplementedError
            assert abs(number(got) - right) < 1e-5, (
                f"where the divergence is {chi_square:.3f}, got {number(got):.4f}"
            )


@any_coding.solution
def value(a, b, c, chi_square):
    """Return 2 C(G): a constant, and ((b - a) / 2)^2 times the divergence."""
    # With s = p + q and d = p - q the best D is (a + b) / 2 + (b - a) / 2 * d / s.
    # Squared, times s and integrated: s gives 2, d gives 0, and d^2 / s gives the divergence.
    return 2 * ((a + b) / 2 - c) ** 2 + ((b - a) / 2) ** 2 * chi_square


def broken_step(gan, batch, run):
    """Update D and G; one line of D's part has a mistake that raises no error."""
    real, cfg = batch["real"], gan.cfg
    fake = gan.netG(lsgan.draw_z(cfg, len(real), device=run.device))
    logits = torch.cat([gan.netD(real), gan.netD(fake.detach())])  # (2 N,)
    targets = torch.cat([torch.full((len(real), 1), cfg.b), torch.full((len(real), 1), cfg.a)])
    loss_d = (logits - targets.to(logits)).square().mean()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    fake_logits = gan.netD(fake)
    loss_g = lsgan.g_loss(fake_logits, cfg.c)
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    gap = logits[: len(real)].mean() - logits[len(real) :].mean()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach(), "D/logit_gap": gap.detach()}


@exercise("3.4", "Diagnose: a D that learns nothing")
def mended(step):
    """Expect a ``train_step``."""
    run = runtime.start("cpu", 0)
    cfg = lsgan.Config(
        image_size=8,
        image_channels=1,
        latent_dim=4,
        g_channels=(4,),
        g_strides=(2,),
        d_channels=(4,),
        init_std=0.2,
        batch_size=8,
        a=-0.5,
        b=1.5,
        c=1.0,
    )
    gan, twin = lsgan.build(cfg, run), lsgan.build(cfg, run)
    real = torch.rand(8, 1, 8, 8) * 2 - 1
    yield "it can be called like train_step"
    other = torch.rand(8, 1, 8, 8) * 2 - 1
    done, again = steps.take(step, gan, [{"real": real}, {"real": other}], run)

    def loss_d(nets, z, real=real):
        return lsgan.d_loss(nets.netD(real), nets.netD(nets.netG(z)), cfg.a, cfg.b)

    def doubled(nets, z):
        return 2 * loss_d(nets, z)

    def broadcast(nets, z):
        logits = torch.cat([nets.netD(real), nets.netD(nets.netG(z))])
        targets = torch.cat([torch.full((8, 1), cfg.b), torch.full((8, 1), cfg.a)])
        return (logits - targets).square().mean()

    def loss_g(nets, z):
        return lsgan.g_loss(nets.netD(nets.netG(z)), cfg.c)

    yield "D's loss compares each logit with its own target"
    hints = {
        "logits (2 N,) minus targets (2 N, 1) is (2 N, 2 N): look at the shapes": broadcast,
        "the mean of 2 N squares is (D(x) - b)^2 / 2 + (D(G(z)) - a)^2 / 2": doubled,
    }
    steps.expect_update(done, "D", twin, loss_d, hints)

    yield "G is updated as by train_step"
    steps.expect_update(done, "G", twin, loss_g)

    yield "a second step is right too"
    steps.expect_update(again, "D", twin, partial(loss_d, real=other))
    steps.expect_update(again, "G", twin, loss_g)


@mended.solution
def mended_step(gan, batch, run):
    """Update D and G; the targets have the shape of the logits, so nothing is broadcast."""
    real, cfg = batch["real"], gan.cfg
    fake = gan.netG(lsgan.draw_z(cfg, len(real), device=run.device))
    logits = torch.cat([gan.netD(real), gan.netD(fake.detach())])  # (2 N,)
    # With targets (2 N, 1) the difference was (2 N, 2 N): each logit with every target.
    targets = torch.cat([torch.full((len(real),), cfg.b), torch.full((len(real),), cfg.a)])
    loss_d = (logits - targets.to(logits)).square().mean()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = lsgan.g_loss(gan.netD(fake), cfg.c)
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


authors_code = multiple_choice(
    "3.5",
    "Read: what the authors ran",
    "abcde",
    right="bde",
    hints={
        "a": "compare the numbers that are subtracted in the two programs with least squares",
        "c": "for which logits is softplus(-t) small, and is it what lesson 1 calls saturating?",
    },
)
authors_code.solution(
    ["b", "d", "e"],
    "The first program has the targets 0, 1 and 1, the second -1, 1 and 0 (a is wrong), and "
    "another optimizer as well: what differs between their runs may be due to any of the three "
    "(b). softplus(-t) is -log D: the loss of lesson 1 that does not saturate (c is wrong). A sum "
    "over twice as many pictures has a gradient twice as large, and so has the step of plain "
    "descent (d). Adam divides by the size of the gradients, which takes such a factor out again "
    "(e).",
)
