"""Unit files: what is written reads back as what was asked for, and what cannot be written is refused by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Completed
from reconciler.model.address import ResourceId, parse_address
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, ObserveError, UnsupportedSpec
from reconciler.model.state import State
from reconciler.provider import Unsupported, Wanted
from reconciler.providers.systemd.manager import Instance, verify
from reconciler.providers.systemd.provider import Systemd
from reconciler.providers.systemd.scopes import bare
from reconciler.providers.systemd.syntax import argv_of, command_line
from reconciler.providers.systemd.units import attributes, id_of, is_marked, names, render, unmarked
from reconciler.testing.bench import Bench
from reconciler.testing.builders import change
from tests.conformance.test_systemd import FOLDER, SystemdHarness, automation, programs_of, service
from tests.engine.world import World

PROVIDER = Systemd()
FORBIDDEN = "\0\ufffe\uffff"
TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cn"], blacklist_characters=FORBIDDEN))


@given(st.lists(TEXT))
def test_a_command_line_reads_back_as_it_was(words: list[str]) -> None:
    argv = ["/bin/program", *words]
    assert argv_of(command_line(argv)) == argv


@pytest.mark.parametrize(
    "value",
    [
        "/bin/a ; /bin/b",
        "-/bin/a",
        "@/bin/a b",
        "/bin/a $HOME",
        "/bin/a ${X}",
        "/bin/a %h",
        '/bin/a "x',
        r"/bin/a \q",
        "",
    ],
)
def test_a_command_that_is_more_than_one_program_is_not_taken_for_one(value: str) -> None:
    assert argv_of(value) is None


def test_dollars_and_percent_signs_of_others_are_read() -> None:
    assert argv_of(r"/bin/a $$HOME 100%% 'a b' x\x41 ") == ["/bin/a", "$HOME", "100%", "a b", "xA"]


@given(st.lists(TEXT), st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True), TEXT))
def test_a_state_reads_back_from_its_files(words: list[str], environment: dict[str, str]) -> None:
    for one in (
        automation("x", command=["/bin/a", *words], environment=environment, workingDirectory="~/a %h b"),
        service("x", command="echo " + "".join(words), environment=environment),
    ):
        state = PROVIDER.canonical(one)
        files = render(one.id, state.attributes)
        assert attributes(one.id, files) == bare(state.attributes)
        assert attributes(one.id, files, bare(state.attributes)) == bare(state.attributes)


def test_any_edit_of_a_file_shows() -> None:
    one = automation("x")
    files = render(one.id, PROVIDER.canonical(one).attributes)
    for name, content in files.items():
        for edited in (
            content + b"\n",
            content.replace(b"[Unit]", b"[Unit] "),
            content + b"# x\n",
            b"\xff" + content,
        ):
            assert set(attributes(one.id, {**files, name: edited})) == {"text"}
        assert set(attributes(one.id, {name: content})) == {"text"}


@pytest.mark.parametrize(
    "likely",
    [
        {"schedule": "0 7 * * *", "command": ["/bin/true"]},
        {"schedule": "0 6 * * *", "command": ["/bin/true"], "stale": True},
        {"schedule": "0 6 * * *", "command": ["/bin/true"], "colour": "red"},
        {"command": ["/bin/true"]},
        {"schedule": "never", "command": 7},
        {"text": "x"},
        {},
    ],
)
def test_what_is_only_likely_is_believed_for_just_these_files(likely: dict[str, Json]) -> None:
    one = automation("x")
    wanted = PROVIDER.canonical(one).attributes
    assert attributes(one.id, render(one.id, wanted), likely) == bare(wanted)


def test_a_mark_is_the_section_and_the_own_address() -> None:
    one = automation("x")
    content = render(one.id, PROVIDER.canonical(one).attributes)[names(one.id)[-1]]
    assert is_marked(content, one.id)
    assert not is_marked(content, ResourceId("Automation", "y"))
    assert not is_marked(unmarked(content), one.id)
    assert b"OnCalendar" in unmarked(content)


@pytest.mark.parametrize(
    "name",
    ["reconciler-automation-a@.timer", "reconciler-automation-a@b.service", "reconciler-automation-a b.timer",
     "reconciler-service-a.timer", "reconciler-other-a.service", "reconciler-automation-A.timer",
     "reconciler-automation-.timer", "reconciler-automation-a.socket", "automation-a.timer"],
)  # fmt: skip
def test_names_that_we_would_not_give_are_nobodys(name: str) -> None:
    assert id_of(name) is None


@pytest.mark.parametrize("text", ["Automation/a@b", "Automation/a b", "Automation/a/b", "Automation/"])
def test_addresses_that_make_no_unit_name_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        parse_address(text)


def test_dots_in_names_do_not_confuse() -> None:
    for id_ in (
        ResourceId("Automation", "a.timer"),
        ResourceId("Automation", "a.service"),
        ResourceId("Service", "a.b"),
    ):
        assert {id_of(name) for name in names(id_)} == {id_}


REFUSED: list[tuple[str, dict[str, Json], str]] = [
    ("automation", {"requires": ["keychain"]}, "requires"),
    ("automation", {"schedule": {"at": "login"}, "scope": "system"}, "schedule"),
    ("automation", {"schedule": {"every": 420}, "missed": "latest"}, "missed"),
    ("automation", {"schedule": {"at": "boot"}, "timezone": "UTC"}, "timezone"),
    ("automation", {"user": "www", "scope": "user"}, "user"),
    ("automation", {"user": "www", "workingDirectory": "~/x"}, "workingDirectory"),
    ("automation", {"workingDirectory": "/a/../b"}, "workingDirectory"),
    ("automation", {"workingDirectory": "/a\\"}, "workingDirectory"),
    ("automation", {"command": ["./x"]}, "command"),
    ("automation", {"command": ["-x"]}, "command"),
    ("automation", {"command": ["/bin/it's"]}, "command"),
    ("automation", {"command": ["/bin/a", "half \ud800"]}, "command"),
    ("automation", {"environment": {"A-B": "1"}}, "environment.A-B"),
    ("service", {"command": None}, "command"),
    ("service", {"command": None, "image": "redis"}, "image"),
    ("service", {"image": "redis"}, "image"),
    ("service", {"volumes": ["a:/b"]}, "volumes"),
    ("service", {"pull": "always"}, "pull"),
    ("service", {"ports": [{"host": 80, "target": 8080}]}, "ports"),
]


@pytest.mark.parametrize(("kind", "spec", "field"), REFUSED, ids=str)
def test_what_systemd_cannot_do_is_refused_by_field(kind: str, spec: dict[str, Json], field: str) -> None:
    with pytest.raises(UnsupportedSpec) as error:
        PROVIDER.canonical({"automation": automation, "service": service}[kind]("x", **spec))
    assert error.value.field == field


def test_a_missing_program_is_an_answer() -> None:
    assert isinstance(PROVIDER.probe(FakeHost()), Unsupported)


def test_only_root_may_name_the_manager_of_the_machine() -> None:
    state = State({**PROVIDER.canonical(automation("x", scope="system")).attributes})
    with pytest.raises(ObserveError, match="only root"):
        PROVIDER.observe(SystemdHarness().host(), [Wanted(automation("x").id, state, None)])


def test_what_needs_a_silent_manager_is_named_with_where_else_it_could_be() -> None:
    host = SystemdHarness().host()
    host.host_facts = replace(host.host_facts, user="root")
    one, two = automation("x"), service("y")
    wanted = [Wanted(each.id, PROVIDER.canonical(each), None) for each in (one, two)]
    with pytest.raises(ObserveError) as caught:
        PROVIDER.observe(host, wanted)
    assert caught.value.message.startswith(
        "cannot look at the units of Automation/conf-x and 1 more: the system manager of systemd does not answer"
    )
    hint = str(caught.value.hint)
    assert "`scope: user`" in hint
    elsewhere = "another `scheduler` (crontab, embedded) or another `supervisor` (embedded, container)"
    assert hint.endswith(f"; or name in the manifest {elsewhere}")


def test_dangers_are_named() -> None:
    first, second = PROVIDER.canonical(service("a")), PROVIDER.canonical(service("a", command=["/bin/b"]))
    update = change("Service/conf-a", first, second, provider="systemd")
    facts: dict[str, Json] = {"default": "user", "lingers": False, "twins": {"Service/conf-b": ["my.service"]}}
    create = change("Service/conf-b", None, second, provider="systemd")
    found = {f.hazard.danger.value: f for f in PROVIDER.review(facts, {}, [update, create]) if f.hazard}
    assert set(found) == {"downtime", "missed-run", "double-run"}
    assert found["downtime"].ids == (update.id,)
    assert found["double-run"].hazard is not None
    assert found["double-run"].hazard.blocking
    assert "enable-linger" in str(found["missed-run"].hint)
    assert PROVIDER.review({"default": "user", "lingers": True}, {}, [change("Service/conf-b", None, second)]) == ()


def test_lingering_endangers_only_what_begins_to_need_it_and_is_said_once() -> None:
    facts: dict[str, Json] = {"default": "user", "lingers": False}
    old, new = (PROVIDER.canonical(automation("a", schedule=when)) for when in ("@daily", "@hourly"))
    system = State({**old.attributes, "scope": "system"})

    def endangered(*changes: Change) -> list[tuple[tuple[ResourceId, ...], str]]:
        return [(finding.ids, finding.message) for finding in PROVIDER.review(facts, {}, changes)]

    update = change("Automation/conf-a", old, new, provider="systemd")
    put_back = replace(change("Automation/conf-b", None, new, provider="systemd"), cause=Cause.DRIFT)
    adopted = replace(change("Automation/conf-c", old, new, provider="systemd"), action=Action.ADOPT)
    assert endangered(update, put_back, adopted) == []
    moved = change("Automation/conf-d", system, new, provider="systemd")
    created = change("Automation/conf-e", None, new, provider="systemd")
    ((ids, message),) = endangered(update, moved, created)
    assert ids == (moved.id,)
    assert message == (
        "Automation/conf-d (and 1 more of this plan) will run only while you are logged in: "
        "lingering is off for this user"
    )


def test_a_hundred_changes_cost_one_reload_and_one_start() -> None:
    host = SystemdHarness().host()
    many = [automation(f"n{number}") for number in range(100)]
    bench = Bench(SystemdHarness(), PROVIDER, host)
    changes = bench.changes({one.id: PROVIDER.canonical(one) for one in many})
    start = host.calls
    bench.apply(changes)
    verbs = [
        call.target.split(" ")[4]
        for call in host.log[start:]
        if call.method == "execute" and "systemctl" in call.target
    ]
    assert verbs == ["daemon-reload", "start"]
    assert [call.target.split(" ")[0] for call in host.log[start:] if call.method == "execute"] == [
        "mkdir", "ln", "systemctl", "systemctl",
    ]  # fmt: skip
    start = host.calls
    bench.apply(changes)
    assert not [call for call in host.log[start:] if call.writes]


def asked(host: FakeHost, start: int) -> list[str]:
    """Programs that were asked since a call, by name and verb."""
    words = [call.target.split(" ") for call in host.log[start:] if call.method == "query"]
    return [next((word for word in w if word in ("show", "list-units")), w[0]) for w in words]


def test_a_plan_and_a_gate_ask_each_thing_once(tmp_path: Path) -> None:
    host = SystemdHarness().host()
    world = World(tmp_path, host, providers={"systemd": PROVIDER})
    many = [automation(f"n{number}", scheduler="systemd") for number in range(20)]
    world.apply(*many)
    start = host.calls
    assert world.settled(*many)
    assert asked(host, start) == ["show", "find", "list-units"]
    start = host.calls
    world.apply(*many, automation("more", scheduler="systemd"))
    look = ["show", "find", "list-units"]
    assert asked(host, start) == [*look, *look, "sh", *look], "the plan, the batch and its judge, the gate"


def test_a_unit_that_is_refused_beside_few_others_is_judged_beside_all() -> None:
    folders = ("/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")
    manager = Instance("user", FOLDER, folders, None)
    paths: list[str] = []

    def judge(argv: Sequence[str], _stdin: bytes) -> Completed:
        paths.append(argv[4])
        refused = argv[4] or argv[-1] == "./b.timer"
        return Completed(1 if refused else 0, b"a.timer: Unit basic.target not found." if refused else b"", b"")

    host = FakeHost(programs={"sh": judge})
    verify(host, manager, {"a.timer": b""})
    assert paths == ["/usr/local/lib/systemd/user:/usr/lib/systemd/user", ""]
    with pytest.raises(ApplyError, match="refuses them"):
        verify(host, manager, {"a.timer": b"", "b.timer": b""})


def test_a_failed_start_is_an_error_with_the_status() -> None:
    host = SystemdHarness().host()
    programs_of(host).fails.add("reconciler-service-conf-a.service")
    bench = Bench(SystemdHarness(), PROVIDER, host)
    with pytest.raises(ApplyError, match=r"cannot start reconciler-service-conf-a.service: .*Active: failed"):
        bench.reach({service("a").id: PROVIDER.canonical(service("a"))})
    assert bench.ours()[service("a").id].state.attributes["activity"] == "failed"


def test_a_budget_of_restarts_becomes_a_limit_of_starts_and_reads_back() -> None:
    wanted: Json = {"policy": "always", "budget": {"limit": 5, "within": 600}}
    state = PROVIDER.canonical(service("a", restart=wanted))
    id_ = ResourceId("Service", "a")
    files = render(id_, state.attributes)
    (content,) = files.values()
    assert b"[Unit]\nDescription=Service/a\nStartLimitIntervalSec=600s\nStartLimitBurst=6\n" in content
    assert {"scope": "", **attributes(id_, files)} == state.attributes
