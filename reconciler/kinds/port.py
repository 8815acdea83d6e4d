"""The Port kind: an entry in the register of who may listen where."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PlainValidator, WithJsonSchema

from reconciler.kinds.common import Address as Owner
from reconciler.kinds.common import CommonSpec
from reconciler.kinds.fields import one_of
from reconciler.kinds.service import Address
from reconciler.model.data import Json

Protocol = Annotated[str, PlainValidator(one_of("tcp", "udp")), WithJsonSchema({"enum": ["tcp", "udp"]})]


class Port(CommonSpec):
    """A port of this machine and the resource that may listen on it."""

    port: int = Field(ge=1, le=65535, description="The port number.")
    protocol: Protocol = Field("tcp", description="tcp or udp.")
    address: Address | None = Field(None, description="The address listened on; any if not given.")
    owner: Owner = Field(description="The resource that listens there, such as Service/crm.")

    def implied_needs(self) -> list[str]:
        """The claim is proven only once its owner runs."""
        return [self.owner]

    def implied_probes(self) -> list[tuple[str, dict[str, Json]]]:
        """The owner must listen."""
        asked: dict[str, Json] = {"port": self.port, "protocol": self.protocol, "owner": self.owner}
        return [("listening", asked if self.address is None else {**asked, "address": self.address})]
