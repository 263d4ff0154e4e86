"""Train the judges that ship in data/: small classifiers of the real pictures.

    python -m tools.train_judges digits                # writes data/judge-digits.safetensors
    python -m tools.train_judges digits --out FOLDER   # elsewhere, to compare

The training pictures are varied by small rotations, scalings, shears, shifts and elastic
deformations (Simard et al. 2003, "Best practices for convolutional neural networks applied to
visual document analysis"). A fifth of each batch shows nothing at all - noise, and real pictures
cut into shuffled pieces - and asks for equal probabilities, for a plain classifier is as sure of
noise as of a digit (outlier exposure: Hendrycks et al. 2019, arXiv 1812.04606). The held-out
pictures are looked at after the last step only: no setting was chosen by their accuracy.
"""

import argparse
import hashlib
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

import torch
import torch.nn.functional as F

from gancourse.data import load
from gancourse.metrics.judges import JUDGES, Judge
from gancourse.training import checkpoint, runtime

ROOT = Path(__file__).resolve().parents[1]
STEPS, BATCH, LR, WEIGHT_DECAY = 2_500, 64, 4e-3, 1e-2
OUTLIERS = 16  # pictures of nothing, beside each batch
ROTATION, SCALE, SHEAR, SHIFT, ELASTIC = 0.2, 0.12, 0.15, 0.12, 0.06  # radians, and half widths


def deform(images, generator):
    """Move the pixels of each picture a little, each in its own way.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W)
        In [-1, 1], dark outside the picture.
    generator : torch.Generator

    Returns
    -------
    float torch.Tensor, (N, C, H, W)
    """
    size = len(images)

    def draw(*shape, limit):
        uniform = torch.rand(*shape, generator=generator, device=images.device)
        return (2 * uniform - 1) * limit

    turn, shear = draw(size, limit=ROTATION), draw(size, limit=SHEAR)
    zoom_x, zoom_y = draw(2, size, limit=SCALE).exp()
    shift_x, shift_y = draw(2, size, limit=SHIFT)
    cos, sin = turn.cos(), turn.sin()
    affine = torch.stack(
        [cos * zoom_x, (shear - sin) * zoom_x, shift_x, sin * zoom_y, cos * zoom_y, shift_y], 1
    ).view(size, 2, 3)
    places = F.affine_grid(affine, images.shape, align_corners=False)  # (N, H, W, 2)
    bumps = draw(size, 2, 5, 5, limit=2 * ELASTIC)
    bumps = F.interpolate(bumps, images.shape[2:], mode="bicubic", align_corners=True)
    places = places + bumps.permute(0, 2, 3, 1)
    return F.grid_sample(images + 1, places, align_corners=False) - 1


def nothing(images, generator):
    """Make pictures of nothing from real ones: one half shuffled pieces, the other half noise.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, 28, 28)
        In [-1, 1].
    generator : torch.Generator

    Returns
    -------
    float torch.Tensor, (N, C, 28, 28)
    """

    def draw(*shape):
        return torch.rand(*shape, generator=generator, device=images.device)

    half = len(images) // 2
    pieces = F.unfold(images[:half], 7, stride=7)  # (N / 2, C * 49, 16)
    order = draw(half, 1, 16).argsort(2).expand_as(pieces)
    shuffled = F.fold(pieces.gather(2, order), images.shape[2:], 7, stride=7)

    noises = []
    for image in images[half:]:
        grain = [28, 14, 7, 4][int(draw(1) * 4)]  # from single pixels to large blots
        noise = F.interpolate(draw(1, len(image), grain, grain), image.shape[1:], mode="bilinear")
        brightness = 4 ** (4 * draw(1) - 2)  # from mostly white to mostly black
        noises.append(2 * noise**brightness - 1)
    return torch.cat([shuffled, *noises])


def train(name, seed):
    """Train a judge; return its network and the seconds that it took."""
    run = runtime.start("cpu", seed)
    data = load(name)
    net = JUDGES[name]().train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=STEPS)
    start = time.perf_counter()
    for step in range(STEPS):
        batch = data.batch(step, BATCH, run)
        generator = run.generator(1, step)
        images = deform(batch["real"], generator)
        logits = net(torch.cat([images, nothing(images[:OUTLIERS], generator)]))
        loss = F.cross_entropy(logits[:BATCH], batch["labels"])
        loss = loss - 0.5 * logits[BATCH:].log_softmax(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 250 == 0:
            print(f"step {step + 1:,}/{STEPS:,}  loss {loss.item():.3f}", flush=True)
    return net, time.perf_counter() - start


def examine(name, net):
    """Return the accuracy on the held-out pictures, and the pairs that are confused."""
    data = load(name, split="test")
    found = Judge(name, net, {}).predict(data.images())
    wrong = (found != data.labels).nonzero().flatten()
    pairs = {}
    for index in wrong.tolist():
        pair = f"{data.classes[data.labels[index]]} read as {data.classes[found[index]]}"
        pairs[pair] = pairs.get(pair, 0) + 1
    return 1 - len(wrong) / len(data), dict(sorted(pairs.items(), key=lambda item: -item[1]))


def sha256_of(data):
    """Return the hash of a data set's pixels, whatever file they were packed in."""
    return hashlib.sha256(data.pixels.numpy().tobytes()).hexdigest()


def main():
    """Train one judge, examine it and write it with its card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=JUDGES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "data")
    options = parser.parse_args()

    net, seconds = train(options.name, options.seed)
    state = {
        key: value.half() if value.is_floating_point() else value
        for key, value in net.state_dict().items()
    }
    # Examined as it is loaded: with the rounded weights.
    net.load_state_dict({key: value.float() for key, value in state.items()})
    accuracy, confused = examine(options.name, net)
    train_data, test_data = load(options.name), load(options.name, split="test")
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    card = {
        "data": options.name,
        "train_pictures": len(train_data),
        "train_sha256": sha256_of(train_data),
        "held_out_pictures": len(test_data),
        "held_out_sha256": sha256_of(test_data),
        "accuracy": round(accuracy, 4),
        "confused": confused,
        "classes": train_data.classes,
        "steps": STEPS,
        "batch_size": BATCH,
        "epochs": round(STEPS * BATCH / len(train_data)),
        "seed": options.seed,
        "seconds": round(seconds),
        "torch": torch.__version__,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "commit": commit,
    }
    path = options.out / f"judge-{options.name}.safetensors"
    checkpoint.save(path, state, card=card)
    print(f"{path}: {path.stat().st_size:,} bytes")
    for key, value in card.items():
        print(f"  {key}: {value}")


if __name__ == "__main__":
    main()
