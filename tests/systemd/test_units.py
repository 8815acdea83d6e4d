"""Unit files: what is written reads back as what was asked for, and what cannot be written is refused by field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId, parse_address
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, ObserveError, UnsupportedSpec
from reconciler.model.state import State
from reconciler.provider import Unsupported, Wanted
from reconciler.providers.systemd.provider import Systemd
from reconciler.providers.systemd.scopes import bare
from reconciler.providers.systemd.syntax import argv_of, command_line
from reconciler.providers.systemd.units import attributes, id_of, is_marked, names, render, unmarked
from reconciler.testing.bench import Bench
from reconciler.testing.builders import change
from tests.conformance.test_systemd import SystemdHarness, automation, programs_of, service

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
        assert attributes(one.id, render(one.id, state.attributes)) == bare(state.attributes)


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
