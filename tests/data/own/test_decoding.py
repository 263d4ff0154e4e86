"""Pixels of every range, metadata that are damaged, and pictures that would fill the memory."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from gancourse.data.own import check, decoding, metered, reading
from gancourse.data.own.files import Picture
from gancourse.data.own.reading import look
from gancourse.data.own.room import Room
from gancourse.files import paths

RAMP = np.linspace(0, 1, 64)
GREY = np.tile(RAMP, (64, 1))  # black on the left, white on the right
EXPECTED = np.round(255 * GREY)


def seen(path, **options):
    return look(Picture(path, path.name), 64, **options)


def chunk(kind, content):
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def save_png(path, pixels, bits=8, colour=0, size=None, more=b"", after=b"", interlace=0):
    """Write rows of bytes as a PNG, with chunks before and after the pixels."""
    height, width = size or pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = chunk(b"IHDR", header), more, chunk(b"IDAT", zlib.compress(rows)), after
    path.write_bytes(paths.PNG + b"".join(parts) + chunk(b"IEND", b""))
    return path


def save_tiff(path, pixels, bits=16, photometric=1, kind=1, order="<", turned=None):
    """Write grey pixels as a TIFF of one strip."""
    height, width = pixels.shape
    data = pixels.tobytes()
    width = width * 8 * pixels.itemsize // bits
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1)]
    tags += [(262, 3, photometric), (273, 4, 8)] + [(274, 3, turned)] * bool(turned)
    tags += [(277, 3, 1), (278, 4, height), (279, 4, len(data)), (339, 3, kind)]
    entries = b"".join(
        struct.pack(order + "HHI", tag, form, 1)
        + struct.pack(
            order + ("HH" if form == 3 else "I"), *((value, 0) if form == 3 else (value,))
        )
        for tag, form, value in tags
    )
    begin = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    count = struct.pack(order + "H", len(tags))
    path.write_bytes(begin + data + count + entries + struct.pack(order + "I", 0))
    return path


def pgm(most, kind):
    def save(folder):
        pixels = np.round(GREY * most).astype(kind)
        (folder / "a.pgm").write_bytes(b"P5 64 64 %d\n" % most + pixels.tobytes())

    return save


def ppm(most, kind):
    def save(folder):
        pixels = np.round(GREY * most).astype(kind)[..., None].repeat(3, 2)
        head = b"P6\n# a comment\n64 64\n%d\n" % most
        (folder / "a.ppm").write_bytes(head + pixels.tobytes())

    return save


def plain(most):
    def save(folder):
        values = " ".join(str(round(value * most)) for value in GREY.flat)
        (folder / "a.pgm").write_text(f"P2 64 64 {most}\n{values}\n")

    return save


def tiff(most, dtype, **facts):
    return lambda folder: save_tiff(folder / "a.tif", np.round(GREY * most).astype(dtype), **facts)


def twelve_bits(folder):
    """Two values of 12 bits in three bytes."""
    values = np.round(GREY * 4095).astype(int)
    a, b = values[:, ::2], values[:, 1::2]
    packed = np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], 2).astype(np.uint8)
    save_tiff(folder / "a.tif", packed.reshape(64, 96), bits=12)


RANGES = {
    "pgm-8": pgm(255, ">u1"),
    "pgm-100": pgm(100, ">u1"),
    "pgm-1023": pgm(1023, ">u2"),
    "pgm-4095": pgm(4095, ">u2"),
    "pgm-65535": pgm(65535, ">u2"),
    "ppm-100": ppm(100, ">u1"),
    "ppm-4095": ppm(4095, ">u2"),
    "ppm-65535": ppm(65535, ">u2"),
    "pgm-of-text": plain(255),
    "pgm-of-text-1000": plain(1000),
    "png-16": lambda folder: save_png(
        folder / "a.png", np.round(GREY * 65535).astype(">u2"), bits=16
    ),
    "png-16-colour": lambda folder: save_png(
        folder / "a.png", np.round(GREY * 65535).astype(">u2").repeat(3, 1), 16, 2, (64, 64)
    ),
    "tiff-8-white-is-zero": lambda folder: save_tiff(
        folder / "a.tif", np.round((1 - GREY) * 255).astype(np.uint8), bits=8, photometric=0
    ),
    "tiff-16": tiff(65535, "<u2"),
    "tiff-16-big-endian": tiff(65535, ">u2", order=">"),
    "tiff-16-white-is-zero": lambda folder: save_tiff(
        folder / "a.tif", np.round((1 - GREY) * 65535).astype("<u2"), photometric=0
    ),
    "tiff-16-signed": tiff(32767, "<i2", kind=2),
    "tiff-16-signed-big-endian": tiff(32767, ">i2", kind=2, order=">"),
    "tiff-12": twelve_bits,
}


@pytest.mark.parametrize("kind", RANGES)
def test_black_is_black_and_white_is_white(tmp_path, kind):
    RANGES[kind](tmp_path)
    (path,) = tmp_path.iterdir()
    found = seen(path)
    assert not found.problem
    assert np.abs(found.pixels - EXPECTED).max() <= (2 if "100" in kind else 1)


def test_white_is_zero_in_one_bit_too(tmp_path):
    bits = np.packbits(GREY < 0.5, axis=1)
    save_tiff(tmp_path / "a.tif", bits, bits=1, photometric=0)
    assert np.array_equal(seen(tmp_path / "a.tif").pixels[0], 255 * (GREY >= 0.5))


UNKNOWN = {
    "signed-below-0": (tiff(-100, "<i2", kind=2), "below 0"),
    "float": (tiff(1, "<f4", bits=32, kind=3), "floating-point"),
    "32-bits": (tiff(2**31, "<u4", bits=32), "32 bits"),
    "signed-32-bits": (tiff(2**30, "<i4", bits=32, kind=2), "32 bits"),
    "float-64": (tiff(1, "<f8", bits=64, kind=3), "a TIFF that is damaged, or of a rare kind"),
    "pfm": (
        lambda f: (f / "a.ppm").write_bytes(b"Pf 64 64 -1.0\n" + GREY.astype("<f4").tobytes()),
        "floating-point",
    ),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_unknown_range_is_refused_for_the_right_reason(tmp_path, kind):
    save, reason = UNKNOWN[kind]
    save(tmp_path)
    (path,) = tmp_path.iterdir()
    assert reason in seen(path).problem


def test_values_above_white_are_white(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 64 64 1000\n" + np.full((64, 64), 9000, ">u2").tobytes())
    assert (seen(tmp_path / "a.pgm").pixels == 255).all()


KEYS = {
    "grey-2": (2, 0, np.full((8, 2), 0b10101010, np.uint8), struct.pack(">H", 2)),
    "grey-4": (4, 0, np.full((8, 4), 0x77, np.uint8), struct.pack(">H", 7)),
    "grey-8": (8, 0, np.full((8, 8), 77, np.uint8), struct.pack(">H", 77)),
    "grey-16": (16, 0, np.full((8, 8), 7777, ">u2"), struct.pack(">H", 7777)),
    "colour-16": (16, 2, np.full((8, 24), 7777, ">u2"), struct.pack(">3H", *[7777] * 3)),
}


@pytest.mark.parametrize("kind", KEYS)
def test_the_value_that_is_transparent_is_laid_on_white(tmp_path, kind):
    bits, colour, pixels, key = KEYS[kind]
    save_png(tmp_path / "a.png", pixels, bits, colour, (8, 8), chunk(b"tRNS", key))
    assert (seen(tmp_path / "a.png").pixels == 255).all()


@pytest.mark.parametrize("kind", ["a.png", "a.tif", "a.jpg"])
@pytest.mark.parametrize("turned", [1, 3, 6, 8])
def test_the_sizes_that_are_told_are_those_of_the_upright_picture(tmp_path, kind, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    Image.new("RGB", (40, 30)).save(tmp_path / kind, exif=exif)
    assert seen(tmp_path / kind).size == ((30, 40) if turned in (6, 8) else (40, 30))


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_the_halves_of_a_turned_pair_are_those_of_the_upright_picture(tmp_path, turned, ending):
    upright = np.zeros((32, 64), np.uint8)
    upright[:, 32:] = 200
    upright[:16] += 50  # A and B are brighter above
    back = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
    stored = Image.fromarray(upright)
    if turned > 1:
        stored = stored.transpose(decoding.TURNS[back[turned]])
    exif = Image.Exif()
    exif[0x0112] = turned
    stored.save(tmp_path / f"a.{ending}", exif=exif)
    pixels = look(Picture(tmp_path / f"a.{ending}", "a"), 32, pair=True).pixels
    assert np.array_equal(pixels[0], upright[:, :32])
    assert np.array_equal(pixels[3], upright[:, 32:])


# Metadata


def bomb(size=5_000_000):
    return zlib.compress(bytes(size), 9)


DAMAGED = {
    "text-bomb": chunk(b"zTXt", b"a\0\0" + bomb()),
    "text-bomb-in-unicode": chunk(b"iTXt", b"a\0\1\0\0\0" + bomb()),
    "many-texts": chunk(b"tEXt", b"a\0" + bytes(900_000)) * 80,
    "profile-bomb": chunk(b"iCCP", b"a\0\0" + bomb()),
    "profile-of-unknown-kind": chunk(b"iCCP", b"a\0\7" + b"nothing"),
    "profile-of-noise": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(range(256)))),
    "density-cut-off": chunk(b"pHYs", b"\0\0\0"),
    "exif-of-noise": chunk(b"eXIf", bytes(range(200))),
    "exif-empty": chunk(b"eXIf", b""),
    "animation-without-frames": chunk(b"acTL", struct.pack(">II", 0, 0)),
    "animation-cut-off": chunk(b"acTL", b"\0"),
    "time-cut-off": chunk(b"tIME", b"\0"),
    "checksum": chunk(b"tEXt", b"a\0b")[:-1] + b"?",
}


@pytest.mark.parametrize("place", ["more", "after"])
@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_metadata_of_a_png_leave_its_pixels_as_they_lie(tmp_path, kind, place):
    path = save_png(tmp_path / "a.png", np.uint8(EXPECTED), **{place: DAMAGED[kind]})
    found = seen(path)
    assert not found.problem
    assert np.array_equal(found.pixels[0], EXPECTED)


def test_a_damaged_text_does_not_undo_the_turn_of_a_png(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    turn = chunk(b"eXIf", exif.tobytes()[6:])
    more = DAMAGED["text-bomb"] + turn
    found = seen(save_png(tmp_path / "a.png", np.uint8(EXPECTED), more=more))
    assert np.array_equal(found.pixels[0], EXPECTED[::-1, ::-1])


EXIF = {
    "noise": bytes(range(256)),
    "empty": b"",
    "entry-of-unknown-kind": b"II*\0\x08\0\0\0\1\0\x12\1\xff\xff\1\0\0\0\6\0\0\0\0\0\0\0",
    "list-beyond-the-end": b"MM\0*\0\0\xff\xff",
    "turn-of-9": b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x09\0\0\0\0\0\0",
    "turn-of-text": b"MM\0*\0\0\0\x08\0\1\1\x12\0\2\0\0\0\4abc\0\0\0\0\0",
    "list-in-itself": b"MM\0*\0\0\0\x08\0\1\x87\x69\0\4\0\0\0\1\0\0\0\x08\0\0\0\x08",
    "short": b"\0\x08\0\x02\x01\x12\0\x03" + b"x" * 20,
}


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("kind", EXIF)
def test_damaged_exif_leaves_the_pixels_as_they_lie(tmp_path, kind, ending):
    exif = (b"Exif\0\0" if ending == "jpg" else b"") + EXIF[kind]
    path = tmp_path / f"a.{ending}"
    options = {"quality": 100} if ending == "jpg" else {"lossless": True}
    Image.fromarray(np.uint8(EXPECTED)).save(path, exif=exif, icc_profile=b"no profile", **options)
    found = seen(path)
    assert not found.problem
    assert np.abs(found.pixels[0] - EXPECTED).max() <= 2


# What is cut off


@pytest.mark.parametrize("colour", [0, 2, 6])
@pytest.mark.parametrize("kept", [0, 10, 63])
def test_a_png_whose_data_end_before_its_rows_is_refused(tmp_path, colour, kept):
    pixels = np.full((kept, 64 * {0: 1, 2: 3, 6: 4}[colour]), 200, np.uint8)
    path = save_png(tmp_path / "a.png", pixels, 8, colour, (64, 64))
    assert "truncated" in seen(path).problem
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_an_interlaced_png_whose_data_end_before_its_rows_is_refused(tmp_path):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 5, 8, 0, 0, 0, 1))
    passes = [(1, 1), (1, 1), (2, 1), (1, 2), (3, 1), (2, 3), (5, 2)]
    rows = [(1 + width) for width, height in passes for _ in range(height)]
    for left_out, problem in ((0, ""), (1, "truncated"), (3, "truncated")):
        data = b"".join(b"\0" + b"\x99" * (n - 1) for n in rows[: len(rows) - left_out])
        path = tmp_path / f"{left_out}.png"
        idat = chunk(b"IDAT", zlib.compress(data))
        path.write_bytes(paths.PNG + header + idat + chunk(b"IEND", b""))
        assert seen(path).problem.split(":")[0] == problem


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (64, 64), (33, 2)])
def test_a_black_png_is_whole(tmp_path, mode, size):
    Image.new(mode, size).save(tmp_path / "a.png")
    assert not seen(tmp_path / "a.png").problem


def test_a_png_with_its_data_in_many_chunks_is_whole(tmp_path):
    pixels = np.zeros((300, 300), np.uint8)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    parts = b"".join(chunk(b"IDAT", data[i : i + 3]) for i in range(0, len(data), 3))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 300, 8, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(paths.PNG + header + parts + chunk(b"IEND", b""))
    assert not seen(tmp_path / "a.png").problem


# Memory and time


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "LA", "1"])
@pytest.mark.parametrize("size", [(400, 300), (610, 400), (100, 700)])
def test_a_large_picture_is_scaled_in_strips_as_it_is_whole(tmp_path, monkeypatch, mode, size):
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 4), np.uint8)
    picture = Image.fromarray(noise).resize(size).convert(mode)
    picture.save(tmp_path / "a.png")
    whole = seen(tmp_path / "a.png").pixels.astype(int)
    monkeypatch.setattr(decoding, "STRIP", 3000)
    assert np.array_equal(seen(tmp_path / "a.png").pixels, whole)
    direct = Image.alpha_composite(
        Image.new("RGBA", size, "white"), picture.convert("RGBA")
    ).convert("RGB")
    side = min(size)
    left, top = ((length - side) / 2 for length in size)
    direct = direct.resize(
        (64, 64), Image.Resampling.BILINEAR, (left, top, left + side, top + side), 3.0
    )
    assert np.abs(whole - np.asarray(direct).transpose(2, 0, 1)).mean() < 2


def header_alone(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return paths.PNG + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


TOO_LARGE = {
    "webp": lambda p: Image.new("RGB", (300, 300)).save(p, "WEBP"),
    "progressive": lambda p: Image.new("L", (450, 450)).save(p, "JPEG", progressive=True),
    "tiff": lambda p: Image.new("L", (400, 400)).save(p, "TIFF", compression="tiff_lzw"),
    "png": lambda p: Image.new("1", (501, 500)).save(p, "PNG"),
    "png-of-gigabytes": lambda p: p.write_bytes(header_alone(30_000)),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_a_picture_beyond_the_memory_is_refused_with_the_limit(tmp_path, monkeypatch, kind):
    path = tmp_path / "a.png"
    TOO_LARGE[kind](path)
    monkeypatch.setattr(decoding, "MEMORY", 1_000_000)
    assert "limit" in seen(path).problem
    assert "scale it down" in seen(path).problem


def test_a_picture_that_python_would_decode_for_minutes_is_refused(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P2 3000 3000 255\n")
    assert "save it as PNG" in seen(tmp_path / "a.pgm").problem


class Counting(io.BytesIO):
    """A file that counts how often it was read, and how many bytes."""

    def __init__(self, content, reads):
        super().__init__(content)
        self.reads = reads

    def read(self, size=-1):
        content = super().read(size)
        self.reads.append(len(content))
        return content


def saved(kind, **options):
    """Return a small picture as bytes of a format."""
    file = io.BytesIO()
    Image.fromarray(np.uint8(EXPECTED)).save(file, kind, **options)
    return file.getvalue()


def segment(marker, content):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def riff(*chunks):
    body = b"".join(kind + struct.pack("<I", len(part)) + part for kind, part in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def directory(*tags, data=b"", order="<"):
    """Return a TIFF of one byte a row, 64 rows of 8; ``tags`` lie beside or in place of others."""
    plain = {256: (4, 1, 8), 257: (4, 1, 64), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    plain |= {277: (3, 1, 1), 278: (4, 1, 1)} | {tag: rest for tag, *rest in tags}
    entries = [struct.pack("<HHII", tag, *rest) for tag, rest in sorted(plain.items())]
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return head + bytes(400 - len(head)) + data


RATIONAL = b"II*\0\x08\0\0\0" + struct.pack("<HHHIIII", 1, 274, 5, 2000, 26, 0, 0)
RATIONAL += b"\7\0\0\0\3\0\0\0" * 2000
RLE = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + 1024)
RLE += struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 8, 1, 0, 0, 0, 256, 0) + bytes(range(256)) * 4
SCANS = saved("JPEG", progressive=True)
GIF = saved("GIF")
BEGUN = GIF.index(b",\0\0\0\0@\0@\0")  # where the first frame is described
# Many parts, or a long one, of each kind that Pillow reads beside the pixels.
COSTLY = {
    "pgm-comment": b"P5 #" + bytes(9000),
    "pgm-comments-between-numbers": b"P2 8 8 255\n" + b"#\n" * 2000,
    "jpeg-comments": saved("JPEG")[:2] + segment(0xFE, b"") * 2000 + saved("JPEG")[2:],
    "jpeg-filling": saved("JPEG")[:2] + b"\xff" * 9000 + saved("JPEG")[2:],
    "jpeg-long": saved("JPEG")[:2] + segment(0xEF, bytes(60_000)) + saved("JPEG")[2:],
    "jpeg-scans": SCANS[:-2] + SCANS[SCANS.rindex(b"\xff\xda") : -2] * 200 + SCANS[-2:],
    "jpeg-exif": saved("JPEG", exif=b"Exif\0\0" + RATIONAL),
    "png-texts": saved("PNG")[:33] + chunk(b"tEXt", b"a\0b") * 2000 + saved("PNG")[33:],
    "png-texts-after": saved("PNG")[:-12] + chunk(b"tEXt", b"a\0b") * 2000 + saved("PNG")[-12:],
    "png-empty-data": saved("PNG")[:33] + chunk(b"IDAT", b"") * 2000 + saved("PNG")[33:],
    "png-exif": saved("PNG")[:33] + chunk(b"eXIf", RATIONAL) + saved("PNG")[33:],
    "gif-comment": GIF[:BEGUN] + b"!\xfe" + b"\1a" * 4000 + b"\0" + GIF[BEGUN:],
    "gif-extensions": GIF[:BEGUN] + b"!\1\0" * 4000 + GIF[BEGUN:],
    "webp-long": riff((b"VP8 ", saved("WEBP")[20:]), (b"abcd", bytes(60_000))),
    "webp-exif": saved("WEBP", exif=RATIONAL),
    "bmp-header": saved("BMP")[:14] + struct.pack("<I", 60_000) + bytes(60_000),
    "bmp-ends-of-lines": RLE + b"\0\0" * 4000,
    "tiff-strips": directory((273, 4, 2000, 400), data=bytes(8000)),
    "tiff-strips-as-bytes": directory((273, 1, 2000, 400), data=bytes(2000)),
    "tiff-fractions": directory((282, 5, 2000, 400), (273, 4, 1, 400), data=RATIONAL),
    "tiff-long": directory((700, 7, 60_000, 400), (273, 4, 1, 400), data=bytes(60_000)),
}
LIMITS = {"MOST_READS": 1000, "HEADER": 40_000, "MOST_EXIF": 10_000, "MOST_NUMBERS": 1000}
LIMITS |= {"MOST_COMMENTS": 1000, "HEADERS": {"TIFF": 40_000}}


@pytest.mark.parametrize("kind", COSTLY)
def test_a_header_that_is_too_long_is_refused_after_few_reads(monkeypatch, kind):
    for name, value in LIMITS.items():
        monkeypatch.setattr(metered, name, value)
    reads = []
    problem = reading.look_into(lambda: Counting(COSTLY[kind], reads)).problem
    assert problem.startswith("more than")
    assert problem.endswith("which is the limit: save it anew as PNG")
    assert ("numbers" in problem) == (kind.startswith("tiff") and kind != "tiff-long")
    assert len(reads) < 4 * LIMITS["MOST_READS"]
    assert sum(reads) < 5 * LIMITS["HEADER"]


def test_directories_below_that_of_a_tiff_are_not_read(monkeypatch):
    below = struct.pack("<HHHIII", 1, 33434, 5, 2000, 420, 0) + bytes(2) + RATIONAL
    content = directory((34665, 4, 1, 400), (273, 4, 1, 400), (278, 4, 1, 64), data=below)
    reads = []
    assert not reading.look_into(lambda: Counting(content, reads)).problem
    assert 16_000 not in reads


def test_a_long_text_after_the_pixels_of_a_png_is_not_kept(monkeypatch):
    monkeypatch.setattr(metered, "HEADER", 40_000)
    text = chunk(b"tEXt", b"a\0" + bytes(1_000_000))
    content, reads = saved("PNG")[:-12] + text + saved("PNG")[-12:], []
    found = reading.look_into(lambda: Counting(content, reads))
    assert np.array_equal(found.pixels[0], EXPECTED)
    assert sum(reads) < 200_000


NOTES = np.random.default_rng(0).bytes(3_000_000)
LONG = {
    "jpeg": lambda: saved("JPEG", quality=100, exif=b"Exif\0\0" + bytes(60_000), icc_profile=NOTES),
    "jpeg-progressive": lambda: saved("JPEG", quality=100, progressive=True, icc_profile=NOTES),
    "png": lambda: saved("PNG", exif=b"II*\0" + bytes(60_000), icc_profile=NOTES),
    "webp": lambda: saved("WEBP", lossless=True, xmp=NOTES, icc_profile=NOTES),
    "gif": lambda: saved("GIF", comment=NOTES),
    "tiff": lambda: saved("TIFF", icc_profile=NOTES, tiffinfo={700: NOTES, 37724: 3 * NOTES}),
    "ppm": lambda: b"P5 64 64 #" + b"x" * 100_000 + b"\n255\n" + np.uint8(EXPECTED).tobytes(),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_picture_with_notes_of_some_megabytes_is_read(kind):
    found = reading.look_into(lambda: io.BytesIO(LONG[kind]()))
    assert not found.problem
    assert np.abs(found.pixels[0] - EXPECTED).max() <= 2


@pytest.mark.parametrize("packed", [None, "tiff_lzw"])
def test_a_tiff_of_tens_of_thousands_of_strips_is_read(packed):
    file = io.BytesIO()
    Image.new("RGB", (2, 60_000), "red").save(file, "TIFF", compression=packed, strip_size=1)
    found = reading.look_into(lambda: io.BytesIO(file.getvalue()), 2)
    assert not found.problem
    assert (found.pixels[:, 0, 0] == [255, 0, 0]).all()


def test_a_bmp_of_runs_may_be_read_byte_by_byte(monkeypatch):
    monkeypatch.setattr(metered, "MOST_READS", 20)
    runs = b"".join(bytes([1, value]) for value in range(8)) + b"\0\0"
    found = reading.look_into(lambda: io.BytesIO(RLE + 8 * runs + b"\0\1"), 8)
    assert not found.problem


def test_a_file_beyond_all_measure_is_refused_with_the_limit(tmp_path):
    path = tmp_path / "a.webp"
    with open(path, "wb") as file:
        file.truncate(reading.MOST_BYTES + 1)
    assert "limit is 200 MB" in seen(path).problem


def test_room_is_given_to_as_many_as_fit():
    room, held, most, lock = Room(10), [0], [0], threading.Lock()

    def work(size):
        for _ in range(50):
            with room.taken(size):
                with lock:
                    held[0] += min(size, 10)
                    most[0] = max(most[0], held[0])
                with lock:
                    held[0] -= min(size, 10)

    threads = [threading.Thread(target=work, args=(size,)) for size in (1, 3, 6, 9, 10, 99)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert held == [0]
    assert 0 < most[0] <= 10


def test_room_is_given_back_after_an_error():
    room = Room(1)
    for _ in range(3):
        with pytest.raises(KeyError), room.taken(1):
            raise KeyError


# The report


def test_pictures_that_are_nearly_black_are_told(tmp_path):
    Image.fromarray((GREY * 4095).astype(np.uint16)).save(tmp_path / "twelve.png")
    Image.fromarray(np.uint8(EXPECTED)).save(tmp_path / "eight.png")
    report = check(tmp_path)
    assert "dark        1 nearly black: twelve.png" in report
    assert "save them with 8 bits" in report
    (tmp_path / "twelve.png").unlink()
    assert "dark" not in check(tmp_path)


def test_a_picture_from_memory_is_read_like_a_file():
    content = io.BytesIO()
    Image.fromarray(np.uint8(EXPECTED)).save(content, "PNG")
    found = reading.look_into(lambda: io.BytesIO(content.getvalue()))
    assert np.array_equal(found.pixels[0], EXPECTED)
