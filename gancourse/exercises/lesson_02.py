"""The exercises of lesson 2: DCGAN."""

import copy
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
)
from gancourse.exercises.reading import number, numbers, tensor


@exercise("2.1", "Predict: one layer of G")
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


@exercise("2.2", "Implement: count the stamps")
def stamps(overlap):
    """Expect ``overlap(kernel_size, stride, length)``."""

    def counts(*sizes):
        found = overlap(*sizes)
        if found is None:
            raise NotImplementedError
        return torch.tensor(numbers(found), dtype=torch.float64)

    yield "one input pixel makes one stamp"
    expect(counts(5, 2, 1), torch.ones(5))

    yield "the output has (length - 1) * stride + kernel_size pixels"
    for kernel, stride, length in ((3, 1, 4), (5, 2, 6), (4, 2, 6), (6, 3, 5)):
        expect(len(counts(kernel, stride, length)), (length - 1) * stride + kernel)

    yield "each stamp is counted at kernel_size pixels"
    for kernel, stride, length in ((5, 2, 6), (4, 2, 6), (7, 3, 8)):
        expect(counts(kernel, stride, length).sum(), kernel * length)

    yield "away from the ends the counts are equal if the stride divides the kernel size"
    for kernel, stride in ((4, 2), (6, 3), (2, 2), (3, 1)):
        inside = counts(kernel, stride, 12)[kernel:-kernel]
        expect(inside, torch.full_like(inside, kernel // stride))

    yield "every count is right, also at the ends"
    for sizes in ((5, 2, 6), (3, 2, 5), (7, 3, 8), (2, 3, 4), (1, 1, 1)):
        expect(counts(*sizes), stamps.answer(*sizes))


@stamps.solution
def overlap(kernel_size, stride, length):
    """Count, for each output pixel of a row, the stamps that reach it."""
    ones = torch.ones(1, 1, length)
    return F.conv_transpose1d(ones, torch.ones(1, 1, kernel_size), stride=stride).flatten()


def broken_sample(netG, z):
    """Return a generator's samples for ``z``, in the middle of its training."""
    with torch.no_grad():
        return netG(z)


@exercise("2.3", "Diagnose: a face that depends on the rest of the batch")
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


@exercise("2.4", "Modify: enlarge, then convolve")
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
    "2.5",
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
