"""One browser and the ledgers for all tests of the desk's pages: synthetic ones, and real ones."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ledger.assets import process_name_text
from ledger.desk.views import STATES
from ledger.reader import Reader
from ledger.synthetic_actors import Settings
from ledger.types import Address, hex_of
from tests.e2e.demo_ledger import DemoLedger, run_demo
from tests.e2e.desk_world import DeskWorld, Ledger, Service

CHROMIUM = "chromium"
EVIL = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{7*7}} &lt;b&gt; ' \"")
NAME = "alice <b>& bob</b>"


@dataclass(frozen=True, slots=True)
class Desk:
    """A service over a ledger, and things on it that are worth looking at."""

    world: Ledger
    url: str
    node: str
    named: str
    validator: str
    canary: str
    rejected: str
    block: int
    process: str
    nodes: int
    pairs: int
    small: bool = False
    """Fewer rows than a page of a list holds."""

    def pages(self) -> dict[str, str]:
        """Every page, with few rows each."""
        return {
            "overview": "/",
            "nodes": "/nodes?limit=5",
            "node": f"/nodes/{self.node}",
            "canary": f"/migrations/{self.canary}",
            "rejected": f"/migrations/{self.rejected}",
            "validators": "/validators",
            "validator": f"/validators/{self.validator}?limit=5",
            "approve": f"/approve?validator={self.validator}",
            "flow": "/flow?limit=5",
            "search": "/search?q=0x",
            "explore": "/explore?kind=KUDOS&limit=5",
            "block": f"/blocks/{self.block}",
            "missing": "/nowhere",
        }


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which(CHROMIUM)
    assert path, "The tests of the pages need Chromium: tools/setup.sh system installs it."
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a reader who has never been here; whatever the console complains of fails."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = context.new_page()
    made.set_default_timeout(10_000)
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield made
    context.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def describe(world: Ledger, url: str, named: Address, *, small: bool = False) -> Desk:
    """Finds one of each kind on a ledger on which one node has a name."""
    with Reader.open(world.index) as reader:
        settled = reader.migrations(500)
        refused = {node.address: node.refused for node in reader.nodes()}
        canaries = (
            each
            for each in settled
            if reader.opening(each.request_id)
            and any(
                claim.level == 3 and STATES[claim.state] == "verified"
                for claim in reader.claims_of(each.request_id)
            )
        )
        canary = max(canaries, key=lambda each: refused[each.request.host])
        rejected = next(each for each in settled if each.confirmed_id is None)
        present = reader.validator_set()
        arrows = "SELECT count(*) FROM flows WHERE points > 0"
        (pairs,) = reader.connection.execute(arrows).fetchone()
    assert present is not None
    return Desk(
        world,
        url,
        node=hex_of(canary.request.host),
        named=hex_of(named),
        validator=hex_of(present.members[0]),
        canary=hex_of(canary.request_id),
        rejected=hex_of(rejected.request_id),
        block=canary.place.block,
        process=process_name_text(canary.request.process_name),
        nodes=len(refused),
        pairs=pairs,
        small=small,
    )


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """An ordinary ledger of some ten days."""
    path = tmp_path_factory.mktemp("desk") / "index.db"
    settings = Settings(nodes=12, block_seconds=7200, finality_depth=6, refused=0.06)
    world = DeskWorld(path, settings, blocks=120, migrations=8)
    alice = world.chain.actors.nodes[0].address
    with Service(world, {alice: "alice"}) as service:
        yield describe(world, service.url, alice)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A small one, on which every name is an attempt to break out."""
    path = tmp_path_factory.mktemp("hostile") / "index.db"
    settings = Settings(seed="hostile", nodes=4, finality_depth=2, process_names=EVIL)
    world = DeskWorld(path, settings, blocks=12, migrations=12)
    named = world.chain.actors.nodes[0].address
    with Service(world, {named: NAME}) as service:
        yield describe(world, service.url, named)


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoLedger]:
    """What the real demo leaves, run once for all tests that look at it."""
    with tempfile.TemporaryDirectory(prefix="kudos-") as directory:
        yield run_demo(Path(directory))


@pytest.fixture(scope="session")
def demo_desk(demo: DemoLedger) -> Iterator[Desk]:
    """The service over it."""
    names = {demo.nodes[0]: "alice"}
    with Service(demo.ledger, names, stale_after=1e9) as service:
        yield describe(demo.ledger, service.url, demo.nodes[0], small=True)
