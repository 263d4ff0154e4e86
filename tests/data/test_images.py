import pytest
from PIL import Image

from gancourse.data import check
from gancourse.errors import DataError


def picture(path, size=(8, 8), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)


def test_a_folder_is_counted_by_class_size_and_mode(tmp_path):
    for i in range(3):
        picture(tmp_path / "cats" / f"{i}.png")
    picture(tmp_path / "dogs" / "deep" / "1.JPG", size=(16, 4), mode="L")
    (tmp_path / "dogs" / "notes.txt").write_text("nice dog", encoding="utf-8")
    (tmp_path / ".thumbs").mkdir()
    (tmp_path / ".thumbs" / "broken.png").write_bytes(b"")
    report = check(tmp_path)
    assert f"{tmp_path}: 4 pictures" in report
    assert "2: cats 3, dogs 1" in report
    assert "8 to 16 wide, 4 to 8 high" in report
    assert "L 1, RGB 3" in report
    assert "1: " in report and "notes.txt" in report
    assert "thumbs" not in report


def test_a_folder_without_sub_folders_has_no_classes(tmp_path):
    picture(tmp_path / "a.webp")
    report = check(str(tmp_path))
    assert "classes" not in report
    assert "all 8x8" in report


def test_pictures_beside_the_classes_are_pointed_out(tmp_path):
    picture(tmp_path / "cats" / "a.png")
    picture(tmp_path / "b.png")
    assert "1, beside the sub-folders" in check(tmp_path)


def test_every_unreadable_picture_is_named(tmp_path):
    picture(tmp_path / "good.png")
    picture(tmp_path / "truncated.png", size=(64, 64))
    content = (tmp_path / "truncated.png").read_bytes()
    (tmp_path / "truncated.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.jpg").write_text("not a picture", encoding="utf-8")
    Image.new("L", (8, 8)).save(tmp_path / "disguised.png", format="PCX")
    with pytest.raises(DataError) as caught:
        check(tmp_path)
    message = str(caught.value)
    assert ": 1 pictures" in message
    assert "unreadable  3" in message
    for name in ("truncated.png", "text.jpg", "disguised.png"):
        assert name in message


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here", encoding="utf-8")
    with pytest.raises(DataError, match=r"0 pictures(.|\n)*\.png, \.jpg"):
        check(tmp_path)
