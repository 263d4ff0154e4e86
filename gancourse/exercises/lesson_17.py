"""The exercises of lesson 17: InstaGAN."""

import copy

import torch
from torch import nn

from gancourse.exercises import exercise, expect, expect_names, expect_number, expect_same, reading
from gancourse.gans.instagan import present


class _Encoder(nn.Module):
    """A small encoder of masks, (M, 1, H, W): what is 0 for no mask is not."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 3, 3, padding=1)
        self.layer.bias.data += 0.5

    def forward(self, masks):
        return torch.relu(self.layer(masks))


def _squares(*counts, size=6):
    """Return masks (N, 4, size, size): rows with so many squares, the other slots empty."""
    masks = -torch.ones(len(counts), 4, size, size)
    for row, count in enumerate(counts):
        for k in torch.randperm(4)[:count].tolist():
            top, left = torch.randint(size - 2, (2,)).tolist()
            masks[row, k, top : top + 2, left : left + 3] = 1
    return masks


def _value(answer, *given):
    found = answer(*given)
    if found is None or found is ...:
        raise NotImplementedError
    return reading.tensor(found).detach()


@exercise("17.1", "Implement: the features of a set of masks")
def of_a_set(set_features):
    """Expect ``set_features(net, masks)``, with masks (N, K, H, W) in [-1, 1]."""
    net, masks = _Encoder(), _squares(3, 1, 4)
    right = of_a_set.answer(net, masks).detach()

    yield "it returns one map of features for each picture, (N, C, h, w)"
    found = _value(set_features, net, masks)
    assert found.shape == right.shape, f"the shape is {tuple(found.shape)}"

    yield "the order of the masks changes nothing"
    order = torch.tensor([2, 0, 3, 1])
    expect(_value(set_features, net, masks[:, order]), found, atol=1e-4)

    yield "slots without an instance (-1 everywhere) change nothing"
    more = torch.cat([masks, -torch.ones(3, 2, 6, 6)], 1)
    expect(_value(set_features, net, more), found, atol=1e-4)

    yield "a batch of three equals three batches of one"
    alone = torch.cat([_value(set_features, net, masks[row : row + 1]) for row in range(3)])
    expect(alone, found, atol=1e-4)

    yield "two equal trees have twice the features of one"
    one = torch.where(_squares(1).amax(1, keepdim=True) > 0, 1.0, -1.0)
    twice = _value(set_features, net, one.expand(-1, 2, -1, -1))
    expect(twice, 2 * _value(set_features, net, one), atol=1e-4)

    yield "values and gradients of the masks are right"
    expect_same(lambda m: set_features(net, m), lambda m: of_a_set.answer(net, m), masks, atol=1e-4)


@of_a_set.solution
def set_features(net, masks):
    """Encode all masks in one batch, and sum over the slots that hold an instance."""
    each = net(masks.flatten(0, 1)[:, None]).unflatten(0, masks.shape[:2])  # (N, K, C, h, w)
    there = (masks > -1).flatten(2).any(2)  # (N, K)
    return (each * there[:, :, None, None, None]).sum(1)


@exercise("17.2", "Implement: where the context loss counts")
def of_the_context(weight):
    """Expect ``weight(masks, made)``, both (N, K, H, W) in [-1, 1]."""
    masks, made = _squares(2, 1), _squares(1, 3)
    inside = torch.cat([masks, made], 1).amax(1, keepdim=True) > 0

    def at(answer, a, b):
        return _value(answer, a, b).reshape(len(a), 1, *a.shape[2:])

    yield "it is 1 outside of all instances, before and after"
    found = at(weight, masks, made)
    expect(found[~inside], torch.ones_like(found[~inside]))

    yield "it is 0 inside of an instance of the picture before, or of the one after"
    expect(found[inside], torch.zeros_like(found[inside]))

    yield "instances that overlap count once: no weight is below 0"
    one = torch.where(_squares(1).amax(1, keepdim=True) > 0, 1.0, -1.0)
    doubled = at(weight, one.expand(-1, 3, -1, -1), one)
    assert doubled.min() >= 0, f"it falls to {doubled.min().item():g}"

    yield "a mask that is half sure has half the weight"
    half = torch.zeros(1, 1, 6, 6)
    expect(at(weight, -torch.ones(1, 1, 6, 6), half), torch.full((1, 1, 6, 6), 0.5))

    yield "values and gradients are right for masks with soft edges"
    soft = [0.4 * torch.rand(2, 3, 6, 6) - 1 for _ in range(2)]
    expect_same(
        lambda a, b: reading.tensor(weight(a, b)).reshape(2, 1, 6, 6), of_the_context.answer, *soft
    )


@of_the_context.solution
def weight(masks, made):
    """Return 1 minus the union of all masks, which are brought to [0, 1] before."""
    union = ((torch.cat([masks, made], 1) + 1) / 2).sum(1, keepdim=True)
    return 1 - union.clamp(0, 1)


@exercise("17.3", "Implement: how often is the number of instances kept?")
def of_counts(count_kept):
    """Expect ``count_kept(masks, made)``, both (N, K, H, W) in [0, 1]."""
    before = (_squares(3, 2, 1, 4, 2) + 1) / 2
    yield "it is 1 where every mask stays as it is"
    expect_number(count_kept(before, before), 1.0, "nothing was lost", atol=1e-6)

    yield "a faint shadow, everywhere below 1/2, is no instance"
    expect_number(count_kept(before, 0.4 * before), 0.0, "none of the masks holds", atol=1e-6)

    yield "it counts pictures, and not instances: one lost tree of four spoils its picture"
    after = before.clone()
    after[3, before[3].flatten(1).any(1).nonzero()[0, 0]] = 0
    expect_number(count_kept(before, after), 0.8, "one picture of five has lost a tree", atol=1e-6)

    yield "an instance too many spoils a picture as well"
    after = before.clone()
    empty = (~before[2].flatten(1).any(1)).nonzero()[0, 0]
    after[2, empty, 2:4, 2:4] = 0.9
    expect_number(count_kept(before, after), 0.8, "one picture of five has a tree more", atol=1e-6)

    yield "the order of the masks changes nothing"
    expect_number(count_kept(before, before[:, [3, 1, 0, 2]]), 1.0, "count, don't match", atol=1e-6)

    yield "it is right for random masks"
    masks, made = torch.rand(2, 40, 3, 2, 2).mul(1.1).sub(0.4).clamp(0, 1)
    right = of_counts.answer(masks, made)
    expect_number(count_kept(masks, made), float(right), "random masks", atol=1e-6)


@of_counts.solution
def count_kept(masks, made):
    """Count the masks with a pixel above 1/2, and compare the counts of each picture."""
    before, after = ((m > 0.5).flatten(2).any(2).sum(1) for m in (masks, made))
    return (before == after).float().mean()


@exercise("17.4", "Predict: sums, means and doing nothing")
def predicted(answer):
    """Expect a dict of five numbers."""
    expect_names(answer, {"sum", "mean", "passes", "identity", "everything"})
    hints = {
        "sum": "three equal feature maps are added",
        "mean": "three equal feature maps are averaged",
        "passes": "two at a time: the last pass has one instance",
        "identity": "what has changed outside of the masks, if nothing has?",
        "everything": "where is the weight above 0, if a mask covers the picture?",
    }
    for name, right in predicted.answer.items():
        yield f"{name} is right"
        expect_number(answer[name], right, hints[name])


predicted.solution(
    {"sum": 3.0, "mean": 1.0, "passes": 3, "identity": 0.0, "everything": 0.0},
    "Three equal masks have three times the features of one under a sum, and the same under a "
    "mean: G and D could not tell a tree from a wood. Five instances, two at a time, take three "
    "passes. A G that returns its input has a context loss of 0, and so has one whose new mask "
    "covers the picture: the loss says where nothing may change, and not what must change. That "
    "is D's part; and the cycle asks for the old mask back, which a mask full of ones does not "
    "tell.",
)


def broken_passes(netG, x, masks, per, loss):
    """Translate instances in several passes; return the loss of all of them together.

    ``netG(x, masks)`` returns a picture and masks, ``loss(y, made)`` one number for each picture.
    Pictures that have no instance in a pass have no loss in it, and stay as they are.
    """
    total = 0.0
    for some in masks.split(per, 1):
        y, made = netG(x, some)
        has = present(some).amax(1)
        total = total + (has * loss(y, made)).mean()
        x = y
    return total


class _Painter(nn.Module):
    """A small G: paints a picture where its masks are."""

    def __init__(self):
        super().__init__()
        self.colour, self.grow = nn.Conv2d(2, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x, masks):
        total = (masks * present(masks)[:, :, None, None]).sum(1, keepdim=True)
        made = torch.tanh(self.grow(masks.flatten(0, 1)[:, None])).view_as(masks)
        return torch.tanh(x + self.colour(torch.cat([x, total], 1))), made


@exercise("17.5", "Diagnose: memory that grows with the number of instances")
def mended(passes):
    """Expect ``passes(netG, x, masks, per, loss)``."""
    net, x, masks = _Painter(), torch.rand(3, 1, 6, 6), _squares(4, 4, 4)
    masks[0, 2:] = -1  # nothing to do in the second pass

    def loss(y, made):
        return y.square().flatten(1).mean(1) + made.flatten(1).mean(1)

    def run(answer, given=masks, per=2):
        mine = copy.deepcopy(net)
        seen = []
        mine.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        total = answer(mine, x.clone().requires_grad_(), given.clone(), per, loss)
        if total is None or total is ...:
            raise NotImplementedError
        total = reading.tensor(total)
        if total.requires_grad:
            total.sum().backward()
        return total.detach(), seen, [p.grad for p in mine.parameters()]

    found, seen, grads = run(passes)
    right, true_seen, true_grads = run(mended.answer)

    yield "each pass starts from the picture that the one before has made"
    assert len(seen) > 1, f"{len(seen)} calls of netG, for four instances, two at a time"
    expect(seen[-1][1:], true_seen[-1][1:].detach(), atol=1e-5)

    yield "no graph leads back from a pass into the one before"
    assert seen[-1].grad_fn is None, "the picture of the first pass still holds its graph"

    yield "a picture that has no instance in a pass stays as it is"
    expect(seen[-1][:1], true_seen[-1][:1], atol=1e-5)
    _, later, _ = run(passes, torch.cat([masks, masks.flip(1)], 1))
    _, true_later, _ = run(mended.answer, torch.cat([masks, masks.flip(1)], 1))
    expect(later[-1], true_later[-1].detach(), atol=1e-5)

    yield "the loss and the gradients of G are right"
    expect(found, right, atol=1e-5)
    for mine, true in zip(grads, true_grads, strict=True):
        assert mine is not None, "nothing reaches a weight of G"
        assert torch.allclose(mine, true, rtol=1e-3, atol=1e-6), "G's gradient is another's"


@mended.solution
def mended_passes(netG, x, masks, per, loss):
    """Feed the picture on without its graph, and only where there was something to translate."""
    total = 0.0
    for some in masks.split(per, 1):
        y, made = netG(x, some)
        has = present(some).amax(1)
        total = total + (has * loss(y, made)).mean()
        x = torch.where(has[:, None, None, None] > 0, y, x).detach()
    return total


mended.why = (
    "With x = y the graph of every pass hangs on the next: memory grows with the instances, and "
    "the last loss pulls at all passes at once. And G moves a little also where it has no instance "
    "to translate: such a picture must stay as it is."
)
