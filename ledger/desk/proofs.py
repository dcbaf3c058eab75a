"""Proof bundles over HTTP: what `kudos prove` writes, for `kudos verify` (docs/auditing.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response

from ledger.desk.api_document import PROBLEMS
from ledger.desk.api_params import DigestPath, digest_from_hex
from ledger.desk.context import Desk
from ledger.desk.problems import NotFound, Problem
from ledger.errors import ChainError
from ledger.proof_format import Bundle, encode
from ledger.proof_subject import UnknownAsset
from ledger.reader import Reader
from ledger.types import Digest

Prover = Callable[[Reader, Digest], Bundle]
"""Makes a bundle with the chain's help: ``ledger.proof_bundle.build`` over some RPC."""

_ANSWERS: dict[int | str, dict[str, Any]] = {
    **PROBLEMS,
    200: {
        "description": "The bundle, as `kudos verify` takes it.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
}


def add_proofs(app: FastAPI, desk: Desk, prover: Prover | None) -> None:
    """The one route. Without a chain it says how to start the service with one."""

    @app.get("/api/v1/proofs/{asset_id}", tags=["proofs"], responses=_ANSWERS)
    def proof(asset_id: DigestPath) -> Response:
        """The proof bundle of one asset or Kudos: headers, receipts and their Merkle-Patricia
        proofs, the validators, the code of every contract that logged it, the way through the
        batch. Checked before it is given; 503 while the chain cannot be asked."""
        if prover is None:
            raise Problem(
                503,
                "no-chain",
                "This service has no connection to the chain, which a proof is taken from.",
                hint="Start it with `kudos serve --rpc URL`, or use `kudos prove`.",
            )
        try:
            with desk.reader() as reader:
                bundle = prover(reader, digest_from_hex(asset_id))
        except UnknownAsset as error:
            raise NotFound(error.message) from error
        except ChainError as error:
            raise Problem(503, "chain-unavailable", error.message, hint=error.hint) from error
        name = f"{bundle.kind}-{asset_id[2:10]}.json"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
        return Response(encode(bundle), media_type="application/json", headers=headers)
