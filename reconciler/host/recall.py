"""A host for one look in two parts: what a program said in the first is not asked again in the second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from reconciler.host.protocol import Completed, Host
from reconciler.host.readonly import ReadOnlyHost


class RecallingHost(ReadOnlyHost):
    """Wraps a host. Within a part every query is asked anew; `again` begins the second part, which hears each
    answer of the first one once.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._said: dict[tuple[tuple[str, ...], bytes], Completed] = {}
        self._second = False

    def again(self) -> Self:
        self._second = True
        return self

    def query(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Completed:
        question = (tuple(argv), stdin)
        if self._second and question in self._said:
            return self._said.pop(question)
        answer = super().query(argv, timeout=timeout, stdin=stdin)
        if not self._second:
            self._said[question] = answer
        return answer
