"""Where things are kept, and what `reconciler.yaml` says. Environment arrives as an argument.

The settings file is validated once and remembered by content, so that it costs a read and no library.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import reconciler
from reconciler import __version__
from reconciler.host.local import LocalHost
from reconciler.model.codec import decode, encode
from reconciler.model.data import bytes_digest
from reconciler.model.errors import LoadError, Problem, ReconcileError
from reconciler.model.frozen import dataclass
from reconciler.model.intent import PrunePolicy

FILE_NAME = "reconciler.yaml"
DRIFT_INTERVAL = 300.0  # seconds between two looks at the host in watch mode


@dataclass(frozen=True, slots=True)
class Settings:
    """What `reconciler.yaml` holds, with its defaults."""

    host_name: str = ""
    host_labels: tuple[str, ...] = ()  # "key=value", sorted
    plugins: tuple[str, ...] = ()
    prune: PrunePolicy = PrunePolicy()
    drift_interval: float = DRIFT_INTERVAL
    source: str = ""  # the file, as found; empty where there is none


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the journal, the cache and the launcher of runs live. `cache` may vanish at any time."""

    state: Path
    cache: Path
    bin: Path  # apart from the state: a lost state folder must not keep a job from running
    usual: bool = True  # `state` is where the runner looks without being told

    @property
    def launcher(self) -> Path:
        return self.bin / "reconcile"


def folders(environ: Mapping[str, str], *, root: bool) -> Folders:
    """RECONCILER_STATE_DIR, _CACHE_DIR, _BIN_DIR, else the platform's places (XDG; /var and /usr/local for root)."""
    home = Path(environ.get("HOME") or "~").expanduser()
    usual = (Path("/var/lib") if root else home / ".local/state") / "reconciler"
    chosen, state = environ.get("RECONCILER_STATE_DIR"), usual
    if chosen:
        state = Path(chosen)
    elif not root and environ.get("XDG_STATE_HOME"):
        state = Path(environ["XDG_STATE_HOME"], "reconciler")
    cache = Path("/var/cache") if root else Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    share = Path("/usr/local/lib") if root else Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    programs = state.with_name(f"{state.name}-bin") if chosen else share / "reconciler/bin"
    return Folders(
        state,
        Path(environ.get("RECONCILER_CACHE_DIR") or cache / "reconciler"),
        Path(environ.get("RECONCILER_BIN_DIR") or programs),
        state == usual,
    )


def find(tree: Path) -> Path | None:
    """`reconciler.yaml` in the tree or above it, up to the root of its git checkout; else beside or in the tree."""
    try:
        start = tree.absolute() if tree.is_dir() else tree.absolute().parent
        above = [start, *start.parents]
        root = next((folder for folder in above if (folder / ".git").exists()), None)
        reach = above[: above.index(root) + 1] if root else above[:2]
        return next((folder / FILE_NAME for folder in reach if (folder / FILE_NAME).is_file()), None)
    except OSError as error:
        raise ReconcileError(f"cannot look for {FILE_NAME} above {tree}: {error.strerror}") from error


def read(tree: Path, cache: Path | None) -> Settings:
    """The settings that apply to a tree. Raises LoadError with every problem of the file.

    Without a folder for the cache nothing is remembered.
    """
    path = find(tree)
    if path is None:
        return Settings()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LoadError((Problem(str(path), 0, 0, f"cannot be read: {error.strerror}"),)) from error
    key = bytes_digest(f"{__version__} {path}\n".encode(errors="surrogateescape") + content)
    remembered = _recall(cache / "settings.json", key) if cache is not None else None
    if remembered is not None:
        return remembered
    from reconciler.load.settings_file import settings_values

    settings = _settings(settings_values(path, content), str(path))
    if cache is not None:
        _remember(cache / "settings.json", key, settings)
    return settings


def _settings(values: Mapping[str, object], source: str) -> Settings:
    data: dict[str, object] = {name: value for name, value in values.items() if value is not None}
    return decode(Settings, {**data, "source": source})  # type: ignore[dict-item]


def _recall(path: Path, key: str) -> Settings | None:
    """What an earlier run remembered of the same content; anything unreadable counts as nothing."""
    try:
        stored = json.loads(path.read_bytes())
        return decode(Settings, stored["settings"]) if stored["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(path: Path, key: str, settings: Settings) -> None:
    """Best effort: a cache that cannot be written costs time and nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"key": key, "settings": encode(settings)}))
        partial.replace(path)
    except OSError:
        return


def this_machine(places: Folders, settings: Settings) -> LocalHost:
    """The machine that this process runs on, as the settings call it and the folders have it."""
    return LocalHost(
        name=settings.host_name,
        labels=settings.host_labels,
        runner=str(places.launcher.absolute()),
        state="" if places.usual else str(places.state.absolute()),
        shared=not closed_to_others(places),
    )


def closed_to_others(places: Folders) -> tuple[Path, ...]:
    """Folders on the way to the runner, its Python and its code that other users may not enter."""
    found = (_closed(path) for path in (places.launcher, Path(sys.executable), Path(reconciler.__file__)))
    return tuple(sorted({path for path in found if path is not None}))


def _closed(path: Path) -> Path | None:
    """The outermost folder above a path that not every user may enter; what does not exist yet will be made so."""
    named, real = path.absolute().parents, path.resolve().parents  # a link of a venv, and where it leads
    for each in sorted({*named, *real}):
        try:
            if not each.stat().st_mode & 0o001:
                return each
        except FileNotFoundError:
            continue
        except OSError:
            return each
    return None
