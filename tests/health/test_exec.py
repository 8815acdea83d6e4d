"""The exec probe on real programs."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path

import pytest

from reconciler.health.check import check
from reconciler.host.local import LocalHost
from reconciler.model.data import Json
from reconciler.model.resource import Probe


def ask(ours: float = 20, **options: Json) -> str | None:
    return check(Probe("exec", options), LocalHost(), timeout=ours)


def test_a_command_that_ends_well_passes() -> None:
    assert ask(command=["true"]) is None
    assert ask(command=["sh", "-c", "exit 7"], exitCode=7) is None
    assert ask(command="printf 'a\\nsent 12\\nb'", matches=r"^sent \d+$") is None


def test_only_a_string_reaches_a_shell() -> None:
    assert ask(command="test $((1 + 1)) = 2 && exit 3", exitCode=3) is None
    assert ask(command=["echo", "$(id)", ";", "x"], matches=r"^\$\(id\) ; x$") is None


def test_a_wrong_code_is_said_with_the_end_of_the_output() -> None:
    why = ask(command="echo out; echo broken >&2; exit 2")
    assert why == "`echo out; echo broken >&2; exit 2` should exit with 0, but exited with 2; it wrote `out ⏎ broken`"


def test_a_silent_failure_and_a_signal_are_said() -> None:
    assert ask(command=["false"]) == "`false` should exit with 0, but exited with 1; it wrote nothing"
    assert "but was killed by SIGKILL" in str(ask(command="kill -9 $$"))


def test_output_that_does_not_match_is_said() -> None:
    why = ask(command=["echo", "all is lost"], matches="well")
    assert why == "the output of `echo all is lost` does not match /well/: found `all is lost`"


def test_binary_output_and_escape_codes_never_reach_the_terminal() -> None:
    why = str(ask(command="printf '\\033[31mred\\000\\377\\342\\200\\256'; exit 1"))
    assert "`?[31mred?" in why
    assert why.isprintable()


def test_much_output_makes_no_long_message() -> None:
    why = str(ask(command="head -c 9000000 /dev/urandom; exit 1"))
    assert len(why) < 400
    assert why.isprintable()


def test_a_slow_command_is_cut_off_by_its_own_limit_and_by_ours() -> None:
    for options in ({"timeout": 0.2}, {"timeout": 30}):
        start = time.monotonic()
        why = ask(0.3, command=["sleep", "20"], **options)
        assert time.monotonic() - start < 1.5
        assert "did not end within 0." in str(why)


def test_a_command_that_ignores_sigterm_and_forks_away_is_no_trap() -> None:
    start = time.monotonic()
    why = ask(command="trap '' TERM; (setsid sleep 5 &); while :; do sleep 5; done", timeout=0.3)
    assert time.monotonic() - start < 3
    assert "did not end within 0.3 s" in str(why)


def test_a_missing_program_and_folder_are_said(tmp_path: Path) -> None:
    assert "there is no program no-such-thing" in str(ask(command=["no-such-thing"]))
    assert "does not exist" in str(ask(command=["true"], directory=str(tmp_path / "none")))
    assert ask(command="pwd -P", directory=str(tmp_path), matches=f"^{tmp_path.resolve()}$") is None


def test_a_folder_may_start_with_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "atlas").mkdir()
    inside = f"^{tmp_path.resolve()}/atlas$"
    assert ask(command="pwd -P", directory="~/atlas", matches=inside) is None
    assert ask(command=["pwd", "-P"], directory="~", matches=f"^{tmp_path.resolve()}$") is None
    account = pwd.getpwuid(os.geteuid())
    home = Path(account.pw_dir).resolve()
    assert ask(command="pwd -P", directory=f"~{account.pw_name}", matches=f"^{home}$") is None


def test_a_folder_that_cannot_be_entered_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"its folder {tmp_path}/none does not exist" in str(ask(command=["true"], directory="~/none"))
    why = str(ask(command=["true"], directory="~no-such-user/x"))
    assert why == "cannot find the folder ~no-such-user/x: there is no user no-such-user with a home folder"
    (tmp_path / "file").write_text("")
    assert f"{tmp_path}/file" in str(ask(command=["true"], directory="~/file"))


@pytest.mark.parametrize("command", ["", "'unclosed", "exit 1 #\n", "\0"])
def test_a_strange_command_fails_or_passes_but_never_raises(command: str) -> None:
    assert isinstance(ask(command=command), str | None)
