"""Trained generators: those that ship with the course, and those of your own runs.

>>> g = pretrained("vanilla-digits")
>>> g.sample(4, seed=1).shape
torch.Size([4, 1, 28, 28])
>>> g = pretrained("pix2pix-sketch2face")
>>> g.translate(torch.ones(1, 1, 64, 64)).shape
torch.Size([1, 3, 64, 64])
"""

from pathlib import Path

from gancourse import gans, metrics
from gancourse.data import shipped
from gancourse.errors import CheckpointError, choose, printable
from gancourse.files import statefile, weights
from gancourse.trained import card as cards
from gancourse.trained import vgg
from gancourse.trained.generator import TrainedGenerator
from gancourse.trained.trial import samples_at_once
from gancourse.training.gan import GAN
from gancourse.training.runtime import find_device

__all__ = ["FOLDER", "TrainedGenerator", "frozen_for", "load", "names", "pretrained"]

FOLDER = "pretrained"  # inside data/


def names():
    """Return the names of the generators that ship."""
    return sorted(path.stem for path in shipped(FOLDER).glob("*.safetensors"))


def pretrained(name, device="cpu"):
    """Return a trained generator that ships with the course.

    Parameters
    ----------
    name : str
        The model and its data, as in "dcgan-toons".
    device : str or torch.device
        Where to put the weights.

    Returns
    -------
    TrainedGenerator

    Raises
    ------
    CourseError
        If there is no such generator, or its file is missing or damaged.
    """
    choose("pretrained generator", name, names())
    return load(shipped(f"{FOLDER}/{name}.safetensors"), device)


def frozen_for(module, device="cpu", cfg=None):
    """Return the frozen networks of a GAN, as the keyword argument of its ``build``.

    Parameters
    ----------
    module : module
        The GAN's file; what it declares as FROZEN is loaded.
    device : str or torch.device
    cfg : Config, optional
        A field with the name of a frozen network takes the place of the declaration.

    Returns
    -------
    dict
        ``{"frozen": {name: network}}``; empty where nothing is declared.
    """
    kinds = {
        "judge": lambda name: metrics.load_judge(name).net,
        "pretrained": lambda name: pretrained(name).netG,
        "vgg19": lambda name: vgg.load(),
    }
    networks = {}
    for name, what in gans.frozen(module).items():
        what = getattr(cfg, name, what)
        kind, _, which = what.partition(":")
        network = kinds[choose("kind of frozen network", kind, kinds)](which)
        networks[name] = network.to(device).eval().requires_grad_(False)
    return {"frozen": networks} if networks else {}


def load(path, device="cpu"):
    """Return the trained generator in a file or in the folder of a run.

    The file holds numbers and text, and no code. Nothing that its card asks for is allocated before
    it was compared with the shapes that the file has, and no weight is read before. The random
    state stays as it is.

    Parameters
    ----------
    path : str or pathlib.Path
        ``generator.safetensors`` of a run, or the run's folder.
    device : str or torch.device

    Returns
    -------
    TrainedGenerator

    Raises
    ------
    CheckpointError
        If the file is missing or damaged, holds something else, or comes from another version; if
        its card, its configuration and its weights contradict each other, or a weight is not
        finite.
    """
    path, device = Path(path), find_device(device)
    path = path / "generator.safetensors" if path.is_dir() else path
    made = []
    states, _ = statefile.load(path, lambda *read: made.append(_networks_of(path, *read)))
    gan, module, card, at_once = made[0]
    for name in module.PUBLISHED:
        net = getattr(gan, name)
        weights.fill(net, states[name], f"{name} of {path}")
        net.to(device).eval().requires_grad_(False)
    gan.frozen = frozen_for(module, device).get("frozen", {})
    gan.step = card["step"]
    return TrainedGenerator(gan, module, card, at_once=at_once, path=path)


def _networks_of(path, states, header):
    """Return a GAN on the meta device, its file, its card, and how many samples it draws at once.

    Raises
    ------
    CheckpointError
        If the card, the configuration and the shapes of the weights contradict each other.
    """
    card = header.get("card")
    module, cfg = cards.read(card, path)
    if not isinstance(states, dict) or states.keys() != {*module.PUBLISHED}:
        found = printable(", ".join(map(str, states)) if isinstance(states, dict) else "", 80)
        raise CheckpointError(
            f"{path} holds {found or 'nothing'}, but {card['model']} publishes "
            f"{', '.join(module.PUBLISHED)}. Train it again."
        )
    nothing = f"the configuration in {path} makes no networks"
    with weights.computing(nothing), weights.shapes_only():
        networks = module.networks(cfg)
    published = {name: networks[name] for name in module.PUBLISHED}
    for name, net in published.items():
        weights.compare(net, states[name], f"{name} of {path}")
    gan = GAN(cfg, module.PUBLISHED, **frozen_for(module, weights.META), **published)
    return gan, module, card, samples_at_once(gan, module, path)
