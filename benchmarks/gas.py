"""What a migration costs in gas, from the receipts of a real EVM.

    python -m benchmarks.gas [--seed N] [--without-eas] [--write FILE | --check FILE]

Starts an anvil of its own (hardfork prague, so that the calldata floor of EIP-7623 counts), deploys
the ledger 2-of-3 and settles migrations of random, non-zero data whose signatures the contract
checks. "Steady state" means that host, homes and their words of sequence numbers were in use
before, and of the strict way, where it keeps a migration: in the place of another one, of a number
65,536 lower and a month ago. The slots of a new batch are new, as they always are. "fresh" is the
first of its kind. Votes are one transaction per validator and batch, or one for eight batches, or
for 32 strict migrations, where the name says so. ``canary_extra`` is what K3 for a puzzle costs on
top of a settled migration, ``canary_replay`` the same where validators commit and reveal their
votes. ``anchored`` is of ANOTHER TRUST: there the contract checks the validators' signatures alone.
EAS is measured beside it (`eas.py`). The last line of the output is one JSON object; every number
in it is gas, but for the bytes of the code. ``--write`` keeps it; ``--check`` fails when a number
is more than one per cent away from what was kept, so that no cost changes unannounced.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import eas
from benchmarks.bench import Bench
from benchmarks.gas_anchored import measure_anchored
from benchmarks.gas_claims import measure_claims
from benchmarks.gas_settling import measure_batches, measure_strict, measure_votes
from ledger.creation import part_addresses
from ledger.embedded import EmbeddedChain
from ledger.errors import KudosError

_CACHE = Path(__file__).resolve().parents[1] / ".cache" / "eas"


def measure_code(bench: Bench) -> dict[str, int]:
    """Bytes of deployed code; a contract may have 24,576."""
    return {
        f"code_bytes_{part}": len(bench.chain.rpc.code(address))
        for part, address in part_addresses(bench.deployment.contract).items()
    }


def measure(seed: int, with_eas: bool) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        chain = EmbeddedChain(Path(folder) / "chain.json", block_time=0)
        with chain:
            bench = Bench(chain, seed)
            measured = {
                **measure_strict(bench),
                **measure_batches(bench, "batched_128", 128, 8),
                **measure_batches(bench, "batched_128_distinct", 128, 128),
                **measure_batches(bench, "batched_16", 16, 8),
                **measure_votes(bench),
                **measure_anchored(bench),
                **measure_code(bench),
            }
            if with_eas:
                measured |= eas.measure(bench.host_sender, bench.random, _CACHE)
            # Last, because rounds of votes put the chain's clock forward.
            return measured | measure_claims(bench)


def moved(kept: Mapping[str, int], measured: Mapping[str, int]) -> list[str]:
    """What is more than one per cent away from the snapshot, or missing there."""
    return [
        f"{name}: {kept.get(name, 0):,} -> {value:,}"
        for name, value in measured.items()
        if 100 * abs(value - kept.get(name, 0)) > kept.get(name, 0)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures gas per migration on a local EVM.")
    parser.add_argument("--seed", type=int, default=1, help="of the random data (default 1)")
    parser.add_argument("--without-eas", action="store_true", help="needs no network")
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument("--write", type=Path, metavar="FILE", help="keep the numbers as a snapshot")
    keep.add_argument(
        "--check", type=Path, metavar="FILE", help="exit 1 if they moved by over 1 %%"
    )
    options = parser.parse_args(arguments)
    try:
        measured = measure(options.seed, not options.without_eas)
    except KudosError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for name, value in measured.items():
        print(f"{name:32}{value:>12,}")
    differences = moved(json.loads(options.check.read_text()), measured) if options.check else []
    for difference in differences:
        print(f"moved by more than 1 %: {difference}", file=sys.stderr)
    if differences:
        print("Say so in the changelog, and keep it with `make gas`.", file=sys.stderr)
    if options.write:
        options.write.write_text(json.dumps(measured, indent=1) + "\n")
    print(json.dumps({"hardfork": "prague", "validators": "2-of-3", **measured}))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
