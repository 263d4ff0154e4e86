"""Right and wrong answers to the exercises of lesson 16."""

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers
from torchvision.ops import box_convert

from gancourse.exercises.lesson_16 import broken_object_loss

answers = Answers(16)


# 16.1: corners


@answers.accept("16.1")
def by_torchvision(boxes):
    return box_convert(boxes, "xywh", "xyxy")


@answers.accept("16.1")
def edge_by_edge(boxes):
    left, top, width, height = boxes.unbind(-1)
    return torch.stack([left, top, left + width, top + height], -1)


@answers.accept("16.1")
def by_a_matrix(boxes):
    mix = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]])
    return boxes @ mix


@answers.accept("16.1")
def in_a_copy(boxes):
    boxes = boxes.clone()
    boxes[..., 2:] += boxes[..., :2]
    return boxes


@answers.accept("16.1")
def by_padding(boxes):
    return boxes + F.pad(boxes[..., :2], (2, 0))


@answers.accept("16.1")
def by_a_running_sum(boxes):
    return boxes.unflatten(-1, (2, 2)).cumsum(-2).flatten(-2)


@answers.refuse("16.1")
def in_place(boxes):
    boxes[..., 2:] += boxes[..., :2]
    return boxes


@answers.refuse("16.1")
def in_place_through_a_view(boxes):
    left, top, width, height = boxes.unbind(-1)
    width += left
    height += top
    return boxes


@answers.refuse("16.1")
def detached(boxes):
    return box_convert(boxes.detach(), "xywh", "xyxy")


@answers.refuse("16.1")
def for_three_dimensions_alone(boxes):
    N, S, _ = boxes.shape
    return torch.cat([boxes[:, :, :2], boxes[:, :, :2] + boxes[:, :, 2:]], 2).view(N, S, 4)


@answers.refuse("16.1")
def crossed(boxes):
    left, top, width, height = boxes.unbind(-1)
    return torch.stack([left, top, left + height, top + width], -1)


@answers.refuse("16.1")
def around_the_middle(boxes):
    return box_convert(boxes, "cxcywh", "xyxy")


# 16.2: ISLA


@answers.accept("16.2")
def with_broadcasting(x, gamma, beta, masks):
    w = masks[:, :, None] / (masks[:, :, None].sum(1, keepdim=True) + 1e-6)
    scale = (gamma[..., None, None] * w).sum(1) + 1
    return scale * x + (beta[..., None, None] * w).sum(1)


@answers.accept("16.2")
def object_by_object(x, gamma, beta, masks):
    whole = masks.sum(1).clamp(min=1e-6)
    scale = shift = 0.0
    for s in range(masks.shape[1]):
        share = (masks[:, s] / whole)[:, None]
        scale = scale + share * gamma[:, s, :, None, None]
        shift = shift + share * beta[:, s, :, None, None]
    return x + scale * x + shift


@answers.accept("16.2")
def with_matrix_products(x, gamma, beta, masks):
    shares = (masks / (masks.sum(1, keepdim=True) + 1e-6)).flatten(2)
    both = torch.cat([gamma, beta], 2).mT @ shares
    scale, shift = both.view(len(x), -1, *x.shape[2:]).chunk(2, 1)
    return torch.addcmul(x + shift, scale, x)


@answers.accept("16.2")
def divided_at_the_end(x, gamma, beta, masks):
    whole = masks.sum(1)[:, None] + 1e-6
    scale = torch.einsum("nsc,nshw->nchw", gamma, masks) / whole
    shift = torch.einsum("nsc,nshw->nchw", beta, masks) / whole
    return (1 + scale) * x + shift


@answers.accept("16.2")
def picture_by_picture(x, gamma, beta, masks):
    rows = []
    for one, g, b, m in zip(x, gamma, beta, masks, strict=True):
        share = m / (m.sum(0) + 1e-6)
        scale, shift = (torch.tensordot(values, share, ([0], [0])) for values in (g, b))
        rows.append(one * (1 + scale) + shift)
    return torch.stack(rows)


@answers.refuse("16.2")
def without_the_division(x, gamma, beta, masks):
    spread = "nsc,nshw->nchw"
    return (1 + torch.einsum(spread, gamma, masks)) * x + torch.einsum(spread, beta, masks)


@answers.refuse("16.2")
def gain_without_the_1(x, gamma, beta, masks):
    shares = masks / (masks.sum(1, keepdim=True) + 1e-6)
    spread = "nsc,nshw->nchw"
    return torch.einsum(spread, gamma, shares) * x + torch.einsum(spread, beta, shares)


@answers.refuse("16.2")
def divided_by_nothing(x, gamma, beta, masks):
    shares = masks / masks.sum(1, keepdim=True)
    spread = "nsc,nshw->nchw"
    return (1 + torch.einsum(spread, gamma, shares)) * x + torch.einsum(spread, beta, shares)


@answers.refuse("16.2")
def by_softmax(x, gamma, beta, masks):
    shares = masks.softmax(1)
    spread = "nsc,nshw->nchw"
    return (1 + torch.einsum(spread, gamma, shares)) * x + torch.einsum(spread, beta, shares)


@answers.refuse("16.2")
def the_nearest_object_takes_all(x, gamma, beta, masks):
    shares = F.one_hot(masks.argmax(1), masks.shape[1]).permute(0, 3, 1, 2).float()
    spread = "nsc,nshw->nchw"
    return (1 + torch.einsum(spread, gamma, shares)) * x + torch.einsum(spread, beta, shares)


@answers.refuse("16.2")
def divided_by_the_number_of_objects(x, gamma, beta, masks):
    shares = masks / masks.shape[1]
    spread = "nsc,nshw->nchw"
    return (1 + torch.einsum(spread, gamma, shares)) * x + torch.einsum(spread, beta, shares)


# 16.3: the loss of objects


@answers.accept("16.3")
def of_chosen_rows(real_logits, fake_logits, kinds):
    real, fake = real_logits[kinds > 0], fake_logits[kinds > 0]
    if not len(real):
        return real_logits.sum() * 0
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


@answers.accept("16.3")
def with_where(real_logits, fake_logits, kinds):
    loss = (1 - real_logits).clamp(min=0) + (1 + fake_logits).clamp(min=0)
    there = kinds != 0
    return torch.where(there, loss, 0.0).sum() / max(1, there.sum().item())


@answers.accept("16.3")
def with_nanmean(real_logits, fake_logits, kinds):
    loss = F.relu(1 - real_logits) + F.relu(1 + fake_logits)
    empty = kinds == 0
    return 0.0 if empty.all() else loss.masked_fill(empty, torch.nan).nanmean()


@answers.accept("16.3")
def by_weights(real_logits, fake_logits, kinds):
    weights = kinds.sign().float()
    weights = weights / weights.sum().clamp(min=1)
    both = torch.stack([1 - real_logits, 1 + fake_logits])
    return (both.relu() * weights).sum()


@answers.accept("16.3")
def slot_by_slot(real_logits, fake_logits, kinds):
    total, count = 0.0, 0
    for r, f, k in zip(real_logits.flatten(), fake_logits.flatten(), kinds.flatten(), strict=True):
        if k > 0:
            total, count = total + F.relu(1 - r) + F.relu(1 + f), count + 1
    return total / max(count, 1)


@answers.refuse("16.3")
def over_all_slots(real_logits, fake_logits, kinds):
    return (F.relu(1 - real_logits) + F.relu(1 + fake_logits)).mean()


@answers.refuse("16.3")
def divided_by_all_slots(real_logits, fake_logits, kinds):
    there = (kinds > 0).float()
    return ((F.relu(1 - real_logits) + F.relu(1 + fake_logits)) * there).mean()


@answers.refuse("16.3")
def mean_of_means(real_logits, fake_logits, kinds):
    there = (kinds > 0).float()
    loss = (F.relu(1 - real_logits) + F.relu(1 + fake_logits)) * there
    return (loss.sum(1) / there.sum(1).clamp(min=1)).mean()


@answers.refuse("16.3")
def logits_masked_before_the_loss(real_logits, fake_logits, kinds):
    there = (kinds > 0).float()
    loss = F.relu(1 - real_logits * there) + F.relu(1 + fake_logits * there)
    return loss.sum() / there.sum().clamp(min=1)


@answers.refuse("16.3")
def not_a_number_without_objects(real_logits, fake_logits, kinds):
    there = kinds > 0
    return F.relu(1 - real_logits[there]).mean() + F.relu(1 + fake_logits[there]).mean()


@answers.refuse("16.3")
def signs_turned(real_logits, fake_logits, kinds):
    there = (kinds > 0).float()
    loss = F.relu(1 + real_logits) + F.relu(1 - fake_logits)
    return (loss * there).sum() / there.sum().clamp(min=1)


# 16.4: numbers

answers.accept(
    "16.4",
    {"first": 2.5, "second": 4.5, "share": 0.8, "alone": 1, "calls": 0.8},
    {"first": "2.5", "second": "4.5", "share": "80 %", "alone": "1.0", "calls": ".8"},
    {"first": 5 / 2, "second": 9 / 2, "share": 4 / 5, "alone": 0.999, "calls": 4 / 5},
    {"calls": torch.tensor(0.8), "alone": torch.tensor([1.0]), "share": np.float32(0.8),
     "second": [4.5], "first": np.float64(2.5)},
    {"first": "+2.5", "second": 4.5, "share": 0.8, "alone": "100 %", "calls": (0.8,)},
)  # fmt: skip
answers.refuse(
    "16.4",
    {"first": 3, "second": 5, "share": 0.8, "alone": 1, "calls": 0.8},
    {"first": 2.5, "second": 4.5, "share": 0.2, "alone": 1, "calls": 0.8},
    {"first": 2.5, "second": 4.5, "share": 0.8, "alone": 0.01, "calls": 0.8},
    {"first": 2.5, "second": 4.5, "share": 0.8, "alone": 1, "calls": 0.6},
    {"first": 2, "second": 4, "share": 0.8, "alone": 1, "calls": 0.8},
    {"first": 2.5, "second": 4.5, "share": 0.8, "alone": 1},
)


# 16.5: the broken loss


def two_corners(boxes):
    return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)


@answers.accept("16.5")
def with_chosen_logits(judge, x, boxes, kinds):
    return -judge(x, two_corners(boxes), kinds)[kinds > 0].mean()


@answers.accept("16.5")
def in_a_clone(judge, x, boxes, kinds):
    boxes = boxes.clone()
    boxes[..., 2:] += boxes[..., :2]
    logits = judge(x, boxes, kinds)
    return (-logits * (kinds != 0)).sum() / (kinds != 0).sum()


@answers.accept("16.5")
def through_torchvision(judge, x, boxes, kinds):
    logits = judge(x, box_convert(boxes, "xywh", "xyxy"), kinds)
    return logits.masked_select(kinds.bool()).neg().mean()


@answers.accept("16.5")
def with_empty_boxes_left_out(judge, x, boxes, kinds):
    there = (kinds > 0).float()
    boxes = two_corners(boxes) * there[..., None]
    return -(judge(x, boxes, kinds) * there).sum() / there.sum()


@answers.accept("16.5")
def put_back_afterwards(judge, x, boxes, kinds):
    kept = boxes.clone()
    corners = two_corners(boxes)
    logits = judge(x, corners, kinds)
    boxes.copy_(kept)
    weights = (kinds > 0) / (kinds > 0).sum()
    return -(weights * logits).sum()


answers.refuse("16.5", broken_object_loss)


@answers.refuse("16.5")
def still_in_place(judge, x, boxes, kinds):
    boxes[..., 2:] += boxes[..., :2]
    return -judge(x, boxes, kinds)[kinds > 0].mean()


@answers.refuse("16.5")
def still_over_all_slots(judge, x, boxes, kinds):
    return -judge(x, two_corners(boxes), kinds).mean()


@answers.refuse("16.5")
def boxes_not_converted(judge, x, boxes, kinds):
    return -judge(x, boxes, kinds)[kinds > 0].mean()


@answers.refuse("16.5")
def sum_in_place_of_the_mean(judge, x, boxes, kinds):
    return -judge(x, two_corners(boxes), kinds)[kinds > 0].sum()


@answers.refuse("16.5")
def without_a_gradient(judge, x, boxes, kinds):
    return -judge(x.detach(), two_corners(boxes), kinds)[kinds > 0].mean()


@answers.refuse("16.5")
def divided_by_the_slots(judge, x, boxes, kinds):
    return -(judge(x, two_corners(boxes), kinds) * (kinds > 0)).mean()


test_right, test_wrong, test_enough = answers.tests()
