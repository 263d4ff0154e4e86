"""The exercises of lesson 2: DCGAN."""

import copy
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.exercises import (
    exercise,
    expect,
    expect_names,
    expect_number,
    multiple_choice,
    steps,
)
from gancourse.exercises.reading import number, numbers, tensor
from gancourse.gans import blocks, dcgan
from gancourse.training import runtime


@exercise("2.1", "Implement: a step for networks with batch normalisation")
def first_step(step):
    """Expect ``step(gan, batch, run)``."""
    run = runtime.start("cpu", 0)
    cfg = replace(dcgan.PRESETS["smoke"], image_size=16, ngf=4, ndf=4, ema_decay=0.0)
    gan, twin = dcgan.build(cfg, run), dcgan.build(cfg, run)
    batches = [{"real": torch.rand(16, 3, 16, 16) * 2 - 1} for _ in range(2)]
    yield "it can be called like a train_step"
    done = steps.take(step, gan, batches, run)

    def loss_d(nets, z, real):
        return dcgan.d_loss(nets.netD(real), nets.netD(nets.netG(z)))

    def mixed(nets, z, real):
        return dcgan.d_loss(*nets.netD(torch.cat([real, nets.netG(z)])).chunk(2))

    def loss_g(nets, z):
        return dcgan.g_loss(nets.netD(nets.netG(z)))

    for one, batch, which in zip(done, batches, ("first", "second"), strict=True):
        real = batch["real"]
        yield f"D's {which} update: real pictures and fakes are two batches"
        text = "real pictures and fakes are normalised together: D judges a mixed batch"
        mistakes = {text: partial(mixed, real=real)}
        steps.expect_update(one, "D", twin, partial(loss_d, real=real), mistakes)

        yield f"G's {which} update minimises -log D(G(z))"
        mistakes = {"G's sign is flipped: it helps D": lambda nets, z: -loss_g(nets, z)}
        steps.expect_update(one, "G", twin, loss_g, mistakes)


@first_step.solution
def step(gan, batch, run):
    """Update D once, then G once; D judges real pictures and fakes in batches of their own."""
    real = batch["real"]
    fake = gan.netG(dcgan.draw_z(gan.cfg, len(real), device=run.device))
    loss_d = dcgan.d_loss(gan.netD(real), gan.netD(fake.detach()))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = dcgan.g_loss(gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@exercise("2.2", "Implement: the penalty R1")
def penalty_on_the_slope(r1):
    """Expect ``r1(netD, real)``."""

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 4, 4))

        def forward(self, x):
            return (x * self.weight).sum((1, 2, 3))

    yield "for a linear D, whose gradient is its weights w everywhere, it is |w|^2 / 2"
    netD, real = Linear(), torch.randn(5, 3, 4, 4)
    squared = netD.weight.detach().square().sum()
    value = r1(netD, real)
    if value is None or value is ...:
        raise NotImplementedError
    value = tensor(value)
    assert value.numel() == 1, f"expected one number, found the shape {tuple(value.shape)}"
    hints = {
        "the half is missing": squared,
        "the gradient's norm is not squared": squared.sqrt() / 2,
        "squares are averaged over the pixels: a norm is their sum": squared / 2 / 48,
        "values are added up over the pictures: take their mean": 5 * squared / 2,
        "the gradient is that of the mean logit, which is N times smaller": squared / 2 / 25,
        "R1 pulls the norm to 0, and not to 1": (squared.sqrt() - 1).square() / 2,
    }
    for hint, wrong in hints.items():
        assert not torch.allclose(value.detach().float(), wrong, rtol=1e-4), hint
    expect(value, squared / 2, atol=1e-4)

    cfg = replace(dcgan.PRESETS["smoke"], image_size=16, ngf=4, ndf=4, r1=1.0, init_std=0.3)
    for n in (1, 6):
        netD, real = dcgan.Discriminator(cfg), torch.randn(n, 3, 16, 16)
        blocks.init_normal(netD, cfg.init_std)
        expected = penalty_on_the_slope.answer(netD, real)
        yield f"it is right for the D of this lesson and {n} picture{'s' * (n > 1)}"
        found = tensor(r1(netD, real))
        expect(found, expected, atol=1e-4)

        yield f"D can learn from it, with {n} picture{'s' * (n > 1)}"
        assert found.requires_grad, "no graph leads to D's weights: use create_graph=True"
        wanted = list(netD.parameters())
        mine, right = (  # zeros for D's last bias, on which the slope does not depend
            torch.autograd.grad(x.sum(), wanted, materialize_grads=True) for x in (found, expected)
        )
        for got, true in zip(mine, right, strict=True):
            expect(got, true, atol=1e-4)

    yield "it leaves no gradients in D's weights"
    assert all(w.grad is None for w in netD.parameters()), "use torch.autograd.grad, not backward"


@penalty_on_the_slope.solution
def r1(netD, real):
    """Return half the squared norm of D's gradient at real pictures, in the mean over them."""
    real = real.detach().requires_grad_()
    logits = netD(real)  # each depends on its own picture alone, so that their sum will do
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean() / 2


@exercise("2.3", "Predict: one layer of G")
def one_layer(answer):
    """Expect a dict of two numbers and a pair."""
    yield "the answer names side, weights and stamps"
    expect_names(answer, ("side", "weights", "stamps"))
    yield "the side of the output is right"
    side = sides(answer["side"])
    assert side != 8, "a stride of 2 makes a *transposed* convolution's output larger"
    expect_number(side, 16, "see the formula in the documentation of nn.ConvTranspose2d", atol=0)
    yield "the number of weights is right"
    weights = number(answer["weights"])
    assert weights != 25 * 128 + 256, "each of the 256 maps has a kernel for each of the 128"
    expect_number(weights, 25 * 256 * 128, "each pair of maps has 25 weights", atol=0)
    yield "the stamps along a row are right"
    found = sorted(numbers(answer["stamps"]))
    assert found == [2, 3], "stamps are 5 pixels wide and 2 apart: draw a row and count"


def sides(answer):
    """Return the side of a square, given as a number or as height and width."""
    found = set(numbers(answer))
    assert len(found) == 1, f"expected the side of a square, found {answer!r:.40}"
    return found.pop()


one_layer.solution(
    {"side": 16, "weights": 819_200, "stamps": (3, 2)},
    "The stride doubles the side. Each of 256 maps has a kernel of 25 weights for each of 128: "
    "819,200. Stamps of 5 pixels that are 2 apart overlap three times on every second pixel and "
    "twice on those between. In a picture the counts multiply: 9, 6 and 4.",
)


def broken_sample(netG, z):
    """Return a generator's samples for ``z``, in the middle of its training."""
    with torch.no_grad():
        return netG(z)


@exercise("2.4", "Diagnose: a face that depends on the rest of the batch")
def alone_and_together(draw):
    """Expect ``draw(netG, z)``."""
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3), nn.Tanh())
    net.train()
    for _ in range(20):
        net(torch.randn(32, 4))  # running statistics as after some training
    z = torch.randn(6, 4)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    reference = copy.deepcopy(net).eval()

    yield "it returns one sample for each z"
    found = draw(net, z)
    if found is None:
        raise NotImplementedError
    images = tensor(found)
    expect(tuple(images.shape), (6, 3))

    yield "a sample is the same alone and in a batch"
    expect(images, torch.cat([tensor(draw(net, one[None])) for one in z]))

    yield "it is normalised with the running statistics of training"
    expect(images, reference(z))

    yield "sampling changes no weight and no buffer"
    changed = [
        name for name, value in net.state_dict().items() if not torch.equal(value, before[name])
    ]
    assert not changed, f"changed: {', '.join(changed)}"

    yield "the network is left in the mode in which it was"
    assert all(part.training for part in net.modules()), "the next step would train in another mode"
    net.eval()
    draw(net, z)
    assert not net.training, "a network in evaluation mode is put into training mode"

    yield "the samples carry no graph"
    assert not images.requires_grad, "the graph stays in memory: use torch.no_grad()"


@alone_and_together.solution
def draw(netG, z):
    """Sample with the running statistics of training, and restore the mode."""
    training = netG.training
    try:
        with torch.no_grad():
            return netG.eval()(z)
    finally:
        netG.train(training)


# The ways to double the side of a picture that need no weights.
ENLARGED = [
    partial(F.interpolate, scale_factor=2, **options)
    for options in (
        {"mode": "nearest"},
        {"mode": "bilinear"},
        {"mode": "bilinear", "align_corners": True},
        {"mode": "bicubic"},
    )
]


@exercise("2.5", "Modify: enlarge, then convolve")
def no_checkerboard(block):
    """Expect ``block(inputs, outputs)``, which returns a module."""
    torch.manual_seed(0)
    net = block(4, 6)
    yield "it is a module that doubles the side and changes the channels"
    expect(tuple(net(torch.zeros(2, 4, 8, 8)).shape), (2, 6, 16, 16))

    yield "it has weights to learn"
    assert any(p.requires_grad for p in net.parameters()), "it has no weight that can be trained"

    yield "for any weights a constant input gives a constant output, away from the edges"
    for seed in range(3):
        torch.manual_seed(seed)
        for weight in net.parameters():
            nn.init.normal_(weight)
        inside = net(torch.ones(1, 4, 12, 12))[:, :, 6:-6, 6:-6]
        gap = (inside - inside[:, :, :1, :1]).detach().abs().max().item()
        assert gap < 1e-4, f"neighbouring pixels differ by up to {gap:.2g}"

    yield "an input pixel changes more than the four output pixels in its place"
    x = torch.zeros(1, 4, 8, 8)
    base = net(x)
    x[0, :, 4, 4] = 1
    touched = ((net(x) - base).detach().abs().amax(1) > 1e-6).sum().item()
    assert touched > 4, "a 1x1 kernel does not connect neighbouring pixels"

    yield "its weights decide about details that are finer than an input pixel"
    y = net(torch.randn(1, 4, 8, 8))
    for enlarged in ENLARGED:
        # What remains of noise without the pictures of 8x8 pixels that were enlarged last.
        basis = enlarged(torch.eye(64).view(64, 1, 8, 8)).flatten(1).T  # (256, 64)
        noise = torch.randn(256, y.shape[1])
        fine = noise - basis @ torch.linalg.lstsq(basis, noise).solution
        gradients = torch.autograd.grad(
            y.flatten(2)[0], list(net.parameters()), fine.T, retain_graph=True, allow_unused=True
        )
        size = max(g.abs().max().item() for g in gradients if g is not None)
        assert size > 1e-2, "no weight comes after the enlargement: convolve last"


@no_checkerboard.solution
def block(inputs, outputs):
    """Repeat each pixel 2x2 times, then convolve."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1),
    )


the_paper = multiple_choice(
    "2.6",
    "Read: what the authors did",
    "abcde",
    right="abd",
    hints={
        "c": "in section 3, which layers have no batch normalisation, and why?",
        "e": "in section 4, which activation function sets the range of the pixels?",
    },
)
the_paper.solution(
    ["a", "b", "d"],
    "Section 5.1 pools each layer of D to 4x4 and trains a linear classifier on top (a); section "
    "6.3.2 averages three vectors a concept, since single ones were unstable (b); section 6.3.1 "
    "finds the filters of windows by logistic regression (d). Batch normalisation in every layer "
    "made samples oscillate (c, section 3), and pixels are scaled to the range of tanh, [-1, 1] "
    "(e, section 4).",
)
