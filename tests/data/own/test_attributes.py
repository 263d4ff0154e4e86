"""Lists of attributes: who writes one by hand is told the line that is wrong."""

import os
import sys
import unicodedata

import pytest
import torch
from PIL import Image

from gancourse.data import check, load
from gancourse.data.joint import JointImages
from gancourse.data.own import attributes, layout
from gancourse.errors import DataError
from gancourse.training import runtime

NAMES = ("a.png", "b.png", "c.png")
TABLE = "name,Red,Round\na.png,1,0\nb.png,0,0\nc.png,1,1\n"
CELEBA = "3\nRed Round\na.png  1 -1\nb.png -1 -1\nc.png  1  1\n"
VALUES = {"a.png": [1, 0], "b.png": [0, 0], "c.png": [1, 1]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three pictures, of which none is for testing; the brightness tells which is which."""
    monkeypatch.setattr(layout, "divide", lambda records: (records, []))
    for number, name in enumerate(NAMES):
        Image.new("L", (8, 8), number).save(tmp_path / name)
    return tmp_path


def write(folder, text=TABLE, name="attributes.csv", encoding="utf-8"):
    (folder / name).write_text(text, encoding=encoding)
    return folder / name


def found(folder):
    data = load(f"folder:{folder}", image_size=8)
    which = data.pixels[:, 0, 0, 0].tolist()
    rows = data.attributes.int().tolist()
    return {NAMES[number]: row for number, row in zip(which, rows, strict=True)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("attributes.csv", TABLE),
        ("attributes.csv", TABLE.replace("0", "-1")),
        ("attributes.csv", TABLE.replace(",", ";")),
        ("attributes.csv", TABLE.replace("\n", "\r\n").replace(",", " , ") + "\r\n,,\r\n"),
        ("Attributes.CSV", '"name","Red","Round"\n"c.png",1,1\n"b.png",0,0\n"a.png",1,0'),
        ("attributes.csv", TABLE + "not-here.png,1,1\n"),
        ("list_attr_celeba.csv", TABLE.replace("0", "-1")),
        ("list_attr_celeba.txt", CELEBA),
        ("list_attr_celeba.txt", CELEBA.replace("\n", "\r\n") + "\r\n\r\n"),
        ("list_attr_celeba.txt", "\ufeff" + CELEBA.replace("b.png", "\nb.png")),
    ],
    ids=[
        *("table", "minus", "semicolons", "spaces", "other-order", "more-lines"),
        *("celeba-table", "celeba", "celeba-windows", "celeba-mark-and-gap"),
    ],
)
def test_this_list_gives_every_picture_its_attributes(folder, name, text):
    write(folder, text, name)
    assert found(folder) == VALUES
    data = load(f"folder:{folder}", image_size=8)
    assert data.attribute_names == ("Red", "Round")
    assert data.attributes.dtype == torch.float32
    assert (data.labels, data.classes) == (None, ())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sep=;\n" + TABLE.replace(",", ";"), ("Red", "Round")),
        (TABLE.replace("\n", ",,\n"), ("Red", "Round")),
        (TABLE.replace("\n", "\r\n"), ("Red", "Round")),
        (TABLE.replace("\n", "\r"), ("Red", "Round")),
        (TABLE.replace("\n", "\n\n , \n"), ("Red", "Round")),
        (TABLE.replace("Red", '"Red, dark"'), ("Red, dark", "Round")),
        (
            TABLE.replace(",", ";").replace("Red", '"a,b"').replace("Round", '"c,d"'),
            ("a,b", "c,d"),
        ),
        (TABLE.replace("a.png", '"a.png"'), ("Red", "Round")),
    ],
    ids=["sep", "empty-cells", "windows", "old-mac", "gaps", "comma", "commas", "quoted-name"],
)
def test_a_table_may_be_written_this_way(folder, text, names):
    with open(folder / "attributes.csv", "w", encoding="utf-8-sig", newline="") as file:
        file.write(text)
    data = load(f"folder:{folder}", image_size=8)
    assert found(folder) == VALUES
    assert data.attribute_names == names


def test_names_in_a_list_of_celeba_may_have_blanks(folder):
    (folder / "b.png").rename(folder / "my b.png")
    write(folder, CELEBA.replace("b.png", "my b.png"), "list_attr_celeba.txt")
    names, _, values = attributes.read(folder / "list_attr_celeba.txt")
    assert dict(zip(names, values.tolist(), strict=True)) == {
        "a.png": [True, False],
        "my b.png": [False, False],
        "c.png": [True, True],
    }
    assert len(load(f"folder:{folder}").attributes) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes")
@pytest.mark.parametrize("name", ["attributes.csv", "list_attr_celeba.txt"])
def test_a_pipe_in_place_of_a_list_is_told_and_not_waited_for(folder, name):
    os.mkfifo(folder / name)
    for call in (load, check):
        with pytest.raises(DataError, match=rf"{name} is no file"):
            call(f"folder:{folder}")


@pytest.mark.parametrize("name", ["attributes.csv", "list_attr_celeba.txt"])
def test_a_folder_in_place_of_a_list_is_told(folder, name):
    (folder / name).mkdir()
    assert load(f"folder:{folder}", image_size=8).attributes is None
    Image.new("L", (8, 8)).save(folder / name / "d.png")
    with pytest.raises(DataError, match=f"lie beside folders of pictures.*{name}"):
        load(f"folder:{folder}")


def test_a_list_beyond_all_measure_is_not_read(folder, monkeypatch):
    path = write(folder)
    with open(path, "ab") as file:
        file.truncate(10 * attributes.MOST_BYTES)
    with pytest.raises(DataError, match=r"640 MB, and the limit is 64 MB"):
        load(f"folder:{folder}")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("attributes.csv", TABLE + "a,1,1\n" * 99, "more than 50 lines"),
        ("attributes.csv", TABLE + "\n" * 99, "more than 50 lines"),
        ("list_attr_celeba.txt", CELEBA + "\n" * 99, "more than 50 lines"),
        ("attributes.csv", "name," * 99 + "\n" + TABLE, "line 1 has more than 200 characters"),
        ("attributes.csv", TABLE + '"aaaa\n",' * 40, "has more than 200 characters"),
        ("list_attr_celeba.txt", CELEBA + "a" * 999, "line 6 has more than 200 characters"),
    ],
    ids=["lines", "empty", "celeba-empty", "columns", "columns-over-lines", "celeba-columns"],
)
def test_a_list_with_too_many_or_too_long_lines_is_not_read_to_its_end(
    folder, monkeypatch, name, text, reason
):
    monkeypatch.setattr(attributes, "MOST_LINES", 50)
    monkeypatch.setattr(attributes, "LONGEST", 200)
    path = write(folder, text, name)
    with pytest.raises(DataError, match=f"{name} cannot be read.*{reason}.*Leave out"):
        attributes.read(path)


def test_a_list_by_a_spreadsheet_may_begin_with_a_mark(folder):
    write(folder, encoding="utf-8-sig")
    assert found(folder) == VALUES


def test_batches_have_the_attributes_of_their_pictures(folder):
    write(folder)
    data = load(f"folder:{folder}", image_size=8)
    run = runtime.start(device="cpu")
    for step in range(3):
        batch = data.batch(step, 3, run)
        numbers = ((batch["real"][:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
        assert batch["attributes"].tolist() == [VALUES[NAMES[number]] for number in numbers]
    assert JointImages([data]).fields["labels"].sets == (("attributes", ("Red", "Round")),)


def test_pictures_in_a_folder_beside_the_list_are_found_by_their_names(folder):
    write(folder, CELEBA, "list_attr_celeba.txt")
    (folder / "img_align_celeba").mkdir()
    for name in NAMES:
        (folder / name).rename(folder / "img_align_celeba" / name)
    assert found(folder) == VALUES
    assert load(f"folder:{folder}").classes == ()  # one folder is no class


def test_classes_and_attributes_can_both_be_there(folder):
    for name, kind in zip(NAMES, ("x", "x", "y"), strict=True):
        (folder / kind).mkdir(exist_ok=True)
        (folder / name).rename(folder / kind / name)
    write(folder, TABLE.replace("c.png", "y/c.png"))
    assert found(folder) == VALUES
    assert load(f"folder:{folder}").classes == ("x", "y")


def test_one_line_for_two_pictures_is_refused_with_both(folder):
    for kind in "xy":
        (folder / kind).mkdir()
        Image.new("L", (8, 8)).save(folder / kind / "0.png")
    for name in NAMES:
        (folder / name).rename(folder / "x" / name)
    path = write(folder, TABLE + "0.png,1,0\n")
    with pytest.raises(DataError, match=r"0\.png .*x/0\.png .*y/0\.png.* path"):
        load(f"folder:{folder}")
    path.write_text(TABLE + "x/0.png,1,0\ny/0.png,0,0\n", encoding="utf-8")
    assert load(f"folder:{folder}").attributes.shape == (5, 2)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_two_ways_to_write_an_accent_are_one_name(folder, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    (folder / "b.png").rename(folder / unicodedata.normalize(other, "é.png"))
    write(folder, unicodedata.normalize(form, TABLE.replace("b.png", "é.png")))
    assert found(folder) == VALUES


def test_a_picture_without_a_line_is_told_beside_lines_without_a_picture(folder):
    write(folder, TABLE.replace("b.png", "000002.jpg"))
    with pytest.raises(DataError, match=r"b\.png.*000002\.jpg.*Write"):
        load(f"folder:{folder}")


def test_each_split_has_its_own_rows(folder, monkeypatch):
    monkeypatch.setattr(layout, "divide", lambda records: (records[::2], records[1::2]))
    for number in range(3, 12):
        Image.new("L", (8, 8), number).save(folder / f"{number}.png")
    names = [*NAMES, *(f"{number}.png" for number in range(3, 12))]
    lines = [f"{name},{number % 2}" for number, name in enumerate(names)]
    write(folder, "\n".join(["name,Odd", *lines]))
    counts = []
    for split in ("train", "test"):
        data = load(f"folder:{folder}", split=split, image_size=8)
        assert data.attributes[:, 0].tolist() == (data.pixels[:, 0, 0, 0] % 2).tolist()
        counts.append(len(data))
    assert sum(counts) == 12
    assert min(counts) > 0


def test_the_report_counts_them(folder):
    write(folder)
    report = check(folder)
    assert "attributes  2: Red 2, Round 1" in report
    assert "no pictures" not in report


WRONG = {
    "picture-without-a-line": (TABLE[: TABLE.index("c.png")], r"c\.png.*Write"),
    "empty": ("", "name,Attribute1"),
    "no-attributes": ("name\na.png\nb.png\nc.png", "name,Attribute1"),
    "only-a-header": ("name,Red\n", "name,Attribute1"),
    "value-missing": (TABLE.replace("b.png,0,0", "b.png,0"), "line 3: 2 .* 3"),
    "word": (TABLE.replace("b.png,0,0", "b.png,no,0"), "line 3: 'no' .*Write 1"),
    "both-ways-to-say-no": (TABLE.replace("b.png,0,0", "b.png,-1,0"), "line 3: '-1' .*everywhere"),
    "picture-twice": (TABLE + "a.png,0,0\n", r"'a\.png' 2 .*leave one"),
    "attribute-twice": (TABLE.replace("Round", "Red"), "'Red' 2 .*leave one"),
    "no-header": (TABLE[TABLE.index("a.png") :], r"name,Attribute1.* a\.png"),
    "column-without-a-name": (TABLE.replace("Round", ""), "name,Attribute1"),
    "quote-without-end": (TABLE.replace("b.png", '"b.png') + "x" * 200_000, "field"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_this_table_is_refused_with_what_is_wrong(folder, kind):
    text, message = WRONG[kind]
    path = write(folder, text)
    for call in (load, check):
        with pytest.raises(DataError, match=message) as caught:
            call(f"folder:{folder}")
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CELEBA.replace("b.png -1", "b.png -1 1"), "2 attributes.*'b.png' has 3"),
        (CELEBA.replace("b.png -1 -1", "b.png"), "2 attributes.*'b.png' has 0"),
        (CELEBA.replace("b.png -1", "b.png yes"), "2 attributes.*'b.png yes' has 1"),
        ("0\nRed Round\n", "number of its pictures"),
    ],
    ids=["one-more-value", "no-values", "word", "no-pictures"],
)
def test_this_list_is_refused_with_what_is_wrong(folder, text, message):
    write(folder, text, "list_attr_celeba.txt")
    with pytest.raises(DataError, match=message):
        load(f"folder:{folder}")


def test_a_list_that_leads_nowhere_is_told(folder):
    (folder / "attributes.csv").symlink_to(folder / "nowhere.csv")
    with pytest.raises(DataError, match=r"attributes\.csv .*No such file"):
        load(f"folder:{folder}")


def test_a_table_in_another_encoding_is_told(folder):
    write(folder, TABLE.replace("Red", "Größe"), encoding="latin-1")
    with pytest.raises(DataError, match=r"attributes\.csv .*UTF-8"):
        load(f"folder:{folder}")


def test_two_lists_are_one_too_many(folder):
    write(folder)
    write(folder, CELEBA, "list_attr_celeba.txt")
    with pytest.raises(DataError, match=r"attributes\.csv, list_attr_celeba\.txt .*Leave one"):
        load(f"folder:{folder}")


def test_other_tables_are_left_alone(folder):
    write(folder, "anything", "notes.csv")
    assert load(f"folder:{folder}", image_size=8).attributes is None
    assert not attributes.is_list("prices.csv")
