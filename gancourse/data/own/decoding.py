"""From an open picture to bytes of one size: which formats, which range, how much memory."""

import math
from contextlib import contextmanager

import numpy as np
from PIL import ExifTags, Image

from gancourse.data.own import metered, png
from gancourse.data.own.room import Room

# The formats that the course reads. Without this list Pillow also tries formats that start other
# programs (EPS, which Ghostscript runs) or that few have tried.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")

MEMORY = 200_000_000  # bytes for the pixels that all threads decode at once
DECODING = Room(MEMORY)
SLOW = ("ppm_plain", "bmp_rle")  # decoded by Pillow in Python, about a million pixels a second
MOST_SLOW = 3_000_000  # pixels
STRIP = 500_000  # pixels that are converted at once
GAP = 3.0  # larger pictures are reduced by whole numbers first, as by Pillow's reducing_gap

WHITE_IS_ZERO, SIGNED = 0, 2  # values of the TIFF tags PhotometricInterpretation and SampleFormat
PHOTOMETRIC, BITS, FORMAT, TURNED = 262, 258, 339, 274
FLIP = Image.Transpose
TURNS = {2: FLIP.FLIP_LEFT_RIGHT, 3: FLIP.ROTATE_180, 4: FLIP.FLIP_TOP_BOTTOM, 5: FLIP.TRANSPOSE}
TURNS |= {6: FLIP.ROTATE_270, 7: FLIP.TRANSVERSE, 8: FLIP.ROTATE_90}
# Pillow scales the pixels of such a PNG to 8 bits, but not the one that is transparent.
KEYS = {"L;2": lambda grey: 85 * grey, "L;4": lambda grey: 17 * grey}
KEYS |= {"RGB;16B": lambda colour: tuple(value >> 8 for value in colour)}
BACK = {FLIP.ROTATE_90: FLIP.ROTATE_270, FLIP.ROTATE_270: FLIP.ROTATE_90}


class Unfit(Exception):
    """A picture that may be whole, but cannot be used; the text says why, and what to do."""


def decode(picture, size, pair=False):
    """Return the middle of a picture, the largest square that fits, at another size.

    The picture is turned as its EXIF tag says, and is laid on white where it is transparent. More
    than 8 bits are scaled to 8, of an animation the first frame is taken. The picture is scaled by
    bilinear interpolation with antialiasing.

    Parameters
    ----------
    picture : PIL.Image.Image
        Just opened; it is closed afterwards.
    size : int
        Pixels a side.
    pair : bool
        Whether the picture is a pair, A on the left and B on the right.

    Returns
    -------
    pixels : uint8 numpy.ndarray
        (3, size, size); of a pair (6, size, size), A over B.
    whole : tuple of int
        Width and height of the picture, turned upright.

    Raises
    ------
    Unfit
        If decoding takes more than ``MEMORY``; if the range of the pixels is unknown, or rows are
        missing; for a pair that is not twice as wide as high.
    Exception
        Whatever Pillow raises for damaged files.
    """
    whole = picture.size
    with loaded(picture, _draft(picture, size, pair)) as (picture, turn):
        # A TIFF has been turned by Pillow.
        across = (picture.height - picture.width) * (whole[1] - whole[0]) < 0
        whole = whole[::-1] if across else whole
        boxes = _halves(picture, turn) if pair else [(0, 0, *picture.size)]
        parts = [_scaled(picture, box, size, turn) for box in boxes]
    return np.concatenate(parts), upright(whole, turn)


def _draft(picture, size, pair):
    """Return a width and height that suffice: a JPEG can be decoded at 1/2, 1/4 or 1/8."""
    if not pair:
        return 2 * size, 2 * size
    width, height = picture.size
    # The seam must stay between two pixels.
    if max(width, height) != 2 * min(width, height) or max(width, height) % 16:
        return picture.size
    return (4 * size, 2 * size) if width > height else (2 * size, 4 * size)


def _halves(picture, turn):
    """Return the boxes of A and of B, as they lie in a picture that is still to be turned."""
    width, height = upright(picture.size, turn)
    if width != 2 * height:
        raise Unfit(
            f"{width}x{height} pixels, expected a file twice as wide as high: A left, B right"
        )
    sides = Image.frombytes("L", (2, 1), b"AB")
    sides = sides if turn is None else sides.transpose(BACK.get(turn, turn))
    places = [divmod(sides.tobytes().index(side), sides.width) for side in b"AB"]
    return [(x * height, y * height, (x + 1) * height, (y + 1) * height) for y, x in places]


def upright(size, turn):
    """Return width and height of a picture after it has been turned."""
    across = (FLIP.TRANSPOSE, FLIP.TRANSVERSE, FLIP.ROTATE_90, FLIP.ROTATE_270)
    return size[::-1] if turn in across else size


def turn_of(picture):
    """Return how a picture must be turned, or None; damaged EXIF says nothing."""
    try:
        return TURNS.get(picture.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # Pillow's readers raise nearly everything on damaged files
        return None


@contextmanager
def loaded(picture, draft):
    """Decode a picture when there is room for it; yield it and its turn; then close it.

    Parameters
    ----------
    picture : PIL.Image.Image
        Just opened.
    draft : tuple of int
        A width and height that suffice: a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size.
    """
    whole = math.prod(picture.size)
    picture.draft(None, draft)
    size = _memory(picture, whole)
    if size > MEMORY:
        raise Unfit(
            f"decoding its {whole:,} pixels takes {size / 1e6:,.0f} MB, and the limit is "
            f"{MEMORY / 1e6:.0f} MB: scale it down"
        )
    codec = picture.tile[0][0] if picture.tile else ""
    if codec in SLOW and whole > MOST_SLOW:
        raise Unfit(
            f"its {whole:,} pixels of this kind take long to read, and the limit is "
            f"{MOST_SLOW:,}: save it as PNG"
        )
    metered.check_exif(len(picture.info.get("exif", b"")))
    scale = KEYS.get(picture.tile[0][3]) if picture.format == "PNG" and picture.tile else None
    if scale and "transparency" in picture.info:
        picture.info["transparency"] = scale(picture.info["transparency"])
    with DECODING.taken(size):
        try:
            decoded = _of_any_range(picture) if codec == "ppm" else picture
            file = picture.fp
            if codec == "ppm_plain":
                metered.check_comments(file)
            if picture.format == "TIFF":
                _drop_directories(picture.getexif())
            decoded.load()
            if picture.format == "PNG":
                _check_rows(picture, file)
            yield decoded, turn_of(picture)
        finally:
            picture.close()


def reads_of(picture):
    """Return how often Pillow may have to read the file of an open picture for its pixels."""
    each = 3 if picture.tile and picture.tile[0][0] in SLOW else 0  # byte by byte
    return metered.MOST_READS + each * math.prod(picture.size)


def _drop_directories(exif):
    """Drop what else a TIFF's EXIF leads to: Pillow would make an object of each number there."""
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop):
        if directory in exif:
            del exif[directory]


def _check_rows(picture, file):
    """Raise an error if rows of a PNG are missing, which Pillow leaves at 0."""
    width, height = picture.size
    # Of an interlaced picture the last pass fills every second row.
    last = (picture.crop((0, y, width, y + 1)) for y in {height - 1, max(height - 2, 0)})
    if any(row.getbbox(alpha_only=False) is None for row in last) and not png.is_whole(file):
        raise Unfit("truncated: rows are missing")


def _memory(picture, whole):
    """Return about how many bytes decoding takes; ``whole`` are the pixels of the file."""
    pixels = math.prod(picture.size)
    if picture.format == "WEBP":  # canvas, last canvas, frame, copy, and Pillow's own pixels
        return 16 * pixels
    if picture.format == "TIFF":  # one strip may hold all rows; Pillow turns it by a copy
        strip = 4 if picture.tile and picture.tile[0][0] == "libtiff" else 0
        copy = 4 if picture.tag_v2.get(TURNED, 1) != 1 else 0
        return (4 + strip + copy) * pixels
    if picture.info.get("progressive"):  # the coefficients of all components
        return 4 * pixels + 6 * whole
    return 4 * pixels


def _of_any_range(picture):
    """Return a binary PGM or PPM whose largest value is not 255, scaled to 8 bits.

    Pillow does this value by value in Python.
    """
    _, _, offset, (mode, most) = picture.tile[0]
    width, height = picture.size
    row = width * len(mode)
    kind = np.dtype(np.uint8 if most < 256 else ">u2")
    pixels = np.empty((height, row), np.uint8)
    picture.fp.seek(offset)
    step = max(1, STRIP // row)
    for top in range(0, height, step):
        part = pixels[top : top + step]
        content = picture.fp.read(part.size * kind.itemsize)
        if len(content) < part.size * kind.itemsize:
            raise OSError("image file is truncated")
        part[:] = _eight_bits(np.frombuffer(content, kind).reshape(part.shape), most)
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(pixels.reshape(shape))


def _scaled(picture, box, size, turn):
    """Return the middle square of a box of a decoded picture, uint8 (3, size, size)."""
    width, height = box[2] - box[0], box[3] - box[1]
    side = min(width, height)
    left, top = box[0] + (width - side) / 2, box[1] + (height - side) / 2
    # Whole pixels around the square, in strips: a copy of a large picture would take much memory.
    x, y = math.floor(left), math.floor(top)
    right, bottom = math.ceil(left + side), math.ceil(top + side)
    factor = max(1, int(side / size / GAP))
    step = factor * max(1, STRIP // (right - x) // factor)
    strips = [
        _on_white(picture, (x, upper, right, min(upper + step, bottom))).reduce(factor)
        for upper in range(y, bottom, step)
    ]
    joined = Image.fromarray(np.concatenate([np.asarray(strip) for strip in strips]))
    left, top, side = (left - x) / factor, (top - y) / factor, side / factor
    small = joined.resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    small = small if turn is None else small.transpose(turn)
    return np.asarray(small).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)


def _on_white(picture, box):
    """Return a part of a decoded picture in RGB with 8 bits, on white where it is transparent."""
    part = picture.crop(box)
    most = _most(picture)
    if most:
        values = np.asarray(part)
        if values.min() < 0:
            raise Unfit("numbers below 0, whose range is unknown: save it with 8 bits")
        grey = _eight_bits(values, most)
        if picture.format == "TIFF" and picture.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:
            grey = 255 - grey
        seen = values != picture.info.get("transparency", -1)
        part = Image.fromarray(np.where(seen, grey, 255).astype(np.uint8))
    if not part.has_transparency_data:
        return part.convert("RGB")
    white = Image.new("RGBA", part.size, "white")
    return Image.alpha_composite(white, part.convert("RGBA")).convert("RGB")


def _most(picture):
    """Return the value of white in a grey picture of more than 8 bits; None for 8 bits."""
    if picture.mode == "F":
        raise Unfit("floating-point numbers, whose range is unknown: save it with 8 bits")
    if picture.format == "TIFF" and picture.mode.startswith("I"):
        bits = picture.tag_v2.get(BITS, (16,))[0]
        if bits > 16:
            raise Unfit("numbers of 32 bits, whose range is unknown: save it with 8 bits")
        return 2 ** (bits - 1) - 1 if SIGNED in picture.tag_v2.get(FORMAT, ()) else 2**bits - 1
    return 65535 if picture.mode.startswith("I") else None


def _eight_bits(values, most):
    """Return values from 0 to ``most`` as bytes; larger ones are white."""
    return np.minimum(values.astype(np.float32) * (255 / most) + 0.5, 255).astype(np.uint8)
