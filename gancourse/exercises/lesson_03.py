"""The exercises of lesson 3: the least squares GAN."""

import math
from functools import partial

import torch
import torch.nn.functional as F

from gancourse.exercises import (
    exercise,
    expect,
    expect_number,
    expect_same,
    multiple_choice,
    steps,
)
from gancourse.exercises.reading import number
from gancourse.gans import dcgan, lsgan
from gancourse.training import runtime


@exercise("3.1", "Implement: both losses")
def both_losses(losses):
    """Expect ``losses(real_logits, fake_logits, a, b, c)``, the loss of D and that of G."""
    cut = torch.tensor([0.3, -1.2, 4.0]), torch.tensor([0.7, 2.0, -3.0])
    got = losses(*cut, 0.0, 1.0, 1.0)
    yield "it returns two numbers, D's loss and G's"
    if got is None or got is ...:
        raise NotImplementedError
    assert isinstance(got, tuple | list) and len(got) == 2, "return loss_d, loss_g"
    assert all(getattr(x, "shape", ()) == () for x in got), "each is one number, not one a sample"

    def right(real, fake, a, b, c):
        return lsgan.d_loss(real, fake, a, b), lsgan.g_loss(fake, c)

    loss_d, loss_g = (number(x) for x in got)
    right_d, right_g = (x.item() for x in right(*cut, 0.0, 1.0, 1.0))
    yield "D's loss is right for the targets 0, 1"
    swapped = lsgan.d_loss(*cut, 1.0, 0.0).item()
    expect_number(loss_d, right_d, _which(loss_d, right_d, swapped), atol=1e-4)
    yield "G's loss is right for the target 1"
    expect_number(loss_g, right_g, _which(loss_g, right_g), atol=1e-4)
    yield "values and gradients are right for any logits and any targets"
    for a, b, c in ((-1.0, 1.0, 0.0), (0.25, -2.0, 3.0)):
        expect_same(losses, right, 3 * torch.randn(9), 3 * torch.randn(9), a, b, c)
    yield "the two batches may differ in size: each term is a mean of its own"
    expect_same(losses, right, torch.randn(4), torch.randn(12), 0.0, 1.0, 1.0)


def _which(got, right, swapped=math.nan):
    """Return the hint for a loss that is a known multiple of the right one, or another."""
    if abs(got - 2 * right) < 1e-4:
        return "each term has a factor 1/2"
    if abs(got - 3 * right) < 1e-4 or abs(got - 6 * right) < 1e-4:
        return "an expectation is a mean over the batch, not a sum"
    if abs(got - swapped) < 1e-4:
        return "b is the target for real pictures, a for fakes"
    return "compare it term by term with the equation"


@both_losses.solution
def losses(real_logits, fake_logits, a, b, c):
    """Return the loss of D and that of G, each the mean of half the squared distance."""
    loss_d = (real_logits - b).square().mean() / 2 + (fake_logits - a).square().mean() / 2
    loss_g = (fake_logits - c).square().mean() / 2
    return loss_d, loss_g


def _check_step(step):
    """Yield the properties of a training step with least squares, and test each."""
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
    first, second = (torch.rand(8, 1, 8, 8) * 2 - 1 for _ in range(2))
    yield "it can be called like train_step"
    done, again = steps.take(step, gan, [{"real": first}, {"real": second}], run)

    def loss_d(nets, z, real=first, form=lsgan.d_loss, targets=(cfg.a, cfg.b)):
        return form(nets.netD(real), nets.netD(nets.netG(z)), *targets)

    def loss_g(nets, z, form=lsgan.g_loss, target=(cfg.c,)):
        return form(nets.netD(nets.netG(z)), *target)

    def broadcast(nets, z):
        logits = torch.cat([nets.netD(first), nets.netD(nets.netG(z))])
        targets = torch.cat([torch.full((8, 1), cfg.b), torch.full((8, 1), cfg.a)])
        return (logits - targets).square().mean()

    yield "D's loss compares each logit with its own target"
    hints = {
        "logits (2 N,) minus targets (2 N, 1) is (2 N, 2 N): look at the shapes": broadcast,
        "the mean of 2 N squares is (D(x) - b)^2 / 2 + (D(G(z)) - a)^2 / 2": (
            lambda nets, z: 2 * loss_d(nets, z)
        ),
        "this is still lesson 2's cross-entropy": partial(loss_d, form=dcgan.d_loss, targets=()),
        "the targets are gan.cfg.a and gan.cfg.b; here they are not 0 and 1": partial(
            loss_d, targets=(0.0, 1.0)
        ),
        "b is the target for real pictures, a for fakes": partial(loss_d, targets=(cfg.b, cfg.a)),
    }
    steps.expect_update(done, "D", twin, loss_d, hints)

    yield "G's loss compares D's output for fakes with c"
    hints = {
        "this is still lesson 2's cross-entropy": partial(loss_g, form=dcgan.g_loss, target=()),
        "that is the target b of D": partial(loss_g, target=(cfg.b,)),
        "that is the target a of D": partial(loss_g, target=(cfg.a,)),
    }
    steps.expect_update(done, "G", twin, loss_g, hints)

    yield "a second step is right too"
    steps.expect_update(again, "D", twin, partial(loss_d, real=second))
    steps.expect_update(again, "G", twin, loss_g)


@exercise("3.2", "Modify: the step, from lesson 2's")
def least_squares_step(step):
    """Expect a ``train_step``."""
    yield from _check_step(step)


@least_squares_step.solution
def my_step(gan, batch, run):
    """Update D once, then G once; only the losses differ from lesson 2's step."""
    real, cfg = batch["real"], gan.cfg
    fake = gan.netG(lsgan.draw_z(cfg, len(real), device=run.device))
    loss_d = lsgan.d_loss(gan.netD(real), gan.netD(fake.detach()), cfg.a, cfg.b)
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


@exercise("3.3", "Implement: a pull with a limit")
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


@exercise("3.4", "Derive: the value of the game for any coding")
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


@exercise("3.5", "Diagnose: a D that learns nothing")
def mended(step):
    """Expect a ``train_step``."""
    yield from _check_step(step)


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
    "3.6",
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
