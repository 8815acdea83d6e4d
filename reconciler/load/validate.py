"""One document against its kind: a resource, or everything that is wrong with it and where.

Does not compare documents with each other: that is `resolve`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.kinds.catalogue import LATER, KindCatalogue
from reconciler.load.ignored import refusal, state_path
from reconciler.load.nodes import Node
from reconciler.load.text import SourceText
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import Problem
from reconciler.model.resource import DriftPolicy, Placement, Probe, Protect, Resource, Source, VerifyPolicy

if TYPE_CHECKING:
    from reconciler.kinds.common import CommonSpec, PlacementSpec
    from reconciler.kinds.envelope import Manifest
    from reconciler.kinds.probes import ProbeSpec

_API_VERSION = "reconciler/v1"
_PLAIN_VERIFY = VerifyPolicy()


def resource_or_none(document: Mapping[str, Json], line: int, file: str, kinds: KindCatalogue) -> Resource | None:
    """The resource of a document, or None where anything at all is wrong with it."""
    from pydantic import ValidationError

    kind = document.get("kind")
    if document.get("apiVersion") != _API_VERSION or not isinstance(kind, str) or kind not in kinds.targets:
        return None
    try:
        manifest = kinds.manifest_model(kind).model_validate(document)
    except ValidationError:
        return None
    if any(refusal(path, type(manifest.spec)) for path in manifest.spec.ignore):
        return None
    return _resource(manifest, line, file)


def resource_or_problems(node: Node, source: SourceText, kinds: KindCatalogue) -> Resource | list[Problem]:
    """The resource of a document with places, or every problem in it."""
    from pydantic import ValidationError

    if node.members is None:
        found = "a list" if node.items is not None else f"{node.value!r}"
        message = f"a manifest must be a mapping with apiVersion, kind, metadata and spec, found {found}"
        return [source.problem(node.line, node.column, message)]
    problems, kind = _envelope_problems(node, source, kinds)
    if kind is None:
        return problems
    problems += _ignore_problems(node, source, kinds.spec_model(kind))
    model = kinds.manifest_model(kind)
    try:
        manifest = model.model_validate(node.plain())
    except ValidationError as error:
        from reconciler.load.messages import problems_of

        # An apiVersion or kind that is missing or of another type is reported by the envelope already.
        more = problems_of(error, model, source, node)
        return problems + [each for each in more if not each.message.startswith(("apiVersion ", "kind "))]
    return problems or _resource(manifest, node.line, source.file)


def declared_id(node: Node) -> ResourceId | None:
    """The address that a document claims, also when the rest of it is wrong."""
    metadata = node.child("metadata")
    kind, name = node.child("kind"), metadata.child("name") if metadata else None
    if kind and name and isinstance(kind.value, str) and isinstance(name.value, str):
        return ResourceId(kind.value, name.value)
    return None


def _envelope_problems(node: Node, source: SourceText, kinds: KindCatalogue) -> tuple[list[Problem], str | None]:
    problems: list[Problem] = []
    version, kind = node.child("apiVersion"), node.child("kind")
    if version is None or version.value != _API_VERSION:
        at, found = (version, f", found {version.value!r}") if version else (node, "")
        cause = "must be" if version else "is missing: write"
        problems.append(source.problem(at.line, at.column, f"apiVersion {cause} {_API_VERSION}{found}"))
    known = ", ".join(sorted(kinds.targets))
    if kind is None:
        problems.append(source.problem(node.line, node.column, "kind is missing", f"known kinds: {known}"))
        return problems, None
    if isinstance(kind.value, str) and kind.value in kinds.targets:
        return problems, kind.value
    if isinstance(kind.value, str) and kind.value in LATER:
        message, hint = f"kind {kind.value} is not supported by this version", f"known kinds: {known}"
    else:
        from reconciler.load.messages import did_you_mean

        message, hint = f"unknown kind {kind.value!r}", did_you_mean(str(kind.value), kinds.targets) or ""
    problems.append(source.problem(kind.line, kind.column, message, hint))
    return problems, None


def _ignore_problems(node: Node, source: SourceText, model: type[CommonSpec]) -> list[Problem]:
    listed = node.at(("spec", "ignore")).items or []
    refused = ((index, item, refusal(item.value, model)) for index, item in enumerate(listed))
    return [
        source.problem(item.line, item.column, f"spec.ignore[{index}]: {why[0]}", why[1])
        for index, item, why in refused
        if why is not None
    ]


def _resource(manifest: Manifest[CommonSpec], line: int, file: str) -> Resource:
    spec, metadata = manifest.spec, manifest.metadata
    return Resource(
        id=ResourceId(manifest.kind, metadata.name),
        spec=spec.plain(),
        source=Source(file, line),
        description=metadata.description,
        labels=metadata.labels or None,
        depends_on=tuple(map(_address, dict.fromkeys((*spec.depends_on, *spec.implied_needs())))),
        verify=_verify(spec),
        protect=None if spec.protect is None else Protect(spec.protect),
        drift=DriftPolicy(spec.drift),
        ignore=tuple(map(state_path, spec.ignore)),
        suspend=spec.suspend,
        placement=_placement(spec.placement),
    )


def _address(text: str) -> ResourceId:
    kind, _, name = text.partition("/")
    return ResourceId(kind, name)


def _placement(spec: PlacementSpec | None) -> Placement | None:
    if spec is None:
        return None
    labels = tuple(sorted(f"{name}={value}" for name, value in spec.labels.items()))
    return Placement(tuple(sorted(spec.hosts)), labels, spec.platform or "")


def _verify(spec: CommonSpec) -> VerifyPolicy:
    health, implied = spec.health_probes(), spec.implied_probes()
    if spec.verify is None and not health and not implied:
        return _PLAIN_VERIFY
    wanted = _PLAIN_VERIFY if spec.verify is None else spec.verify
    asked = spec.verify.probes if spec.verify is not None else []
    written = tuple(_probe(each, spec.probe_directory()) for each in (*asked, *health))
    probes = written + tuple(Probe(*each) for each in implied)
    return VerifyPolicy(wanted.within, wanted.stable_for, probes)


def _probe(spec: ProbeSpec, directory: str | None) -> Probe:
    kind, options = spec.plain()
    if kind == "exec" and directory is not None:
        options.setdefault("directory", directory)
    return Probe(kind, options)
