"""Where the compiler put the contract's variables, for whoever proves what they hold.

Immutables lie in the code, at the places that the artifact lists under numbers; the numbers' names
stand in the syntax tree alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

AST, STORAGE = "ast", "storageLayout"
"""What the compiler has to be asked for."""


def layout_text(answer: Mapping[str, Any], contract: Mapping[str, Any]) -> str:
    """The layout as JSON text: slots of storage variables, numbers of immutables, by name."""
    storage = {item["label"]: int(item["slot"]) for item in contract["storageLayout"]["storage"]}
    # Other contracts have immutables of the same names; the numbers tell whose they are.
    own = contract["evm"]["deployedBytecode"].get("immutableReferences", {})
    immutables = {name: number for name, number in sorted(_immutables(answer)) if number in own}
    layout = {"immutables": immutables, "storage": storage}
    return json.dumps(layout, indent=1, sort_keys=True) + "\n"


def _immutables(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for source in answer["sources"].values():
        for contract in source["ast"]["nodes"]:
            for node in contract.get("nodes", ()):
                if node.get("mutability") == "immutable":
                    yield node["name"], str(node["id"])
