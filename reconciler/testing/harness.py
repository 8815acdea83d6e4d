"""What a provider's author supplies to the conformance suite. The checks themselves are in `conformance`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from reconciler.host.fake import FakeHost
from reconciler.model.address import ResourceId
from reconciler.model.resource import Resource
from reconciler.model.state import Observation
from reconciler.provider import Provider, Wanted

HOSTILE_TEXTS = (
    "",
    " ",
    "it's",
    '"quoted"',
    "100%",
    r"100\%",
    r"back\\slash\ ",
    "trailing\\",
    "$HOME `id` $(id)",
    "a; b && c || d | e > f < g & h",
    "# no comment",
    "line\nbreak",
    "carriage\rreturn",
    "nul\0byte",
    "tab\there",
    "escape \x1b[31m",
    "grüße 雪 🙂",
    "right-to-left \u202e mark",
    "half a \ud800 character",
    "\u2028",
    "=", "a=b", "@reboot", "-n", "~", "*", "%%", "!", "{}", "[]", "null", "\ufeff",
    "x" * 900,
    "x" * 5000,
)  # fmt: skip


class Harness(ABC):
    """One provider with a backend in memory. Every method gets or gives values; none keeps any."""

    gaps: ClassVar[Mapping[str, str]] = {}
    """Names of checks that do not apply to this provider, each with the reason, which is printed."""

    passing: ClassVar[frozenset[str]] = frozenset()
    """Attributes of a state that no undo can bring back, and that a change of something else may take away."""

    @abstractmethod
    def provider(self) -> Provider:
        """A new instance."""

    @abstractmethod
    def host(self) -> FakeHost:
        """A host on which the backend works and holds nothing yet."""

    @abstractmethod
    def pairs(self) -> Sequence[tuple[Resource, Resource]]:
        """At least three resources, each in two versions that differ; together they use every field."""

    @abstractmethod
    def hostile(self, text: str) -> Resource:
        """A resource with this text wherever the kind allows free text."""

    @abstractmethod
    def tamper(self, host: FakeHost, id_: ResourceId) -> None:
        """Change this resource behind our back, as a person with an editor would, and leave its mark."""

    @abstractmethod
    def add_foreign(self, host: FakeHost) -> None:
        """Put other people's things into the backend: ugly ones, broken ones, look-alikes."""

    @abstractmethod
    def content(self, host: FakeHost) -> bytes:
        """Everything that the backend holds, as bytes that are equal only if it all is."""

    @abstractmethod
    def foreign_bytes(self, host: FakeHost) -> bytes:
        """Everything in the backend that is not ours."""

    @abstractmethod
    def break_reading(self, host: FakeHost) -> None:
        """Make the backend unreadable."""

    def add_twin(self, host: FakeHost, resource: Resource) -> bool:  # noqa: ARG002
        """Put a thing without our mark beside the rest that does what `resource` would. False: there can be none."""
        return False

    def observe_elsewhere(self, host: FakeHost, wanted: Sequence[Wanted]) -> Observation | None:  # noqa: ARG002
        """Observe the same backend from a fresh process, where it is real; None where it lives in this one."""
        return None
