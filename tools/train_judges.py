"""Train the judges that ship in data/: small networks that classify the real pictures.

    python -m tools.train_judges digits                # writes data/judge-digits.safetensors
    python -m tools.train_judges fashion toons         # several
    python -m tools.train_judges digits --out FOLDER   # elsewhere, to compare

The training pictures are augmented by small rotations, scalings, shears and shifts, digits also by
elastic deformations (Simard et al. 2003, "Best practices for convolutional neural networks applied
to visual document analysis"), the others by mirroring. Each batch also holds outliers, which are
noise and real pictures cut into shuffled pieces. Their targets are equal probabilities, or the
frequencies of the attributes, because a plain classifier is as sure of noise as of a digit
(outlier exposure: Hendrycks et al. 2019, arXiv 1812.04606). The held-out pictures are used only
after the last step: no setting was chosen by their accuracy.
"""

import argparse
import hashlib
import math
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch
import torch.nn.functional as F
from torchmetrics.functional.classification import multiclass_jaccard_index

from gancourse import toons
from gancourse.data import load
from gancourse.files.statefile import save
from gancourse.metrics.judges import JUDGES, FaceJudge, Judge, SceneJudge
from gancourse.metrics.segmentation import segmentation_scores
from gancourse.training import runtime

ROOT = Path(__file__).resolve().parents[1]
BATCH, WEIGHT_DECAY = 64, 1e-2
OUTLIERS = 16  # in addition to each batch
# Of the training pictures of each size: how many, and the seed, which no split of a data set has.
FACES = {64: (24_000, 1_000), 32: (12_000, 1_001)}
SCENES = {64: (5_000, 1_000), 32: (5_000, 1_001)}
SCENES_BATCH = 24  # of each size
DEGRADED = 300  # held-out scenes that are also degraded and then scored


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a judge is trained and how much its pictures are deformed."""

    steps: int
    lr: float = 4e-3
    # The largest deformations, in both directions:
    rotation: float = 0.0  # radians
    scale: float = 0.0  # logarithm of the factor
    shear: float = 0.0  # shift in x per shift in y
    shift: float = 0.0  # half widths of the picture
    elastic: float = 0.0  # widths of the picture
    mirror: bool = False  # mirror half of the pictures
    precision: str = "fp32"


# In bf16 with channels last, a step takes about half as long.
RECIPES = {
    "digits": Recipe(steps=2_500, rotation=0.2, scale=0.12, shear=0.15, shift=0.12, elastic=0.06),
    "fashion": Recipe(
        steps=3_000, rotation=0.05, scale=0.1, shear=0.05, shift=0.08, mirror=True, precision="bf16"
    ),
    "toons": Recipe(
        steps=6_000, rotation=0.08, scale=0.06, shift=0.06, mirror=True, precision="bf16"
    ),
    "emoji": Recipe(
        steps=2_500, rotation=0.15, scale=0.15, shift=0.08, mirror=True, precision="bf16"
    ),
    "fruits": Recipe(
        steps=1_500, rotation=0.15, scale=0.1, shift=0.06, mirror=True, precision="bf16"
    ),
    "scenes": Recipe(steps=1_600, mirror=True, precision="bf16"),
}


def deform(images, generator, recipe, outside="zeros"):
    """Deform each picture at random: rotate, scale, shear, shift, mirror, distort.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W) in [-1, 1]
    generator : torch.Generator
    recipe : Recipe
    outside : {"zeros", "border"}
        How the outside of a picture is filled: with -1, or with the pixels of its border.

    Returns
    -------
    float torch.Tensor, (N, C, H, W) in [-1, 1]
    """
    size = len(images)

    def draw(*shape, limit):
        uniform = torch.rand(*shape, generator=generator, device=images.device)
        return (2 * uniform - 1) * limit

    turn, shear = draw(size, limit=recipe.rotation), draw(size, limit=recipe.shear)
    zoom_x, zoom_y = draw(2, size, limit=recipe.scale).exp()
    shift_x, shift_y = draw(2, size, limit=recipe.shift)
    cos, sin = turn.cos(), turn.sin()
    if recipe.mirror:
        zoom_x = zoom_x * torch.where(draw(size, limit=1.0) < 0, -1.0, 1.0)
    affine = torch.stack(
        [cos * zoom_x, (shear - sin) * zoom_x, shift_x, sin * zoom_y, cos * zoom_y, shift_y], 1
    ).view(size, 2, 3)
    places = F.affine_grid(affine, images.shape, align_corners=False)  # (N, H, W, 2)
    if recipe.elastic:
        bumps = draw(size, 2, 5, 5, limit=2 * recipe.elastic)
        bumps = F.interpolate(bumps, images.shape[2:], mode="bicubic", align_corners=True)
        places = places + bumps.permute(0, 2, 3, 1)
    return F.grid_sample(images + 1, places, padding_mode=outside, align_corners=False) - 1


def outliers(images, generator):
    """Return outliers: for the first half of the pictures their shuffled pieces, then noise.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, H) in [-1, 1]
        H is a multiple of 4.
    generator : torch.Generator

    Returns
    -------
    float torch.Tensor, (N, C, H, H) in [-1, 1]
    """

    def draw(*shape):
        return torch.rand(*shape, generator=generator, device=images.device)

    half, side = len(images) // 2, images.shape[3]
    piece = side // 4
    pieces = F.unfold(images[:half], piece, stride=piece)  # (N / 2, C * piece^2, 16)
    order = draw(half, 1, 16).argsort(2).expand_as(pieces)
    shuffled = F.fold(pieces.gather(2, order), images.shape[2:], piece, stride=piece)

    noises = []
    grains = (side, side // 2, side // 4, side // 7)  # from single pixels to large patches
    for image in images[half:]:
        grain = grains[int(draw(1) * 4)]
        noise = F.interpolate(draw(1, len(image), grain, grain), image.shape[1:], mode="bilinear")
        brightness = 4 ** (4 * draw(1) - 2)  # from mostly white to mostly black
        noises.append(2 * noise**brightness - 1)
    return torch.cat([shuffled, *noises])


def degrade(images, generator, recolour=True):
    """Degrade half of the pictures, as generated ones are: blur, noise, other colours.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, H) in [-1, 1]
        The first eighth is blurred, the next eighth gets noise. Contrast and brightness of these
        and of the quarter after them change. The second half does not change.
    generator : torch.Generator
    recolour : bool
        Whether contrast and brightness change.

    Returns
    -------
    float torch.Tensor, (N, C, H, H) in [-1, 1]
    """

    def draw(*shape):
        return torch.rand(*shape, generator=generator, device=images.device)

    some, side = len(images) // 8, images.shape[3]
    less = int(side * (0.4 + 0.4 * draw(1)))
    blurred = F.interpolate(images[:some], (less, less), mode="bilinear", antialias=True)
    blurred = F.interpolate(blurred, (side, side), mode="bilinear")
    noisy = images[some : 2 * some]
    noise = torch.randn(noisy.shape, generator=generator, device=images.device)
    noisy = noisy + 0.15 * draw(some, 1, 1, 1) * noise
    if not recolour:
        return torch.cat([blurred, noisy.clamp(-1, 1), images[2 * some :]])
    worse = torch.cat([blurred, noisy, images[2 * some : 4 * some]])
    contrast, brightness = 0.85 + 0.3 * draw(len(worse), 1, 1, 1), draw(len(worse), 3, 1, 1) - 0.5
    worse = (worse * contrast + 0.2 * brightness).clamp(-1, 1)
    return torch.cat([worse, images[4 * some :]])


def classifier_loss(name, recipe, run):
    """Return ``loss(net, step)`` of a classifier of digits or clothes."""
    data = load(name)

    def loss_of(net, step):
        batch = data.batch(step, BATCH, run)
        generator = run.generator(1, step)
        images = deform(batch["real"], generator, recipe)
        images = torch.cat([images, outliers(images[:OUTLIERS], generator)])
        with run.autocast():
            logits = net(images).float()
        loss = F.cross_entropy(logits[:BATCH], batch["labels"])
        return loss - 0.5 * logits[BATCH:].log_softmax(1).mean()

    return loss_of


def style_loss(name, recipe, run):
    """Return ``loss(net, step)`` of the judge of studios.

    Its only outliers are noise, because shuffled pieces still show the studio's style.
    """
    data = load(name)

    def loss_of(net, step):
        batch = data.batch(step, BATCH, run)
        generator = run.generator(1, step)
        images = batch["real"]
        less = F.interpolate(images[::4], (32, 32), mode="bilinear", antialias=True)
        images[::4] = F.interpolate(less, (64, 64), mode="bilinear")
        images = degrade(deform(images, generator, recipe, outside="border"), generator)
        noise = outliers(images[: 2 * OUTLIERS], generator)[OUTLIERS:]
        with run.autocast():
            logits = net(torch.cat([images, noise])).float()
        loss = F.cross_entropy(logits[:BATCH], batch["labels"])
        return loss - 0.25 * logits[BATCH:].log_softmax(1).mean()

    return loss_of


def face_loss(name, recipe, run):
    """Return ``loss(net, step)`` of the judge of faces."""
    drawn = {size: toons.faces(n, size, seed) for size, (n, seed) in FACES.items()}
    pixels = {size: faces.images for size, faces in drawn.items()}
    attributes = {size: faces.attributes.float() for size, faces in drawn.items()}
    share = attributes[64].mean(0)

    def loss_of(net, step):
        generator = run.generator(1, step)
        images, wanted, codes = [], [], []
        for size, count in ((32, BATCH // 4), (64, BATCH - BATCH // 4)):
            index = torch.randint(len(pixels[size]), (count,), generator=generator)
            some = pixels[size][index].float() / 127.5 - 1
            images.append(F.interpolate(some, (64, 64), mode="bilinear") if size == 32 else some)
            wanted.append(attributes[size][index])
            codes.append(drawn[size].factors.codes[index])
        mixed = torch.randperm(BATCH, generator=generator)
        images, wanted, codes = (torch.cat(parts)[mixed] for parts in (images, wanted, codes))
        images = degrade(deform(images, generator, recipe, outside="border"), generator)
        images = torch.cat([images, outliers(images[:OUTLIERS], generator)])
        with run.autocast():
            features = net.body(images).float()
        faces = features[:BATCH]
        # The target of an outlier's attributes is their frequency among faces.
        wanted = torch.cat([wanted, share.expand(OUTLIERS, -1)])
        loss = F.binary_cross_entropy_with_logits(net.head(features), wanted)
        is_face = (torch.arange(len(features)) < BATCH).float()
        loss = loss + 0.1 * F.binary_cross_entropy_with_logits(
            net.face_head(features)[:, 0], is_face
        )
        for column, (factor, values) in enumerate(toons.FACTORS.items()):
            logits = net.factor_heads[factor](faces)
            surprise = F.cross_entropy(logits, codes[:, column]) / math.log(len(values))
            loss = loss + 0.5 / len(toons.FACTORS) * surprise
        return loss

    return loss_of


def scene_loss(name, recipe, run):
    """Return ``loss(net, step)`` of the judge of scenes.

    A class's weight is the inverse square root of its share of pixels, so that the small sun
    counts as well as the large sky. Some scenes are blurred or get noise. Colours do not change,
    because those of a scene are the colours of a season and a time of day.
    """
    drawn = {size: toons.scenes(n, size, seed) for size, (n, seed) in SCENES.items()}
    pixels = {size: scenes.images for size, scenes in drawn.items()}
    maps = {size: scenes.semantic for size, scenes in drawn.items()}
    counts = maps[64].flatten().bincount(minlength=len(toons.SCENE_CLASSES)).float()
    weights = (counts.clamp(min=1) / counts.sum()).rsqrt()
    weights = weights / weights.mean()

    def loss_of(net, step):
        generator, loss = run.generator(1, step), 0.0
        for size in SCENES:
            index = torch.randint(len(pixels[size]), (SCENES_BATCH,), generator=generator)
            images, wanted = pixels[size][index].float() / 127.5 - 1, maps[size][index].long()
            mirrored = torch.rand(SCENES_BATCH, generator=generator) < 0.5
            images[mirrored], wanted[mirrored] = images[mirrored].flip(3), wanted[mirrored].flip(2)
            images = degrade(images, generator, recolour=False)
            noise = outliers(images[:8], generator)[4:]  # noise only: a piece of sky is still sky
            with run.autocast():
                logits = net(torch.cat([images, noise])).float()
            loss = loss + F.cross_entropy(logits[:SCENES_BATCH], wanted, weights)
            loss = loss - 0.1 * logits[SCENES_BATCH:].log_softmax(1).mean()
        return loss / len(SCENES)

    return loss_of


def train(name, seed):
    """Train a judge; return its network, and the time in seconds."""
    recipe = RECIPES[name]
    precision = recipe.precision
    run = runtime.start("cpu", seed, precision=precision, channels_last=precision == "bf16")
    net = run.place(JUDGES[name]()).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.lr, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=recipe.steps)
    start = time.perf_counter()
    loss_of = TASKS[name][0](name, recipe, run)
    for step in range(recipe.steps):
        loss = loss_of(net, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 250 == 0:
            print(f"step {step + 1:,}/{recipe.steps:,}  loss {loss.item():.3f}", flush=True)
    return net, time.perf_counter() - start


def examine_classes(name, net):
    """Return the card's entries on a classifier: its accuracy, and how often it confuses which."""
    data = load(name, split="test")
    found = Judge(name, net, {}).predict(data.images())
    wrong = (found != data.labels).nonzero().flatten()
    pairs = {}
    for index in wrong.tolist():
        pair = f"{data.classes[data.labels[index]]} read as {data.classes[found[index]]}"
        pairs[pair] = pairs.get(pair, 0) + 1
    return {
        "accuracy": round(1 - len(wrong) / len(data), 4),
        "confused": dict(sorted(pairs.items(), key=lambda item: -item[1])),
        "classes": data.classes,
        "epochs": round(RECIPES[name].steps * BATCH / len(load(name))),
    }


def examine_faces(name, net):
    """Return the card's entries on the judge of faces, at both sizes.

    The balanced accuracy of an attribute is the mean of the accuracy on faces that have it and of
    that on faces that don't; a constant answer has 0.5. A hat hides the difference between some
    hair styles, and glasses and full beards hide freckles. Therefore the accuracy is also given
    for faces without a hat, and for those without glasses and a full beard ("uncovered").
    """
    judge = FaceJudge(name, net, {})
    attributes, factors, is_face = {}, {}, {}

    def share(hits):
        return round(hits.double().mean().item(), 4)

    for size in FACES:
        data = load(name, split="test").resized(size)
        images, wanted = data.images(), data.attributes.bool()
        right = judge.predict(images) == wanted
        f = data.faces.factors
        bare, open_face = f.hat == 0, (f.glasses == 0) & (f.beard < toons.code("beard", "full"))
        for column, attribute in enumerate(data.attribute_names):
            has, hit = wanted[:, column], right[:, column]
            attributes.setdefault(attribute, {"share": share(has)}).update(
                {
                    f"accuracy_{size}": share(hit),
                    f"balanced_{size}": round((share(hit[has]) + share(hit[~has])) / 2, 4),
                    f"without_hat_{size}": share(hit[bare]),
                    f"uncovered_{size}": share(hit[open_face]),
                }
            )
        for factor in toons.FACTORS:
            found = judge.factor(images, factor).argmax(1)
            entry = factors.setdefault(factor, {})
            entry[f"accuracy_{size}"] = share(found == getattr(f, factor))
        junk = outliers(images, torch.Generator().manual_seed(0))
        is_face[f"faces_taken_for_faces_{size}"] = share(judge.is_face(images) > 0.5)
        is_face[f"nothing_taken_for_faces_{size}"] = share(judge.is_face(junk) > 0.5)
    return {
        "accuracy": round(sum(e["accuracy_64"] for e in attributes.values()) / len(attributes), 4),
        "attributes": attributes,
        "factors": factors,
        "is_face": is_face,
        "drawn_to_train": [
            {"size": size, "faces": n, "seed": faces_seed}
            for size, (n, faces_seed) in FACES.items()
        ],
    }


def examine_styles(name, net):
    """Return the card's entries on the judge of studios, at both sizes."""
    found, judge, data = examine_classes(name, net), Judge(name, net, {}), load(name, split="test")
    small = data.resized(32).images()
    found["accuracy_32"] = round((judge.predict(small) == data.labels).double().mean().item(), 4)
    return found


def examine_scenes(name, net):
    """Return the card's entries on the judge of scenes: its scores on real and degraded pictures.

    "blurred_2" is reduced to half the size and enlarged again, "blurred_4" to a quarter; "noisy"
    has noise with a standard deviation of 0.2 added; "average" is the mean over a scene's four
    seasons and three times of day, which minimises the squared error; "palette" is the true map in
    the palette's colours; "grey" has no colours; "other" is another scene; "noise" is noise alone.
    """
    judge, classes = SceneJudge(name, net, {}), len(toons.SCENE_CLASSES)
    generator = torch.Generator().manual_seed(0)

    def scores(images, truth):
        found = segmentation_scores(judge.predict(images), truth, classes)
        return {key: round(value, 4) for key, value in found._asdict().items()}

    def as_floats(pixels):
        return pixels.float() / 127.5 - 1

    def blur(images, times):
        less = [side // times for side in images.shape[2:]]
        less = F.interpolate(images, less, mode="bilinear", antialias=True)
        return F.interpolate(less, images.shape[2:], mode="bilinear")

    found = {}
    for size in SCENES:
        scenes = load(name, split="test").resized(size).scenes
        predicted, truth = judge.predict(as_floats(scenes.images)), scenes.semantic.long()
        iou = multiclass_jaccard_index(predicted, truth, classes, average="none")
        real = segmentation_scores(predicted, truth, classes)
        some = scenes.factors[:DEGRADED]
        images, truth = as_floats(scenes.images[:DEGRADED]), truth[:DEGRADED]
        average = torch.stack(
            [
                as_floats(toons.draw_scenes(some.replace(season=season, time=time), size).images)
                for season in toons.SCENE_FACTORS["season"]
                for time in toons.SCENE_FACTORS["time"]
            ]
        ).mean(0)
        noise = torch.randn(images.shape, generator=generator)
        found[f"scores_{size}"] = {
            "real": {key: round(value, 4) for key, value in real._asdict().items()},
            "blurred_2": scores(blur(images, 2), truth),
            "blurred_4": scores(blur(images, 4), truth),
            "noisy": scores((images + 0.2 * noise).clamp(-1, 1), truth),
            "average": scores(average, truth),
            "palette": scores(as_floats(toons.palette_image(truth)), truth),
            "grey": scores(images.mean(1, keepdim=True).expand_as(images), truth),
            "other": scores(images.roll(1, 0), truth),
            "noise": scores((0.5 * noise).clamp(-1, 1), truth),
        }
        found[f"iou_{size}"] = {
            label: round(value, 4)
            for label, value in zip(toons.SCENE_CLASSES, iou.tolist(), strict=True)
        }
        found[f"confidence_{size}"] = {
            "real": round(judge.confidence(images).mean().item(), 4),
            "noise": round(judge.confidence((0.5 * noise).clamp(-1, 1)).mean().item(), 4),
        }
    return {
        "accuracy": found["scores_64"]["real"]["per_pixel"],
        "classes": toons.SCENE_CLASSES,
        **found,
        "drawn_to_train": [
            {"size": size, "scenes": n, "seed": scenes_seed}
            for size, (n, scenes_seed) in SCENES.items()
        ],
    }


# For each judge, the function that makes its loss, and the one that examines it.
TASKS = {
    "digits": (classifier_loss, examine_classes),
    "fashion": (classifier_loss, examine_classes),
    "toons": (face_loss, examine_faces),
    "emoji": (style_loss, examine_styles),
    "fruits": (style_loss, examine_styles),
    "scenes": (scene_loss, examine_scenes),
}


def sha256_of(data):
    """Return the SHA-256 of a data set's pixels, which does not depend on their compression."""
    return hashlib.sha256(data.pixels.numpy().tobytes()).hexdigest()


def make(name, seed, out):
    """Train and examine a judge, and write its file."""
    net, seconds = train(name, seed)
    state = {
        key: value.half() if value.is_floating_point() else value
        for key, value in net.state_dict().items()
    }
    # Examined with the rounded weights, which are those of the file.
    net.load_state_dict({key: value.float() for key, value in state.items()})
    found = TASKS[name][1](name, net)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    card = {"data": name}
    for split, words in (("train", "train"), ("test", "held_out")):
        data = load(name, split=split)
        if name not in ("toons", "scenes") or split == "test":
            card |= {f"{words}_pictures": len(data), f"{words}_sha256": sha256_of(data)}
    card |= found
    card |= {
        "steps": RECIPES[name].steps,
        "batch_size": len(SCENES) * SCENES_BATCH if name == "scenes" else BATCH,
        "seed": seed,
        "precision": RECIPES[name].precision,
        "seconds": round(seconds),
        "torch": torch.__version__,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "commit": commit,
    }
    path = out / f"judge-{name}.safetensors"
    save(path, state, card=card)
    print(f"{path}: {path.stat().st_size:,} bytes")
    for key, value in card.items():
        print(f"  {key}: {value}")


def main():
    """Train the judges that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=JUDGES, metavar="NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "data")
    options = parser.parse_args()
    for name in options.names:
        make(name, options.seed, options.out)


if __name__ == "__main__":
    main()
