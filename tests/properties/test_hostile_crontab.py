"""A thousand random plans over hostile crontabs: what is not ours stays identical, and every plan converges."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from reconciler.engine import reconcile
from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.errors import ExitCode, UnsupportedSpec
from reconciler.model.intent import Request
from reconciler.model.resource import Probe, Resource, Source, VerifyPolicy
from reconciler.providers.crontab.provider import Crontab
from reconciler.testing.crontab import CrontabProgram
from tests.engine.world import World, healthy, sick
from tests.properties.hostile import tables, trees

PLANS = 1200
MARK = b" : reconciler:Automation/"
REQUEST = Request(accept=frozenset({"prune", "double-run"}))


def foreign(table: bytes) -> bytes:
    """The table without the lines that carry our mark right behind a schedule."""
    lines = table.splitlines(keepends=True) if b"\r" not in table else _split(table)
    return b"".join(line for line in lines if not _is_ours(line))


def _split(table: bytes) -> list[bytes]:
    """Split at newlines only: a carriage return is part of its line."""
    parts = table.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _is_ours(line: bytes) -> bool:
    before, mark, _ = line.partition(MARK)
    return bool(mark) and not before.lstrip().startswith(b"#") and b"echo" not in before


def resources(tree: Mapping[str, Mapping[str, object]], *, probe: bool) -> list[Resource]:
    probes = (Probe("exec", {"command": ["check"], "exitCode": 0, "timeout": 1}),) if probe else ()
    return [
        Resource(
            id=ResourceId("Automation", name),
            spec=dict(spec),  # type: ignore[arg-type]
            source=Source("jobs.yaml", 1),
            verify=VerifyPolicy(within=0.5, probes=probes),
        )
        for name, spec in tree.items()
    ]


def expressible(wanted: list[Resource]) -> list[Resource]:
    """Without what a crontab cannot express: those are refused before anything is planned."""
    kept = []
    for resource in wanted:
        try:
            Crontab().canonical(resource)
        except UnsupportedSpec:
            continue
        kept.append(resource)
    return kept


def terminated(table: bytes) -> tuple[bytes, ...]:
    """What may stand of a foreign table: all of it, with a final newline where crontab insists on one at install."""
    return (table,) if table.endswith(b"\n") or not table else (table, table + b"\n")


def world(folder: Path, table: bytes) -> tuple[World, CrontabProgram]:
    program = CrontabProgram(tables={"tester": table} if table else {})
    host = FakeHost(
        programs={**program.programs(), "check": healthy},
        running={7: "cron"},
        files={"/run/crond.pid": b"7\n"},
    )
    return World(folder, host, providers={"crontab": Crontab()}), program


done = [0]


@given(tables, trees, trees)
@settings(max_examples=PLANS // 2, deadline=None, suppress_health_check=list(HealthCheck))
def _two_plans_each(
    table: bytes, first: Mapping[str, Mapping[str, object]], second: Mapping[str, Mapping[str, object]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place, program = world(Path(folder), table)
        with place.journal() as journal:
            for tree in (first, second):
                wanted = expressible(resources(tree, probe=False))
                decision = place.decide(journal, *wanted, request=REQUEST)
                if decision.plan.vetoes:  # an empty tree never prunes
                    continue
                outcome = reconcile.roll_out(place.engine(journal), decision.plan, "apply")
                journal.confirm_inventory()
                now = program.tables.get("tester", b"")
                assert foreign(now) in terminated(table), (table, now)
                if outcome.code is ExitCode.DONE:
                    assert place.decide(journal, *wanted, request=REQUEST).plan.steps == ()
                done[0] += 1


def test_a_thousand_random_plans_leave_foreign_bytes_identical(
    record_property: Callable[[str, object], None],
) -> None:
    _two_plans_each()
    record_property("summary", f"hostile crontabs: {done[0]} random plans, foreign bytes identical after each")
    assert done[0] > PLANS // 3


@given(tables, trees, trees)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_failing_plan_over_a_hostile_crontab_is_undone_byte_for_byte(
    table: bytes, first: Mapping[str, Mapping[str, object]], second: Mapping[str, Mapping[str, object]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place, program = world(Path(folder), table)
        with place.journal() as journal:
            for tree, check, probe in ((first, healthy, False), (second, sick, True)):
                place.host.programs["check"] = check
                decision = place.decide(journal, *expressible(resources(tree, probe=probe)), request=REQUEST)
                before = program.tables.get("tester")
                if before is not None and not before.endswith(b"\n"):
                    continue  # no crontab program takes such a table back
                if decision.plan.vetoes or not decision.plan.steps:
                    continue
                outcome = reconcile.roll_out(place.engine(journal), decision.plan, "apply")
                journal.confirm_inventory()
                assert outcome.code in (ExitCode.DONE, ExitCode.ROLLED_BACK), outcome
                if outcome.code is ExitCode.ROLLED_BACK:
                    assert program.tables.get("tester") == before


@pytest.mark.parametrize("table", [b"", b"0 1 * * * mine\n"])
def test_the_property_would_notice_a_lost_line(table: bytes) -> None:
    """The measure itself works: dropping or changing a foreign byte is seen."""
    ours = b"0 6 * * * : reconciler:Automation/a; exec x\n"
    assert foreign(ours + table) == table
    if table:
        assert foreign(ours + table[:-2] + b"\n") != table
