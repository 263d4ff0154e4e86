"""The exercises of lesson 15: SPADE."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.exercises import exercise, expect, expect_names, expect_number, expect_same, reading


@exercise("15.1", "Implement: a normalisation that a map steers")
def steered(modulate):
    """Expect ``modulate(h, gamma, beta)``, all (N, C, H, W)."""
    h = torch.randn(4, 3, 5, 5) * 2 + 1
    zero = torch.zeros_like(h)
    yield "with gamma and beta 0, each channel has mean 0 and variance 1 over the batch"
    out = reading.tensor(modulate(h, zero, zero))
    assert out.shape == h.shape, f"it has the shape {tuple(out.shape)}"
    mean, var = out.mean((0, 2, 3)), out.var((0, 2, 3), unbiased=False)
    hint = "over the pictures and places of a batch together, for each channel"
    assert mean.abs().max() < 1e-4, f"the means of the channels are up to {mean.abs().max():.2g}"
    assert (var - 1).abs().max() < 1e-2, (
        f"variances from {var.min():.3g} to {var.max():.3g}: {hint}"
    )

    yield "pictures of a batch keep their differences: it is no instance norm"
    apart = h + torch.arange(4.0).view(4, 1, 1, 1)
    out = reading.tensor(modulate(apart, zero, zero)).mean((1, 2, 3))
    assert (out.max() - out.min()).item() > 0.5, "each picture alone was brought to mean 0"

    yield "gamma of -1 leaves beta alone, and beta is added at each place"
    beta = torch.randn_like(h)
    expect(modulate(h, zero - 1, beta), beta, atol=1e-4)

    yield "it and its gradients are right for any h, gamma and beta"
    expect_same(modulate, steered.answer, h, torch.randn_like(h), torch.randn_like(h), atol=1e-4)


@steered.solution
def modulate(h, gamma, beta):
    """Batch norm without weights; then scale and shift, which differ from place to place."""
    return F.batch_norm(h, None, None, training=True) * (1 + gamma) + beta


@exercise("15.2", "Implement: the hinge loss of a discriminator")
def hinged(d_loss):
    """Expect ``d_loss(real_logits, fake_logits)``: lists of (N, 1, h, w), one for each scale."""
    zeros = [torch.zeros(2, 1, 3, 3)]
    yield "it is 2 where all scores are 0"
    expect_number(d_loss(zeros, zeros), 2.0, "1 for real pictures and 1 for fake ones", atol=1e-5)

    yield "it is 0 where real scores are above 1 and fake ones below -1"
    sure = [torch.full((2, 1, 3, 3), 1.5)], [torch.full((2, 1, 3, 3), -4.0)]
    expect_number(d_loss(*sure), 0.0, "what is beyond the margin costs nothing", atol=1e-5)

    yield "it is the mean over the scales, however many patches each has"
    ones = [torch.zeros(2, 1, 3, 3), torch.full((2, 1, 1, 1), 3.0)]
    more = [torch.zeros(2, 1, 3, 3), torch.full((2, 1, 1, 1), -3.0)]
    expect_number(d_loss(ones, more), 1.0, "the mean of 2, of the first scale, and 0", atol=1e-5)

    yield "it and its gradients are right for any scores of two scales"

    def flat(function):  # tensors, so that gradients can be compared
        return lambda a, b, c, d: function([a, b], [c, d])

    scales = [2 * torch.randn(2, 1, 4, 4), 2 * torch.randn(2, 1, 2, 2)]
    scales += [2 * torch.randn(2, 1, 4, 4), 2 * torch.randn(2, 1, 2, 2)]
    expect_same(flat(d_loss), flat(hinged.answer), *scales)


@hinged.solution
def d_loss(real_logits, fake_logits):
    """Return the mean over the scales of relu(1 - D(x)) and relu(1 + D(G)), each over patches."""
    scales = [*zip(real_logits, fake_logits, strict=True)]
    each = [F.relu(1 - real).mean() + F.relu(1 + fake).mean() for real, fake in scales]
    return sum(each) / len(each)


@exercise("15.3", "Implement: a map for a smaller grid, still one-hot")
def smaller(resized):
    """Expect ``resized(m, classes, side)``; m is int64 (N, H, W)."""
    m = torch.randint(5, (3, 8, 8))
    out = reading.tensor(resized(m.clone(), 5, 4)).float()
    yield "it has a plane for each class: (N, classes, side, side)"
    assert out.shape == (3, 5, 4, 4), f"it has the shape {tuple(out.shape)}"

    yield "each pixel has one class: a 1 and otherwise 0"
    mixed = ((out != 0) & (out != 1)).float().mean().item()
    assert not mixed, f"{mixed:.0%} of the numbers are neither 0 nor 1: classes were mixed"
    assert torch.equal(out.sum(1), torch.ones(3, 4, 4)), "some pixels have no class, or several"

    yield "it is the class of a pixel in that place, and none between two classes"
    blocks = m.unfold(1, 2, 2).unfold(2, 2, 2).flatten(3)  # (3, 4, 4, 4)
    found = (blocks == out.argmax(1)[..., None]).any(-1)
    assert found.all(), f"{(~found).float().mean().item():.0%} of the classes are not there"

    yield "a map of its own size stays as it is"
    same = reading.tensor(resized(m.clone(), 5, 8)).float()
    expect(same, F.one_hot(m, 5).movedim(3, 1).float())

    yield "classes that do not occur have planes, too"
    none = reading.tensor(resized(torch.zeros(1, 8, 8, dtype=torch.int64), 7, 2)).float()
    assert none.shape == (1, 7, 2, 2) and none[:, 0].all() and not none[:, 1:].any()


@smaller.solution
def resized(m, classes, side):
    """Take the nearest pixel's class; what is interpolated between classes is none."""
    planes = F.one_hot(m, classes).movedim(3, 1).float()
    return F.interpolate(planes, (side, side), mode="nearest")


@exercise("15.4", "Predict: what a layer of SPADE sees, and how large it is")
def of_a_layer(answer):
    """Expect a dict of four numbers."""
    expect_names(answer, {"pixels", "with_ones", "weights", "pictures"})
    hints = {
        "pixels": "two convolutions of 3x3: how far does the second see through the first?",
        "with_ones": "a kernel of 1x1 sees the place itself",
        "weights": "11·32·9 + 32 for the first; the second has 32 channels in and 2·64 out",
        "pictures": "all flat maps are equal after an instance norm",
    }
    for name, right in of_a_layer.answer.items():
        yield f"{name} is right"
        expect_number(answer[name], right, hints[name], atol=0.01)


of_a_layer.solution(
    {"pixels": 25, "with_ones": 1, "weights": 40_192, "pictures": 1},
    "Through two kernels of 3x3 a place of gamma sees 5x5 = 25 pixels of the map, with kernels of "
    "1x1 one. The first convolution has 11·32·9 + 32 = 3,200 weights, the second, which makes "
    "gamma and beta, 32·128·9 + 128 = 36,992: together 40,192. A flat map is constant after a "
    "convolution without a border, so that the norm makes it 0, whichever class it is of: one "
    "picture for all eleven.",
)


def broken_loss(netD, m, x, fake):
    """Return G's loss without the divergence, with two faults.

    netD(m, x) returns for each scale a list of feature maps, of which the last are logits. m are
    maps, x the real pictures of these maps, and fake those that G drew for them.
    """
    with torch.no_grad():
        of_real = netD(m, x)
    of_fake = netD(m.roll(1, 0), fake)
    scales = len(of_fake)
    adv = sum(F.relu(1 - maps[-1]).mean() for maps in of_fake) / scales
    far = 0
    for fakes, reals in zip(of_fake, of_real, strict=True):
        far = far + sum(F.l1_loss(a, b) for a, b in zip(fakes[:-1], reals[:-1], strict=True))
    return adv + 10 * far / scales


class _Scorer(nn.Module):
    """A small D of two scales, each with a feature map and a score."""

    def __init__(self):
        super().__init__()
        self.first = nn.ModuleList(nn.Conv2d(6, 4, 2) for _ in range(2))
        self.last = nn.ModuleList(nn.Conv2d(4, 1, 1) for _ in range(2))

    def forward(self, m, x):
        h = torch.cat([F.one_hot(m, 3).movedim(3, 1).to(x.dtype), x], 1)
        found = []
        for first, last in zip(self.first, self.last, strict=True):
            features = F.leaky_relu(first(h), 0.2)
            found.append([features, last(features)])
            h = F.avg_pool2d(h, 2)
        return found


@exercise("15.5", "Diagnose: a G that stops learning where D believes it, and mixes up the maps")
def mended(loss):
    """Expect ``loss(netD, m, x, fake)``."""
    netD, m = _Scorer(), torch.randint(3, (4, 6, 6))
    x, fake = torch.randn(2, 4, 3, 6, 6).unbind(0)

    def with_scores(shift, function):
        net = copy.deepcopy(netD)
        for layer in net.last:
            layer.bias.data += shift
        given = fake.clone().requires_grad_()
        value = function(net, m.clone(), x.clone(), given)
        if value is None or value is ...:
            raise NotImplementedError
        value = reading.tensor(value)
        assert value.numel() == 1, f"it has {value.numel()} numbers"
        (slope,) = torch.autograd.grad(value.sum(), given, allow_unused=True)
        return value.detach(), torch.zeros_like(fake) if slope is None else slope

    yield "a higher score is a lower loss, also where D is sure that fakes are real"
    (low, _), (high, _) = (with_scores(shift, loss) for shift in (50.0, 60.0))
    hint = "hinge losses end at the margin: is that what G wants?"
    assert abs((high - low).item() + 10) < 1e-2, (
        f"ten more in each score changes the loss by {(high - low).item():.3g}, not by -10: {hint}"
    )

    yield "each picture is judged with its own map"
    value, slope = with_scores(0.0, loss)
    right, wanted = with_scores(0.0, mended.answer)
    assert abs((value - right).item()) < 1e-3, (
        f"the loss is {value.item():.4f} and should be {right.item():.4f}: which map does D see?"
    )

    yield "its gradient for the fakes is that of the loss"
    assert torch.allclose(slope, wanted, rtol=1e-3, atol=1e-5), "the gradient is another's"


@mended.solution
def mended_loss(netD, m, x, fake):
    """G wants high scores without end, and D sees a picture beside the map that it was drawn of."""
    with torch.no_grad():
        of_real = netD(m, x)
    of_fake = netD(m, fake)
    scales = len(of_fake)
    adv = -sum(maps[-1].mean() for maps in of_fake) / scales
    far = 0
    for fakes, reals in zip(of_fake, of_real, strict=True):
        far = far + sum(F.l1_loss(a, b) for a, b in zip(fakes[:-1], reals[:-1], strict=True))
    return adv + 10 * far / scales


mended.why = (
    "The hinge belongs to D, which shall not grow its scores without end. In G's loss it would "
    "take the gradient away wherever D believes a patch already. And a D that sees another's map "
    "beside a picture asks G for pictures that fit no map."
)
