"""Where downloads are kept."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gancourse.cli import main
from gancourse.errors import DataError
from gancourse.files.cache import cache_folder


def raising(project):
    raise RuntimeError("could not determine the home directory")


@pytest.fixture(params=[raising, lambda project: f"~/.cache/{project}"], ids=["raises", "tilde"])
def no_home(request, monkeypatch):
    """No variable names a home folder, and the user is unknown to the system.

    platformdirs raises an error then, or gives a path with ~ in its older versions.
    """
    for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "LOCALAPPDATA", "GANCOURSE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr("pooch.os_cache", request.param)


def test_the_cache_is_the_platforms_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("GANCOURSE_CACHE", raising=False)
    assert "gancourse" in cache_folder().parts
    for name in ("", str(tmp_path)):
        monkeypatch.setenv("GANCOURSE_CACHE", name)
        assert (cache_folder() == tmp_path) == bool(name)


@pytest.mark.skipif(sys.platform == "win32", reason="HOME names no home folder there")
def test_the_cache_may_begin_with_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GANCOURSE_CACHE", "~/elsewhere")
    assert cache_folder() == tmp_path / "elsewhere"


def test_an_unknown_home_is_told_where_a_download_is_needed(no_home):
    with pytest.raises(DataError, match=r"Set HOME, or set GANCOURSE_CACHE"):
        cache_folder()
    for command in ("fetch", "check"):
        result = CliRunner().invoke(main, ["data", command, "cifar10"])
        assert result.exit_code
        assert "GANCOURSE_CACHE" in result.output


def test_the_home_of_a_user_who_does_not_exist_is_told(monkeypatch):
    monkeypatch.setenv("GANCOURSE_CACHE", "~nobody-has-this-name/cache")
    with pytest.raises(DataError, match="~nobody-has-this-name/cache, but that home folder"):
        cache_folder()


def test_data_can_be_listed_without_a_home(no_home):
    result = CliRunner().invoke(main, ["data", "list"])
    assert result.exit_code == 0
    assert "cifar10" in result.output


def test_asking_for_the_cache_imports_no_pytorch():
    code = "import sys, gancourse.files.cache as c; c.cache_folder(); print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert found.stdout.strip() == "False", found.stderr
