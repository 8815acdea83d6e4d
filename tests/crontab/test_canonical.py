"""From spec to state: what the line is, and every spec that no line can carry."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reconciler.model.address import ResourceId
from reconciler.model.errors import UnsupportedSpec
from reconciler.providers.crontab.canonical import canonical
from reconciler.providers.crontab.line import BY_ROOT, COMMAND_LIMIT, OWN, parse, render

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("spec", "attributes"),
    [
        ({"command": "a | b"}, {"command": "a | b"}),
        ({"command": "exec a b"}, {"command": ["a", "b"]}),
        ({"command": "a", "user": "bob"}, {"command": "a", "user": "bob"}),
        ({"command": "a", "user": None}, {"command": "a"}),
        ({"command": "a", "schedule": {"at": "boot"}}, {"command": "a", "schedule": "@reboot"}),
        ({"command": "a", "schedule": {"every": 3600}}, {"command": "a", "schedule": "0 * * * *"}),
        ({"command": "a", "environment": {}}, {"command": "a"}),
        ({"command": "a", "workingDirectory": "~/x"}, {"command": "a", "directory": "~/x"}),
    ],
)
def test_a_spec_becomes_this_state(make: Make, spec: dict[str, Any], attributes: dict[str, Any]) -> None:
    expected = {"user": "", "schedule": "0 6 * * *", **attributes}
    assert canonical(make("x", **spec)).attributes == expected


@pytest.mark.parametrize(
    ("spec", "field", "says"),
    [
        ({"command": "a\nb"}, "command", "a newline"),
        ({"command": "a\n"}, "command", "a newline"),
        ({"command": ["a", "b\r"]}, "command", "a carriage return"),
        ({"command": ["a\0"]}, "command", "a NUL"),
        ({"command": "a\b"}, "command", "a backspace"),
        ({"command": "a\ud800"}, "command", "surrogate"),
        ({"command": "  "}, "command", "empty"),
        ({"command": []}, "command", "no program"),
        ({"command": [""]}, "command", "no program"),
        ({"command": ["-x"]}, "command", "starts with a dash"),
        ({"workingDirectory": "-"}, "workingDirectory", "not a folder"),
        ({"workingDirectory": ""}, "workingDirectory", "not a folder"),
        ({"workingDirectory": "/a\nb"}, "workingDirectory", "a newline"),
        ({"environment": {"A B": "c"}}, "environment.A B", "'A B'"),
        ({"environment": {"A": "b\n"}}, "environment.A", "a newline"),
        ({"schedule": {"every": 420}}, "schedule", "every 7m"),
        ({"schedule": {"at": "login"}}, "schedule", "login"),
    ],
)
def test_a_spec_that_no_line_can_carry_is_refused(make: Make, spec: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        canonical(make("x", **spec))
    assert caught.value.field == field
    assert says in caught.value.message


def test_the_limit_of_debian_is_counted_in_bytes_after_the_schedule(make: Make) -> None:
    head = len(": reconciler:Automation/x; ")
    fits = "ä" * ((COMMAND_LIMIT - head) // 2) + "a" * ((COMMAND_LIMIT - head) % 2)
    assert canonical(make("x", command=fits)).attributes["command"] == fits
    with pytest.raises(UnsupportedSpec, match="999 bytes after the schedule") as caught:
        canonical(make("x", command=fits + "a"))
    assert "script" in (caught.value.hint or "")


def test_the_limit_counts_the_longer_mark_of_another_users_table(make: Make) -> None:
    fits = "a" * (COMMAND_LIMIT - len(": reconciler@root:Automation/x; "))
    assert canonical(make("x", command=fits, user="bob")).attributes["command"] == fits
    with pytest.raises(UnsupportedSpec, match="999 bytes after the schedule"):
        canonical(make("x", command=fits + "a", user="bob"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.text(st.characters(blacklist_characters="\n\r\0\b", blacklist_categories=["Cs"])).filter(str.strip),
    st.sampled_from([None, "root", "bob"]),
)
def test_the_state_is_what_the_line_parses_to(make: Make, command: str, user: str | None) -> None:
    assume(len(command) < 200)
    state = canonical(make("x", command=command, user=user)).attributes
    assert state["user"] == (user or "")
    mark = BY_ROOT if user == "bob" else OWN
    line = render(ResourceId("Automation", "x"), state, mark)
    assert parse(line, mark) == (ResourceId("Automation", "x"), {k: v for k, v in state.items() if k != "user"})


WORD = st.text(st.characters(blacklist_characters="\n\r\0\b", blacklist_categories=["Cs"]), max_size=12)


@settings(suppress_health_check=list(HealthCheck))
@given(
    st.lists(WORD, min_size=1, max_size=4),
    st.none() | st.sampled_from(["~", "~/", "~/a b", "/tmp/%x", "/o'brien", "/a\\\\b"]),
    st.dictionaries(st.sampled_from(["A", "LOG_LEVEL"]), WORD, max_size=2),
)
def test_the_state_of_an_argument_list_is_what_its_line_parses_to(
    make: Make, argv: list[str], directory: str | None, environment: dict[str, str]
) -> None:
    resource = make("a", command=argv, workingDirectory=directory, environment=environment)
    try:
        state = canonical(resource)
    except UnsupportedSpec:
        assume(False)
    wanted = {name: value for name, value in state.attributes.items() if name != "user"}
    parsed = parse(render(resource.id, wanted, OWN), OWN)
    assert parsed is not None
    assert parsed[1] == wanted


def test_a_plan_that_changes_nothing_imports_nothing_heavy() -> None:
    """Canonical and observe stand on the path of every command."""
    program = (
        "import sys\n"
        "from reconciler.providers.crontab.provider import Crontab\n"
        "import reconciler.providers.crontab.look, reconciler.providers.crontab.review\n"
        "heavy = {'crontab', 'cronsim', 'subprocess', 'pydantic', 'shlex', 'logging', 'psutil'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
