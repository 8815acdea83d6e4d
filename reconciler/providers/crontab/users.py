"""Whose table a state belongs to: "" is whoever runs this, and only root may name anybody else."""

from __future__ import annotations

from dataclasses import replace

from reconciler.host.protocol import Host
from reconciler.model.change import Change
from reconciler.model.errors import ObserveError
from reconciler.model.state import State
from reconciler.providers.crontab.line import BY_ROOT, OWN, Mark


def own_name(host: Host) -> str:
    """The user who runs this."""
    return host.facts().user


def user_of(state: State) -> str:
    """The user as the state names it."""
    user = state.attributes.get("user", "")
    return user if isinstance(user, str) else ""


def users_of(change: Change) -> tuple[str, ...]:
    """Whose tables a change touches: first the one that loses the line, last the one that gets it."""
    states = (change.before, change.after)
    return tuple(dict.fromkeys(user_of(state) for state in states if state is not None))


def table_user(user: str, own: str) -> str:
    """The user to ask the crontab program for; "" for oneself, however the state names oneself."""
    return "" if user == own else user


def mark_in(user: str) -> Mark:
    """The mark of our lines in that user's table: only root ever names somebody else."""
    return OWN if user in ("", "root") else BY_ROOT


def refuse_others(user: str, own: str) -> None:
    """Raise ObserveError where one who is not root asks for somebody else's table."""
    if user not in ("", own) and own != "root":
        raise ObserveError(
            f"cannot read the crontab of {user}: only root may, and this runs as {own}",
            hint=f"run as root, or as {user} without `user` in the manifest",
        )


def without_own_name(change: Change, own: str) -> Change:
    """The change with oneself named "" throughout."""
    return replace(change, before=_plain(change.before, own), after=_plain(change.after, own))


def _plain(state: State | None, own: str) -> State | None:
    if state is None or user_of(state) != own:
        return state
    return State({**state.attributes, "user": ""})
