"""When two commands are the same, and what a foreign line sets before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.providers.crontab.foreign import jobs, key, take_apart
from reconciler.providers.crontab.table import read


@pytest.mark.parametrize(
    ("foreign", "wanted"),
    [
        ("/opt/backup --fast", ["/opt/backup", "--fast"]),
        ("/opt/backup   --fast", "/opt/backup --fast"),
        ("/opt/backup '--fast'", ["/opt/backup", "--fast"]),
        ("/opt/backup --fast >/dev/null 2>&1", ["/opt/backup", "--fast"]),
        ("/opt/backup --fast >> /var/log/b.log 2>&1", "/opt/backup --fast"),
        ("/opt/backup --fast &", "/opt/backup --fast"),
        ("exec /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("cd ~/x && /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("cd $HOME/x; /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("cd '/a b' || exit 1; /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("A=1 B='2 3' /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("env A=1 /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("/usr/bin/env A=1 /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("export A=1; /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("cd ~/x && A=1 exec /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("a | b > c", "a | b"),
        ("eval 'printf '\\''\\''\\\\n'\\''x'", "eval 'printf '\\''\\''\\\\n'\\''x'"),
    ],
)
def test_these_run_the_same(foreign: str, wanted: str | list[str]) -> None:
    assert key(foreign) == key(wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("foreign", "wanted"),
    [
        ("/opt/backup", ["/opt/backup", "--fast"]),
        ("/opt/backup --fast --dry", ["/opt/backup", "--fast"]),
        ("echo '/opt/backup --fast'", ["/opt/backup", "--fast"]),
        ("/opt/backup --fast || mail", ["/opt/backup", "--fast"]),
        ("nice /opt/backup --fast", ["/opt/backup", "--fast"]),
        ("env", ["A=1"]),
        ("say *", ["say", "*"]),
    ],
)
def test_these_do_not(foreign: str, wanted: str | list[str]) -> None:
    assert key(foreign) != key(wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "command", "directory", "environment", "safe"),
    [
        ("cd /x && y", "y", "/x", {}, True),
        ("cd /x/ && y || z", "y || z", "/x", {}, False),
        ("cd /x; y", "y", "/x", {}, False),
        ("cd /x || exit; y || z", "y || z", "/x", {}, True),
        ('cd "$HOME/a b" && y', 'cd "$HOME/a b" && y', None, {}, True),
        ('cd "$HOME/a" && y', "y", "~/a", {}, True),
        ("cd $DIR && y", "cd $DIR && y", None, {}, True),
        ("A=1 B='x y' C= y", "y", None, {"A": "1", "B": "x y", "C": ""}, True),
        ("A=$B y", "A=$B y", None, {}, True),
        ("export A=1 B=2; y", "y", None, {"A": "1", "B": "2"}, True),
        ("A=1", "A=1", None, {}, True),
        ("cd /x", "cd /x", None, {}, True),
    ],
)
def test_a_command_is_taken_apart_as_far_as_it_is_literal(
    text: str, command: str, directory: str | None, environment: dict[str, str], safe: bool
) -> None:
    script = take_apart(text)
    assert (script.command, script.directory, script.environment, script.safe) == (
        command,
        directory,
        environment,
        safe,
    )


@pytest.mark.parametrize(
    ("foreign", "directory", "same"),
    [
        ("cd ~/x && job", "~/x", True),
        ("cd $HOME/x/ && job", "~/x", True),
        ("cd ~/y && job", "~/x", False),
        ("job", "~/x", True),
        ("cd ~/x && job", None, True),
    ],
)
def test_one_command_in_two_directories_is_two_jobs(
    desk: Any, foreign: str, directory: str | None, same: bool
) -> None:
    (job,) = jobs(read(f"0 5 * * * {foreign}\n".encode()))
    assert job.same_as(desk.state("a", command="job", workingDirectory=directory)) is same


def test_only_active_lines_are_jobs() -> None:
    table = read(b"# 0 5 * * * a\n#0 5 * * * b\nA=0 5 * * * c\ngarbage\n0 5 * * * d\n@daily e\n")
    assert [job.text for job in jobs(table)] == ["d", "e"]


def test_standard_input_is_no_part_of_the_command(desk: Any) -> None:
    (job,) = jobs(read(b"0 5 * * * cat 100\\%%hello%world\n"))
    assert (job.text, job.stdin) == ("cat 100%", "hello%world")


def test_a_hostile_line_costs_linear_time(new_desk: Callable[..., Any]) -> None:
    from time import perf_counter

    start = perf_counter()
    for body in (
        "cd " + "a" * 50_000,
        "A=" + "b" * 50_000,
        "A=b" * 20_000,
        "env " * 20_000,
        ">x " * 20_000 + "(",
        "'" * 50_001,
    ):
        jobs(read(f"0 5 * * * {body}\n".encode()))
    assert perf_counter() - start < 5
