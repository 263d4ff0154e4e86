"""Every place that opens a picture names the formats that it takes.

By itself Pillow takes a file for what its bytes say, and hands some formats to other programs:
PostScript is a programming language, and Ghostscript runs it.
"""

import ast
import json
from pathlib import Path

import pytest
from PIL import Image

from gancourse.data.own.decoding import FORMATS

ROOT = Path(__file__).parents[1]
READERS = {"PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"}
# Other readers of pictures, which take what they find.
OTHERS = ("imread", "read_image", "decode_image", "decode_gif", "default_loader", "ImageFolder")


def opened(source):
    """Yield the line of each call that opens a picture, and the formats that it names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("PIL."):
            yield node.lineno, f"a name from {node.module}"  # its open would not be recognised
        if isinstance(node, ast.Attribute | ast.Name):
            name = getattr(node, "attr", getattr(node, "id", None))
            own = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"
            if name in OTHERS and not own:  # a part of a network may be called so
                yield node.lineno, name
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr == "open" and ast.unparse(node.func.value).endswith("Image"):
            named = {word.arg: word.value for word in node.keywords}
            yield node.lineno, named.get("formats")


def is_safe(formats):
    """Return whether formats are named: by a variable, or written out and among those we read."""
    if not isinstance(formats, ast.expr):
        return False
    try:
        named = ast.literal_eval(formats)
    except ValueError:  # a variable, or a list of some
        return True
    return bool(named) and {*named} <= READERS


PATHS = [path for room in ("gancourse", "tools") for path in (ROOT / room).rglob("*.py")]


def sources():
    """Yield the name and the source of each module, and of each code cell of the lessons."""
    for path in PATHS:
        yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for number, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                yield f"{path.name}, cell {number}", "".join(cell["source"])


def test_every_picture_is_opened_with_a_list_of_formats():
    found = [
        (f"{name}:{line}", formats) for name, text in sources() for line, formats in opened(text)
    ]
    assert len(found) > 5
    assert [place for place, formats in found if not is_safe(formats)] == []


def test_the_list_holds_no_format_that_starts_a_program():
    assert {*FORMATS} == READERS


def test_no_module_speaks_of_a_format_that_starts_a_program_or_that_few_have_tried():
    Image.init()
    others = {*Image.ID} - READERS
    assert {"EPS", "WMF"} <= others
    found = [
        (path.name, node.value)
        for path in PATHS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in others
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "safe"),
    [
        ("Image.open(path, formats=FORMATS)", True),
        ("PIL.Image.open(path, formats=('PNG',))", True),
        ("Image.open(path)", False),
        ("PIL.Image.open(path, 'r')", False),
        ("Image.open(path, formats=None)", False),
        ("Image.open(path, formats=('EPS', 'PNG'))", False),
        ("Image.open(path, formats=())", False),
        ("Image.open(path, formats=[some])", True),
        ("plt.imread(path)", False),
        ("torchvision.io.read_image(path)", False),
        ("from PIL.Image import open", False),
    ],
)
def test_every_form_of_opening_is_seen(source, safe):
    assert [is_safe(formats) for _, formats in opened(source)] == [safe]
