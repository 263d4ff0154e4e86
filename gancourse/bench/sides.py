"""The two sides of the benchmark: our trainer, and the loop as tutorials write it.

Both train the same networks on the same pictures in batches of the same size, with the losses of
the GAN's own step function. They differ in what surrounds the arithmetic.
"""

import itertools

import torch
from torch.profiler import record_function
from torch.utils.data import DataLoader, Dataset

from gancourse import gans
from gancourse.fields import Pictures
from gancourse.training import runtime
from gancourse.training.ema import EMA
from gancourse.training.graphs import replayed
from gancourse.training.history import History
from gancourse.training.loop import Progress, go_on, intervals
from gancourse.training.progress import make_view
from gancourse.training.store import Store

TUTORIAL = "tutorial"
ROWS = 2_000  # of the data, at most, that the tutorial loop draws its batches from


class Ours:
    """Our training loop with its logs and checkpoints in memory, without pictures.

    Parameters
    ----------
    plan : gancourse.runs.Plan
    device : str
    seed : int
    **options
        Of :func:`gancourse.training.runtime.start`: precision, channels_last, compile.
    """

    def __init__(self, plan, device, seed=0, **options):
        self.run = runtime.start(device, seed, **options)
        self.gan = plan.build(self.run)
        self.gan.history = History()
        data = plan.data.to(self.run.device)
        step, steps = gans.step_function(plan.module, plan.cfg)
        self.step = replayed(step, self.gan, self.run)  # its graphs outlast a pause
        every = intervals(steps, log=None, sample=None, checkpoint=None, record=None)
        store = Patient(self.gan, self.run, data, steps, None, {})
        store.every = every["checkpoint"]
        view = make_view(0, steps, quiet=True)
        self.progress = Progress(self.gan, data, self.run, every, store, view, None, None)

    def go(self, count):
        """Make so many steps."""
        go_on(self.gan, self.step, self.run, self.progress, self.gan.step + count)


class Patient(Store):
    """Keeps a checkpoint when one is due, and not at each pause of the benchmark."""

    def begin(self):
        """Keep nothing."""

    def keep(self):
        """Keep the state if the loop would."""
        if self.gan.step % self.every == 0:
            super().keep()


class Tutorial:
    """The loop of a tutorial.

    A DataLoader transforms each picture by itself, from a PIL image; everything is computed in
    fp32; Adam has PyTorch's default form and there is no average of the weights; D's weights
    gather gradients in G's update too, which nobody uses; and each loss of each step is read.

    Parameters
    ----------
    plan, device, seed
        See :class:`Ours`.
    rows : int
        How many rows of the data are used, at most.
    """

    def __init__(self, plan, device, seed=0, rows=ROWS):
        self.run = runtime.start(device, seed, graphs=False)
        self.gan = as_in_tutorials(plan.build(self.run), plan.module)
        self.step, _ = gans.step_function(plan.module, plan.cfg)
        # On a CPU, other processes would take the cores of the arithmetic.
        workers = 0 if self.run.device.type == "cpu" else 2
        loader = DataLoader(
            PictureByPicture(plan.data, plan.cfg.batch_size, rows),
            plan.cfg.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
        )
        self.batches = itertools.chain.from_iterable(itertools.repeat(loader))
        self.losses = {}

    def go(self, count):
        """Make so many steps."""
        for batch in itertools.islice(self.batches, count):
            with record_function("gancourse.batch"):
                batch = {name: rows.to(self.run.device) for name, rows in batch.items()}
            losses = self.step(self.gan, batch, self.run)
            self.losses = {tag: loss.item() for tag, loss in losses.items()}
            self.gan.step += 1


def as_in_tutorials(gan, module):
    """Take from a GAN what tutorials do without, and return it.

    Its optimizers become new ones in their default form, which no average and no schedule follows,
    and its networks cannot be told that their weights need no gradient.
    """
    for name, part in list(gan.parts().items()):
        if isinstance(part, EMA):
            delattr(gan, name)
        elif isinstance(part, torch.optim.Optimizer):
            groups = [
                {"params": group["params"], "lr": group.get("initial_lr", group["lr"])}
                for group in part.param_groups
            ]
            forms = {"fused": None, "foreach": None}
            options = {key: forms.get(key, value) for key, value in part.defaults.items()}
            setattr(gan, name, type(part)(groups, **options))
    for name in (name for names in module.PLAYERS.values() for name in names):
        net = getattr(gan, name)
        net.requires_grad_ = lambda needed=True, net=net: net
    return gan


class PictureByPicture(Dataset):
    """Rows of some data as a folder of pictures has them: PIL images, transformed when asked for.

    Parameters
    ----------
    data : gancourse.data.Data
        At the size of the networks: nothing is left to be resized.
    size : int
        Of a batch.
    rows : int
        How many, at most.
    """

    def __init__(self, data, size, rows=ROWS):
        from torchvision import transforms

        run = runtime.Run(device=torch.device("cpu"))
        count = max(1, min(rows, len(data) if hasattr(data, "__len__") else rows) // size)
        batches = [data.batch(step, size, run) for step in range(count)]
        self.columns = {name: torch.cat([b[name] for b in batches]) for name in batches[0]}
        for name, field in data.fields.items():
            if isinstance(field, Pictures):
                self.columns[name] = as_images(self.columns[name])
        sides = {name: field.side for name, field in data.fields.items()}
        self.transforms = {
            name: transforms.Compose(
                [
                    transforms.Resize(sides[name]),
                    transforms.ToTensor(),
                    transforms.Normalize([0.5], [0.5]),
                ]
            )
            for name, column in self.columns.items()
            if isinstance(column, list)
        }

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, i):
        row = {name: column[i] for name, column in self.columns.items()}
        return row | {name: change(row[name]) for name, change in self.transforms.items()}


def as_images(pictures):
    """Return pictures, (N, C, H, W) in [-1, 1], as a list of PIL images."""
    from PIL import Image

    stored = ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(p.squeeze(2) if p.shape[2] == 1 else p) for p in stored]
