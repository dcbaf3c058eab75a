"""Takes the pictures of the auditor's desk in docs/, from the service over a ledger of the demo.

python -m tools.desk_screenshots [--demo DIR]

Without --demo it runs `kudos demo --canaries both` first, which takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from ledger.types import Address, address_from_hex
from tests.e2e.conftest import Desk, describe
from tests.e2e.desk_world import RealLedger, Service

DOCS = Path(__file__).resolve().parents[1] / "docs"
DESKTOP, PHONE = (1280, 900), (390, 844)
NAMES = ("alice", "bob", "carol")

Shot = tuple[str, str, Literal["light", "dark"], tuple[int, int]]


def shots(desk: Desk) -> tuple[Shot, ...]:
    """File, page, colours and size of each picture."""
    return (
        ("desk-overview", "/", "light", DESKTOP),
        ("desk-node", f"/nodes/{desk.named}", "light", DESKTOP),
        ("desk-migration", f"/migrations/{desk.canary}", "light", DESKTOP),
        ("desk-validators", "/validators#beacons", "light", DESKTOP),
        ("desk-flow", "/flow", "light", DESKTOP),
        ("desk-explore", "/explore?kind=KUDOS&level=3", "dark", DESKTOP),
        ("desk-phone", "/", "dark", PHONE),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.desk_screenshots", description=__doc__)
    parser.add_argument("--demo", type=Path, metavar="DIR", help="what `kudos demo --data` left")
    parser.add_argument("--out", type=Path, default=DOCS, metavar="DIR", help="for the pictures")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is missing: tools/setup.sh system installs it.", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory(prefix="kudos-") as directory:
        data = options.demo or _demo(Path(directory) / "demo")
        _take(data, options.out, chromium)
    return 0


def _demo(data: Path) -> Path:
    command = [sys.executable, "-m", "node.cli", "demo", "--canaries", "both", "--data", str(data)]
    subprocess.run(command, check=True)
    return data


def _take(data: Path, out: Path, chromium: str) -> None:
    ledger = RealLedger(data / "node-1" / "index.db", data / "ledger.json")
    nodes = [_address(data / f"node-{number}") for number in range(1, len(NAMES) + 1)]
    names = dict(zip(nodes, NAMES, strict=True))
    # The demo has ended: its copy is as old as the pictures are late.
    service = Service(ledger, names, stale_after=1e9)
    with sync_playwright() as playwright, service:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, path, scheme, (width, height) in shots(describe(ledger, service.url, nodes[0])):
            page = browser.new_page(
                color_scheme=scheme, viewport={"width": width, "height": height}
            )
            page.goto(service.url + path)
            page.wait_for_timeout(800)
            page.screenshot(path=out / f"{name}.png")
            page.close()
        browser.close()


def _address(member: Path) -> Address:
    return address_from_hex(json.loads((member / "key.json").read_text("utf-8"))["address"])


if __name__ == "__main__":
    sys.exit(main())
