"""The plans that the golden texts show, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Cause, Change, Danger, Hazard
from reconciler.model.plan import ApplyStep, Plan, Skip, VerifyStep, Veto
from reconciler.model.resource import Probe, Revision
from reconciler.model.state import HostFacts
from tests.render.build import CRONTAB, change, create, delete, plan_of
from tests.render.meddled import drift_units
from tests.render.moved import moved


def updates() -> list[Change]:
    reason = "the manifest changed"
    backup, crm, brief = "/usr/local/bin/backup --keep=7", "crm-sync --all", "python3 daily_brief.py"
    return [
        change(
            Action.UPDATE,
            Cause.PENDING,
            reason,
            "backup-database",
            ("0 3 * * *", backup, {}),
            ("30 4 * * 1-5", backup, {}),
            where=f"{CRONTAB}, line 2",
        ),
        change(
            Action.UPDATE,
            Cause.PENDING,
            reason,
            "crm-sync",
            ("15 * * * *", crm, {}),
            ("15 * * * *", "crm-sync --since 1h", {}),
            where=f"{CRONTAB}, line 3",
        ),
        change(
            Action.UPDATE,
            Cause.PENDING,
            reason,
            "daily-brief",
            ("0 6 * * *", brief, {"LOG_LEVEL": "info"}),
            ("0 6 * * *", brief, {"LOG_LEVEL": "debug"}),
            where=f"{CRONTAB}, line 4",
        ),
    ]


def drifted() -> Change:
    reason = "somebody changed it on the host: it is put back as the manifest says"
    found, wanted = ("0 5 * * *", "crm-sync --all", {}), ("15 * * * *", "crm-sync --all", {})
    return change(Action.UPDATE, Cause.DRIFT, reason, "crm-sync", found, wanted, where=f"{CRONTAB}, line 3")


def nothing() -> Plan:
    return plan_of([], unchanged=12)


def first_apply() -> Plan:
    return plan_of(
        [
            create("backup-database", "0 3 * * *", "/usr/local/bin/backup --keep=7"),
            create("crm-sync", "15 * * * *", "crm-sync --all"),
            create("watch-printer", "@reboot", "python3 watch_printer.py"),
        ],
        revision=Revision(digest="c0ffee12" * 4),
    )


def schedule_command_environment() -> Plan:
    return plan_of(updates(), unchanged=9)


def drift_reverted() -> Plan:
    missing = change(
        Action.CREATE,
        Cause.DRIFT,
        "somebody removed it from the host: it is put back",
        "health-check",
        ("*/5 * * * *", "health-check --quiet", {}),
    )
    return plan_of([drifted(), missing], unchanged=10)


def drift_left() -> Plan:
    left = "somebody {}; left so because its manifest says drift: {}"
    return plan_of(
        [],
        unchanged=9,
        skipped=[
            Skip(ResourceId("Automation", "crm-sync"), left.format("changed it on the host", "report"), drift=True),
            Skip(
                ResourceId("Automation", "health-check"),
                left.format("removed it from the host", "ignore"),
                drift=True,
            ),
            Skip(ResourceId("Automation", "monthly-report"), "suspended in its manifest: left exactly as it is"),
        ],
    )


def prune() -> Plan:
    return plan_of(
        [
            *updates()[:1],
            delete("bambu-watcher", "*/5 * * * *", "python3 bambu_watcher.py", at=5),
            create("weekly-digest", "@weekly", "python3 weekly_digest.py"),
        ],
        unchanged=10,
    )


def adopt() -> Plan:
    item = change(
        Action.ADOPT,
        Cause.REQUESTED,
        "taken over from an entry that you wrote yourself",
        "backup-database",
        ("0 3 * * *", "/usr/local/bin/backup --keep=7", {}),
        ("0 3 * * *", "/usr/local/bin/backup --keep=7", {}),
        where=f"{CRONTAB}, line 7",
    )
    foreign = "0 3 * * * /usr/local/bin/backup --keep=7"
    return plan_of([replace(item, document_before=foreign)], unchanged=2)


def release() -> Plan:
    side = ("0 3 * * *", "/usr/local/bin/backup --keep=7", {})
    reason = "released: it stays and is yours again"
    item = change(Action.RELEASE, Cause.REQUESTED, reason, "backup-database", side, side, where=f"{CRONTAB}, line 2")
    bare = "0 3 * * * exec /usr/local/bin/backup --keep=7"
    return plan_of([replace(item, document_after=bare)], unchanged=2)


DOUBLE = Hazard(
    Danger.DOUBLE_RUN,
    "line 9 of the crontab of root runs the same command and is not ours, so it would run twice",
    "take it over with `reconcile adopt Automation/backup-database`, or remove that line",
    blocking=True,
)
MISSED = Hazard(
    Danger.MISSED_RUN,
    "no cron daemon is running on atlas, so nothing in its crontab would run",
    "start it: `systemctl start cron`",
    blocking=True,
)


def _hazard_veto(hazard: Hazard, name: str | None) -> Veto:
    hint = f"{hazard.hint}; or pass `--accept {hazard.danger}`"
    return Veto("hazard", hazard.message, ResourceId("Automation", name) if name else None, hint, str(hazard.danger))


def blocking_hazards() -> Plan:
    return plan_of(
        [
            create("backup-database", "0 3 * * *", "/usr/local/bin/backup --keep=7", [DOUBLE, MISSED]),
            create("crm-sync", "15 * * * *", "crm-sync --all", [MISSED]),
        ],
        vetoes=[_hazard_veto(DOUBLE, "backup-database"), _hazard_veto(MISSED, None)],
        unchanged=1,
    )


def accepted_hazard() -> Plan:
    return plan_of([create("backup-database", "0 3 * * *", "/usr/local/bin/backup --keep=7", [DOUBLE])], unchanged=1)


def vetoes() -> Plan:
    names = ("bambu-watcher", "crm-sync", "daily-brief", "health-check")
    return plan_of(
        [delete(name, f"{10 * index} * * * *", f"{name} --quiet", at=2 + index) for index, name in enumerate(names)],
        vetoes=[
            Veto(
                "ownership",
                "crontab of root, line 9 runs what Automation/backup-database runs, but no longer carries our mark: "
                "it may be yours now",
                ResourceId("Automation", "backup-database"),
                "`reconcile adopt Automation/backup-database` takes it over again; or remove that entry, "
                "or the manifest",
            ),
            Veto(
                "quarantine",
                "this revision (4be1c2d9) failed in rollout 12 and is quarantined: "
                "Automation/crm-sync: exec curl -fsS http://127.0.0.1:3500/ exited with 7",
                hint="change the manifests, or let it try again with `reconcile release --quarantine 5f0c5f0c`",
            ),
            Veto(
                "prune-limit",
                "4 resources of 9 would be removed, more than 30 % of the inventory and more than 3",
                hint="if that is what you want, pass `--accept prune`",
                accept="prune",
            ),
            Veto(
                "protect",
                "Automation/crm-sync is protected: its manifest said `protect: delete`",
                ResourceId("Automation", "crm-sync"),
                "put the manifest back, take `protect` out and apply; then it can go. Or release the resource",
            ),
        ],
        unchanged=4,
    )


def notices() -> Plan:
    return plan_of(
        updates()[:1],
        unchanged=11,
        notices=[
            "rollout 12 was interrupted after step 3 of 6; it will first be undone",
            "the journal was damaged and is set aside as journal.db.2026-11-21; what is ours was found by its marks",
        ],
    )


def probes() -> Plan:
    checks = (
        Probe("exec", {"command": ["pg_isready", "--quiet"]}),
        Probe("http", {"url": "http://127.0.0.1:3500/api/health", "within": 2}),
    )
    return plan_of(updates()[:2], unchanged=10, gates={"crm-sync": (60.0, 10.0, checks)})


def dependent() -> Plan:
    """Two levels: the second waits for the gate of the first."""
    first, second = (
        plan_of(updates()[:1], unchanged=4),
        create("copy-offsite", "0 7 * * *", "rclone sync /srv remote:"),
    )
    steps = (
        *first.steps,
        ApplyStep(3, (2,), second, "root"),
        VerifyStep(4, (3,), second.id, "crontab", 60.0, 0.0, ()),
    )
    return replace(first, steps=steps, sources={**first.sources, second.id: "desired/offsite.yaml:4"})


def thousand() -> Plan:
    changes = [create(f"job-{n:04}", f"{n % 60} {n % 24} * * *", f"/opt/jobs/run --number {n}") for n in range(600)]
    changes += [
        change(
            Action.UPDATE,
            Cause.PENDING,
            "the manifest changed",
            f"job-{n:04}",
            (f"{n % 60} 1 * * *", "/opt/run", {}),
            (f"{n % 60} 2 * * *", "/opt/run", {}),
            where=f"{CRONTAB}, line {n}",
        )
        for n in range(600, 980)
    ]
    changes += [delete(f"job-{n:04}", f"{n % 60} 1 * * *", "/opt/run", at=n) for n in range(980, 1000)]
    return plan_of(changes, unchanged=2000)


def hostile() -> Plan:
    nasty = (
        "echo \x1b[2J\x1b]0;owned\x07 `id` | tee </details><script>alert(1)</script> ```\n::error::%0A\r \u202egnp"
    )
    item = change(
        Action.UPDATE,
        Cause.PENDING,
        f"somebody wrote {nasty}",
        "evil",
        ("0 3 * * *", "true", {}),
        ("0 3 * * *", nasty, {"API_TOKEN": "hunter2\x9b", "PS1": "\udce9@octocat #1 | [x](http://x)"}),
        where=f"{CRONTAB}, line \x1b[31m2",
        hazards=[Hazard(Danger.DOWNTIME, nasty, nasty)],
    )
    plan = plan_of([item], notices=[nasty], skipped=[Skip(ResourceId("Automation", "odd"), nasty, drift=True)])
    host = HostFacts("at\x1b[1mlas--><b>", "linux", "root", "Mars/Olympus")
    return replace(plan, host=host, path="desi`red\x07; rm -rf", sources={item.id: "a,b:c\n%.yaml:3"})


CASES: dict[str, Callable[[], Plan]] = {
    "nothing": nothing,
    "first-apply": first_apply,
    "schedule-command-environment": schedule_command_environment,
    "drift-reverted": drift_reverted,
    "drift-left": drift_left,
    "drift-units": drift_units,
    "prune": prune,
    "adopt": adopt,
    "release": release,
    "blocking-hazards": blocking_hazards,
    "accepted-hazard": accepted_hazard,
    "vetoes": vetoes,
    "notices": notices,
    "probes": probes,
    "dependent": dependent,
    "moved": moved,
    "thousand": thousand,
    "hostile": hostile,
}
