"""`reconcile doctor`: finds what is in the way, says what to do, and changes nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.cli.doctor import Finding, Machine, Mark, examine
from reconciler.cli.zones import compare
from reconciler.host.fake import FakeHost
from reconciler.host.protocol import Completed, Response
from reconciler.journal.lock import WriterLock
from reconciler.model.errors import HostError
from reconciler.model.state import HostFacts
from reconciler.settings import Folders
from reconciler.testing.systemd import SystemdPrograms
from tests.cli import rollouts
from tests.cli.workplace import MANIFEST, Workplace


def crontab(argv: Sequence[str], _stdin: bytes) -> Completed:
    return Completed(1, b"", b"no crontab for tester\n") if "-l" in argv else Completed(1, b"", b"usage\n")


def refusing(_argv: Sequence[str], _stdin: bytes) -> Completed:
    return Completed(1, b"", b"You (tester) are not allowed to use this program (crontab)\n")


def machine(tmp_path: Path, host: FakeHost | None = None) -> Machine:
    """A healthy machine, unless something is said against it."""
    system = tmp_path / "system"
    (system / "etc").mkdir(parents=True, exist_ok=True)
    (system / "etc/localtime").write_bytes(zone("Europe/Berlin"))
    host = host or FakeHost(programs={"crontab": crontab, "git": crontab}, running={7: "cron"})
    places = Folders(tmp_path / "state", tmp_path / "cache", tmp_path / "bin")
    return Machine(host, places, tmp_path / "desired", system)


def zone(name: str) -> bytes:
    return (Path("/usr/share/zoneinfo") / name).read_bytes()


def found(machine: Machine, name: str) -> list[Finding]:
    return [finding for finding in examine(machine) if finding.name == name]


def only(machine: Machine, name: str) -> Finding:
    (finding,) = found(machine, name)
    return finding


def test_a_healthy_machine_passes_every_check(tmp_path: Path) -> None:
    assert {
        (each.name, each.mark, each.message) for each in examine(machine(tmp_path)) if each.mark is not Mark.OK
    } == set()


def test_every_check_of_the_list_is_made(tmp_path: Path) -> None:
    names = [finding.name for finding in examine(machine(tmp_path))]
    assert names == [
        *("reconcile", "host", "settings", "plugins", "container", "crontab", "crontab"),
        *("embedded", "embedded", "launchd", "port", "systemd"),
        *("state", "disk", "cache", "journal", "lock", "git", "yaml", "time zone"),
    ]


def test_whatever_is_wrong_comes_with_what_to_do(tmp_path: Path) -> None:
    sick = machine(tmp_path, FakeHost(facts=HostFacts("fake", "linux", "tester", "")))
    wrong = [finding for finding in examine(sick) if finding.mark is not Mark.OK]
    assert {finding.name for finding in wrong} == {"crontab", "git", "time zone"}
    assert all(finding.hint for finding in wrong)


def test_root_is_told_where_other_users_cannot_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = FakeHost(facts=HostFacts("fake", "linux", "root", "UTC"))
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        inside = Path(name, "hidden", "bin")
        inside.mkdir(parents=True)
        monkeypatch.setattr("sys.executable", str(inside / "python"))
        monkeypatch.setattr("reconciler.__file__", str(inside / "reconciler/__init__.py"))
        places = Folders(tmp_path / "state", tmp_path / "cache", Path(name, "bin"))
        here = replace(machine(tmp_path, root), folders=places)
        assert only(here, "runner").mark is Mark.OK
        inside.parent.chmod(0o700)
        finding = only(here, "runner")
        assert finding.mark is Mark.WARN
        assert (
            f"other users cannot get into {inside.parent}: automations with `user` start without it"
            in finding.message
        )
        assert "/opt" in finding.hint
        assert found(replace(here, host=FakeHost(facts=HostFacts("fake", "linux", "tester", "UTC"))), "runner") == []


def test_a_missing_crontab_program_fails(tmp_path: Path) -> None:
    finding = only(machine(tmp_path, FakeHost(running={7: "cron"})), "crontab")
    assert (finding.mark, finding.message) == (Mark.FAIL, "there is no `crontab` program")


def test_a_user_whom_cron_does_not_allow_is_told_so(tmp_path: Path) -> None:
    finding = only(machine(tmp_path, FakeHost(programs={"crontab": refusing}, running={7: "cron"})), "crontab")
    assert finding.mark is Mark.FAIL
    assert "not allowed" in finding.message
    assert "/etc/cron.allow" in finding.hint


def test_a_cron_daemon_that_does_not_run_fails(tmp_path: Path) -> None:
    installed, running = found(machine(tmp_path, FakeHost(programs={"crontab": crontab})), "crontab")
    assert installed.mark is Mark.OK
    assert (running.mark, running.message) == (Mark.FAIL, "no cron daemon is running on this host")


def with_systemd(tmp_path: Path, user: str) -> tuple[Machine, SystemdPrograms]:
    host = FakeHost(
        programs={"crontab": crontab, "git": crontab},
        running={7: "cron"},
        facts=HostFacts("fake", "linux", user, "Europe/Berlin"),
    )
    sound = machine(tmp_path, host)
    return sound, SystemdPrograms(host)


def test_a_manager_that_a_manifest_needs_is_asked_as_a_plan_asks_it(tmp_path: Path) -> None:
    sound, managers = with_systemd(tmp_path, "root")
    manifest = MANIFEST.format(name="disk") + "  scheduler: systemd\n"
    sound.tree.mkdir()
    (sound.tree / "disk.yaml").write_text(manifest)
    said = only(sound, "systemd")
    assert said.mark is Mark.FAIL
    assert "the units of Automation/disk: the system manager of systemd does not answer" in said.message
    assert "`scheduler`" in said.hint
    managers.system.answers = True
    assert {each.mark for each in found(sound, "systemd")} == {Mark.OK}


def test_a_silent_manager_that_nothing_needs_is_a_warning(tmp_path: Path) -> None:
    sound, _ = with_systemd(tmp_path, "root")
    (warning,) = [each for each in found(sound, "systemd") if each.mark is not Mark.OK][:1]
    assert warning.mark is Mark.WARN
    assert "the system manager of systemd does not answer" in warning.message


def test_a_backend_that_breaks_when_asked_keeps_nothing_else_from_being_told(tmp_path: Path) -> None:
    sound, managers = with_systemd(tmp_path, "tester")
    managers.broken = "Connection timed out"
    sound.tree.mkdir()
    (sound.tree / "a.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: Service\nmetadata: {name: web}\nspec: {command: [x]}\n"
    )
    said = only(sound, "systemd")
    assert said.mark is Mark.FAIL  # a plan of that manifest would end with the same words
    assert said.message == "cannot ask the user manager of systemd: Connection timed out"
    assert {each.mark for each in found(sound, "crontab")} == {Mark.OK}


def test_lingering_is_explained(tmp_path: Path) -> None:
    sound, _ = with_systemd(tmp_path, "tester")
    *usable, warning = found(sound, "systemd")
    assert {each.mark for each in usable} == {Mark.OK}
    assert warning.mark is Mark.WARN
    assert "lingering is off for this user: what belongs to your own manager ends" in warning.message
    assert "loginctl enable-linger" in warning.hint
    assert isinstance(sound.host, FakeHost)
    sound.host.files["/var/lib/systemd/linger/tester"] = b""
    assert {each.mark for each in found(sound, "systemd")} == {Mark.OK}


def test_an_engine_that_may_not_be_asked_is_told_of_once_and_not_to_be_started(tmp_path: Path) -> None:
    def denied(*_: object) -> Response:
        raise HostError("cannot talk to it: permission denied", hint="run as a user who may")

    sound = machine(tmp_path)
    assert isinstance(sound.host, FakeHost)
    sound.host.services["/var/run/docker.sock"] = denied
    said = only(sound, "container")
    assert (said.mark, said.hint) == (Mark.WARN, "run as a user who may")
    assert said.message.endswith("permission denied; no manifest asks for container")
    sound.tree.mkdir()
    (sound.tree / "web.yaml").write_text(
        'apiVersion: reconciler/v1\nkind: Service\nmetadata: {name: web}\nspec: {image: "web:1"}\n'
    )
    assert only(sound, "container").mark is Mark.FAIL


def test_manifests_that_are_not_sound_fail_and_the_backends_are_told_of_all_the_same(tmp_path: Path) -> None:
    sound = machine(tmp_path)
    sound.tree.mkdir()
    (sound.tree / "a.yaml").write_text("kind: Automation\n")
    assert only(sound, "manifests").mark is Mark.FAIL
    assert {each.mark for each in found(sound, "crontab")} == {Mark.OK}


def test_the_host_is_called_as_the_settings_call_it(workplace: Workplace) -> None:
    workplace.write("reconciler.yaml", "host: {name: home-server}\n")
    assert "\nok    host       home-server (linux), as " in workplace.run("doctor").out


def test_a_missing_git_is_a_warning(tmp_path: Path) -> None:
    assert only(machine(tmp_path, FakeHost(programs={"crontab": crontab})), "git").mark is Mark.WARN


def test_a_state_folder_that_is_none_fails_and_a_cache_like_that_warns(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    (tmp_path / "cache").write_text("a file")
    sick = machine(tmp_path)
    assert [finding.mark for finding in found(sick, "state")] == [Mark.FAIL]
    assert only(sick, "cache").mark is Mark.WARN


def test_a_folder_that_may_not_be_written_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != tmp_path / "state")
    (tmp_path / "state").mkdir(mode=0o500)
    finding = only(machine(tmp_path), "state")
    assert (finding.mark, finding.message) == (Mark.FAIL, f"{tmp_path / 'state'} is not writable for you")
    assert "RECONCILER_STATE_DIR" in finding.hint


@pytest.mark.parametrize(("free", "mark"), [(5, Mark.FAIL), (50, Mark.WARN), (500, Mark.OK)])
def test_a_full_disk_fails_and_a_nearly_full_one_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, mark: Mark
) -> None:
    real = os.statvfs(tmp_path)
    blocks = free * 2**20 // real.f_frsize
    shrunk = os.statvfs_result((*real[:4], blocks, *real[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _path: shrunk)
    assert only(machine(tmp_path), "disk").mark is mark


def test_the_journal_is_told_of(tmp_path: Path) -> None:
    with rollouts.journal(tmp_path / "state") as journal:
        rollouts.stable(journal)
    finding = only(machine(tmp_path), "journal")
    assert finding.mark is Mark.OK
    assert "owns 1 of" in finding.message


def test_an_interrupted_rollout_is_a_warning(tmp_path: Path) -> None:
    with rollouts.journal(tmp_path / "state") as journal:
        rollouts.interrupted(journal)
    _, finding = found(machine(tmp_path), "journal")
    assert finding.mark is Mark.WARN
    assert "rollout 1 (apply) did not finish" in finding.message


def test_a_broken_journal_fails_and_stays(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/journal.db").write_bytes(b"not a database" * 100)
    finding = only(machine(tmp_path), "journal")
    assert finding.mark is Mark.FAIL
    assert (tmp_path / "state/journal.db").read_bytes() == b"not a database" * 100


def test_a_journal_that_was_set_aside_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/journal-20260301T120000Z.broken.db").write_bytes(b"")
    _, finding = found(machine(tmp_path), "journal")
    assert finding.mark is Mark.WARN
    assert "journal-20260301T120000Z.broken.db" in finding.message


def test_the_holder_of_the_lock_is_named(tmp_path: Path) -> None:
    sound = machine(tmp_path)
    with WriterLock.acquire(tmp_path / "state", purpose="apply", clock=sound.host.clock):
        finding = only(sound, "lock")
    assert f"held by pid {os.getpid()} (apply)" in finding.message
    assert only(sound, "lock").message == "nobody is applying"


def test_invalid_settings_fail_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text("prune: {maxPercent: 500}\nplugin: []\n")
    finding = only(machine(tmp_path), "settings")
    assert finding.mark is Mark.FAIL
    assert "reconciler.yaml:1:21: prune.maxPercent must be at most 100" in finding.message
    assert "1 more" in finding.message


def test_valid_settings_are_named_and_a_missing_plugin_fails(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text("plugins: [no-such-distribution]\n")
    sick = machine(tmp_path)
    assert only(sick, "settings").message.endswith("reconciler.yaml is valid")
    finding = only(sick, "plugins")
    assert finding.mark is Mark.FAIL
    assert "no-such-distribution" in finding.message


def test_a_cron_with_a_zone_of_its_own_is_a_warning(tmp_path: Path) -> None:
    sick = machine(tmp_path)
    daemon(sick.system, b"TZ=America/New_York\0")
    finding = only(sick, "time zone")
    assert finding.mark is Mark.WARN
    assert "the cron daemon (TZ=America/New_York) differs from /etc/localtime" in finding.message


def daemon(system: Path, environ: bytes) -> None:
    (system / "proc/7").mkdir(parents=True)
    (system / "proc/7/environ").write_bytes(environ)


@pytest.mark.parametrize(
    ("timezone", "daemons", "different"),
    [
        (None, None, []),
        ("Europe/Berlin", "Europe/Berlin", []),
        (None, ":Europe/Berlin", []),
        (None, "/usr/share/zoneinfo/Europe/Berlin", []),
        (None, "", []),
        (None, "CET-1CEST", ["the cron daemon (TZ=CET-1CEST)"]),
        ("Asia/Tokyo", None, ["/etc/timezone"]),
        ("UTC", "Asia/Tokyo", ["/etc/timezone", "the cron daemon (TZ=Asia/Tokyo)"]),
    ],
)
def test_zones_are_compared_by_their_rules(
    tmp_path: Path, timezone: str | None, daemons: str | None, different: list[str]
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").write_bytes(zone("Europe/Berlin"))
    if timezone is not None:
        (tmp_path / "etc/timezone").write_text(f"{timezone}\n")
    if daemons is not None:
        daemon(tmp_path, f"PATH=/bin\0TZ={daemons}\0".encode())
    assert compare(7, tmp_path)[1] == different


def test_a_host_without_localtime_is_on_utc(tmp_path: Path) -> None:
    daemon(tmp_path, b"TZ=UTC\0")
    assert compare(7, tmp_path)[1] == []
    (tmp_path / "proc/7/environ").write_bytes(b"TZ=Asia/Tokyo\0")
    assert compare(7, tmp_path)[1] == ["the cron daemon (TZ=Asia/Tokyo)"]


def test_nothing_is_changed_anywhere(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text("host: {name: a}\n")
    sound = machine(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    examine(sound)
    assert sorted(tmp_path.rglob("*")) == before
    assert isinstance(sound.host, FakeHost)
    assert not [call for call in sound.host.log if call.writes]


def test_the_command_speaks_and_its_exit_code_follows(workplace: Workplace) -> None:
    before = workplace.files()
    ran = workplace.run("doctor")
    assert ran.code == ("fail  " in ran.out)
    assert ran.out.startswith("ok    reconcile  version ")
    assert workplace.files() == before
    (workplace.tables / "refuse").write_text("you are not allowed to use this program (crontab)\n")
    ran = workplace.run("doctor")
    assert ran.code == 1
    assert "\nfail  crontab" in ran.out
    assert "what to do: " in ran.out
    assert ran.out.rstrip().endswith("failed.")


def test_json_tells_programs_the_same(workplace: Workplace) -> None:
    (workplace.tables / "refuse").write_text("you are not allowed to use this program (crontab)\n")
    ran = workplace.run("doctor", "-o", "json")
    answer = json.loads(ran.out)
    assert (ran.code, answer["ok"]) == (1, False)
    assert {"name", "result", "message", "hint"} == set(answer["checks"][0])
    assert {each["result"] for each in answer["checks"]} <= {"ok", "warn", "fail"}
