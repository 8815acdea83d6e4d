"""What a backend's word about something that does not run is worth."""

from __future__ import annotations


class NotYet(str):
    """Why it does not run, where that may pass by itself: a gate asks again until its time is over."""

    __slots__ = ()
