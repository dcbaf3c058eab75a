"""Builds the contracts into the artifacts that ship inside the package.

Running Kudos needs no compiler: what this module writes is checked in. It is for whoever changes a
contract (`python -m ledger.compile`) and for the tests that refuse stale artifacts (`--check`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import solcx
from solcx.exceptions import SolcError

from ledger.abi import LEDGER
from ledger.compile_layout import AST, STORAGE, layout_text
from ledger.errors import KudosError, SetupError, UsageError

SETTINGS: Mapping[str, Any] = {
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 200},
    "evmVersion": "prague",
    # The hash of the metadata would change with every comment; without it the bytecode depends on
    # the code alone.
    "metadata": {"bytecodeHash": "none"},
    "outputSelection": {
        "*": {
            "": [AST],
            "*": [
                "abi",
                "evm.bytecode.object",
                "evm.deployedBytecode.object",
                "evm.deployedBytecode.immutableReferences",
                STORAGE,
            ],
        }
    },
}


class ContractError(KudosError):
    """The contracts do not compile, or the checked-in artifacts are not what they compile to."""


def read_sources(root: Path) -> dict[str, str]:
    """Every contract that ships, by its path below ``root``; the contracts' tests do not."""
    contracts = root / "contracts"
    found = {
        path.relative_to(root).as_posix(): path.read_text("utf-8")
        for path in sorted(contracts.rglob("*.sol"))
        if contracts / "test" not in path.parents
    }
    if not found:
        raise UsageError(
            f"There are no contracts below {contracts}.",
            hint="Name the project's directory with --root.",
        )
    return found


def compile_sources(sources: Mapping[str, str], compiler: Path) -> dict[str, Any]:
    """The compiler's answer; a warning is an error, as it would never be read otherwise."""
    if not compiler.is_file():
        raise SetupError(f"The compiler {compiler} is missing.", hint="Run `make setup`.")
    request = {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": dict(SETTINGS),
    }
    try:
        answer = solcx.compile_standard(request, solc_binary=compiler)
    except SolcError as error:
        # Without an error dict the process itself failed, and only its stderr says why.
        text = str(error.message) if error.error_dict else error.stderr_data
        raise ContractError(f"The contracts do not compile.\n{text}") from error
    except (OSError, CalledProcessError) as error:
        raise SetupError(
            f"The compiler {compiler} cannot be started.",
            hint="It needs Node.js 20 or newer and the npm packages: run `make setup`.",
        ) from error
    complaints = [item["formattedMessage"] for item in answer.get("errors", ())]
    if complaints:
        raise ContractError(
            "The compiler warns, and warnings are errors.\n" + "\n".join(complaints)
        )
    return dict(answer)


def digest_sources(sources: Mapping[str, str]) -> str:
    """One hash over names, contents and settings: what the bytecode was made from."""
    canonical = json.dumps([SETTINGS, sources], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def deployable(answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Contract by name: each that has code, and a file of its name. Libraries are inside those."""
    found: dict[str, dict[str, Any]] = {}
    for path, contracts in answer["contracts"].items():
        name = Path(path).stem
        if Path(path).parent.name == "libraries" or name not in contracts:
            continue
        if not contracts[name]["evm"]["bytecode"]["object"]:
            continue
        if name in found:
            raise ContractError(
                f"Two contracts are called {name}.", hint="Give one of them another name."
            )
        found[name] = dict(contracts[name])
    return found


def artifact_of(name: str, contract: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    """The artifact of one contract as JSON text, the same on every machine."""
    deployed = contract["evm"]["deployedBytecode"]
    artifact = {
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "contractName": name,
        "deployedBytecode": "0x" + deployed["object"],
        "immutableReferences": deployed.get("immutableReferences", {}),
        **made,
    }
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def build_artifacts(root: Path, compiler: Path) -> dict[str, str]:
    """Every contract's artifact by file name, and the ledger's layout: one run of the compiler."""
    sources = read_sources(root)
    answer = compile_sources(sources, compiler)
    contracts = deployable(answer)
    settings = {key: value for key, value in SETTINGS.items() if key != "outputSelection"}
    made = {
        "compiler": {"settings": settings, "version": compiler_version(compiler)},
        "sources_digest": digest_sources(sources),
    }
    built = {f"{name}.json": artifact_of(name, found, made) for name, found in contracts.items()}
    if LEDGER in contracts:
        built["layout.json"] = layout_text(answer, contracts[LEDGER])
    return built


def compiler_version(compiler: Path) -> str:
    """Version and commit, without the platform: native and WASM builds give the same bytecode."""
    version = solcx.wrapper.get_solc_version(compiler, with_commit_hash=True)
    return str(version)


def build(root: Path) -> dict[str, str]:
    """What ``ledger/artifacts`` has to hold: file name to text."""
    built = build_artifacts(root, root / "tools" / "solc")
    for path in sorted((root / "contracts" / "types").glob("*.json")):
        built[path.name] = path.read_text("utf-8")
    return built


def stale(built: Mapping[str, str], artifacts: Path) -> list[str]:
    """Names of the files that are missing, differ, or belong to no contract any more."""
    differing = [
        name
        for name, text in built.items()
        if not (artifacts / name).is_file() or (artifacts / name).read_text("utf-8") != text
    ]
    return differing + sorted(p.name for p in artifacts.glob("*.json") if p.name not in built)


def write(built: Mapping[str, str], artifacts: Path) -> list[str]:
    """Writes what differs, and only that, so that file times keep meaning something."""
    changed = stale(built, artifacts)
    artifacts.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in built:
            (artifacts / name).write_text(built[name], "utf-8")
        else:
            (artifacts / name).unlink()
    return changed


def run(root: Path, artifacts: Path, *, check: bool) -> str:
    """Builds, then checks or writes; gives the sentence to print."""
    built = build(root)
    if not check:
        changed = write(built, artifacts)
        return f"Wrote {', '.join(changed)}." if changed else "The artifacts were up to date."
    if differing := stale(built, artifacts):
        raise ContractError(
            f"Not what the contracts give: {', '.join(differing)} in {artifacts}.",
            hint="Run `make contracts` and commit the result.",
        )
    return "The artifacts are what the contracts give."


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ledger.compile",
        description="Build the contracts into ledger/artifacts.",
        epilog="Example: python -m ledger.compile --check",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--root", type=Path, default=root, help="the project's directory")
    parser.add_argument("--artifacts", type=Path, default=root / "ledger" / "artifacts")
    options = parser.parse_args(arguments)
    try:
        print(run(options.root, options.artifacts, check=options.check))
    except KudosError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
