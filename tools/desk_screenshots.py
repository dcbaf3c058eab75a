"""Takes the pictures of the auditor's desk in docs/, from the service over a synthetic ledger.

python -m tools.desk_screenshots
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from ledger.synthetic_actors import Settings
from tests.e2e.conftest import Desk, describe
from tests.e2e.desk_world import DeskWorld, Service

DOCS = Path(__file__).resolve().parents[1] / "docs"
DESKTOP, PHONE = (1280, 900), (390, 844)

Shot = tuple[str, str, Literal["light", "dark"], tuple[int, int]]


def shots(desk: Desk) -> tuple[Shot, ...]:
    """File, page, colours and size of each picture."""
    return (
        ("desk-overview", "/", "light", DESKTOP),
        ("desk-node", f"/nodes/{desk.named}", "light", DESKTOP),
        ("desk-migration", f"/migrations/{desk.canary}", "light", DESKTOP),
        ("desk-flow", "/flow", "light", DESKTOP),
        ("desk-explore", "/explore?kind=KUDOS&level=3", "dark", DESKTOP),
        ("desk-phone", "/", "dark", PHONE),
    )


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is missing: tools/setup.sh system installs it.", file=sys.stderr)
        return 3
    settings = Settings(nodes=12, block_seconds=7200, finality_depth=6, refused=0.06)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        world = DeskWorld(Path(directory) / "index.db", settings, blocks=120, migrations=10)
        names = {world.chain.actors.nodes[0].address: "alice"}
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with Service(world, names) as service:
            for name, path, scheme, (width, height) in shots(describe(world, service.url)):
                page = browser.new_page(
                    color_scheme=scheme, viewport={"width": width, "height": height}
                )
                page.goto(service.url + path)
                page.wait_for_timeout(800)
                page.screenshot(path=DOCS / f"{name}.png")
                page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
