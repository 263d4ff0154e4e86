"""The exercises of lesson 13: SRGAN."""

import torch
import torch.nn.functional as F

from gancourse.exercises import exercise, expect, expect_names, expect_number, expect_same, reading


@exercise("13.1", "Implement: PixelShuffle")
def shuffled(shuffle):
    """Expect ``shuffle(h, r)``: (N, r * r * C, H, W) to (N, C, r * H, r * W)."""
    yield "four channels of one pixel become a square: above left, right, below left, right"
    one = torch.arange(4.0).view(1, 4, 1, 1)
    expect(shuffle(one, 2), torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]]))

    yield "channels 4 c to 4 c + 3 become channel c"
    two = torch.arange(8.0).view(1, 8, 1, 1)
    expect(shuffle(two, 2)[:, 1].flatten(), torch.tensor([4.0, 5.0, 6.0, 7.0]))

    yield "it and its gradient are right for any maps"
    expect_same(lambda h: shuffle(h, 2), lambda h: F.pixel_shuffle(h, 2), torch.randn(3, 8, 5, 4))

    yield "it is right for other factors"
    expect_same(lambda h: shuffle(h, 3), lambda h: F.pixel_shuffle(h, 3), torch.randn(2, 18, 3, 2))


@shuffled.solution
def shuffle(h, r):
    """Move the r * r channels of each output channel into squares of r by r pixels."""
    n, channels, height, width = h.shape
    h = h.view(n, channels // r**2, r, r, height, width)  # (N, C, row, column, H, W)
    return h.permute(0, 1, 4, 2, 5, 3).reshape(n, channels // r**2, r * height, r * width)


@exercise("13.2", "Implement: the loss of G in the second stage")
def perceptual(perceptual_loss):
    """Expect ``perceptual_loss(seen, wanted, fake_logits, scale, lambda_adv)``."""
    seen, wanted, logits = torch.randn(4, 6, 3, 3), torch.randn(4, 6, 3, 3), torch.randn(4)
    zeros = torch.zeros(4)
    yield "where the features agree and D is undecided, it is lambda_adv log 2"
    hint = "-log D = log 2 for a logit of 0; the mean over the pictures"
    expect_number(perceptual_loss(seen, seen, zeros, 1.0, 0.5), 0.3466, hint, atol=1e-3)

    yield "features that are all off by 2, scaled by 1/4, cost 1/4"
    hint = "the scale multiplies the features, and the error is squared"
    expect_number(perceptual_loss(seen, seen + 2, zeros, 0.25, 0.0), 0.25, hint, atol=1e-4)

    yield "it and its gradients are right for any features and logits"

    def of(function, scale=1 / 12.75, weight=1e-3):
        return lambda a, b, c: 1e3 * function(a, b.detach(), c, scale, weight)

    expect_same(of(perceptual_loss), of(perceptual.answer), seen, wanted, logits, atol=1e-4)
    mine, right = (of(function, 2.0, 3.0) for function in (perceptual_loss, perceptual.answer))
    expect_same(mine, right, seen, wanted, logits, atol=1e-2)

    yield "it is finite where D is sure that the pictures are fakes"
    far = torch.full((4,), -200.0)
    expect_same(of(perceptual_loss), of(perceptual.answer), seen, wanted, far, atol=1e-3)


@perceptual.solution
def perceptual_loss(seen, wanted, fake_logits, scale, lambda_adv):
    """Add the mean squared error of scaled features and the weighted -log D."""
    content = F.mse_loss(scale * seen, scale * wanted)
    return content + lambda_adv * F.softplus(-fake_logits).mean()


@exercise("13.3", "Predict: two truths behind one small picture")
def two_truths(answer):
    """Expect a dict of three numbers."""
    expect_names(answer, {"share", "decibel", "glasses"})
    hints = {
        "share": "one truth costs d squared half of the time, the mean (d / 2) squared always",
        "decibel": "PSNR falls by 10 log10 of the factor by which the squared error grows",
        "glasses": "the best answer to the squared error is the mean of what may be true: a mean "
        "with which weights?",
    }
    for name, right in two_truths.answer.items():
        yield f"{name} is right"
        expect_number(answer[name], right, hints[name], atol=0.02)


two_truths.solution(
    {"share": 0.5, "decibel": 3.01, "glasses": 0.3},
    "Let the truths differ by d in a pixel. To draw one costs 0 or d^2, d^2 / 2 on average; "
    "the mean costs d^2 / 4 always: half as much. In decibels that is 10 log10 2 = 3.01. With 30 "
    "in a hundred faces wearing glasses, the mean is 0.3 of the frame's colour and 0.7 of the "
    "skin's: glasses at 30 % opacity, which nobody wears.",
)


@exercise("13.4", "Implement: a network between two networks")
def between(mix_states):
    """Expect ``mix_states(start, end, alpha)``, which takes and returns state dicts."""
    start, end = _states()
    kept = [{name: value.clone() for name, value in state.items()} for state in (start, end)]
    for alpha, state, name in ((0.0, start, "start"), (1.0, end, "end")):
        yield f"with alpha = {alpha:g} it is the state of the {name}"
        _compare(mix_states(start, end, alpha), state)

    yield "between, each weight moves in proportion"
    _compare(mix_states(start, end, 0.25), between.answer(start, end, 0.25))

    yield "it goes beyond the end, too"
    _compare(mix_states(start, end, 1.5), between.answer(start, end, 1.5))

    yield "the two states stay as they are"
    for state, before in zip((start, end), kept, strict=True):
        _compare(state, before)

    yield "what it returns can be loaded, and shares no memory with the start"
    found = mix_states(start, end, 0.0)
    net = _net()
    net.load_state_dict(found)
    for value in found.values():
        value.zero_()
    _compare(start, kept[0])


def _net():
    return torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))


def _states():
    """Return the states of two networks; their counters of batches differ, as after training."""
    found = []
    for batches in (3, 7):
        net = _net()
        for _ in range(batches):
            net(torch.randn(4, 2, 2, 2))
        found.append({name: value.clone() for name, value in net.state_dict().items()})
    return found


def _compare(found, right):
    if found is None or found is ...:
        raise NotImplementedError
    found = dict(found)
    assert found.keys() == right.keys(), (
        f"the names differ: {', '.join(found.keys() ^ right.keys())}"
    )
    for name, value in right.items():
        if value.is_floating_point():
            assert tuple(reading.tensor(found[name]).shape) == tuple(value.shape), name
            gap = (reading.tensor(found[name]) - value).abs().max().item()
            assert gap < 1e-5, f"{name} is off by up to {gap:.2g}"
        else:
            counter = reading.tensor(found[name])
            assert not counter.is_floating_point(), f"{name} counts, and is a whole number"


@between.solution
def mix_states(start, end, alpha):
    """Move every tensor of floats; a batch norm's counter of batches stays the start's."""
    return {
        name: torch.lerp(value, end[name], alpha) if value.is_floating_point() else value.clone()
        for name, value in start.items()
    }


def broken_psnr(truth, restored):
    """PSNR on Y in dB, of one pair in [-1, 1], (3, H, W); two things are wrong with it."""
    luma = torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    a, b = ((luma * (x / 2 + 0.5)).sum(0) + 16 for x in (truth, restored))
    error = (a - b).square().mean()
    return 10 * torch.log10(1 / error)


@exercise("13.5", "Diagnose: a PSNR of minus 12 dB")
def mended(psnr):
    """Expect ``psnr(truth, restored)`` of one pair, (3, H, W) in [-1, 1]."""
    truth = torch.rand(3, 24, 20) * 1.6 - 0.8
    yield "10 of 255 levels of brightness are 28.1 dB"
    grey = truth + 2 * 10 / 219.0
    expect_number(psnr(truth, grey), 28.131, "which range do these values of Y have?", atol=0.05)

    yield "4 pixels along each edge do not count"
    torn = grey.clone()
    torn[:, :4], torn[:, :, -4:] = 1.0, -1.0
    expect_number(psnr(truth, torn), 28.131, "an edge was disturbed, and nothing else", atol=0.05)
    inside = grey.clone()
    inside[:, 4], inside[:, :, -5] = 1.0, -1.0
    hint = "the fifth pixel from the edge counts"
    expect_number(psnr(truth, inside), mended.answer(truth, inside).item(), hint, atol=0.05)

    yield "it and its gradient are right for any pair"
    other = (truth + 0.2 * torch.randn(3, 24, 20)).clamp(-1, 1)
    expect_same(psnr, mended.answer, truth, other, atol=1e-3)


@mended.solution
def mended_psnr(truth, restored):
    """Return the PSNR on Y, whose peak is 255, within a border of 4 pixels."""
    luma = torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    a, b = ((luma * (x / 2 + 0.5)).sum(0)[4:-4, 4:-4] + 16 for x in (truth, restored))
    return 10 * torch.log10(255**2 / (a - b).square().mean())


mended.why = (
    "Y is computed on a scale of 255, so that its peak is 255 and not 1: 48.13 dB are missing. And "
    "the papers leave out as many pixels along each edge as the factor of enlargement, where a "
    "network sees padding in place of a picture. Users of SRGAN have compared numbers on RGB with "
    "numbers on Y, and wondered about 2 dB and more."
)
