"""The feature maps of torchvision's VGG19, a download of 575 MB: SRGAN's loss at paper scale."""

import pickle

import torch
from torch import nn

from gancourse.errors import CourseError
from gancourse.files.cache import cache_folder, locked

# What the ImageNet weights expect, for pictures in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Features(nn.Module):
    """The convolutions of VGG19 (Simonyan and Zisserman 2015, arXiv:1409.1556).

    Parameters
    ----------
    layers : torch.nn.Sequential
        ``features`` of torchvision's VGG19.
    """

    def __init__(self, layers):
        super().__init__()
        self.layers = layers
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def encode(self, images):
        """Return the last feature map before each pooling, after its ReLU, the finest first.

        SRGAN's phi_2,2 is number 1 and its phi_5,4 number 4, counted from 0.

        Parameters
        ----------
        images : Tensor, (N, 3, H, W)
            In [-1, 1]; sides of at least 16 pixels.

        Returns
        -------
        list of Tensor
            From (N, 64, H, W) to (N, 512, H / 16, W / 16).
        """
        h, maps = ((images + 1) / 2 - self.mean) / self.std, []
        for layer in self.layers:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(h)
            h = layer(h)
        return maps


def load(url=None):
    """Return the features of VGG19, downloaded if they are not in the cache folder yet.

    Parameters
    ----------
    url : str, optional
        Of the weights; torchvision's if left out. PyTorch writes the first eight digits of a file's
        SHA-256 into its name, and they are checked.

    Returns
    -------
    Features

    Raises
    ------
    CourseError
        If the file cannot be downloaded, is damaged, or holds other weights.
    """
    from torchvision.models import VGG19_Weights, vgg19  # takes seconds to import

    url = url or VGG19_Weights.IMAGENET1K_V1.url
    folder = cache_folder() / "vgg19"
    with torch.device("meta"):
        layers = vgg19(weights=None).features
    try:
        with locked(folder):
            state = torch.hub.load_state_dict_from_url(
                url, folder, map_location="cpu", check_hash=True, weights_only=True
            )
    except (OSError, RuntimeError) as problem:
        raise CourseError(
            f"the weights of VGG19 could not be loaded from {url}: {problem}. Check the "
            f"connection, or bring the file from another machine to {folder}."
        ) from problem
    except pickle.UnpicklingError as problem:
        raise CourseError(f"{folder} holds no weights: {problem}. Delete it.") from problem
    prefix = "features."
    state = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
    try:
        layers.load_state_dict(state, assign=True)
    except RuntimeError as problem:
        raise CourseError(f"{url} does not hold the weights of VGG19: {problem}") from problem
    return Features(layers)
