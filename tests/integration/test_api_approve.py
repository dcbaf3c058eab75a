"""Votes by hand on a real chain: from the page with a wallet in the browser, and by command
line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account
from playwright.sync_api import Page, expect, sync_playwright

from ledger import calls
from ledger.desk.app import create_app
from ledger.keys import Key
from ledger.reasons import Reason
from ledger.rows import UnvotedBatch
from ledger.schema import APPROVE, REFUSE
from ledger.types import Address, Digest, hex_of
from node.commands import run
from tests.integration.chain_world import World
from tests.integration.live_service import serving

CHROMIUM = Path("/usr/bin/chromium")
WALLET = "window.ethereum = {request: ({method, params}) => window.wallet(method, params ?? [])};"


class Wallet:
    """What a browser's wallet does: knows its account and chain, signs, forwards the rest."""

    def __init__(self, world: World, key: Key) -> None:
        self.key, self.asked = key, list[str]()
        self.chain_id = world.deployment.chain_id
        self._url = world.chain.url

    def answer(self, method: str, params: list[Any]) -> Any:
        self.asked.append(method)
        if method == "eth_requestAccounts":
            return [hex_of(self.key.address)]
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_sendTransaction":
            return self._send(params[0])
        return self._forward(method, params)

    def _send(self, transaction: dict[str, str]) -> Any:
        assert transaction["from"] == hex_of(self.key.address)
        fields = {
            "to": bytes.fromhex(transaction["to"][2:]),
            "data": transaction["data"],
            "gas": int(transaction["gas"], 16),
            "chainId": self.chain_id,
            "nonce": int(
                self._forward("eth_getTransactionCount", [transaction["from"], "latest"]), 16
            ),
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 1,
        }
        signed = Account.sign_transaction(fields, self.key.expose_secret())
        return self._forward("eth_sendRawTransaction", [hex_of(bytes(signed.raw_transaction))])

    def _forward(self, method: str, params: list[Any]) -> Any:
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = requests.post(self._url, json=body, timeout=10).json()
        if "error" in answer:
            raise RuntimeError(answer["error"]["message"])
        return answer["result"]


class Case:
    """A ledger with a batch and a canary that wait for votes, and a page that shows them."""

    def __init__(self, world: World, page: Page, url: str) -> None:
        self.world, self.page, self.url = world, page, url
        self.voter = world.validators[0]

    def open_batch(self) -> UnvotedBatch:
        with self.world.reader() as reader:
            return reader.batches_unvoted(self.voter.address)[0]

    def connect(self, wallet: Wallet) -> None:
        self.page.expose_function("wallet", wallet.answer)
        self.page.add_init_script(WALLET)
        self.page.goto(f"{self.url}/approve")
        self.page.get_by_role("button", name="Connect a wallet").click()
        self.page.wait_for_url(f"**/approve?validator={hex_of(wallet.key.address)}")

    def outcome(self, text: str) -> None:
        expect(self.page.locator("[data-outcome]")).to_contain_text(text, timeout=15_000)


def fill(world: World) -> None:
    """Settles a batch of several kinds, and claims a canary."""
    migration, canary = world.canary()
    world.outbox.append_migration(migration)
    world.outbox.append_canary(canary)
    for number in range(4):
        world.outbox.append_migration(world.migration(confirmed=number % 2 == 0))
    assert world.step().settled == 5
    world.index()
    assert world.step().claimed == 1
    world.index()


@pytest.fixture
def case(world: World) -> Iterator[Case]:
    fill(world)
    assert CHROMIUM.exists(), f"{CHROMIUM} is missing: run tools/setup.sh"
    app = create_app(world.directory / "index.db", world.deployment)
    with serving(app) as url, sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield Case(world, page, url)
        browser.close()
        assert problems == []


def test_a_ballot_signed_in_the_browser_is_counted(case: Case) -> None:
    world, page, batch = case.world, case.page, case.open_batch()
    wallet = Wallet(world, case.voter)
    case.connect(wallet)
    assert page.locator("tr[data-index]").count() == batch.event.claims.bit_count() > 2
    assert "not all hold" not in page.content()
    form = page.locator("form[data-batch]")
    form.locator("[data-all]").select_option(str(Reason.APPROVE.value))
    places = [
        int(row.get_attribute("data-index") or "") for row in form.locator("tr[data-index]").all()
    ]
    refused, abstained = places[0], places[1]
    row = form.locator(f'tr[data-index="{refused}"] select')
    row.select_option(str(Reason.REFUSE_ORDER.value))
    row = form.locator(f'tr[data-index="{abstained}"] select')
    row.select_option(str(Reason.ABSTAIN_INPUTS.value))
    form.get_by_role("button", name="Sign this ballot").click()
    case.outcome("Voted in block")
    view = calls.ballot(world.host.address, batch.event.root, case.voter.address)
    found = view.decode(world.rpc.call(world.deployment.contract, view.data))
    approved = batch.event.claims & ~(1 << refused) & ~(1 << abstained)
    assert found == calls.Ballot(True, approved, 1 << refused)
    world.index()
    with world.reader() as reader:
        votes = {
            vote.reason
            for settled in reader.migrations(10)
            for claim in reader.claims_of(settled.request_id)
            for vote in reader.votes(claim.kudos_id)
        }
    assert votes == {Reason.APPROVE, Reason.REFUSE_ORDER, Reason.ABSTAIN_INPUTS}
    page.reload()
    expect(page.locator("form[data-batch]")).to_have_count(0)
    expect(page.locator("form[data-canary]")).to_have_count(1)


def test_a_canary_is_refused_in_the_browser(case: Case) -> None:
    world, page = case.world, case.page
    case.connect(Wallet(world, case.voter))
    form = page.locator("form[data-canary]")
    form.get_by_label("Vote on this canary").select_option(str(Reason.REFUSE_RESULT.value))
    form.get_by_role("button", name="Sign this vote").click()
    case.outcome("Voted in block")
    world.index()
    with world.reader() as reader:
        (claim,) = [
            c for m in reader.migrations(10) for c in reader.claims_of(m.request_id) if c.level == 3
        ]
        (vote,) = reader.votes(claim.kudos_id)
    assert (vote.validator, vote.verdict, vote.reason) == (
        case.voter.address,
        REFUSE,
        Reason.REFUSE_RESULT,
    )


def test_nothing_is_signed_on_another_chain_or_without_a_decision(case: Case) -> None:
    page, wallet = case.page, Wallet(case.world, case.voter)
    case.connect(wallet)
    form = page.locator("form[data-canary]")
    form.get_by_role("button", name="Sign this vote").click()  # the browser asks for a decision
    form.get_by_label("Vote on this canary").select_option(str(Reason.APPROVE.value))
    wallet.chain_id += 1
    form.get_by_role("button", name="Sign this vote").click()
    case.outcome(f"The wallet is on chain {wallet.chain_id}")
    wallet.chain_id -= 1
    wallet.key = case.world.validators[1]
    form.get_by_role("button", name="Sign this vote").click()
    case.outcome("not the validator of this page")
    assert "eth_sendTransaction" not in wallet.asked


def test_what_the_contract_refuses_is_never_sent(case: Case) -> None:
    world, page, batch = case.world, case.page, case.open_batch()
    wallet = Wallet(world, case.voter)
    case.connect(wallet)
    ballot = calls.BatchVote(world.host.address, batch.event.root, batch.event.claims, 0)
    world.vote(case.voter, batches=[ballot])  # from elsewhere, while the page is open
    form = page.locator("form[data-batch]")
    form.locator("[data-all]").select_option(str(Reason.APPROVE.value))
    form.get_by_role("button", name="Sign this ballot").click()
    case.outcome("Not voted")
    assert "eth_sendTransaction" not in wallet.asked


def test_the_page_encodes_as_the_abi_does(case: Case) -> None:
    case.page.goto(f"{case.url}/approve")
    encode = "async ([s, b, v]) => (await import('/static/approve.js')).encodeVote(s, b, v)"
    host, root, kudos = Address(b"\x01" * 20), Digest(b"\xfe" * 32), Digest(b"\x23" * 32)
    for count in (0, 1, 2):
        for reasons in ((), ((0, 130),), tuple((i, 144) for i in range(40))):
            ballots = [
                calls.BatchVote(host, root, 2**127 + i, 2**100, reasons) for i in range(count)
            ]
            votes = [calls.CanaryVote(kudos, 131)] * (2 - count)
            shown = [
                {
                    "host": hex_of(b.host),
                    "root": hex_of(b.root),
                    "approve": str(b.approve),
                    "refuse": str(b.refuse),
                    "reasons": hex_of(bytes(x for pair in b.reasons for x in pair)),
                }
                for b in ballots
            ]
            third = [{"kudos": hex_of(v.kudos_id), "reason": v.reason} for v in votes]
            wanted = calls.vote(ballots, votes)
            assert case.page.evaluate(encode, [hex_of(wanted[:4]), shown, third]) == hex_of(wanted)


def keystore(path: Path, key: Key) -> list[str]:
    """The options that name a keystore of this key."""
    body = Account.encrypt(key.expose_secret(), "secret", kdf="pbkdf2", iterations=1)
    path.write_text(json.dumps(body), "utf-8")
    password = path.with_suffix(".pw")
    password.write_text("secret\n", "utf-8")
    for file in (path, password):
        file.chmod(0o600)
    return ["--key", str(path), "--password-file", str(password)]


def test_the_command_line_votes_once(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(world)
    world.deployment.save(tmp_path / "ledger.json")
    voter = world.validators[0]
    common = ["--ledger", str(tmp_path / "ledger.json"), "--rpc", world.chain.url]
    common += ["--data", str(world.directory), *keystore(tmp_path / "v.json", voter)]
    with world.reader() as reader:
        batch = reader.batches_unvoted(voter.address)[0]
        third = reader.canary_claims_unvoted(voter.address)[0].kudos.kudos_id
    root = hex_of(batch.event.root)
    assert run(["validator", "refuse", root, *common]) == 2
    assert "A refusal needs a reason" in capsys.readouterr().err
    assert run(["validator", "approve", root, *common]) == 0
    assert "voted APPROVE in block" in capsys.readouterr().out
    refusal = ["validator", "refuse", hex_of(third), "--reason", "REFUSE_RESULT", *common]
    assert run(refusal) == 0
    view = calls.ballot(world.host.address, batch.event.root, voter.address)
    ballot = view.decode(world.rpc.call(world.deployment.contract, view.data))
    assert ballot == calls.Ballot(True, batch.event.claims, 0)
    world.index()
    with world.reader() as reader:
        (vote,) = reader.votes(third)
        assert (vote.verdict, vote.reason) == (REFUSE, Reason.REFUSE_RESULT)
        assert {v.verdict for v in reader.votes(_first_claim(world))} == {APPROVE}
    assert run(["validator", "approve", root, *common]) == 2
    assert "Nothing under" in capsys.readouterr().err


def _first_claim(world: World) -> Any:
    with world.reader() as reader:
        settled = next(m for m in reader.migrations(10) if reader.claims_of(m.request_id))
        return reader.claims_of(settled.request_id)[0].kudos_id
