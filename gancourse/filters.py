"""Find the filters of a generator that draw an object, and generate without them.

After Radford et al. 2016 (arXiv:1511.06434), section 6.3.1.
"""

from contextlib import contextmanager

import torch

from gancourse.errors import CourseError
from gancourse.latent import separating


@contextmanager
def watched(layer):
    """Record a layer's outputs inside the block, in a list with one tensor for each pass."""
    caught = []
    handle = layer.register_forward_hook(lambda module, inputs, output: caught.append(output))
    try:
        yield caught
    finally:
        handle.remove()


@contextmanager
def dropped(layer, drop):
    """Set some feature maps of a layer to 0 inside the block, at every pixel.

    Parameters
    ----------
    layer : torch.nn.Module
        Its output is feature maps (N, channels, H, W).
    drop : torch.Tensor
        The maps to set to 0: bool, (channels,), True for those maps; or int64, their numbers.
    """

    def without(module, inputs, maps):
        keep = torch.ones_like(maps[0, :, 0, 0])
        keep[drop.to(keep.device)] = 0
        return maps * keep.view(1, -1, 1, 1)

    handle = layer.register_forward_hook(without)
    try:
        yield
    finally:
        handle.remove()


def responsible(maps, box, present):
    """Rank the filters of a layer by how well their maps predict an object.

    A logistic regression predicts from the activations at each pixel of the box whether the
    picture shows the object. (The authors' regression predicts whether a pixel lies in a box.)

    Parameters
    ----------
    maps : float torch.Tensor, (N, channels, H, W)
        The layer's output for N pictures.
    box : four numbers in [0, 1]
        Left, top, right and bottom of the place where the object is or would be, as shares of
        the picture's sides.
    present : bool torch.Tensor, (N,)
        Whether each picture shows the object.

    Returns
    -------
    order : int64 torch.Tensor, (channels,)
        The filters by descending weight: the first is the best evidence for the object.
    weights : float torch.Tensor, (channels,)
        The weights of the regression, for activations of variance 1.

    Raises
    ------
    CourseError
        If all pictures show the object, or none does.
    """
    if present.all() or not present.any():
        count = "all" if present.all() else "none"
        raise CourseError(
            f"{count} of the {len(present)} pictures show the object: to find the filters that "
            "draw it, give some pictures that show it and some that do not."
        )
    height, width = maps.shape[2:]
    left, top, right, bottom = box
    columns = slice(int(left * width), max(int(left * width) + 1, round(right * width)))
    rows = slice(int(top * height), max(int(top * height) + 1, round(bottom * height)))
    inside = maps[:, :, rows, columns].flatten(2).transpose(1, 2)  # (N, places, channels)
    answers = present[:, None].expand(-1, inside.shape[1]).reshape(-1, 1)
    x = inside.flatten(0, 1)
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    weights = separating(x, answers).squeeze(1)
    return weights.argsort(descending=True), weights
