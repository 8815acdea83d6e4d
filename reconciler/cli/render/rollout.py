"""What happened and how things stand: the history table, one rollout, the status of a host.

Takes plain values; where they come from is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, tzinfo

from reconciler.cli.render.characters import Palette, cells, several, visible, wrap
from reconciler.cli.render.runs import instant, zone_of
from reconciler.model.duration import format_duration
from reconciler.model.frozen import dataclass
from reconciler.model.mask import Mask
from reconciler.model.resource import Revision
from reconciler.model.rollout import RolloutRecord, RolloutStatus, StepStatus
from reconciler.model.state import HostFacts, Quarantined

_STYLES = {
    RolloutStatus.RUNNING: "yellow",
    RolloutStatus.STABLE: "green",
    RolloutStatus.UNDOING: "yellow",
    RolloutStatus.ROLLED_BACK: "red",
    RolloutStatus.ROLLBACK_FAILED: "alarm",
}
_WORDS = {
    RolloutStatus.RUNNING: "running",
    RolloutStatus.STABLE: "stable",
    RolloutStatus.UNDOING: "being undone",
    RolloutStatus.ROLLED_BACK: "rolled back",
    RolloutStatus.ROLLBACK_FAILED: "rollback failed",
}
_STEP_STYLES = {StepStatus.DONE: "green", StepStatus.FAILED: "red", StepStatus.UNDONE: "yellow"}


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of a past rollout: `update Automation/backup`, and what became of it."""

    number: int
    what: str
    status: StepStatus
    note: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """How a host stands. Counts are None where nobody looked."""

    host: HostFacts
    path: str
    stable: Revision | None = None
    stable_since: datetime | None = None
    stable_rollout: int | None = None
    owned: int = 0
    pending: int | None = None
    drifted: int | None = None
    quarantine: tuple[Quarantined, ...] = ()
    interrupted: RolloutRecord | None = None
    half_undone: int | None = None  # the rollout that could not be undone completely
    lock_holder: str | None = None
    backends: Mapping[str, str | None] | None = None  # name -> why it cannot be used, None where it can
    notices: tuple[str, ...] = ()
    runs: str = ""  # how those of automations went lately
    unseen: Mapping[str, str] = field(default_factory=dict)  # backends that could not be looked at, and why
    aside: tuple[str, ...] = ()  # what was set aside and stands yet
    unwell: Mapping[str, str] = field(default_factory=dict)  # backend, or runner -> why it does not run all of it
    remedy: str = ""  # what to do about that


def history_text(
    records: Sequence[RolloutRecord], *, timezone: str, mask: Mask, colour: bool = False, stable: int | None = None
) -> str:
    """One line for each rollout, in the order given. `stable` is the number of the one that counts as stable now."""
    if not records:
        return "No rollout yet: nothing has been applied on this host.\n"
    zone = zone_of(timezone)
    head = ("No.", "Started", "Command", "Revision", "Result", "Summary")
    table = [head, *(_history_row(record, zone, mask, stable) for record in records)]
    widths = [max(cells(row[index]) for row in table) for index in range(len(head) - 1)]
    palette = Palette(colour)
    lines = []
    for index, row in enumerate(table):
        shown = [
            _padded(cell, width, right=place == 0)
            for place, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        if index:
            shown[4] = palette.paint(_STYLES[records[index - 1].status], shown[4])
        text = "  ".join([*shown, row[-1]]).rstrip()
        lines.append(text if index else palette.paint("bold", text))
    return "\n".join([*lines, "", f"Times are in {_zone_name(timezone, zone)}."]) + "\n"


def rollout_text(
    record: RolloutRecord,
    steps: Sequence[StepLine],
    plugins: Mapping[str, str] | None = None,
    *,
    timezone: str,
    mask: Mask,
    colour: bool = False,
) -> str:
    """One rollout with its steps."""
    palette, zone = Palette(colour), zone_of(timezone)
    result = palette.paint(_STYLES[record.status], _WORDS[record.status])
    lines = [f"{palette.paint('bold', f'Rollout {record.number}')} ({visible(record.verb)}): {result}"]
    lines += _pairs(
        [
            ("revision", _revision(record.revision)),
            ("read from", record.path),
            ("started", instant(record.started, zone)),
            ("ended", _ended(record, zone)),
            ("summary", record.summary),
            ("failure", record.failure or ""),
            ("plugins", ", ".join(f"{name} ({digest})" for name, digest in sorted((plugins or {}).items()))),
        ],
        mask,
    )
    if steps:
        width = max(len(str(step.number)) for step in steps)
        lines += ["", "Steps:"]
        for step in steps:
            status = palette.paint(_STEP_STYLES.get(step.status, ""), f"{step.status.value:<8}")
            note = f": {_clean(step.note, mask)}" if step.note else ""
            lines.append(f"  {step.number:>{width}}. {status} {_clean(step.what, mask)}{note}")
    return "\n".join([*lines, "", f"Times are in {_zone_name(timezone, zone)}."]) + "\n"


def status_text(status: Status, *, mask: Mask, colour: bool = False, width: int = 100) -> str:
    """What a person wants to know first; the last line says what to do next."""
    palette, zone = Palette(colour), zone_of(status.host.timezone)
    lines = [palette.paint("bold", _clean(f"{status.host.name}: {_seen(status)}{_standing(status)}", mask))]
    unwell = [f"{name}: {why}." for name, why in sorted(status.unwell.items())]
    for notice in (*_warnings(status), *unwell, *status.notices):
        lines += [palette.paint("yellow", line) for line in wrap("Note: " + _clean(notice, mask), width)]
    lines.append("")
    lines += _pairs(
        [
            ("host", f"{status.host.name} ({status.host.platform}), as {status.host.user}"),
            ("stable revision", _stable(status, zone)),
            ("owned here", several(status.owned, "resource")),
            ("to be changed", _count(status.pending, "as the manifests differ from the host")),
            ("drift", _count(status.drifted, "no longer as applied")),
            ("runs", status.runs),
            *(("quarantined", _quarantined(item)) for item in status.quarantine),
            *(("set aside", text) for text in status.aside),
            ("being applied by", status.lock_holder or "nobody"),
            *_backends(status.backends or {}),
            *((f"backend {name}", why) for name, why in sorted(status.unseen.items())),
        ],
        mask,
    )
    return "\n".join([*lines, "", _next(status)]) + "\n"


def _seen(status: Status) -> str:
    """What the rest of the line is not about."""
    return f"{' and '.join(sorted(status.unseen))} could not be looked at; apart from that, " if status.unseen else ""


def _standing(status: Status) -> str:
    if status.interrupted:
        return f"rollout {status.interrupted.number} was interrupted"
    if status.half_undone is not None:
        return f"rollout {status.half_undone} failed and is not undone completely"
    if status.stable is None:
        return "nothing has been applied yet"
    parts = [f"{' and '.join(sorted(status.unwell))} cannot run everything as applied"] if status.unwell else []
    if status.pending is None or status.drifted is None:
        return ", ".join([*parts, f"last known stable at {_revision(status.stable)}"])
    parts += [several(status.pending, "change") + " to make"] if status.pending else []
    parts += [f"{status.drifted:,} drifted"] if status.drifted else []
    return ", ".join(parts) or "everything is as the manifests ask"


def _warnings(status: Status) -> list[str]:
    found = status.interrupted
    if found is None:
        return []
    return [f"rollout {found.number} ({found.verb}) did not finish; the next apply first finishes or undoes it."]


def _stable(status: Status, zone: tzinfo | None) -> str:
    if status.stable is None:
        return "none yet"
    since = f", since {instant(status.stable_since, zone)}" if status.stable_since else ""
    if since:
        since += f" {_zone_name(status.host.timezone, zone)}"
    number = f" (rollout {status.stable_rollout})" if status.stable_rollout is not None else ""
    return f"{_revision(status.stable)}{since}{number}"


def _quarantined(item: Quarantined) -> str:
    free = f"`reconcile release --quarantine {item.revision.digest[:8]}` lets it try again"
    return f"{_revision(item.revision)}: {item.reason} (rollout {item.rollout}); {free}"


def _backends(backends: Mapping[str, str | None]) -> list[tuple[str, str]]:
    return [
        (f"backend {name}", f"cannot be used: {why}" if why else "usable") for name, why in sorted(backends.items())
    ]


def _count(count: int | None, meaning: str) -> str:
    if count is None:
        return "not looked at"
    return f"{several(count, 'resource')}, {meaning}" if count else "nothing"


def _next(status: Status) -> str:
    path = visible(status.path)
    if status.half_undone is not None and not status.interrupted:
        return "Repair what stands in the way, then: reconcile resume"
    if status.unseen:
        return f"Once {' and '.join(sorted(status.unseen))} can be looked at: reconcile plan {path}"
    if status.interrupted or status.pending or status.drifted:
        return f"To see the changes: reconcile plan {path}"
    if status.stable is None:
        return f"To start: reconcile plan {path}"
    if status.unwell:
        return status.remedy
    return "Nothing needs doing."


def _history_row(record: RolloutRecord, zone: tzinfo | None, mask: Mask, stable: int | None) -> tuple[str, ...]:
    mark = " (now)" if record.number == stable else ""
    return (
        str(record.number),
        instant(record.started, zone),
        visible(record.verb),
        visible(_revision(record.revision)),
        _WORDS[record.status] + mark,
        _clean(record.failure or record.summary, mask),
    )


def _revision(revision: Revision) -> str:
    name = revision.commit[:8] if revision.commit else f"{revision.digest[:8]} (not in git)"
    branch = f" on {revision.branch}" if revision.branch else ""
    dirty = f" with uncommitted changes ({revision.digest[:8]})" if revision.dirty and revision.commit else ""
    return f"{name}{branch}{dirty}"


def _ended(record: RolloutRecord, zone: tzinfo | None) -> str:
    if record.ended is None:
        return "not yet"
    return f"{instant(record.ended, zone)}, after {format_duration((record.ended - record.started).total_seconds())}"


def _zone_name(name: str, zone: tzinfo | None) -> str:
    return visible(name) if zone else "UTC"


def _pairs(pairs: Sequence[tuple[str, str]], mask: Mask) -> list[str]:
    """`name   value`, aligned; empty values are left out."""
    shown = [(visible(name), _clean(value, mask)) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    return [f"  {name:<{width}}  {value}" for name, value in shown]


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cells(text))
    return space + text if right else text + space


def _clean(text: str, mask: Mask) -> str:
    return visible(mask.text(text))
