"""Volumes, folders, secrets and configs of a compose service: everything that is mounted. Pure."""

from __future__ import annotations

from typing import Any

from reconciler.model.data import Json
from reconciler.providers.container.compose.draft import Draft, items

_MODES = {"ro": ":ro", "rw": "", "": ""}


def volumes(draft: Draft, value: Json) -> None:
    for index, item in enumerate(items(value)):
        mount = _long(draft, item, index) if isinstance(item, dict) else _short(draft, str(item), index)
        if mount is None:
            draft.lose(f"the volume {_named(item)}", "volumes", index)
        else:
            _mount(draft, mount)


def _named(item: Json) -> str:
    return str(item.get("target", "without a target")) if isinstance(item, dict) else str(item)


def _mount(draft: Draft, text: str) -> None:
    found = list(items(draft.spec.get("volumes")))
    draft.spec["volumes"] = [*found, text]


def _short(draft: Draft, text: str, index: int) -> str | None:
    source, colon, rest = text.partition(":")
    target, _, modes = rest.partition(":")
    if not colon or not target.startswith("/"):
        return None
    known = [mode for mode in modes.split(",") if mode in _MODES]
    for mode in modes.split(","):
        if mode not in _MODES:
            draft.lose(f"the option {mode} of the volume at {target}", "volumes", index)
    mode = ":ro" if "ro" in known else ""
    return f"{_source(draft, source)}:{target}{mode}"


def _source(draft: Draft, source: str) -> str:
    """A folder of this machine, or a volume by the name that compose gives it, so that its data stay in use."""
    if source.startswith((".", "/", "~")):
        return draft.project.folder(source)
    return draft.project.volumes.get(source, f"{draft.project.name}_{source}")


def _long(draft: Draft, item: dict[str, Any], index: int) -> str | None:
    kind, source, target = item.get("type"), item.get("source"), item.get("target")
    if kind not in ("volume", "bind") or not isinstance(source, str) or not isinstance(target, str):
        return None
    if kind == "bind" and not source.startswith(("/", "~")):
        source = f"./{source}"
    for name in sorted(set(item) - {"type", "source", "target", "read_only"}):
        draft.lose(f"{name} of the volume at {target}", "volumes", index, name)
    return f"{_source(draft, source)}:{target}{':ro' if item.get('read_only') else ''}"


def secrets(draft: Draft, value: Json) -> None:
    _kept(draft, value, "secrets", "/run/secrets/")


def configs(draft: Draft, value: Json) -> None:
    _kept(draft, value, "configs", "/")


def _kept(draft: Draft, value: Json, section: str, folder: str) -> None:
    """A secret or config that is a file: mounted where compose mounts it, and never read here."""
    for index, item in enumerate(items(value)):
        about: dict[str, Any] = item if isinstance(item, dict) else {"source": item}
        name = str(about.get("source"))
        file = draft.project.kept.get(f"{section}.{name}", {}).get("file")
        if not isinstance(file, str):
            draft.lose(f"the {section[:-1]} {name}, which is not a file,", section, index)
            continue
        target = str(about.get("target") or name)
        _mount(draft, f"{draft.project.folder(file)}:{target if target.startswith('/') else folder + target}:ro")
        for option in sorted(set(about) - {"source", "target"}):
            draft.lose(f"{option} of the {section[:-1]} {name}", section, index, option)
