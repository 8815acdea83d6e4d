"""`workplace`: a user's working directory that touches nothing outside of its temporary folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.workplace import CRONTAB, Workplace


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Workplace:
    names = ("work", "tables", "programs", "state", "cache", "home")
    folders = {name: tmp_path / name for name in names}
    for name in ("work", "tables", "programs", "home"):
        folders[name].mkdir()
    program = folders["programs"] / "crontab"
    program.write_text(CRONTAB)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folders['programs']}:{os.environ['PATH']}")
    monkeypatch.setenv("TABLES", str(folders["tables"]))
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(folders["state"]))
    monkeypatch.setenv("RECONCILER_CACHE_DIR", str(folders["cache"]))
    monkeypatch.setenv("HOME", str(folders["home"]))
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.chdir(folders["work"])
    return Workplace(folders["work"], folders["tables"], folders["state"], folders["cache"], capsys)
