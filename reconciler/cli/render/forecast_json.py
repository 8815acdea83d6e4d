"""A forecast as data. Instants are RFC 3339 in UTC, durations seconds; wall-clock times have no zone."""

from __future__ import annotations

from datetime import UTC, datetime

from reconciler.cli.render.forecast import Heading
from reconciler.model.data import Json
from reconciler.runs.clocks import Change
from reconciler.runs.forecast import Forecast, Row

FORMAT = 1


def forecast_json(found: Forecast, heading: Heading) -> Json:
    """The whole forecast; of the starts of an entry their number and the next few."""
    return {
        "format": FORMAT,
        "host": heading.host,
        "timezone": heading.zone,
        "from": _utc(found.period.start),
        "to": _utc(found.period.end),
        "starts": found.starts,
        "fullestMinute": found.fullest,
        "automations": [_row(row) for row in found.rows],
        "hours": [
            {"at": _utc(hour.at), "starts": hour.starts, "busy": hour.busy, "peak": hour.peak} for hour in found.hours
        ],
        "collisions": {
            "threshold": found.crowd,
            "minutes": found.crowded.bit_count(),
            "worst": [
                {"first": _utc(one.first), "starts": one.starts, "names": list(one.names), "minutes": one.minutes}
                for one in found.collisions
            ],
        },
        "overlaps": [
            {"name": one.entry.name, "takes": one.entry.takes, "first": _utc(one.first), "times": one.times}
            for one in found.overlaps
        ],
        "clockChanges": [_change(change, heading) for change in found.changes],
        "remarks": [{"name": one.name, "never": one.never, "says": one.says} for one in found.remarks],
        "unread": [{"where": where, "why": why} for where, why in heading.unread],
    }


def _row(row: Row) -> Json:
    entry, table = row.entry, row.entry.table
    return {
        "name": entry.name,
        "scheduler": table.provider,
        "foreign": entry.foreign or None,
        "schedule": table.schedule,
        "timezone": table.timezone or None,
        "starts": row.starts,
        "next": [_utc(moment) for moment in row.next],
        "takes": entry.takes,
        "measured": entry.measured,
        "never": entry.never or None,
    }


def _change(change: Change, heading: Heading) -> Json:
    return {
        "timezone": change.zone or heading.zone,
        "at": _utc(change.at),
        "kind": "skipped" if change.skips else "repeated",
        "first": change.first.isoformat(timespec="minutes"),
        "last": change.last.isoformat(timespec="minutes"),
        "inside": change.inside,
        "effects": [{"does": one.does, "names": list(one.names)} for one in change.effects],
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
