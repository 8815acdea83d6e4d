"""How a probe is shown in a plan, and what the showing costs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from reconciler.health.check import check, describe
from reconciler.host.fake import FakeHost
from reconciler.model.resource import Probe


@pytest.mark.parametrize(
    ("type_", "options", "text"),
    [
        ("exec", {"command": ["curl", "-fs", "http://x/"]}, "exec curl -fs http://x/ exits 0"),
        ("exec", {"command": "a | b", "exitCode": 3, "matches": "ok"}, "exec a | b exits 3 with text /ok/"),
        ("http", {"url": "http://x/"}, "http GET http://x/ answers 200 within 2s"),
        (
            "http",
            {"url": "http://x/", "method": "POST", "status": 201, "within": 0.5, "json": {"b": True, "a.c": "up"}},
            "http POST http://x/ answers 201 within 500ms with a.c = up, b = true",
        ),
        ("tcp", {"address": "127.0.0.1", "port": 5432, "within": 5}, "tcp 127.0.0.1:5432 accepts within 5s"),
        ("file", {"path": "/a"}, "file /a exists"),
        ("file", {"path": "/a", "exists": False}, "file /a is absent"),
        (
            "file",
            {"path": "~/a", "maxAge": 5400, "minSize": 10},
            "file ~/a changed within 1h30m, has at least 10 bytes",
        ),
        ("file", {"path": "/a", "matches": "x"}, "file /a exists with text /x/"),
        ("other", {}, "other probe"),
    ],
)
def test_a_probe_is_described(type_: str, options: dict[str, Any], text: str) -> None:
    assert describe(Probe(type_, options)) == text


def test_a_description_is_one_short_line_whatever_stands_in_it() -> None:
    ugly = "x\n\x1b[31m\u202e" * 200
    for probe in (
        Probe("exec", {"command": ugly, "matches": ugly}),
        Probe("http", {"url": f"http://{ugly}", "json": {"a": ugly}}),
        Probe("file", {"path": f"/{ugly}"}),
    ):
        assert describe(probe).isprintable()
        assert len(describe(probe)) < 260


def test_an_unknown_probe_is_a_failure() -> None:
    assert "there is no probe of type none" in str(check(Probe("none", {}), FakeHost(), timeout=1))


def test_describing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from reconciler.health.check import describe; from reconciler.model.resource import Probe\n"
        "describe(Probe('http', {'url': 'http://x/'}))\n"
        "heavy = {'httpx', 'subprocess', 'socket', 'concurrent.futures', 'pydantic', 'selectors'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")
