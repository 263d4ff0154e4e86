"""Draw the first picture of each lesson, from the weights that ship: ``make leads``.

    python -m tools.leads            # all of them, into notebooks/figures/
    python -m tools.leads 02 08

A line below each picture says by which weights it was made, and how long they were trained. The
file holds the hash of the weights, by which a test sees that it is drawn again when they change.
"""

import argparse
import hashlib
import io
import sys
from pathlib import Path

import matplotlib as mpl
import torch
from PIL import Image, PngImagePlugin

from gancourse import metrics, plotting, pretrained, toons
from gancourse.data import load, shipped
from gancourse.data.drawn import drawn
from gancourse.errors import CourseError, choose
from gancourse.files.writing import write_atomically
from gancourse.plotting.layouts import blend_masks, draw_layouts
from gancourse.plotting.tiles import DPI, LINE, Tiles, in_columns, in_rows, to_pixels
from gancourse.toons.landscape import palette_image
from gancourse.trained import FOLDER
from gancourse.training import start

FIGURES = Path(__file__).resolve().parents[1] / "notebooks" / "figures"
STYLES = ("spring day", "autumn day", "autumn dusk", "winter day", "winter dusk", "summer night")
HOURS = (3, 2, 2)  # scenes by day, at dusk and by night
MADE_BY = "Weights"  # the key of the hash in the PNG


def samples(g, ncol, rows):
    """Return a row of test pictures, and below it samples of a generator that is given noise alone.

    Parameters
    ----------
    g : TrainedGenerator
    ncol : int
    rows : int
        Of samples.
    """
    fakes = to_pixels(g.sample(ncol * rows, seed=5))
    side = fakes.shape[1]
    real = load(g.card["data"], split="test", image_size=side, limit=ncol).images()
    labels = ["real", *["drawn by G"] * rows]
    return Tiles([to_pixels(real), *in_rows(fakes, ncol)], labels=labels)


def alone(g, ncol, rows):
    """Return samples of a generator that is given noise alone."""
    return Tiles(in_rows(to_pixels(g.sample(ncol * rows, seed=5)), ncol))


def classes(g):
    """Return every class from the same noise, a column each."""
    z, names = g.draw_z(4, seed=5), load(g.card["data"], split="test").classes
    return in_columns({name: g.sample(z=z, labels=y) for y, name in enumerate(names)})


def pairs(g):
    """Return held-out inputs, what a generator makes of them, and their targets."""
    held_out = load(g.card["data"], split="test", limit=7)
    x, y = held_out.a.images(), held_out.b.images()
    rows = {
        "a drawing with strokes of colour": x,
        "what G makes of it": g.translate(x),
        "the true face": y,
    }
    return Tiles([to_pixels(images) for images in rows.values()], labels=rows)


def cycle(g):
    """Return held-out summers, their winters, the way back, and the true winters."""
    held_out = load(g.card["data"], split="test").hidden
    size, hours = g.cfg.image_size, held_out.a.drawing.factors.time
    chosen = torch.cat([(hours == hour).nonzero()[:n, 0] for hour, n in enumerate(HOURS)])
    x, y = (side.resized(size).images(chosen) for side in (held_out.a, held_out.b))
    made = g.translate(x)
    rows = {
        "a summer scene": x,
        "made into winter": made,
        "and back into summer": g.sample(real_B=made),
        "the true winter": y,
    }
    return Tiles([to_pixels(images) for images in rows.values()], labels=rows)


def search(g):
    """Return unseen digits, and the nearest that a generator of classes draws as it is searched."""
    held_out = load(g.card["data"], split="test", image_size=g.cfg.image_size, limit=8)
    x, labels = held_out.images(), held_out.labels
    rows = {"a real digit": x, "G, from noise": g.sample(z=g.draw_z(8, seed=0), labels=labels)}
    for steps in (10, 200):
        _, z = metrics.reconstruct(
            lambda z: g.netG.eval()(z, labels), x, g.latent_dim, starts=1, steps=steps
        )
        rows[f"after {steps} steps of search"] = g.sample(z=z, labels=labels)
    return Tiles([to_pixels(images) for images in rows.values()], labels=rows)


def named(g):
    """Return unseen digits in the columns of the classes that D gives them; frame the wrong."""
    unseen = load(g.card["data"], split="test")
    seen_by_d = unseen.resized(g.cfg.sample_shape[-1]).images()
    said = g.module.classify(g.gan, seen_by_d).argmax(1).cpu()
    columns = {}
    for c, name in enumerate(unseen.classes):
        chosen = (said == c).nonzero()[-5:, 0]
        wrong = (unseen.labels[chosen] != c)[:, None, None, None]
        columns[name] = torch.where(wrong, framed(unseen.images(chosen)), unseen.images(chosen))
    return in_columns(columns)


def framed(images):
    """Return pictures, (N, 1 or 3, H, W) in [-1, 1], with a red frame, (N, 3, H, W)."""
    images = images.expand(-1, 3, -1, -1).clone()
    for edge in (images[:, :, 0], images[:, :, -1], images[..., 0], images[..., -1]):
        edge[:] = torch.tensor([1.0, -0.6, -0.6])[:, None]
    return images


def switches(g):
    """Return unseen faces as they are, and with another hair colour or mood in each column."""
    visible = [hair for hair in toons.FACTORS["hair"] if hair not in ("bald", "buzz")]
    shares = {"hat": {"none": 1}, "hair": dict.fromkeys(visible, 1), "glasses": (2, 1, 1, 0)}
    shares |= {"hair_colour": {"brown": 1}, "expression": {"neutral": 1, "sad": 1}}
    size = g.cfg.image_size
    people = drawn(toons.sample(4, 4, shares=shares), "toons").resized(size).first(4)
    (_, attributes), (_, moods) = g.fields["labels"].sets
    has = people.attributes[:, [people.attribute_names.index(name) for name in attributes]]
    wanted = {
        "Black_Hair": "black hair",
        "Red_Hair": "red hair",
        "Blond_Hair": "blond hair",
        "Grey_Hair": "grey hair",
        "laugh": "laughing",
        "surprised": "surprised",
    }
    columns = {"as it is": people.images()}
    for label, title in wanted.items():
        target, _ = metrics.label_target(has, [*attributes, *moods], label)
        columns[title] = g.translate(people.images(), target)
    return in_columns(columns)


def enlarged(g):
    """Return unseen small pictures, what SRGAN makes of them before and after D, and the truth."""
    held_out = load(g.card["data"], split="test", limit=7)
    x, y = held_out.a.images(), held_out.b.images()
    rows = {
        "16x16 pixels": x,
        "squared error": g.gan.netG_mse(x),
        "SRGAN": g.translate(x),
        "the truth": y,
    }
    return Tiles([to_pixels(images) for images in rows.values()], labels=rows)


def answers(g):
    """Return held-out maps, and what a generator makes of each with other noise in each column."""
    x = load(g.card["data"], split="test", image_size=g.cfg.image_size, limit=60).a.images()[::12]
    x, z = x[[0, 2, 3]], g.draw_z(7, seed=7)  # of 16 seeds the first with seven looks
    columns = {"the map": x}
    for i, one in enumerate(z, 1):
        columns[f"answer {i}"] = g.sample(input=x, z=one.expand(len(x), -1))
    return in_columns(columns)


def painted(g):
    """Return held-out maps, and the scenes that a generator draws in the styles of other scenes."""
    looks = load("map2looks", split="test", image_size=g.cfg.image_size, limit=72).b
    pictures, maps = looks.images(), looks.columns["map"].rows()[::12][2:5]
    styles = {name: pictures[12 + toons.SCENE_LOOKS.index(name)] for name in STYLES}
    z = g.module.encode(g.gan, torch.stack([*styles.values()]))
    rows = [torch.stack([torch.ones_like(pictures[0]), *styles.values()])]
    for m in maps:
        drawn = g.sample(map=m.expand(len(z), -1, -1), z=z).cpu()
        rows.append(torch.cat([palette_image(m[None].byte()) / 127.5 - 1, drawn]))
    labels = ["style of", *(f"map {i}" for i in range(1, len(rows)))]
    return Tiles([to_pixels(row) for row in rows], heads=["map", *STYLES], labels=labels)


def layouts(g):
    """Return held-out layouts, two pictures of each, and the masks that a generator has learned."""
    whole = load(g.card["data"], split="test", image_size=g.cfg.image_size, limit=7)
    given, _ = whole.take("boxes", "kinds").preview(7, start("cpu"))
    # Of ten seeds those with the fewest nights, in which objects are hard to see.
    z, other = (g.draw_z(7, seed).cpu() for seed in (7, 2))
    shares = g.module.masks(g.gan, **given, z=z).cpu()
    learned = shares / shares.amax((2, 3), keepdim=True).clamp(min=1e-6)
    rows = {
        "boxes, a colour for each kind": draw_layouts(**given, side=g.cfg.image_size),
        "the pictures that G draws": g.sample(**given, z=z),
        "the same boxes, other noise": g.sample(**given, z=other),
        "the shapes that G has learned": blend_masks(learned, given["kinds"]),
    }
    return Tiles([to_pixels(images) for images in rows.values()], labels=rows)


def instances(g, n=7):
    """Return held-out scenes, one instance changed, all changed, their masks, and the truth."""
    held_out = load(g.card["data"], split="test", limit=200, image_size=g.cfg.image_size).hidden
    masks = held_out.a.columns["masks"].rows(slice(0, 200), torch.device("cpu"))
    # Scenes with several instances that are large enough to be seen.
    several = ((masks.sum((2, 3)) >= 12).sum(1) >= 2).nonzero()[:n, 0]
    x, y, masks = held_out.a.images(several), held_out.b.images(several), masks[several]
    first = g.module.largest(2 * masks - 1, 1).add(1) / 2
    one, _ = g.module.translate(g.gan, x, first)
    every, made = g.module.translate(g.gan, x, masks)
    rows = {
        "round trees": x,
        "the largest made a fir": one,
        "all made firs": every,
        "the true firs": y,
        "the masks that G made": (2 * made.amax(1, keepdim=True) - 1).expand(-1, 3, -1, -1),
    }
    return Tiles([to_pixels(images) for images in rows.values()], labels=rows)


LEADS = {  # by lesson: the weights, what they have made, and a function that draws it
    "01": (
        "vanilla-digits",
        "Digits: real ones, and three rows that G drew from noise",
        lambda g: samples(g, 8, 3),
    ),
    "02": (
        "dcgan-toons",
        "Cartoon faces: from the data, and three rows that G drew from noise",
        lambda g: samples(g, 7, 3),
    ),
    "03": (
        "lsgan-toons",
        "Cartoon faces: from the data, and three rows of G, taught by least squares",
        lambda g: samples(g, 7, 3),
    ),
    "04": ("acgan-digits", "Digits as asked for; a row has one noise vector z", classes),
    "05": ("cgan-fashion", "Clothes as asked for; a row has one noise vector z", classes),
    "06": ("pix2pix-hints2face", "Faces, made from drawings that G has not seen", pairs),
    "07": ("cyclegan-seasons", "Scenes that G has not seen", cycle),
    "08": ("stargan-toons", "G changes hair or mood of new faces", switches),
    "09": ("acgan-digits", "Searching the noise from which G redraws a real digit", search),
    "10": (
        "wgan_gp-toons",
        "Cartoon faces: from the data, and three rows of G, taught by WGAN-GP",
        lambda g: samples(g, 7, 3),
    ),
    "11": (
        "sgan-digits",
        "Real digits as D sorts them, told 50 labels; errors framed",
        named,
    ),
    "12": ("began-toons", "Faces from noise, all on one background", lambda g: alone(g, 7, 3)),
    "13": ("srgan-toons", "Faces that G has not seen, enlarged four times", enlarged),
    "14": ("bicycle-scenes", "Maps that G has not seen, and seven answers to each", answers),
    "15": ("spade-scenes", "Unseen maps, drawn in the styles of other scenes", painted),
    "16": ("lostgan-scenes", "Boxes that G has not seen become pictures", layouts),
    "17": ("instagan-trees", "Scenes that G has not seen, tree by tree", instances),
}


def main(argv=None):
    """Draw the pictures of the given lessons, or of all."""
    parser = argparse.ArgumentParser(prog="python -m tools.leads", description=__doc__)
    parser.add_argument("lessons", nargs="*", metavar="NN", help="all if none is given")
    try:
        for lesson in parser.parse_args(argv).lessons or LEADS:
            choose("lesson", lesson, LEADS)
            path = path_of(lesson)
            write_atomically(path, draw(lesson))
            print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
    except CourseError as problem:
        sys.exit(str(problem))


def path_of(lesson):
    """Return the file of a lesson's first picture."""
    return FIGURES / f"{lesson}_shipped.png"


def weights_of(lesson):
    """Return the SHA-256 of the file of the weights that draw a lesson's first picture."""
    return hashlib.sha256(
        shipped(f"{FOLDER}/{LEADS[lesson][0]}.safetensors").read_bytes()
    ).hexdigest()


def draw(lesson):
    """Return the first picture of a lesson as a PNG, with the hash of the weights in it."""
    name, what, draw_with = LEADS[lesson]
    g = pretrained(name)
    # Not the time on the card: a busy machine takes many times as long as another.
    origin = f"shipped weights {name}, trained for {g.card['step']:,} steps"
    with mpl.rc_context(plotting.STYLE):
        figure = plotting.draw_blocks({what: draw_with(g)})
        add_below(figure, origin)
        _, data, _ = plotting.encode(figure)
    note, file = PngImagePlugin.PngInfo(), io.BytesIO()
    note.add_text(MADE_BY, weights_of(lesson))
    Image.open(io.BytesIO(data), formats=("PNG", "JPEG")).save(
        file, "PNG", pnginfo=note, optimize=True
    )
    return file.getvalue()


def add_below(figure, text):
    """Make a figure of blocks higher by a line, and write a small text there."""
    wide, high = figure.get_size_inches()
    higher = high + LINE / DPI
    figure.set_size_inches(wide, higher)
    for ax in figure.axes:
        x, y, width, height = ax.get_position().bounds
        ax.set_position((x, 1 - (1 - y) * high / higher, width, height * high / higher))
    figure.text(0.006, 0.25 * LINE / DPI / higher, text, size="small", color="#777777")


if __name__ == "__main__":
    sys.exit(main())
