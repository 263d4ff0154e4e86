"""Build data/emoji/ from the npm packages that carry the pictures.

    python -m tools.build_emoji FOLDER            # write data/emoji/ and data/emoji.json
    python -m tools.build_emoji FOLDER --check    # build in memory and compare with what ships

FOLDER holds the packages as `npm pack NAME@VERSION` writes them; missing ones are fetched with it
(180 MB). Every package must have the integrity that npm publishes for it, which is recorded below
(`npm view NAME@VERSION dist.integrity`).
"""

import argparse
import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from gancourse.data.emoji import CATEGORIES, COLUMNS, SIZE, STYLES, read_sheet

DATA = Path(__file__).resolve().parents[1] / "data"

PACKAGES = {
    "emoji-datasource@16.0.0": (
        "sha512-/qHKqK5Nr3+8zhgO6kHmF43Fm5C8HNn0AaFRIpgw8HF3+uF0Vfc8jgLI1ZQS5ba1vBzksS8NBCjHejwLb2D/"
        "Sg=="
    ),
    "emoji-datasource-google@16.0.0": (
        "sha512-ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ"
        "3A=="
    ),
    "emoji-datasource-twitter@16.0.0": (
        "sha512-7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyE"
        "LQ=="
    ),
    "@lobehub/fluent-emoji-3d@1.1.0": (
        "sha512-Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h"
        "7g=="
    ),
}
INDEX = ("emoji-datasource@16.0.0", "package/emoji.json")
# For each style the package, the path of a picture, and the share of the canvas that a full-size
# drawing fills. All are scaled to Noto's 60 of 64 pixels, so that Noto's pixels don't change.
SOURCES = {
    "noto": ("emoji-datasource-google@16.0.0", "package/img/google/64/{}.png", 60 / 64),
    "twemoji": ("emoji-datasource-twitter@16.0.0", "package/img/twitter/64/{}.png", 64 / 64),
    "fluent": ("@lobehub/fluent-emoji-3d@1.1.0", "package/assets/{}.webp", 56 / 64),
}
FILL = 60 / 64
# Subcategories that Microsoft's own release (MIT) lacks and that the Fluent package took from other
# sources: its flags of countries are Noto's, so that both pictures of a pair would be the same.
NOT_FLUENT = {"country-flag", "subdivision-flag", "family"}
LEFT_OUT = {
    "1F46A": "Fluent's picture of the family, as above",
    "1F431": "Fluent has the grinning cat's picture (1F63A) for the cat as well",
}
QUALITY = 90  # of WebP, 0 to 100


def fetch(name, folder):
    """Return the path of a package in the folder; fetch it if it is missing, and check its hash."""
    path = folder / f"{name.removeprefix('@').replace('/', '-').replace('@', '-')}.tgz"
    if not path.exists():
        npm = shutil.which("npm")
        if npm is None:
            sys.exit(f"{path} is missing. Fetch it with `npm pack {name}`, or install npm.")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "pack", "--silent", name], cwd=folder, check=True)
    found = "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != PACKAGES[name]:
        sys.exit(f"{path} is another file: expected {name} with {PACKAGES[name]}, found {found}")
    return path


def unpack(path):
    """Return {name in the package: content} of the files that are needed; write none to disk."""
    with tarfile.open(path) as package:
        return {
            member.name: package.extractfile(member).read()
            for member in package
            if member.isfile()
            and (member.name == INDEX[1] or "/64/" in member.name or "/assets/" in member.name)
        }


def choose_entries(index, packages):
    """Return the entries of the index that exist in every style, in a fixed pseudo-random order.

    The order is that of a hash of the code points, so that the first n are a random sample.
    """
    chosen = [
        entry
        for entry in index
        if entry["category"] in CATEGORIES
        and entry["subcategory"] not in NOT_FLUENT
        and entry["unified"] not in LEFT_OUT
        and all(
            path.format(Path(entry["image"]).stem) in packages[name]
            for name, path, _ in SOURCES.values()
        )
    ]
    return sorted(chosen, key=lambda entry: hashlib.sha256(entry["unified"].encode()).digest())


def describe(entry):
    """Return the record that the course keeps of an entry of emoji-datasource."""
    words = (word for name in entry["short_names"] for word in name.replace("-", "_").split("_"))
    return {
        "codepoints": entry["unified"],
        "name": entry["name"].lower(),
        "category": entry["category"],
        "subcategory": entry["subcategory"],
        "keywords": list(dict.fromkeys(word for word in words if word)),
    }


def framed(image, fill):
    """Scale a picture to 64x64 pixels, so that a full-size drawing fills 60 of them.

    Colours are premultiplied by alpha, so that the colours of transparent pixels do not bleed into
    the edges, and divided by alpha before they are clipped at 255, so that edges have no rim. The
    few drawings that are larger than full size (a hat, a hand) are made smaller instead of cut.
    """
    image = image.convert("RGBA")
    half = np.array(image.size) / 2
    left, top, right, bottom = image.getchannel("A").point(lambda a: 255 * (a > 16)).getbbox()
    reach = max(half[0] - left, right - half[0], half[1] - top, bottom - half[1])
    side = max(image.width * fill / FILL, 2 * reach)  # of the square that is scaled to the canvas
    if side == image.width == image.height == SIZE:
        return image
    room = image.width // 4
    x, y = half + room
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    pixels = np.pad(np.asarray(image, np.float32), ((room, room), (room, room), (0, 0)))
    pixels[..., :3] *= pixels[..., 3:] / 255
    planes = [
        np.asarray(Image.fromarray(plane).resize((SIZE, SIZE), Image.Resampling.LANCZOS, box))
        for plane in np.moveaxis(pixels, 2, 0)
    ]
    colours = np.stack(planes[:3], axis=2)
    alpha = planes[3][..., None]
    colours = np.divide(255 * colours, alpha, out=np.zeros_like(colours), where=alpha > 0.5)
    return Image.fromarray(np.dstack([colours, alpha]).round().clip(0, 255).astype(np.uint8))


def sheet_of(images):
    """Arrange RGBA pictures in rows; return them on white, and their alpha."""
    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * SIZE, rows * SIZE))
    for place, image in enumerate(images):
        sheet.paste(image, (place % COLUMNS * SIZE, place // COLUMNS * SIZE))
    white = Image.new("RGBA", sheet.size, "white")
    white.alpha_composite(sheet)
    return white.convert("RGB"), sheet.getchannel("A")


def encode(colours, alpha):
    """Return a WebP file that :func:`gancourse.data.emoji.read_sheet` can read."""
    planes = np.concatenate([np.asarray(plane) for plane in colours.convert("YCbCr").split()])
    cover = np.full_like(planes, 255)
    # Alpha in 16 steps halves the file, and keeps 0 and 255 exact.
    cover[: alpha.height] = np.round(np.asarray(alpha) / 17) * 17
    sheet = Image.fromarray(np.dstack([planes, planes, planes, cover]))
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=QUALITY, alpha_quality=100, method=6, exact=True)
    return file.getvalue()


def psnr(content, colours, count):
    """Return each stored picture's peak signal-to-noise ratio, in dB, against the original."""
    rows = colours.height // SIZE
    original = np.asarray(colours).reshape(rows, SIZE, COLUMNS, SIZE, 3).transpose(0, 2, 4, 1, 3)
    original = original.reshape(-1, 3, SIZE, SIZE)[:count].astype(float)
    stored, _ = read_sheet(Image.open(io.BytesIO(content), formats=("WEBP",)), count)
    error = np.square(stored - original).mean(axis=(1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(error, 1e-9))


def build(folder):
    """Return {file name: content} and what ``data/emoji.json`` records."""
    packages = {name: unpack(fetch(name, folder)) for name in PACKAGES}
    entries = choose_entries(json.loads(packages[INDEX[0]][INDEX[1]]), packages)
    lines = ",\n".join(json.dumps(describe(entry), ensure_ascii=False) for entry in entries)
    contents = {"index.json": f"[\n{lines}\n]\n".encode()}
    record = {"emoji": len(entries), "packages": PACKAGES, "files": {}}
    for style in STYLES:
        name, path, fill = SOURCES[style]
        images = []
        for entry in entries:
            content = packages[name][path.format(Path(entry["image"]).stem)]
            images.append(framed(Image.open(io.BytesIO(content), formats=("PNG", "WEBP")), fill))
        colours, alpha = sheet_of(images)
        contents[f"{style}.webp"] = encode(colours, alpha)
        noise = psnr(contents[f"{style}.webp"], colours, len(entries))
        record["files"][f"{style}.webp"] = {
            # Versions of WebP compress differently, but the pictures are the same.
            "sha256_pixels": hashlib.sha256(colours.tobytes() + alpha.tobytes()).hexdigest(),
            "psnr_mean": round(float(noise.mean()), 1),
            "psnr_min": round(float(noise.min()), 1),
        }
    for name, content in contents.items():
        sha256 = hashlib.sha256(content).hexdigest()
        about = {"bytes": len(content), "sha256": sha256}
        record["files"][name] = about | record["files"].get(name, {})
    return contents, record


def main():
    """Build, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the packages")
    parser.add_argument("--check", action="store_true", help="compare with what ships")
    args = parser.parse_args()
    contents, record = build(args.folder)
    if args.check:
        same = record == json.loads((DATA / "emoji.json").read_text(encoding="utf-8"))
        for name, content in contents.items():
            equal = content == (DATA / "emoji" / name).read_bytes()
            print(f"{name}: {'reproduced, byte for byte' if equal else 'DIFFERS'}")
            same &= equal
        sys.exit(not same)
    (DATA / "emoji").mkdir(exist_ok=True)
    for name, content in contents.items():
        (DATA / "emoji" / name).write_bytes(content)
        print(name, record["files"][name])
    text = json.dumps(record, indent=2) + "\n"
    (DATA / "emoji.json").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
