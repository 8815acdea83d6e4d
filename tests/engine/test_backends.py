"""Which backend holds a resource, how one moves, what belongs to other hosts, and in which order things go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from reconciler.engine.intents import intents
from reconciler.engine.observe import Memory, observe
from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Host
from reconciler.model.errors import ExitCode, LoadError, ObserveError, UnsupportedSpec
from reconciler.model.limits import Limits
from reconciler.model.plan import VerifyStep
from reconciler.model.resource import Placement, Resource
from reconciler.model.state import HostFacts, Observation, Snapshot, State
from reconciler.provider import Provider, Support, Supported, Unsupported, Wanted
from reconciler.testing.memory import MemoryProvider
from tests.engine.table import address, decide, ours, owned, snapshot, text, wanted
from tests.engine.world import MEMOS, MINE, NOTES, World, sick, want

HOST = HostFacts("atlas", "linux", "ada", "UTC", ("rack=2", "role=web"))


class Picky(MemoryProvider):
    """A backend that may be absent, or refuse a word."""

    def __init__(self, name: str, path: str, *, absent: str = "", refuses: str = "") -> None:
        super().__init__(Path(path))
        self.name = name  # type: ignore[misc]
        self.lock = name  # type: ignore[misc]
        self.absent, self.refuses = absent, refuses

    kinds: ClassVar[frozenset[str]] = frozenset({"Note"})

    def probe(self, _host: object) -> Support:
        return Unsupported(self.absent, "install it") if self.absent else Supported()

    def canonical(self, resource: Resource) -> State:
        if self.refuses and self.refuses in str(resource.spec["text"]):
            raise UnsupportedSpec(f"{self.name} has no word for {self.refuses}", field="text", hint="use systemd")
        return super().canonical(resource)


def chosen(
    providers: Mapping[str, Picky], resource: Resource, holder: str | None = None, platform: str = "linux"
) -> tuple[str, str]:
    def support(name: str) -> str | None:
        return providers[name].absent or None

    inventory = [] if holder is None else [replace(owned("x"), id=resource.id, provider=holder)]
    found = intents([resource], providers, replace(HOST, platform=platform), inventory, support)[0]
    return found.provider, found.why


def test_the_platform_decides_where_nothing_else_does() -> None:
    both = {"crontab": Picky("crontab", NOTES), "launchd": Picky("launchd", MEMOS)}
    assert chosen(both, want("Note/a", "x")) == ("crontab", "")
    assert chosen(both, want("Note/a", "x"), platform="darwin") == ("launchd", "")


def test_a_backend_that_cannot_express_it_or_is_absent_is_passed_over_and_named() -> None:
    pair = {"crontab": Picky("crontab", NOTES, refuses="zone"), "systemd": Picky("systemd", MEMOS)}
    assert chosen(pair, want("Note/a", "zone")) == (
        "systemd",
        "on systemd, because crontab cannot: crontab has no word for zone",
    )
    pair = {"crontab": Picky("crontab", NOTES, absent="there is no cron"), "systemd": Picky("systemd", MEMOS)}
    assert chosen(pair, want("Note/a", "x"))[0] == "systemd"
    assert "there is no cron" in chosen(pair, want("Note/a", "x"))[1]


def test_what_works_stays_where_it_is() -> None:
    pair = {"crontab": Picky("crontab", NOTES), "systemd": Picky("systemd", MEMOS)}
    assert chosen(pair, want("Note/a", "x"), holder="systemd")[0] == "systemd"


def test_a_backend_named_in_the_manifest_is_taken_or_refused_before_planning() -> None:
    pair = {"crontab": Picky("crontab", NOTES, refuses="zone"), "systemd": Picky("systemd", MEMOS)}
    named = want("Note/a", "zone")
    named = replace(named, spec={**named.spec, "scheduler": "crontab"})
    with pytest.raises(LoadError) as caught:
        chosen(pair, named)
    problem = caught.value.problems[0]
    assert (problem.file, problem.hint) == ("notes.yaml", "use systemd")
    with pytest.raises(LoadError) as caught:
        chosen(pair, replace(named, spec={**named.spec, "scheduler": "launchd"}))
    assert caught.value.problems[0].message == "Note/a scheduler: there is no backend launchd for Note"


class Strict(Picky):
    """A backend that refuses several words, each in a field of its own, and knows of no other backend."""

    def canonical(self, resource: Resource) -> State:
        limits = Limits()
        for word in self.refuses.split():
            if word in str(resource.spec["text"]):
                limits.add(f"{self.name} has no {word}", field=word)
        limits.end()
        return super(Picky, self).canonical(resource)


def test_every_limit_is_told_and_one_without_a_hint_names_the_backends_that_can() -> None:
    three = {
        "crontab": Strict("crontab", NOTES, refuses="zone screen"),
        "systemd": Strict("systemd", MEMOS, refuses="screen"),
        "embedded": Strict("embedded", "/srv/own", absent="there is none here"),
    }
    named = want("Note/a", "zone screen")
    with pytest.raises(LoadError) as caught:
        chosen(three, replace(named, spec={**named.spec, "scheduler": "crontab"}))
    told = {problem.message: problem.hint for problem in caught.value.problems}
    assert told == {
        "Note/a zone: crontab has no zone": "use scheduler: systemd",
        "Note/a screen: crontab has no screen": None,
    }


def test_where_no_backend_takes_all_of_it_the_nearest_speaks_and_names_what_the_others_lack() -> None:
    pair = {
        "crontab": Strict("crontab", NOTES, refuses="zone screen"),
        "systemd": Strict("systemd", MEMOS, refuses="screen"),
    }
    with pytest.raises(LoadError) as caught:
        chosen(pair, want("Note/a", "zone screen"))
    (problem,) = caught.value.problems
    assert problem.message == "Note/a screen: systemd has no screen"
    assert problem.hint == "no other backend takes all of it: crontab refuses screen and zone"


def test_a_backend_that_cannot_run_it_at_all_is_never_the_nearest() -> None:
    pair = {
        "crontab": Strict("crontab", NOTES, refuses="image"),
        "systemd": Strict("systemd", MEMOS, refuses="zone screen"),
    }
    with pytest.raises(LoadError) as caught:
        chosen(pair, want("Note/a", "image zone screen"))
    assert [problem.message for problem in caught.value.problems] == [
        "Note/a screen: systemd has no screen",
        "Note/a zone: systemd has no zone",
    ]


@pytest.mark.parametrize(
    ("placement", "here"),
    [
        (Placement(), True),
        (Placement(hosts=("atlas", "b")), True),
        (Placement(hosts=("b",)), False),
        (Placement(labels=("role=web",)), True),
        (Placement(labels=("role=web", "role=db")), False),
        (Placement(platform="darwin"), False),
    ],
)
def test_placement(placement: Placement, here: bool) -> None:
    resource = replace(want("Note/a", "x"), placement=placement)
    found = intents([resource], {"crontab": Picky("crontab", NOTES)}, HOST, [], lambda _name: None)
    assert bool(found) is here


def test_what_belongs_to_other_hosts_is_shown_and_never_pruned_here() -> None:
    from reconciler.engine import reconcile
    from reconciler.model.intent import Request
    from reconciler.model.resource import Desired
    from tests.engine.table import REVISION, Table

    elsewhere = replace(wanted("a").resource, placement=Placement(hosts=("other",)))
    here = wanted("b")
    desired = Desired("desired", REVISION, (elsewhere, here.resource))
    snap = snapshot([ours("a"), ours("b")], [owned("a"), owned("b")])
    plan = reconcile.decide(desired, [here], snap, Request(), {"table": Table()}).plan
    assert text(plan) == "skip a"
    assert "other hosts" in plan.skipped[0].reason


def test_removals_go_dependents_first() -> None:
    inventory = [
        owned("a"),
        replace(owned("b"), depends_on=(address("a"),)),
        replace(owned("c"), depends_on=(address("b"),)),
        owned("keep"),
    ]
    found = [ours("a"), ours("b"), ours("c"), ours("keep")]
    plan = decide([wanted("keep")], snapshot(found, inventory)).plan
    assert text(plan) == (
        "1 delete c (removed) last\n2 verify c after 1\n"
        "3 delete b (removed) after 2 last\n4 verify b after 3\n"
        "5 delete a (removed) after 4 last\n6 verify a after 5"
    )


@pytest.fixture
def moving(tmp_path: Path) -> World:
    crontab, systemd = Picky("crontab", NOTES), Picky("systemd", MEMOS)
    return World(tmp_path, providers={"crontab": crontab, "systemd": systemd})


def on(resource: Resource, provider: str) -> Resource:
    return replace(resource, spec={**resource.spec, "scheduler": provider})


def test_a_resource_moves_from_one_backend_to_another(moving: World) -> None:
    first, second = on(want("Note/a", "x"), "crontab"), on(want("Note/a", "x"), "systemd")
    moving.apply(first)
    assert b"Note/a" in moving.host.files[NOTES]
    outcome = moving.apply(second)
    assert outcome.code is ExitCode.DONE
    assert moving.host.files[NOTES] == MINE
    assert b"Note/a" in moving.host.files[MEMOS]
    assert moving.settled(second)
    with moving.journal() as journal:
        assert [(e.id.name, e.provider) for e in journal.inventory()] == [("a", "systemd")]


def test_a_move_that_fails_is_undone_in_both_backends(moving: World) -> None:
    first, second = on(want("Note/a", "x"), "crontab"), on(want("Note/a", "x", probe=True), "systemd")
    moving.apply(first)
    before = moving.files()
    moving.host.programs["check"] = sick
    assert moving.apply(second).code is ExitCode.ROLLED_BACK
    assert moving.files() == before
    with moving.journal() as journal:
        assert [(e.id.name, e.provider) for e in journal.inventory()] == [("a", "crontab")]
    assert moving.settled(first)


class Hidden(Picky):
    """A backend that is there, and cannot be looked at."""

    def observe(self, _host: Host, _wanted: Sequence[Wanted]) -> Observation:
        raise ObserveError("cannot look at the containers: permission denied")


def first_look(*resources: Resource, unseen: dict[str, ObserveError] | None = None) -> Snapshot:
    """With no journal, so that every backend is looked at."""
    providers: dict[str, Provider] = {"memory": MemoryProvider(Path(NOTES)), "container": Hidden("container", MEMOS)}
    host = FakeHost(files={NOTES: MINE})
    found = intents(resources, providers, host.facts(), (), lambda _name: None)
    return observe(host, providers, found, Memory((), True, (), (), "k"), unseen=unseen)


def test_a_backend_that_nobody_asks_for_and_cannot_be_looked_at_stops_no_first_plan() -> None:
    named = want("Note/a", "x")
    said = first_look(replace(named, spec={**named.spec, "scheduler": "memory"})).notices
    assert [notice for notice in said if "permission denied" in notice] == [
        (
            "Cannot look at the containers: permission denied. "
            "No manifest asks for container: what it holds is left alone."
        )
    ]
    with pytest.raises(ObserveError, match="permission denied"):
        first_look(replace(named, spec={**named.spec, "scheduler": "container"}))


def test_who_asks_for_it_sees_the_others_and_is_told_what_could_not_be_seen() -> None:
    unseen: dict[str, ObserveError] = {}
    named = want("Note/a", "x")
    seen = first_look(replace(named, spec={**named.spec, "scheduler": "container"}), unseen=unseen)
    assert list(unseen) == ["container"]
    assert "memory" in seen.facts


def test_a_gate_asks_only_a_backend_that_can_say_whether_it_runs_things(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.journal() as journal:
        (gate,) = [step for step in world.decide(journal, want("Note/a", "one")).plan.steps if step.number == 2]
    assert isinstance(gate, VerifyStep)
    assert not gate.backend
