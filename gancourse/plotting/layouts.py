"""Layouts as pictures: boxes and masks of objects, in a colour for each kind."""

import torch

# Of kinds 1, 2, ...; further ones begin again. Those of the scenes' kinds are near the things'.
COLOURS = (
    (255, 196, 20),
    (150, 190, 235),
    (214, 64, 52),
    (170, 74, 170),
    (150, 92, 50),
    (98, 190, 70),
    (24, 110, 84),
    (52, 96, 214),
)
PAPER = 244  # grey


def colours_of(kinds):
    """Return the colour of each kind, float (..., 3) in [-1, 1], for kinds from 1; 0 is paper."""
    table = torch.tensor([(PAPER,) * 3, *COLOURS]) / 127.5 - 1
    kinds = kinds.cpu()
    return table[torch.where(kinds > 0, (kinds - 1) % len(COLOURS) + 1, 0)]


def blend_masks(masks, kinds):
    """Draw masks in the colours of their kinds on paper.

    Parameters
    ----------
    masks : Tensor, (N, S, H, W)
        From 0 to 1; where their sum is above 1, they are divided by it.
    kinds : Tensor, (N, S)
        From 1; 0 for an empty slot.

    Returns
    -------
    Tensor, (N, 3, H, W)
        In [-1, 1], on the CPU.
    """
    masks = (masks * (kinds > 0)[..., None, None]).cpu()
    masks = masks / masks.sum(1, keepdim=True).clamp(min=1)
    paper = colours_of(torch.zeros(1, dtype=torch.int64))[0, 0]
    return (paper + torch.einsum("nshw,nsc->nchw", masks, colours_of(kinds) - paper)).clamp(-1, 1)


def draw_layouts(boxes, kinds, side):
    """Draw boxes in the colours of their kinds, those of small objects above those of large ones.

    Parameters
    ----------
    boxes : Tensor, (N, S, 4)
        Left, top, right, bottom, from 0 to 1; all -1 in an empty slot.
    kinds : Tensor, (N, S)
        From 1; 0 for an empty slot.
    side : int
        Pixels across and down.

    Returns
    -------
    Tensor, (N, 3, side, side)
        In [-1, 1].
    """
    pictures = torch.full((len(boxes), 3, side, side), PAPER / 127.5 - 1)
    colours, size = colours_of(kinds), boxes[..., 2:] - boxes[..., :2]
    for n, order in enumerate((-size.prod(2)).argsort(1).tolist()):
        for s in order:
            if kinds[n, s] > 0 and boxes[n, s, 0] >= 0:
                left, top, right, bottom = (boxes[n, s] * side).round().int().tolist()
                right, bottom = max(right, left + 1), max(bottom, top + 1)
                pictures[n, :, top:bottom, left:right] = colours[n, s, :, None, None] * 0.6 - 0.4
                inside = pictures[n, :, top + 1 : bottom - 1, left + 1 : right - 1]
                inside[:] = colours[n, s, :, None, None]
    return pictures
