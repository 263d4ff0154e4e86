"""The exercises of lesson 16: LostGAN."""

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.exercises import exercise, expect, expect_names, expect_number, expect_same, reading


def _layout(n=4, count=3, seed=0):
    """Return boxes as corner and size, (n, count, 4)."""
    generator = torch.Generator().manual_seed(seed)
    corner, size = torch.rand(n, count, 4, generator=generator).mul(0.45).add(0.05).chunk(2, 2)
    return torch.cat([corner, size], 2)


@exercise("16.1", "Implement: from corner and size to two corners")
def corners(to_corners):
    """Expect ``to_corners(boxes)``; boxes are (..., 4): left, top, width, height."""
    box = torch.tensor([0.1, 0.2, 0.3, 0.4])
    yield "left and top stay; right = left + width, bottom = top + height"
    expect(to_corners(box.clone()), torch.tensor([0.1, 0.2, 0.4, 0.6]))

    yield "it works for any number of boxes"
    boxes = _layout()
    for some in (boxes, boxes[0], boxes[None]):
        expect(to_corners(some.clone()), corners.answer(some))

    yield "the boxes that it is given stay as they are"
    kept = boxes.clone()
    to_corners(boxes)
    assert torch.equal(boxes, kept), "the input has changed: write into a new tensor"

    yield "called twice with the same boxes, it returns the same"
    expect(to_corners(boxes), corners.answer(kept))

    yield "gradients come back"
    expect_same(to_corners, corners.answer, kept)


@corners.solution
def to_corners(boxes):
    """Make a new tensor; nothing is written into the old one."""
    corner, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([corner, corner + size], -1)


@exercise("16.2", "Implement: ISLA, which scales and shifts by objects")
def layout_aware(isla):
    """Expect ``isla(x, gamma, beta, masks)``.

    x is normalised, (N, C, H, W); gamma and beta are (N, S, C); masks (N, S, H, W), 0 or more.
    """
    N, S, C, H = 2, 3, 4, 6
    x, gamma, beta = torch.randn(N, C, H, H), torch.randn(N, S, C), torch.randn(N, S, C)
    masks = torch.rand(N, S, H, H) + 0.05

    yield "one mask all over the picture: (1 + gamma) x + beta, as in conditional batch norm"
    one = (1 + gamma[:, 0, :, None, None]) * x + beta[:, 0, :, None, None]
    expect(isla(x, gamma[:, :1], beta[:, :1], torch.ones(N, 1, H, H)), one, atol=1e-4)

    yield "a faint mask with no rival acts as a strong one: masks are divided by their sum"
    expect(isla(x, gamma[:, :1], beta[:, :1], torch.full((N, 1, H, H), 0.1)), one, atol=1e-3)

    yield "where no mask is, x stays as it is, and nothing is divided by 0"
    half = masks.clone()
    half[..., :3] = 0
    got = reading.tensor(isla(x, gamma, beta, half))
    assert got.isfinite().all(), "it is not finite where the masks add up to 0"
    expect(got[..., :3], x[..., :3], atol=1e-4)

    yield "objects whose masks do not meet do not see each other"
    apart = torch.zeros(N, 2, H, H)
    apart[:, 0, :, :3], apart[:, 1, :, 3:] = 0.6, 0.9
    other = gamma[:, :2].clone()
    other[:, 1] += 1
    first, second = (reading.tensor(isla(x, g, beta[:, :2], apart)) for g in (gamma[:, :2], other))
    expect(second[..., :3], first[..., :3].detach())

    yield "the order of the objects does not matter"
    turned = isla(x, gamma.flip(1), beta.flip(1), masks.flip(1))
    expect(turned, reading.tensor(isla(x, gamma, beta, masks)).detach(), atol=1e-4)

    yield "outputs and gradients are right on random masks"
    expect_same(isla, layout_aware.answer, x, gamma, beta, masks, atol=1e-4)


@layout_aware.solution
def isla(x, gamma, beta, masks):
    """Each pixel takes the mean of its objects, weighted by their masks."""
    shares = masks / (masks.sum(1, keepdim=True) + 1e-6)
    spread = "nsc,nshw->nchw"
    return (1 + torch.einsum(spread, gamma, shares)) * x + torch.einsum(spread, beta, shares)


@exercise("16.3", "Implement: the hinge loss of objects, in which empty slots do not count")
def objects(object_loss):
    """Expect ``object_loss(real_logits, fake_logits, kinds)``, all (N, S); kind 0 is empty."""
    yield "logits of 0 cost 2 in each object"
    zero, kinds = torch.zeros(2, 4), torch.tensor([[1, 3, 0, 0], [2, 0, 0, 0]])
    expect_number(object_loss(zero, zero, kinds), 2.0, "a real one lacks 1, a fake one too")

    yield "it is flat beyond the margin"
    expect_number(object_loss(zero + 3, zero - 3, kinds), 0.0, "relu(1 - 3) is 0")

    yield "what stands in empty slots changes nothing"
    real, fake = torch.randn(2, 2, 4)
    first = reading.tensor(object_loss(real, fake, kinds)).detach()
    noise = 100 * torch.randn(2, 4) * (kinds == 0)
    expect(object_loss(real + noise, fake - noise, kinds), first, atol=1e-4)

    yield "it is the mean over the objects, however many slots are empty"
    wider = [F.pad(values, (0, 3)) for values in (real, fake, kinds)]
    expect(object_loss(*wider), first, atol=1e-4)

    yield "a layout without objects costs 0, and nothing is divided by 0"
    expect_number(object_loss(real, fake, torch.zeros_like(kinds)), 0.0, "not NaN")

    yield "the value and the gradients are right on random logits"
    some = torch.randint(0, 4, (5, 8), generator=torch.Generator().manual_seed(1))
    expect_same(object_loss, objects.answer, torch.randn(5, 8), torch.randn(5, 8), some)


@objects.solution
def object_loss(real_logits, fake_logits, kinds):
    """Weigh each slot by 1 or 0, and divide by the number of objects."""
    there = (kinds > 0).float()
    loss = F.relu(1 - real_logits) + F.relu(1 + fake_logits)
    return (loss * there).sum() / there.sum().clamp(min=1)


@exercise("16.4", "Predict: crops, shares and boxes that grow")
def numbers(answer):
    """Expect a dict of five numbers."""
    expect_names(answer, {"first", "second", "share", "alone", "calls"})
    hints = {
        "first": "two parts of 2 pixels each, from 2 to 6: the middle of the first is at 3, and "
        "pixel i has its middle at i + 1/2",
        "second": "as the first, with the middle of the second part",
        "share": "its mask over the sum of both",
        "alone": "its mask over the sum of all, which is itself",
        "calls": "each call adds the left side once more to what it takes for the width",
    }
    for name, right in numbers.answer.items():
        yield f"{name} is right"
        expect_number(answer[name], right, hints[name], atol=0.005)


numbers.solution(
    {"first": 2.5, "second": 4.5, "share": 0.8, "alone": 1.0, "calls": 0.8},
    "The two places are 3 and 5 from the left edge; pixel i holds the value i and has its middle "
    "at i + 0.5, so they fall between pixels 2 and 3, and 4 and 5: 2.5 and 4.5. 0.8 / (0.2 + 0.8) "
    "= 0.8. A mask with no rival is divided by itself: 1, however faint it is. Each call adds the "
    "left side, 0.2, to the third number: 0.2, 0.4, 0.6, 0.8.",
)


def broken_object_loss(judge, x, boxes, kinds):
    """Return G's loss of the objects in x, with two faults.

    ``judge(x, boxes, kinds)`` returns logits, (N, S); it takes boxes as two corners. ``boxes`` are
    (N, S, 4): left, top, width, height. Kind 0 is an empty slot.
    """
    boxes[..., 2] += boxes[..., 0]
    boxes[..., 3] += boxes[..., 1]
    return -judge(x, boxes, kinds).mean()


class _Judge(nn.Module):
    """A small D: the mean of a picture, weighted by its distance from the middle of each box."""

    def __init__(self):
        super().__init__()
        self.kinds = nn.Embedding(5, 3)

    def forward(self, x, boxes, kinds):
        side = x.shape[-1]
        line = (torch.arange(side) + 0.5) / side
        left, top, right, bottom = (edge[..., None] for edge in boxes.unbind(-1))
        across = torch.exp(-20 * (line - (left + right) / 2) ** 2)
        down = torch.exp(-20 * (line - (top + bottom) / 2) ** 2)
        seen = torch.einsum("nchw,nsh,nsw->nsc", x, down, across) / side
        return (seen * self.kinds(kinds)).sum(2)


@exercise("16.5", "Diagnose: objects that drift away from their boxes")
def mended(loss):
    """Expect ``loss(judge, x, boxes, kinds)``."""
    judge, x, boxes = _Judge(), torch.randn(4, 3, 8, 8), _layout(seed=3)
    kinds = torch.tensor([[1, 2, 3], [4, 1, 0], [2, 0, 0], [3, 0, 0]])
    kept = boxes.clone()

    yield "the boxes that it is given stay as they are"
    found = reading.tensor(loss(judge, x, boxes, kinds))
    assert torch.equal(boxes, kept), "the boxes have grown: the next network gets these"

    yield "the judge is asked about the two corners of each box, whatever else is mended"
    asked = []

    def spy(x, boxes, kinds):
        asked.append(boxes.detach().clone())
        return judge(x, boxes, kinds)

    loss(spy, x, kept.clone(), kinds)
    assert asked, "the judge is not asked"
    filled = kinds > 0
    wanted = torch.cat([kept[..., :2], kept[..., :2] + kept[..., 2:]], -1)
    if asked[0].shape == wanted.shape:
        expect(asked[0][filled], wanted[filled])

    yield "empty slots do not count"
    right = mended.answer(judge, x, kept, kinds)
    hint = "divide by the number of objects, not of slots"
    assert abs(found.item() - right.item()) < 1e-4, hint

    yield "the gradients are right: that of the picture, and those of the judge's weights"
    grads = []
    for function in (loss, mended.answer):
        judge.zero_grad()
        picture = x.clone().requires_grad_()
        value = reading.tensor(function(judge, picture, kept.clone(), kinds))
        assert value.requires_grad, "no gradient comes back from it"
        value.backward()
        weights = judge.kinds.weight.grad
        grads.append((picture.grad, torch.zeros(5, 3) if weights is None else weights.clone()))
    for mine, true in zip(*grads, strict=True):
        assert torch.allclose(mine, true, rtol=1e-3, atol=1e-5), "one of them is another's"


@mended.solution
def mended_object_loss(judge, x, boxes, kinds):
    """Make new boxes, and take the mean over the slots that hold an object."""
    corner, size = boxes[..., :2], boxes[..., 2:]
    logits = judge(x, torch.cat([corner, corner + size], -1), kinds)
    there = (kinds > 0).to(logits)
    return -(logits * there).sum() / there.sum().clamp(min=1)


mended.why = (
    "The two lines with += write into the tensor of the caller. The next call takes right for "
    "width, and adds left once more: the boxes grow with every call, of D and of G. And the mean "
    "over all slots lets what D says of empty slots teach G."
)
