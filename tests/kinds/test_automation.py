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


def test_own_fields_are_plain_data_with_defaults_filled() -> None:
    plain = spec(schedule={"every": "5m"}).model_dump(by_alias=True, exclude=Automation.COMMON)
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
    for fields in ({"environment": {"A": value}}, {"command": value}, {"command": ["a", value]}):
        assert "must not contain a line break or a NUL" in refusals(**fields)[0]
    assert refusals(workingDirectory="/" + value)
    assert refusals(user="a" + value)


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


@pytest.mark.parametrize("later", ["timeout", "secrets", "retry"])
def test_a_field_that_nothing_honours_is_not_accepted(later: str) -> None:
    assert refusals(**{later: "x"}) == ["Extra inputs are not permitted"]


@pytest.mark.parametrize(
    ("written", "kind", "options"),
    [
        ({"exec": ["a", "b"]}, "exec", {"command": ["a", "b"], "exitCode": 0, "timeout": 10}),
        ({"exec": "a | b"}, "exec", {"command": "a | b", "exitCode": 0, "timeout": 10}),
        (
            {"exec": {"command": "a", "exitCode": 3, "timeout": "500ms", "matches": "o+k"}},
            "exec",
            {"command": "a", "exitCode": 3, "timeout": 0.5, "matches": "o+k"},
        ),
        (
            {"http": "http://[::1]:80/x"},
            "http",
            {"url": "http://[::1]:80/x", "status": 200, "within": 2, "method": "GET"},
        ),
        (
            {"http": {"url": "https://a", "status": 204, "json": {"a.b": None}, "headers": {"Accept": "x"}}},
            "http",
            {
                "url": "https://a",
                "status": 204,
                "within": 2,
                "method": "GET",
                "json": {"a.b": None},
                "headers": {"Accept": "x"},
            },
        ),
        ({"tcp": "localhost:5432"}, "tcp", {"address": "localhost", "port": 5432, "within": 2}),
        ({"tcp": "[::1]:5432"}, "tcp", {"address": "::1", "port": 5432, "within": 2}),
        ({"tcp": {"address": "a", "port": 1, "within": "1s"}}, "tcp", {"address": "a", "port": 1, "within": 1}),
        ({"file": "~/x"}, "file", {"path": "~/x", "exists": True}),
        (
            {"file": {"path": "/x", "maxAge": "1h", "minSize": "4KiB"}},
            "file",
            {"path": "/x", "exists": True, "maxAge": 3600, "minSize": 4096},
        ),
    ],
)
def test_a_probe_is_plain_options_with_durations_in_seconds(written: Any, kind: str, options: Any) -> None:
    verify = spec(verify={"probes": [written]}).verify
    assert verify is not None
    assert verify.probes[0].plain() == (kind, options)


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ({}, "must hold exactly one of exec, http, tcp and file"),
        ({"exec": "a", "tcp": "a:1"}, "must hold exactly one of exec, http, tcp and file"),
        ({"http": "ftp://a"}, "'ftp://a' is not an http address"),
        ({"http": "http://a:99999"}, "'http://a:99999' is not an http address: Port out of range 0-65535"),
        (
            {"http": "http://u:p@a/"},
            "holds a user name or password, which would stand readable in git and in every plan",
        ),
        ({"http": {"url": "http://a", "headers": {"Authorization": "x"}}}, "carries a secret"),
        ({"http": {"url": "http://a", "headers": {"X:": "x"}}}, "'X:' is not a header name"),
        ({"http": {"url": "http://a", "matches": "("}}, "is not a regular expression"),
        ({"tcp": "localhost"}, "must be host:port, found 'localhost'"),
        ({"tcp": "localhost:0"}, "greater than or equal to 1"),
        ({"file": "x"}, "must be an absolute path or start with ~/, found 'x'"),
        ({"file": {"path": "/x", "exists": False, "maxAge": "1h"}}, "asks that the file is absent"),
        ({"file": {"path": "/x", "minSize": "big"}}, "must be a size, found 'big'"),
        ({"exec": {"command": "a", "exitCode": 256}}, "less than or equal to 255"),
        ({"exec": {"command": "a", "exitCode": True}}, "valid integer"),
        ({"exec": None}, "has no value"),
    ],
)
def test_a_probe_that_cannot_be_asked_is_refused(probe: Any, message: str) -> None:
    assert any(message in each for each in refusals(verify={"probes": [probe]}))


def test_a_number_in_the_place_of_text_is_never_spelled_anew() -> None:
    """007 arrives here as 7: only the file knows how it was written."""
    with pytest.raises(ValidationError) as caught:
        spec(environment={"A": 7})
    assert caught.value.errors()[0]["ctx"]["error"].hint == "put it in quotes"
