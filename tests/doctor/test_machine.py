"""What the doctor finds on a machine, however odd that is."""

import importlib.metadata
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from packaging.specifiers import SpecifierSet

from gancourse.doctor import machine


@pytest.mark.parametrize(
    ("version", "good"),
    [("2.6", True), ("2.7.0a0+git1", True), ("2.5", False), (None, False), ("unknown", False)],
)
def test_a_version_that_is_none_does_not_fit(version, good):
    assert machine.fits(version, SpecifierSet(">=2.6")) is good


@pytest.mark.parametrize("error", [importlib.metadata.PackageNotFoundError, KeyError])
def test_a_package_without_metadata_has_no_version(monkeypatch, error):
    def version(name):
        raise error(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert machine.installed("torch") is None


def test_a_package_that_cannot_be_imported_says_why_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text("raise OSError('no\\n  libfoo')")
    monkeypatch.syspath_prepend(tmp_path)
    assert machine.import_error("broken-one") == "OSError: no libfoo"
    assert machine.import_error("pillow") is None


def test_a_pytorch_that_cannot_be_imported_leaves_no_device(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert machine.find_devices() == []


def test_a_gpu_that_does_not_answer_has_unknown_memory(monkeypatch):
    def refuse(index):
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Tiny")
    monkeypatch.setattr(torch.cuda, "mem_get_info", refuse)
    assert machine.find_devices()[0] == {
        "name": "cuda:0",
        "model": "Tiny",
        "free": None,
        "total": None,
    }


@pytest.mark.parametrize("text", ["", "MemFree: 3 kB\n", None])
def test_memory_that_the_system_does_not_tell_is_unknown(monkeypatch, text):
    def read_text(self, encoding):
        if text is None:
            raise FileNotFoundError
        return text

    monkeypatch.setattr(Path, "read_text", read_text)
    assert machine.memory_free() is None


def test_the_disk_of_a_folder_that_is_not_there_yet_is_its_parents(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda place: SimpleNamespace(free=place))
    assert machine.look_at_folder(tmp_path / "not" / "yet") == (tmp_path, None)


def test_a_folder_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        for place in (tmp_path / name, tmp_path / name / "cache"):
            assert machine.look_at_folder(place)[1] == f"{tmp_path / name} is not a folder"
    monkeypatch.setattr(machine.os, "access", lambda place, mode: False)
    assert machine.look_at_folder(tmp_path)[1] == f"you may not write to {tmp_path}"


def test_a_disk_that_cannot_be_asked_has_unknown_space(tmp_path, monkeypatch):
    def refuse(place):
        raise PermissionError(place)

    monkeypatch.setattr(machine.shutil, "disk_usage", refuse)
    assert machine.look_at_folder(tmp_path) == (None, None)


@pytest.mark.parametrize("problem", [machine.webbrowser.Error, AttributeError])
def test_a_machine_may_have_no_browser(monkeypatch, problem):
    def refuse():
        raise problem

    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(machine.webbrowser, "get", refuse)
    assert machine.find_browser() is None
