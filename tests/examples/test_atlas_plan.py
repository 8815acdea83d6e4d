"""The first plan of examples/atlas is the one that stands in examples/atlas/plan.txt.

UPDATE_GOLDEN=1 writes it anew.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.app import wire
from reconciler.cli.render.text import plan_text
from reconciler.host.fake import FakeClock, FakeHost
from reconciler.model.mask import Mask
from reconciler.model.resource import Revision
from reconciler.model.state import HostFacts
from reconciler.testing.crontab import CrontabProgram
from reconciler.testing.systemd import SystemdPrograms

LAUNCHER = "/home/ada/.local/share/reconciler/bin/reconcile"
ATLAS = Path(__file__).parents[2] / "examples" / "atlas"


def test_the_first_plan_is_the_published_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ATLAS)
    program = CrontabProgram(user="ada")
    host = FakeHost(
        programs=program.programs(),
        running={7: "cron"},
        files={"/run/crond.pid": b"7\n", "/var/lib/systemd/linger/ada": b""},
        facts=HostFacts("atlas", "linux", "ada", "Europe/Berlin", runner=LAUNCHER),
        clock=FakeClock(datetime(2026, 11, 21, 12, 0, tzinfo=UTC)),
    )
    SystemdPrograms(host)
    environ = {
        "HOME": "/home/ada",
        "RECONCILER_STATE_DIR": str(tmp_path / "state"),
        "RECONCILER_CACHE_DIR": str(tmp_path / "cache"),
    }
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    app = wire(Path("desired"), environ, root=False, host=host)
    planned = app.plan(app.request())
    plan = replace(planned.plan, revision=Revision("a71a5"))  # a commit would change the text with every commit
    text = plan_text(plan, taken=planned.snapshot.taken, mask=Mask("published"))
    golden = ATLAS / "plan.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
    assert program.count("install", "remove", "check") == 0
    assert planned.plan.vetoes == ()
