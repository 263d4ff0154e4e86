"""Right and wrong answers to the exercises of lesson 17."""

import numpy as np
import torch
from answers import Answers

from gancourse.exercises.lesson_17 import broken_passes
from gancourse.gans.instagan import encode_set, outside

answers = Answers(17)


# 17.1: the features of a set of masks


@answers.accept("17.1")
def in_loops(net, masks):
    rows = []
    for picture in masks:
        found = [net(mask[None, None])[0] for mask in picture if (mask > -1).any()]
        rows.append(torch.stack(found).sum(0))
    return torch.stack(rows)


@answers.accept("17.1")
def by_einsum(net, masks):
    there = (masks.amax((2, 3)) > -1).float()
    each = net(masks.reshape(-1, 1, *masks.shape[2:])).reshape(*masks.shape[:2], 3, 6, 6)
    return torch.einsum("nk,nkchw->nchw", there, each)


@answers.accept("17.1")
def slot_by_slot(net, masks):
    total = 0
    for k in range(masks.shape[1]):
        mask = masks[:, k : k + 1]
        total = total + net(mask) * (mask.amax((1, 2, 3), keepdim=True) > -1)
    return total


@answers.accept("17.1")
def of_present_ones_alone(net, masks):
    rows, slots = torch.where((masks > -1).flatten(2).any(2))
    each = net(masks[rows, slots][:, None])
    return torch.zeros(len(masks), *each.shape[1:]).index_add(0, rows, each)


@answers.accept("17.1")
def of_the_package(net, masks):
    return encode_set(net, masks)[1]


@answers.accept("17.1")
def as_a_mean_times_the_count(net, masks):
    there = (masks != -1).flatten(2).any(2).float()
    each = net(masks.flatten(0, 1).unsqueeze(1)).unflatten(0, masks.shape[:2])
    mean = (each * there[..., None, None, None]).sum(1) / there.sum(1)[:, None, None, None]
    return mean * there.sum(1).view(-1, 1, 1, 1)


@answers.refuse("17.1")
def summed_over_the_batch(net, masks):
    """The authors' way, which is right for a batch of one alone."""
    each = net(masks.flatten(0, 1)[:, None])[(masks > -1).flatten(2).any(2).flatten()]
    return each.sum(0, keepdim=True)


@answers.refuse("17.1")
def as_a_mean(net, masks):
    there = (masks > -1).flatten(2).any(2).float()[:, :, None, None, None]
    each = net(masks.flatten(0, 1)[:, None]).unflatten(0, masks.shape[:2])
    return (each * there).sum(1) / there.sum(1)


@answers.refuse("17.1")
def with_empty_slots(net, masks):
    return net(masks.flatten(0, 1)[:, None]).unflatten(0, masks.shape[:2]).sum(1)


@answers.refuse("17.1")
def of_the_union(net, masks):
    return net(masks.amax(1, keepdim=True))


@answers.refuse("17.1")
def the_largest_feature(net, masks):
    return net(masks.flatten(0, 1)[:, None]).unflatten(0, masks.shape[:2]).amax(1)


@answers.refuse("17.1")
def weighted_by_place(net, masks):
    each = net(masks.flatten(0, 1)[:, None]).unflatten(0, masks.shape[:2])
    there = (masks > -1).flatten(2).any(2).float()
    weight = there / torch.arange(1, masks.shape[1] + 1)
    return (each * weight[:, :, None, None, None]).sum(1)


# 17.2: the weight of the context loss


@answers.accept("17.2")
def of_the_package_too(masks, made):
    return outside(masks, made)


@answers.accept("17.2")
def one_after_the_other(masks, made):
    union = torch.zeros_like(masks[:, 0])
    for mask in (*masks.unbind(1), *made.unbind(1)):
        union = union + (mask + 1) / 2
    return 1 - union.clamp(max=1)


@answers.accept("17.2")
def by_minimum(masks, made):
    union = (masks.add(1).sum(1, keepdim=True) + made.add(1).sum(1, keepdim=True)) / 2
    return torch.relu(1 - union)


@answers.accept("17.2")
def with_a_mean(masks, made):
    every = torch.cat([made, masks], 1)
    return 1 - ((every / 2 + 0.5).mean(1) * every.shape[1]).clip(0, 1)


@answers.accept("17.2")
def by_einsum_of_ones(masks, made):
    every = torch.cat([masks, made], 1).div(2).add(0.5)
    union = torch.einsum("nkhw,k->nhw", every, torch.ones(every.shape[1]))
    return (1 - union[:, None]).clamp(min=0)


@answers.refuse("17.2")
def of_the_masks_before(masks, made):
    return 1 - ((masks + 1) / 2).sum(1, keepdim=True).clamp(0, 1)


@answers.refuse("17.2")
def without_a_bound(masks, made):
    return 1 - ((torch.cat([masks, made], 1) + 1) / 2).sum(1, keepdim=True)


@answers.refuse("17.2")
def turned_around(masks, made):
    return ((torch.cat([masks, made], 1) + 1) / 2).sum(1, keepdim=True).clamp(0, 1)


@answers.refuse("17.2")
def as_if_masks_were_from_0_to_1(masks, made):
    return 1 - torch.cat([masks, made], 1).sum(1, keepdim=True).clamp(0, 1)


@answers.refuse("17.2")
def of_what_both_have(masks, made):
    before, after = (((m + 1) / 2).sum(1, keepdim=True).clamp(0, 1) for m in (masks, made))
    return 1 - before * after


@answers.refuse("17.2")
def with_a_threshold(masks, made):
    return (torch.cat([masks, made], 1).amax(1, keepdim=True) <= 0).float()


# 17.3: how often the count is kept


@answers.accept("17.3")
def with_numpy(masks, made):
    before, after = (np.asarray(m).max((2, 3)) > 0.5 for m in (masks, made))
    return np.mean(before.sum(1) == after.sum(1))


@answers.accept("17.3")
def in_python(masks, made):
    same = 0
    for a, b in zip(masks, made, strict=True):
        same += sum(bool((m > 0.5).any()) for m in a) == sum(bool((m > 0.5).any()) for m in b)
    return same / len(masks)


@answers.accept("17.3")
def by_rounding(masks, made):
    def count(m):
        return (m.amax((2, 3)) > 0.5).sum(1)

    return 1 - (count(masks) != count(made)).double().mean().item()


@answers.accept("17.3")
def by_areas(masks, made):
    counts = [((m > 0.5).sum((2, 3)) >= 1).sum(1) for m in (masks, made)]
    return torch.eq(*counts).float().mean()


@answers.accept("17.3")
def as_a_text(masks, made):
    before, after = ((m > 0.5).any(3).any(2).sum(1) for m in (masks, made))
    return f"{(before == after).double().mean().item():.10f}"


@answers.refuse("17.3")
def of_instances(masks, made):
    before, after = ((m > 0.5).flatten(2).any(2) for m in (masks, made))
    return (before & after).sum() / before.sum()


@answers.refuse("17.3")
def slot_by_slot_too(masks, made):
    before, after = ((m > 0.5).flatten(2).any(2) for m in (masks, made))
    return (before == after).all(1).float().mean()


@answers.refuse("17.3")
def without_a_threshold(masks, made):
    before, after = ((m > 0).flatten(2).any(2).sum(1) for m in (masks, made))
    return (before == after).float().mean()


@answers.refuse("17.3")
def nothing_lost(masks, made):
    before, after = ((m > 0.5).flatten(2).any(2).sum(1) for m in (masks, made))
    return (before <= after).float().mean()


@answers.refuse("17.3")
def of_the_totals(masks, made):
    before, after = ((m > 0.5).flatten(2).any(2).sum() for m in (masks, made))
    return after / before


# 17.4: sums, means and doing nothing

RIGHT = {"sum": 3, "mean": 1, "passes": 3, "identity": 0, "everything": 0}
answers.accept(
    "17.4",
    RIGHT,
    {name: float(value) for name, value in RIGHT.items()},
    {name: str(value) for name, value in RIGHT.items()},
    {name: torch.tensor(value) for name, value in RIGHT.items()},
    RIGHT | {"passes": "3 passes", "sum": [3]},
)
answers.refuse(
    "17.4",
    RIGHT | {"sum": 1},
    RIGHT | {"mean": 3},
    RIGHT | {"passes": 2.5},
    RIGHT | {"passes": 2},
    RIGHT | {"identity": 1},
    RIGHT | {"everything": 1},
    {name: value for name, value in RIGHT.items() if name != "mean"},
)


# 17.5: the passes


def has_one(some):
    return (some > -1).flatten(1).any(1)


@answers.accept("17.5")
def with_no_grad(netG, x, masks, per, loss):
    total = 0
    for first in range(0, masks.shape[1], per):
        some = masks[:, first : first + per]
        y, made = netG(x, some)
        has = has_one(some)
        total = total + (loss(y, made) * has).sum() / len(x)
        with torch.no_grad():
            x = x.clone()
            x[has] = y[has]
        x = x.detach()
    return total


@answers.accept("17.5")
def by_mixing(netG, x, masks, per, loss):
    losses = []
    for some in torch.split(masks, per, dim=1):
        y, made = netG(x, some)
        has = has_one(some).float()
        losses.append((loss(y, made) * has).mean())
        has = has.view(-1, 1, 1, 1)
        x = (has * y + (1 - has) * x).detach()
    return torch.stack(losses).sum()


@answers.accept("17.5")
def by_data(netG, x, masks, per, loss):
    total = torch.zeros(())
    for some in masks.split(per, 1):
        y, made = netG(x, some)
        has = has_one(some)
        total = total + torch.where(has, loss(y, made), torch.zeros(())).mean()
        x = torch.stack([(b if h else a).data for a, b, h in zip(x, y, has, strict=True)])
    return total


@answers.accept("17.5")
def recursively(netG, x, masks, per, loss):
    if not masks.shape[1]:
        return torch.zeros(())
    some, rest = masks[:, :per], masks[:, per:]
    y, made = netG(x, some)
    has = has_one(some)
    now = torch.where(has[:, None, None, None], y, x).detach()
    return (has * loss(y, made)).mean() + recursively(netG, now, rest, per, loss)


@answers.accept("17.5")
def with_the_pictures_first(netG, x, masks, per, loss):
    """All pictures without gradients, then the losses of all passes."""
    starts = []
    for some in masks.split(per, 1):
        starts.append(x.detach())
        with torch.no_grad():
            x = torch.where(has_one(some)[:, None, None, None], netG(x, some)[0], x)
    found = [0.0, starts]
    for start, some in zip(starts, masks.split(per, 1), strict=True):
        found[0] = found[0] + (has_one(some) * loss(*netG(start, some))).mean()
    return found[0]


answers.refuse("17.5", broken_passes)


@answers.refuse("17.5")
def detached_and_everywhere(netG, x, masks, per, loss):
    total = 0
    for some in masks.split(per, 1):
        y, made = netG(x, some)
        total = total + (has_one(some) * loss(y, made)).mean()
        x = y.detach()
    return total


@answers.refuse("17.5")
def where_it_should_but_with_the_graph(netG, x, masks, per, loss):
    total = 0
    for some in masks.split(per, 1):
        y, made = netG(x, some)
        total = total + (has_one(some) * loss(y, made)).mean()
        x = torch.where(has_one(some)[:, None, None, None], y, x)
    return total


@answers.refuse("17.5")
def each_from_the_first_picture(netG, x, masks, per, loss):
    total = 0
    for some in masks.split(per, 1):
        total = total + (has_one(some) * loss(*netG(x.detach(), some))).mean()
    return total


@answers.refuse("17.5")
def all_at_once(netG, x, masks, per, loss):
    return (has_one(masks) * loss(*netG(x, masks))).mean()


@answers.refuse("17.5")
def with_losses_everywhere(netG, x, masks, per, loss):
    total = 0
    for some in masks.split(per, 1):
        y, made = netG(x, some)
        total = total + loss(y, made).mean()
        x = torch.where(has_one(some)[:, None, None, None], y, x).detach()
    return total


@answers.refuse("17.5")
def of_the_last_pass(netG, x, masks, per, loss):
    for some in masks.split(per, 1):
        y, made = netG(x, some)
        total = (has_one(some) * loss(y, made)).mean()
        x = torch.where(has_one(some)[:, None, None, None], y, x).detach()
    return total


test_right, test_wrong, test_enough = answers.tests()
