"""A folder of one's own pictures, looked at before anything is trained on it."""

from collections import Counter
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from gancourse.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
# Named, because Pillow looks into the file, and some of its formats start other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


def check_folder(folder):
    """Open every picture below a folder, and say what is there.

    A sub-folder is a class, the way most tools lay out labelled pictures; pictures that lie
    deeper belong to the class of the uppermost sub-folder. Hidden files are passed over.

    Parameters
    ----------
    folder : str or pathlib.Path

    Returns
    -------
    str
        Pictures, classes, sizes, modes and other files, a line each.

    Raises
    ------
    DataError
        If there is no picture, or some cannot be read; the report says which.
    """
    folder = Path(folder)
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part[0] == "." for part in path.relative_to(folder).parts)
    )
    candidates = [path for path in files if path.suffix.lower() in ENDINGS]
    others = [path for path in files if path.suffix.lower() not in ENDINGS]
    classes, sizes, modes, unreadable = Counter(), Counter(), Counter(), []
    for path in tqdm(candidates, desc=str(folder), unit=" pictures", leave=False, disable=None):
        try:
            with Image.open(path, formats=FORMATS) as picture:
                picture.load()  # all of it: a truncated file has a good header
                sizes[picture.size] += 1
                modes[picture.mode] += 1
        except Exception as problem:  # Pillow's readers raise nearly everything on damaged files
            unreadable.append(f"{path.relative_to(folder)} ({problem or type(problem).__name__})")
            continue
        classes[path.relative_to(folder).parts[0] if path.parent != folder else ""] += 1
    loose = classes.pop("", 0)
    lines = [f"{folder}: {sum(sizes.values()):,} pictures"]
    if classes:
        lines.append(f"  classes     {len(classes)}: {_counted(classes)}")
    if classes and loose:
        lines.append(f"  no class    {loose:,}, beside the sub-folders")
    if sizes:
        (width, height), (wide, high) = (
            [pick(size[axis] for size in sizes) for axis in (0, 1)] for pick in (min, max)
        )
        span = f"{width} to {wide} wide, {height} to {high} high"
        one = f"all {width}x{height}"
        lines.append(f"  pixels      {one if len(sizes) == 1 else span}")
        lines.append(f"  modes       {_counted(modes)}")
    if others:
        lines.append(f"  no pictures {len(others):,}: {_some(others, folder)}")
    if unreadable:
        lines.append(f"  unreadable  {len(unreadable):,}:")
        lines += [f"    {line}" for line in unreadable[:10]]
        lines += [f"    and {len(unreadable) - 10:,} more"] if len(unreadable) > 10 else []
        lines.append("Remove or replace the unreadable ones before training.")
    if not candidates:
        lines.append(f"Expected files that end in {', '.join(ENDINGS)}.")
    if unreadable or not candidates:
        raise DataError("\n".join(lines))
    return "\n".join(lines)


def _counted(counter):
    parts = [f"{name} {count:,}" for name, count in sorted(counter.items())]
    return ", ".join(parts[:20]) + (f" and {len(parts) - 20} more" if len(parts) > 20 else "")


def _some(paths, folder):
    names = ", ".join(str(path.relative_to(folder)) for path in paths[:3])
    return names + (", ..." if len(paths) > 3 else "")
