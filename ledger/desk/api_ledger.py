"""/api/v1: migrations, assets, Kudos, votes, canaries, and the search."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query

from ledger import browse
from ledger.desk import api_asset_models as assets
from ledger.desk import api_convert as convert
from ledger.desk import api_models as models
from ledger.desk import api_votes
from ledger.desk.api_params import (
    AddressFilter,
    Assets,
    CursorText,
    DigestFilter,
    DigestPath,
    KudosOnly,
    PageLimit,
    Parties,
    address_or_none,
    digest_from_hex,
)
from ledger.desk.conditional import Ask
from ledger.desk.problems import NotFound
from ledger.desk.queries import explore, facets, search
from ledger.desk.queries.explore_query import Kind, Origin
from ledger.reader import Reader
from ledger.types import Digest

router = APIRouter(prefix="/api/v1")
_VERDICTS = {name: code for code, name in convert.VERDICTS.items()}


@router.get("/migrations", tags=["migrations"])
def list_migrations(
    ask: Ask, parties: Parties, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[assets.Migration]:
    """Settled migrations, the newest first."""
    with ask.snapshot() as reader:
        page = explore.page(reader, parties.query(limit, cursor, Kind.REQUEST))
        rows = [
            convert.migration(reader, settled)
            for row in page.rows
            if (settled := reader.migration(row.request_id))
        ]
    return models.Page(rows=rows, next=page.next)


@router.get("/migrations/{request_id}", tags=["migrations"])
def one_migration(ask: Ask, request_id: DigestPath) -> assets.LifeCycle:
    """One migration: its assets, their votes, and everything that can be recomputed of it."""
    with ask.snapshot() as reader:
        return _life(reader, digest_from_hex(request_id))


@router.get("/assets", tags=["assets"])
def list_assets(
    ask: Ask, wanted: Assets, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[assets.Asset]:
    """All assets of all kinds, filtered, the newest first."""
    with ask.snapshot() as reader:
        page = explore.page(reader, wanted.query(limit, cursor))
    return models.Page(rows=[convert.asset(row) for row in page.rows], next=page.next)


@router.get("/assets/count", tags=["assets"])
def count_assets(ask: Ask, wanted: Assets) -> assets.AssetCount:
    """How many assets the filter leaves; the usual filters exactly, others up to a cap."""
    with ask.snapshot() as reader:
        return assets.AssetCount.model_validate(facets.count(reader, wanted.query()))


@router.get("/assets/facets", tags=["assets"])
def asset_facets(ask: Ask, wanted: Assets) -> list[assets.Facet]:
    """How the assets spread over each dimension, with that dimension's own filter left out."""
    with ask.snapshot() as reader:
        _, found = ask.desk.once(reader, facets.survey, wanted.query())
        return [_facet(each) for each in found]


@router.get("/assets/{asset_id}", tags=["assets"])
def one_asset(ask: Ask, asset_id: DigestPath) -> assets.Step:
    """One asset of any kind, by its id."""
    wanted = asset_id.lower()
    with ask.snapshot() as reader:
        hits = search.search(reader, wanted).hits
        request = next((hit.request_id for hit in hits if hit.value == wanted), None)
        if request is not None:
            for step in _life(reader, request).steps:
                if step.id == wanted:
                    return step
    raise NotFound("No settled asset has this id.")


@router.get("/kudos", tags=["kudos"])
def list_kudos(
    ask: Ask, wanted: KudosOnly, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[assets.KudosClaim]:
    """Claims for Kudos, the newest first."""
    with ask.snapshot() as reader:
        page = explore.page(reader, wanted.query(limit, cursor, Kind.KUDOS))
        rows = [
            convert.claim(claim)
            for row in page.rows
            for claim in browse.claims(reader.connection, "k.kudos_id = ?", (row.id,))
        ]
    return models.Page(rows=rows, next=page.next)


@router.get("/kudos/{kudos_id}", tags=["kudos"])
def one_kudos(ask: Ask, kudos_id: DigestPath) -> assets.KudosDetail:
    """One claim, with the votes on it."""
    with ask.snapshot() as reader:
        found = browse.claims(reader.connection, "k.kudos_id = ?", (digest_from_hex(kudos_id),))
        if not found:
            raise NotFound("No Kudos with this id were claimed.")
        return convert.claim_detail(reader, found[0])


@router.get("/votes", tags=["votes"])
def list_votes(
    ask: Ask,
    validator: AddressFilter = None,
    kudos_id: DigestFilter = None,
    verdict: Annotated[models.VerdictText | None, Query()] = None,
    limit: PageLimit = 50,
    cursor: CursorText = None,
) -> models.Page[assets.Vote]:
    """Votes on claims, the newest first."""
    with ask.snapshot() as reader:
        page = api_votes.votes(
            reader,
            validator=address_or_none(validator),
            kudos_id=None if kudos_id is None else digest_from_hex(kudos_id),
            verdict=None if verdict is None else _VERDICTS[verdict],
            limit=limit,
            cursor=cursor,
        )
    return models.Page(rows=list(page.rows), next=page.next)


@router.get("/canaries", tags=["canaries"])
def list_canaries(
    ask: Ask, parties: Parties, limit: PageLimit = 50, cursor: CursorText = None
) -> models.Page[assets.Canary]:
    """Opened canaries with what became of them, the newest first. An opening comes with the claim
    for its K3; signed by its home it is an asset, too."""
    with ask.snapshot() as reader:
        query = replace(parties.query(limit, cursor, Kind.KUDOS), level=3, origin=Origin.PLANTED)
        page = explore.page(reader, query)
        rows = [
            canary
            for row in page.rows
            if (canary := convert.canary(reader, row.request_id, row.id))
        ]
    return models.Page(rows=rows, next=page.next)


@router.get("/canaries/{request_id}", tags=["canaries"])
def one_canary(ask: Ask, request_id: DigestPath) -> assets.Canary:
    """The opened canary of a request."""
    with ask.snapshot() as reader:
        found = convert.canary(reader, digest_from_hex(request_id))
    if found is None:
        raise NotFound("No settled request with this id has an opened mark.")
    return found


@router.get("/search", tags=["search"])
def find(
    ask: Ask,
    q: Annotated[
        str,
        Query(max_length=256, description="address, id, transaction, process name or block"),
    ],
    limit: Annotated[int, Query(ge=1, le=search.MAX_HITS)] = search.MAX_HITS,
) -> assets.Hits:
    """Whatever a text names, or begins to name."""
    with ask.snapshot() as reader:
        return assets.Hits.model_validate(search.search(reader, q, limit))


def _life(reader: Reader, request_id: Digest) -> assets.LifeCycle:
    settled = reader.migration(request_id)
    if settled is None:
        raise NotFound("No settled migration has this request id.")
    return convert.life_cycle(reader, settled)


def _facet(facet: facets.Facet) -> assets.Facet:
    values = [
        assets.FacetValue(
            value=each.value,
            query=each.params,
            count=assets.AssetCount.model_validate(each.count),
            selected=each.selected,
        )
        for each in facet.values
    ]
    return assets.Facet(dimension=facet.dimension, values=values, more=facet.more)
