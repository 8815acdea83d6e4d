"""What an Automation may say, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.kinds.automation import Automation
from reconciler.kinds.envelope import Manifest

MODEL = Manifest[Automation]
SPEC: dict[str, Any] = {"schedule": "0 6 * * *", "command": ["backup"]}


def spec(**fields: Any) -> Automation:
    document = {"apiVersion": "reconciler/v1", "kind": "Automation", "metadata": {"name": "x"}, "spec": SPEC | fields}
    return MODEL.model_validate(document).spec


def refusals(**fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        spec(**fields)
    return [str(error.get("ctx", {}).get("error", error["msg"])) for error in caught.value.errors()]


def hint(**fields: Any) -> str | None:
    with pytest.raises(ValidationError) as caught:
        spec(**fields)
    return caught.value.errors()[0]["ctx"]["error"].hint  # type: ignore[no-any-return]


def test_a_mac_is_called_darwin() -> None:
    assert hint(placement={"platform": "macos"}) == "darwin is macOS"


def test_own_fields_are_plain_data_with_defaults_filled() -> None:
    plain = spec(schedule={"every": "5m"}).plain()
    assert plain == {
        "schedule": {"every": 300},
        "command": ["backup"],
        "workingDirectory": None,
        "environment": {},
        "user": None,
        "scheduler": "auto",
        "requires": [],
        "scope": None,
        "timezone": None,
        "missed": None,
        "runner": "on",
    }


@pytest.mark.parametrize("name", ["TOKEN", "API_TOKEN", "db_password", "X_PASSWD", "MY_SECRET", "API_KEY", "APIKEY"])
@pytest.mark.parametrize("prefix", ["", "SOME_"])
def test_a_variable_that_looks_like_a_secret_is_refused(name: str, prefix: str) -> None:
    (message,) = refusals(environment={prefix + name: "x"})
    assert "looks like a secret" in message


@pytest.mark.parametrize("name", ["SSH_PRIVATE_KEY", "AWS_CREDENTIALS"])
def test_keys_and_credentials_are_secrets_too(name: str) -> None:
    assert "looks like a secret" in refusals(environment={name: "x"})[0]


@pytest.mark.parametrize("name", ["TOKEN_FILE", "MONKEYTOKEN", "PASSWORDLESS", "KEY", "SECRETARY", "LOG_LEVEL"])
def test_a_name_that_only_resembles_a_secret_is_accepted(name: str) -> None:
    assert spec(environment={name: "x"}).environment == {name: "x"}


@pytest.mark.parametrize("name", ["1A", "A-B", "", "A B", "É", "A="])
def test_a_name_that_no_shell_can_export_is_refused(name: str) -> None:
    assert "is not a variable name" in refusals(environment={name: "x"})[0]


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_no_value_reaches_past_its_line(value: str) -> None:
    for fields in ({"command": value}, {"command": ["a", value]}):
        assert "must not contain a line break or a NUL" in refusals(**fields)[0]
        assert "script" in str(hint(**fields))
    assert refusals(workingDirectory="/" + value)
    assert refusals(user="a" + value)


def test_the_value_of_a_variable_may_hold_many_lines() -> None:
    assert spec(environment={"A": "one\ntwo\n"}).environment == {"A": "one\ntwo\n"}
    assert "must not contain a NUL character" in refusals(environment={"A": "a\0b"})[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"command": []}, "is empty"),
        ({"command": "  "}, "is empty"),
        ({"command": [""]}, "is empty"),
        ({"command": None}, "has no value"),
        ({"command": ["a", 5]}, "must be text, found the number 5"),
        ({"command": {"a": "b"}}, "must be a list of arguments or text for the shell, found a mapping"),
        ({"environment": {"A": 5}}, "must be text, found the number 5"),
        ({"environment": {"A": True}}, "must be text, found the boolean true"),
        ({"environment": {"A": None}}, "must be text, found nothing"),
        ({"environment": None}, "has no value"),
        ({"workingDirectory": "atlas"}, "must be an absolute path or start with ~/, found 'atlas'"),
        ({"workingDirectory": "~other/x"}, "must be an absolute path or start with ~/, found '~other/x'"),
        ({"user": "-x"}, "'-x' is not a user name"),
        ({"user": "a b"}, "'a b' is not a user name"),
        ({"schedule": "75 * * * *"}, "minute must be 0-59, found 75"),
        ({"schedule": 5}, "must be a schedule, found the number 5"),
        ({"protect": "all"}, "must be delete or replace, found 'all'"),
        ({"drift": 1}, "must be revert, report or ignore, found the number 1"),
        ({"ignore": ["a b"]}, "'a b' is not the name of a field"),
        ({"dependsOn": ["backup"]}, "'backup' is not an address; write Kind/name, for example Automation/backup"),
        ({"verify": {"within": 60}}, "60 has no unit"),
        (
            {"verify": {"within": "1 minute"}},
            "'1 minute' is not a duration; write for example 500ms, 30s, 5m, 1h30m or 2d",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words(fields: dict[str, Any], message: str) -> None:
    assert message in refusals(**fields)


WHOLE: dict[str, Any] = {
    "secrets": {"TOKEN": {"keyring": "atlas/telegram"}, "KEY": {"exec": ["pass", "show", "x"]}},
    "timeout": "10m",
    "runtime": {"expected": "2m", "killAfter": "2x"},
    "retry": {"limit": 1, "delay": "5m"},
    "overlap": "queue",
    "success": {"output": {"matches": "sent", "schema": {"type": "object"}}, "files": [{"path": "out"}]},
    "limits": {"memory": "2GiB", "cpu": "80%", "nice": 10},
    "umask": "027",
    "stdin": "two\nlines\n",
    "startWindow": "1m",
}


def test_what_the_runner_is_told_is_plain_data_with_durations_in_seconds() -> None:
    assert spec(**WHOLE).plain()["job"] == {
        "limits": {"memory": 2 * 2**30, "cpu": 80, "nice": 10},
        "overlap": "queue",
        "retry": {"limit": 1, "delay": 300},
        "runtime": {"expected": 120, "killAfter": 240},
        "secrets": {"TOKEN": {"keyring": "atlas/telegram"}, "KEY": {"exec": ["pass", "show", "x"]}},
        "startWindow": 60,
        "stdin": "two\nlines\n",
        "success": {"output": {"matches": "sent", "schema": {"type": "object"}}, "files": [{"path": "out"}]},
        "timeout": 600,
        "umask": "027",
    }


@pytest.mark.parametrize("fields", [{}, {"overlap": "skip"}, {"runner": "off"}])
def test_defaults_are_not_told(fields: dict[str, Any]) -> None:
    assert "job" not in spec(**fields).plain()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"runner": "off", "timeout": "1m"}, "timeout needs the runner, and runner is off"),
        ({"runtime": {"killAfter": "2x"}}, "2x of what? expected is not given"),
        ({"runtime": {"expected": "1m", "killAfter": "0.5x"}}, "must be at least 1x"),
        ({"secrets": {"A": {}}}, "must name one place"),
        ({"secrets": {"A": {"env": "X", "file": "/x"}}}, "must name one place"),
        ({"secrets": {"A": {"keyring": "atlas"}}}, "'atlas' is not service/account"),
        ({"secrets": {"A-B": {"env": "X"}}}, "'A-B' is not a variable name"),
        ({"secrets": {"A": {"env": "X"}}, "environment": {"A": "x"}}, "A stands under environment and under secrets"),
        ({"limits": {"memory": 1}}, "1 has no unit"),
        ({"limits": {"memory": "2GB"}}, "'2GB' is not a size"),
        ({"limits": {"cpu": "0%"}}, "'0%' is not a share of a processor"),
        ({"umask": 27}, "must be three octal digits in quotes, found the number 27"),
        ({"overlap": "wait"}, "must be skip, queue, kill or allow, found 'wait'"),
        ({"stdin": {"path": "/x"}}, "must be text or a mapping with file, found a mapping"),
        (
            {"success": {"output": {"matches": "("}}},
            "is not a regular expression: missing ), unterminated subpattern",
        ),
        (
            {"success": {"output": {"schema": {"properties": {"a": {"minProperties": 1}}}}}},
            "the keyword minProperties of JSON Schema is not supported",
        ),
    ],
)
def test_a_wrong_word_about_runs_is_refused(fields: dict[str, Any], message: str) -> None:
    assert any(found.startswith(message) for found in refusals(**fields)), refusals(**fields)
