"""What only a real manager can show: timers fire, arguments arrive exactly, and other people's edits are seen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconciler.model.address import ResourceId
from reconciler.model.change import Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict
from reconciler.model.resource import Resource
from reconciler.model.state import Observed, State
from reconciler.provider import Supported, Unsupported, Wanted, told
from reconciler.providers.systemd.provider import Systemd
from reconciler.testing.bench import Bench
from tests.conformance.test_systemd import automation, service
from tests.systemd.machine import RealHost, folder, lying, running, systemctl
from tests.systemd.test_real_conformance import RealHarness

pytestmark = pytest.mark.systemd
PROVIDER = Systemd()


def bench_of(host: RealHost) -> Bench:
    return Bench(RealHarness(), PROVIDER, host)


def reach(host: RealHost, *resources: Resource) -> list[Change]:
    return bench_of(host).reach({one.id: PROVIDER.canonical(one) for one in resources})


def seen(host: RealHost, one: Resource) -> Observed:
    return bench_of(host).ours()[one.id]


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def test_a_timer_fires_and_its_arguments_arrive_exactly(real: RealHost, tmp_path: Path) -> None:
    hostile = [
        "it's",
        '"q"',
        "100%",
        "$HOME ${HOME} $$",
        "back\\slash\\",
        " ",
        "",
        ";",
        "grüße 雪",
        "tab\t",
        "a\nb",
        "%h",
    ]
    script = f'cd {tmp_path}; for a; do printf "%s\\0" "$a"; done > new; printf "%s" "$TEXT" > env; mv new out'
    one = automation(
        "fires",
        schedule={"every": 1},
        command=["/bin/sh", "-c", script, "sh", *hostile],
        environment={"TEXT": "".join(hostile)},
    )
    reach(real, one)
    assert PROVIDER.health(real, [one.id]) is None
    wait_until((tmp_path / "out").exists, 10)
    assert (tmp_path / "out").read_bytes() == b"".join(word.encode() + b"\0" for word in hostile)
    assert (tmp_path / "env").read_text() == "".join(hostile)


def test_a_string_runs_in_a_shell_in_its_folder(real: RealHost, tmp_path: Path) -> None:
    place = tmp_path / "a b%h"
    place.mkdir()
    one = automation("shell", schedule={"every": 1}, command='echo "$PWD" | cat > out', workingDirectory=str(place))
    reach(real, one)
    wait_until(lambda: (place / "out").exists() and (place / "out").read_text(), 10)
    assert (place / "out").read_text() == f"{place}\n"


def test_what_starts_at_boot_is_not_started_when_it_is_written(real: RealHost, tmp_path: Path) -> None:
    one = automation("boot", schedule={"at": "boot"}, command=["/bin/touch", str(tmp_path / "ran")])
    reach(real, one)
    assert seen(real, one).state == PROVIDER.canonical(one)
    assert PROVIDER.health(real, [one.id]) is None
    time.sleep(0.3)
    assert not (tmp_path / "ran").exists()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def _append(text: str) -> Callable[[], None]:
    def edit() -> None:
        path = folder() / "reconciler-automation-conf-a.timer"
        path.write_text(path.read_text() + text)

    return edit


DROP_IN = "reconciler-automation-conf-a.timer.d/mine.conf"


@pytest.mark.parametrize(
    ("meddle", "attribute"),
    [
        (_append("# by hand\n"), "text"),
        (_append("# by hand\n"), "stale"),
        (lambda: _write(folder() / DROP_IN, "[Timer]\nAccuracySec=1h\n"), "dropIns"),
        (lambda: _write(folder() / "reconciler-.timer.d/x.conf", "[Timer]\nAccuracySec=1h\n"), "dropIns"),
        (lambda: systemctl("stop", "reconciler-automation-conf-a.timer"), "activity"),
        (lambda: systemctl("disable", "reconciler-automation-conf-a.timer"), "enabled"),
    ],
    ids=["text", "stale", "drop-in", "prefix drop-in", "stopped", "disabled"],
)
def test_meddling_is_seen(real: RealHost, meddle: Callable[[], object], attribute: str) -> None:
    one = automation("a")
    reach(real, one)
    assert attribute not in seen(real, one).state.attributes
    time.sleep(0.02)
    meddle()
    found = seen(real, one)
    assert attribute in found.state.attributes
    content = (lying(), running())
    if attribute == "dropIns":
        (finding,) = PROVIDER.review({}, {}, bench_of(real).changes({one.id: PROVIDER.canonical(one)}))
        assert finding.hazard is None
        assert "somebody else changes" in finding.message
        return
    changes = reach(real, one)
    assert seen(real, one).state == PROVIDER.canonical(one)
    bench_of(real).undo(changes)
    assert (lying(), running()) == content


def test_a_masked_unit_is_trouble_and_not_overwritten(real: RealHost) -> None:
    one = automation("a")
    changes = reach(real, one)
    path = folder() / "reconciler-automation-conf-a.timer"
    path.unlink()
    path.symlink_to("/dev/null")
    assert "is masked" in str(seen(real, one).trouble)
    with pytest.raises(Conflict):
        PROVIDER.apply(real, changes)
    assert path.is_symlink()


def test_units_that_systemd_refuses_are_not_written(real: RealHost) -> None:
    before = lying()
    with pytest.raises(ApplyError, match="/no/such is not executable") as caught:
        reach(real, automation("a"), automation("b", command=["/no/such"]))
    assert "correct the `command` in the manifest" in str(caught.value.hint)
    assert lying() == before


def test_a_service_that_cannot_start_says_why(real: RealHost, tmp_path: Path) -> None:
    one = service("bad", command=["/bin/true"], workingDirectory=str(tmp_path / "missing"))
    with pytest.raises(ApplyError, match=r"reconciler-service-conf-bad.*CHDIR"):
        reach(real, one)


def test_a_crash_looping_service_is_not_healthy(real: RealHost) -> None:
    good, bad = service("good"), service("loop", command=["/bin/sh", "-c", "sleep 0.1; exit 7"])
    reach(real, good, bad)
    assert PROVIDER.health(real, [good.id]) is None
    first = told(PROVIDER.health(real, [bad.id]))
    assert re.fullmatch(
        r"Service/conf-loop: reconciler-service-conf-loop\.service does not stay up: it ended with exit status 7"
        r"(?: and was started again once)?; "
        r"`journalctl --user -u reconciler-service-conf-loop\.service` has what it said",
        first,
    )


def test_a_service_that_ends_at_once_says_how(real: RealHost) -> None:
    ended = service("ended", command=["/bin/sh", "-c", "sleep 0.1; kill -9 $$"], restart={"policy": "no"})
    reach(real, ended)
    why = str(PROVIDER.health(real, [ended.id]))
    assert "is failed: it ended by signal 9" in why
    assert "`journalctl --user -u reconciler-service-conf-ended.service`" in why


def test_a_changed_service_runs_the_new_program(real: RealHost) -> None:
    reach(real, service("g"))
    old = systemctl("show", "--property=MainPID", "reconciler-service-conf-g.service")
    reach(real, service("g", command=["/bin/sleep", "999"]))
    assert systemctl("show", "--property=MainPID", "reconciler-service-conf-g.service") != old
    reload_only = [call for call in real.log if "daemon-reload" in call.target]
    assert len(reload_only) == 2


def test_no_manager_is_an_answer_with_a_hint(real: RealHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert isinstance(PROVIDER.probe(real), Supported)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    answer = PROVIDER.probe(real)
    assert isinstance(answer, Unsupported)
    assert "XDG_RUNTIME_DIR" in str(answer.hint)


def test_a_foreign_timer_is_imported_as_a_manifest(real: RealHost) -> None:
    (folder() / "backup.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/true --all\nNice=5\n")
    (folder() / "backup.timer").write_text("[Timer]\nOnCalendar=Mon..Fri *-*-* 06:30\nPersistent=true\n")
    (folder() / "odd.service").write_text("[Service]\nExecStart=/bin/echo %h\n")
    backup, odd = PROVIDER.foreign(real, None)
    assert backup.manifest is not None
    assert backup.manifest["spec"] == {
        "scheduler": "systemd",
        "command": ["/bin/true", "--all"],
        "scope": "user",
        "missed": "latest",
        "schedule": "30 6 * * mon-fri",
    }
    assert "Nice=5" in backup.notes[0]
    assert odd.manifest is None
    assert odd.why


def test_what_runs_and_can_be_no_manifest_is_listed_with_the_reason(real: RealHost, tmp_path: Path) -> None:
    text = "[Service]\nExecStart=/bin/sleep 100%%i\n[Install]\nWantedBy=default.target\n"
    for name in ("my-notes@.service", "my-unused@.service", "my-own@x.service"):
        (folder() / name).write_text(text)
    (folder() / "my-alone.timer").write_text("[Timer]\nOnCalendar=daily\nUnit=elsewhere.service\n")
    (tmp_path / "my-linked.service").write_text(text)
    (folder() / "my-linked.service").symlink_to(tmp_path / "my-linked.service")
    systemctl("daemon-reload")
    systemctl("enable", "my-notes@home.service")
    systemctl("start", "my-notes@work.service")
    found = PROVIDER.foreign(real, None)
    assert {one.manifest for one in found} == {None}
    assert {one.where.rpartition("/")[2]: str(one.why).partition(",")[0] for one in found} == {
        "my-alone.timer": "it starts elsewhere.service",
        "my-linked.service": "it is a link to a file elsewhere",
        "my-notes@home.service": "it is an instance of the template my-notes@.service",
        "my-notes@work.service": "it is an instance of the template my-notes@.service",
        "my-own@x.service": "its name has an instance in it",
        "my-unused@.service": "it is a template",
    }


def timed(work: Callable[[], object], times: int = 1) -> float:
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return min(spent)


def test_a_hundred_timers(real: RealHost, record_property: Callable[[str, object], None]) -> None:
    many = [automation(f"n{number}") for number in range(100)]
    states: dict[ResourceId, State | None] = {one.id: PROVIDER.canonical(one) for one in many}
    changes = bench_of(real).changes(states)
    created = timed(lambda: PROVIDER.apply(real, changes))
    wanted: Sequence[Wanted] = [Wanted(id_, state, state) for id_, state in states.items()]
    start = real.calls
    observed = timed(lambda: PROVIDER.observe(real, wanted), 3)
    programs = sum(call.method == "query" for call in real.log[start:]) // 3
    assert programs <= 3  # whatever the number of units is
    again: Json = [item.state == states[item.id] for item in PROVIDER.observe(real, wanted).found]
    assert again == [True] * 100
    removed = timed(lambda: PROVIDER.apply(real, bench_of(real).changes(dict.fromkeys(states))))
    record_property(
        "summary",
        f"systemd, 100 timers: create {created:.3f} s, look {observed:.3f} s ({programs} programs), "
        f"remove {removed:.3f} s",
    )
    assert observed < 0.5
    assert created < 5
