"""Which failures of `crontab` are held against the manifests, and which are trouble of the moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.host.fake import FakeHost
from reconciler.model.errors import ExitCode
from reconciler.providers.crontab.provider import Crontab
from reconciler.testing.crontab import CrontabProgram
from tests.crontab.test_accounts import automation
from tests.engine.world import World


@pytest.mark.parametrize(
    ("said", "guilty"),
    [
        (b'"-":1: bad minute\nerrors in crontab file, can\'t install.\n', True),
        (b"crontab: can't lock /var/spool/cron/crontabs: Resource temporarily unavailable\n", False),
        (b"crontab: No space left on device\n", False),
        (b"", False),
    ],
)
def test_only_a_refusal_of_the_content_quarantines_the_revision(tmp_path: Path, said: bytes, guilty: bool) -> None:
    program = CrontabProgram()
    host = FakeHost(programs=program.programs(), running={7: "cron"})
    world = World(tmp_path, host, providers={"crontab": Crontab()})
    program.answer("install", 1, said, times=5)
    assert world.apply(automation("a", "tester")).code is ExitCode.ROLLED_BACK
    with world.journal() as journal:
        assert bool(journal.quarantine()) is guilty
