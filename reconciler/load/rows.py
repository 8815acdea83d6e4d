"""Resources as compact JSON rows and back: what the cache holds. Trailing defaults are left out."""

from __future__ import annotations

from typing import Any

from reconciler.model.address import ResourceId, parse_address
from reconciler.model.data import Json
from reconciler.model.resource import DriftPolicy, Placement, Probe, Protect, Resource, Source, VerifyPolicy

Row = list[Json]
_PLAIN_VERIFY = VerifyPolicy()
_DEFAULTS: Row = ["", None, [], None, None, "revert", [], False, None]


def to_row(resource: Resource) -> Row:
    """A resource without the name of its file."""
    verify = resource.verify
    tail: Row = [
        resource.description,
        dict(resource.labels) if resource.labels else None,
        [str(each) for each in resource.depends_on],
        None
        if verify == _PLAIN_VERIFY
        else [verify.within, verify.stable_for, [[probe.type, dict(probe.options)] for probe in verify.probes]],
        None if resource.protect is None else resource.protect.value,
        resource.drift.value,
        list(resource.ignore),
        resource.suspend,
        None if (where := resource.placement) is None else [list(where.hosts), list(where.labels), where.platform],
    ]
    while tail and tail[-1] == _DEFAULTS[len(tail) - 1]:
        tail.pop()
    return [resource.id.kind, resource.id.name, resource.source.line, dict(resource.spec), *tail]


def from_row(file: str, row: Any) -> Resource:
    """The resource of a row. Raises TypeError, ValueError or KeyError on a row of another shape."""
    kind, name, line, spec, *tail = row
    if type(kind) is not str or type(name) is not str or type(line) is not int or type(spec) is not dict:
        raise TypeError("not a row")
    address, source = ResourceId(kind, name), Source(file, line)
    if not tail:
        return Resource(address, spec, source)
    description, labels, depends_on, verify, protect, drift, ignore, suspend, where = tail + _DEFAULTS[len(tail) :]
    return Resource(
        address,
        spec,
        source,
        description=description,
        labels=labels,
        depends_on=tuple(map(parse_address, depends_on)),
        verify=_PLAIN_VERIFY if verify is None else _verify(*verify),
        protect=None if protect is None else Protect(protect),
        drift=DriftPolicy(drift),
        ignore=tuple(ignore),
        suspend=suspend,
        placement=None if where is None else Placement(tuple(where[0]), tuple(where[1]), where[2]),
    )


def _verify(within: float, stable_for: float, probes: Any) -> VerifyPolicy:
    return VerifyPolicy(within, stable_for, tuple(Probe(kind, options) for kind, options in probes))
