"""The parameters of the API's routes, each described once."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query

from ledger.desk.problems import BlockNotIndexed
from ledger.desk.queries import explore_query as explore
from ledger.reader import Reader
from ledger.types import Address, BlockNumber, Digest, address_from_hex

INT_MAX = (1 << 63) - 1
ADDRESS = "^0x[0-9a-fA-F]{40}$"
DIGEST = "^0x[0-9a-fA-F]{64}$"
CURSOR_MAX = 512


def digest_from_hex(text: str) -> Digest:
    return Digest(bytes.fromhex(text[2:]))


AddressPath = Annotated[str, Path(pattern=ADDRESS, description="an address")]
DigestPath = Annotated[str, Path(pattern=DIGEST, description="an id: 32 bytes in hex")]
AddressFilter = Annotated[str | None, Query(pattern=ADDRESS)]
DigestFilter = Annotated[str | None, Query(pattern=DIGEST)]
PageLimit = Annotated[int, Query(ge=1, le=500, description="rows of a page at most")]
CursorText = Annotated[
    str | None,
    Query(max_length=CURSOR_MAX, description="`next` of the page before, with the same parameters"),
]
AtBlock = Annotated[
    int | None,
    Query(ge=0, le=INT_MAX, description="as of this block; 404 while the copy is not there yet"),
]
Time = Annotated[int | None, Query(ge=0, le=INT_MAX, description="Unix seconds of a block")]


def address_or_none(text: str | None) -> Address | None:
    return None if text is None else address_from_hex(text)


def checked_block(reader: Reader, at: int | None) -> BlockNumber | None:
    """The block, if the copy reaches it."""
    if at is None:
        return None
    head = reader.head()
    reached = -1 if head is None else head.number
    if at > reached:
        raise BlockNotIndexed(at, reached)
    return BlockNumber(at)


class AssetFilter:
    """What assets are asked for; all of it must hold."""

    def __init__(
        self,
        kind: Annotated[explore.Kind | None, Query(description="one kind of asset")] = None,
        level: Annotated[int | None, Query(ge=1, le=3, description="of Kudos")] = None,
        state: Annotated[explore.State | None, Query(description="of Kudos")] = None,
        origin: Annotated[explore.Origin | None, Query(description="of a K3's canary")] = None,
        node: AddressFilter = None,
        role: Annotated[explore.Role, Query(description="of that node")] = explore.Role.EITHER,
        validator: AddressFilter = None,
        name: Annotated[
            str | None, Query(max_length=256, description="a whole process name")
        ] = None,
        since: Time = None,
        until: Time = None,
    ) -> None:
        self.kind, self.level, self.state, self.role = kind, level, state, role
        self.origin = origin
        self.node, self.validator = address_or_none(node), address_or_none(validator)
        self.name, self.since, self.until = name, since, until

    def query(
        self, limit: int = 50, cursor: str | None = None, kind: explore.Kind | None = None
    ) -> explore.Query:
        """For the queries; ``kind`` where the route fixes it."""
        return explore.Query(
            kind or self.kind,
            *(self.level, self.state, self.origin, self.node, self.role, self.validator),
            *(self.name, self.since, self.until, limit, cursor),
        )


class PartyFilter(AssetFilter):
    """The part of it that makes sense for lists of one kind."""

    def __init__(
        self,
        node: AddressFilter = None,
        role: Annotated[explore.Role, Query(description="of that node")] = explore.Role.EITHER,
        name: Annotated[
            str | None, Query(max_length=256, description="a whole process name")
        ] = None,
        since: Time = None,
        until: Time = None,
    ) -> None:
        super().__init__(node=node, role=role, name=name, since=since, until=until)


class KudosFilter(AssetFilter):
    """The same for Kudos, which have level, state and votes."""

    def __init__(
        self,
        level: Annotated[int | None, Query(ge=1, le=3)] = None,
        state: explore.State | None = None,
        origin: explore.Origin | None = None,
        node: AddressFilter = None,
        role: Annotated[explore.Role, Query(description="of that node")] = explore.Role.EITHER,
        validator: Annotated[
            str | None, Query(pattern=ADDRESS, description="who voted on it")
        ] = None,
        since: Time = None,
        until: Time = None,
    ) -> None:
        super().__init__(
            level=level, state=state, origin=origin, node=node, role=role, validator=validator,
            since=since, until=until,
        )  # fmt: skip


Assets = Annotated[AssetFilter, Depends(AssetFilter)]
Parties = Annotated[PartyFilter, Depends(PartyFilter)]
KudosOnly = Annotated[KudosFilter, Depends(KudosFilter)]
