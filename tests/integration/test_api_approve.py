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

from ledger import calls, claim_calls
from ledger.assets import ConfirmedMigration
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.desk.app import create_app
from ledger.desk.approve import page_calls
from ledger.keys import Key
from ledger.reasons import Reason
from ledger.rows import UnvotedBatch
from ledger.schema import APPROVE, REFUSE
from ledger.types import Address, Digest, hex_of
from node import manual_vote
from node.commands import run
from tests.integration.chain_world import World
from tests.integration.live_service import serving
from tests.integration.proof_world import steps_of

CHROMIUM = Path("/usr/bin/chromium")
WALLET = "window.ethereum = {request: ({method, params}) => window.wallet(method, params ?? [])};"


class Wallet:
    """What a browser's wallet does: knows its account and chain, signs, forwards the rest."""

    def __init__(self, world: World, key: Key) -> None:
        self.key, self.asked, self.declines = key, list[str](), False
        self.chain_id = world.deployment.chain_id
        self._url = world.chain.url

    def answer(self, method: str, params: list[Any]) -> Any:
        self.asked.append(method)
        if method == "eth_requestAccounts":
            return [hex_of(self.key.address)]
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_sendTransaction":
            if self.declines:
                raise RuntimeError("the user declined")
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
    """Settles a batch of several kinds, claims a canary, leaves a K2 of single steps."""
    ran = world.migration(confirmed=True)
    assert isinstance(ran, ConfirmedMigration)
    steps_of(world, ran, False)
    migration, canary = world.canary()
    world.outbox.append_migration(migration)
    world.outbox.append_canary(canary)
    for number in range(4):
        world.outbox.append_migration(world.migration(confirmed=number % 2 == 0))
    assert world.step().settled == 5
    world.next_round()  # in which the canary is claimed, as the only one
    world.index()
    assert world.step().claimed == 1
    world.index()


def canary_claim(world: World) -> Any:
    """The K3 that ``fill`` claims."""
    with world.reader() as reader:
        (claim,) = [
            c for m in reader.migrations(10) for c in reader.claims_of(m.request_id) if c.level == 3
        ]
    return claim


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
        page.on(
            "console", lambda said: problems.extend([said.text] if said.type == "error" else [])
        )
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
    assert found == calls.Ballot(True, approved, 1 << refused, 0)
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
    expect(page.locator("form[data-single]")).to_have_count(1)


def test_a_vote_on_a_single_step_is_counted(case: Case) -> None:
    world, page = case.world, case.page
    case.connect(Wallet(world, case.voter))
    form = page.locator("form[data-single]")
    form.get_by_label("Vote on this claim").select_option(str(Reason.REFUSE_ORDER.value))
    form.get_by_role("button", name="Sign this vote").click()
    case.outcome("Voted in block")
    world.index()
    with world.reader() as reader:
        (claim,) = [
            c
            for m in reader.migrations(10)
            if m.root is None
            for c in reader.claims_of(m.request_id)
        ]
        (vote,) = reader.votes(claim.kudos_id)
    assert (vote.validator, vote.verdict) == (case.voter.address, REFUSE)
    page.reload()
    expect(page.locator("form[data-single]")).to_have_count(0)


def commit_in_the_browser(case: Case, reason: Reason) -> Any:
    """Commits to a vote on the canary; gives the file that the page offers."""
    page = case.page
    form = page.locator("form[data-round]")
    form.get_by_label("Vote on canary").select_option(str(reason.value))
    form.get_by_role("button", name="Commit to these votes").click()
    case.outcome("Committed in block")
    with page.expect_download() as offered:
        page.get_by_role("link", name="Save the sealed votes").click()
    return json.loads(offered.value.path().read_text("utf-8"))


def open_page_next_round(case: Case) -> None:
    case.world.next_round()
    case.world.index()
    case.page.reload()


def test_a_canary_is_refused_in_the_browser(case: Case) -> None:
    world, page = case.world, case.page
    case.connect(Wallet(world, case.voter))
    expect(page.locator("form[data-round]")).to_have_count(0)  # its round has not come
    expect(page.get_by_text("Votes are committed from")).to_be_visible()
    open_page_next_round(case)
    saved = commit_in_the_browser(case, Reason.REFUSE_RESULT)
    world.index()
    claim = canary_claim(world)
    votes = [ClaimVote(claim.kudos_id, Reason.REFUSE_RESULT)]
    assert saved["votes"] == [{"kudos": hex_of(claim.kudos_id), "reason": 131}]
    salt = Digest(bytes.fromhex(saved["salt"][2:]))
    assert claim_calls.votes_commitment(
        world.domain, case.voter.address, saved["round"], votes, salt
    ) == committed(world, case.voter, saved["round"])
    with world.reader() as reader:
        assert reader.votes(claim.kudos_id) == []
    page.reload()
    expect(page.get_by_text("You have committed in this round")).to_be_visible()
    expect(page.locator("form[data-round], form[data-reveal]")).to_have_count(0)
    open_page_next_round(case)
    page.get_by_role("button", name="Reveal the votes of round").click()
    case.outcome("Revealed in block")
    world.index()
    with world.reader() as reader:
        (vote,) = reader.votes(claim.kudos_id)
    said = (vote.validator, vote.verdict, vote.reason)
    assert said == (case.voter.address, REFUSE, Reason.REFUSE_RESULT)
    assert page.evaluate("localStorage.length") == 0
    page.reload()
    expect(page.locator("form[data-round], form[data-reveal]")).to_have_count(0)


def committed(world: World, voter: Key, number: int) -> Digest:
    """What the contract has of a validator's votes in a round."""
    view = claim_calls.vote_commitment(voter.address, number)
    claims = contracts_of(world.deployment.contract).claims
    return Digest(view.decode(world.rpc.call(claims, view.data)))


def test_another_browser_reveals_from_the_file(case: Case, tmp_path: Path) -> None:
    world, page = case.world, case.page
    case.connect(Wallet(world, case.voter))
    open_page_next_round(case)
    saved = commit_in_the_browser(case, Reason.APPROVE)
    page.evaluate("localStorage.clear()")
    open_page_next_round(case)
    button = page.get_by_role("button", name="Reveal the votes of round")
    button.click()
    case.outcome("This browser does not have the votes")
    file = tmp_path / "votes.json"
    for wrong in ("not json", json.dumps(saved | {"round": saved["round"] + 1})):
        file.write_text(wrong, "utf-8")
        page.locator("[type=file]").set_input_files(file)
        button.click()
        case.outcome("not those that were committed to")
        expect(button).to_be_enabled()
    file.write_text(json.dumps(saved), "utf-8")
    page.locator("[type=file]").set_input_files(file)
    button.click()
    case.outcome("Revealed in block")
    world.index()
    with world.reader() as reader:
        (vote,) = reader.votes(canary_claim(world).kudos_id)
    assert vote.verdict == APPROVE


def test_a_change_of_mind_before_the_chain_has_it_loses_nothing(case: Case) -> None:
    page, wallet = case.page, Wallet(case.world, case.voter)
    case.connect(wallet)
    open_page_next_round(case)
    form = page.locator("form[data-round]")
    form.get_by_role("button", name="Commit to these votes").click()
    case.outcome("No claim of this round is decided")
    wallet.chain_id += 1
    form.get_by_label("Vote on canary").select_option(str(Reason.REFUSE_RESULT.value))
    form.get_by_role("button", name="Commit to these votes").click()
    case.outcome("The wallet is on chain")
    wallet.chain_id -= 1
    wallet.declines = True
    form.get_by_role("button", name="Commit to these votes").click()
    case.outcome("declined")
    wallet.declines = False
    commit_in_the_browser(case, Reason.APPROVE)
    assert page.evaluate("localStorage.length") == 2
    open_page_next_round(case)
    page.get_by_role("button", name="Reveal the votes of round").click()
    case.outcome("Revealed in block")
    case.world.index()
    with case.world.reader() as reader:
        (vote,) = reader.votes(canary_claim(case.world).kudos_id)
    assert vote.verdict == APPROVE


def test_nothing_is_signed_on_another_chain_or_without_a_decision(case: Case) -> None:
    page, wallet = case.page, Wallet(case.world, case.voter)
    case.connect(wallet)
    form = page.locator("form[data-single]")
    form.get_by_role("button", name="Sign this vote").click()  # the browser asks for a decision
    form.get_by_label("Vote on this claim").select_option(str(Reason.APPROVE.value))
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
    case.outcome("Not done")
    assert "eth_sendTransaction" not in wallet.asked


def test_the_page_encodes_as_the_abi_does(case: Case) -> None:
    case.page.goto(f"{case.url}/approve")
    module = "(await import('/static/calldata.js'))"
    selectors = page_calls(case.world.deployment.contract)
    host, root, kudos = Address(b"\x01" * 20), Digest(b"\xfe" * 32), Digest(b"\x23" * 32)
    encode = f"async ([s, b, v]) => {module}.encodeVote(s, b, v)"
    for count in (0, 1, 2):
        for reasons in ((), ((0, 130),), tuple((i, 144) for i in range(40))):
            ballots = [
                calls.BatchVote(host, root, 2**127 + i, 2**100, reasons) for i in range(count)
            ]
            steps = [calls.StepVote(case.voter.address, host, 2**32 - 1, root, 131)] * (2 - count)
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
            taken: list[dict[str, Any]] = [
                {
                    "home": hex_of(v.home),
                    "host": hex_of(v.host),
                    "seq": str(v.seq),
                    "answer": hex_of(v.id),
                    "reason": v.reason,
                }
                for v in steps
            ]
            wanted = calls.vote(ballots, steps)
            given = [selectors["vote"], shown, taken]
            assert case.page.evaluate(encode, given) == hex_of(wanted)
    for count in range(3):
        votes = [ClaimVote(kudos, 128 + number) for number in range(count)]
        said = [{"kudos": hex_of(vote.kudos_id), "reason": vote.reason} for vote in votes]
        encode = f"async ([s, v]) => {module}.encodeClaimVote(s, v)"
        found = case.page.evaluate(encode, [selectors["claim-vote"], said])
        assert found == hex_of(claim_calls.vote(votes))
        sealed: dict[str, Any] = {
            "validator": hex_of(host),
            "round": 2**40,
            "votes": said,
            "salt": hex_of(root),
        }
        sealed |= {"chainId": case.world.domain.chain_id, "contract": selectors["claims"]}
        commitment = claim_calls.votes_commitment(case.world.domain, host, 2**40, votes, root)
        encode = f"async ([sealed]) => {module}.commitmentOf(sealed)"
        assert case.page.evaluate(encode, [sealed]) == hex_of(commitment)
        encode = f"async ([s, v, sealed]) => {module}.encodeReveal(s, v, sealed)"
        found = case.page.evaluate(encode, [selectors["reveal"], hex_of(host), sealed])
        assert found == hex_of(claim_calls.reveal_votes(host, 2**40, votes, root))
    encode = f"async ([s, r, c]) => {module}.encodeCommit(s, r, c)"
    found = case.page.evaluate(encode, [selectors["commit"], 9, hex_of(root)])
    assert found == hex_of(claim_calls.commit_votes(9, root))
    encode = f"async ([s, v, r]) => {module}.encodeCommitment(s, v, r)"
    found = case.page.evaluate(encode, [selectors["commitment"], hex_of(host), 9])
    assert found == hex_of(claim_calls.vote_commitment(host, 9).data)


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
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(world)
    monkeypatch.setattr(manual_vote, "SystemClock", lambda: world.clock)
    world.deployment.save(tmp_path / "ledger.json")
    voter = world.validators[0]
    common = ["--ledger", str(tmp_path / "ledger.json"), "--rpc", world.chain.url]
    common += ["--data", str(world.directory), *keystore(tmp_path / "v.json", voter)]
    third = canary_claim(world).kudos_id
    with world.reader() as reader:
        batch = reader.batches_unvoted(voter.address)[0]
    root = hex_of(batch.event.root)
    assert run(["validator", "refuse", root, *common]) == 2
    assert "A refusal needs a reason" in capsys.readouterr().err
    assert run(["validator", "approve", root, *common]) == 0
    assert "voted APPROVE in block" in capsys.readouterr().out
    view = calls.ballot(world.host.address, batch.event.root, voter.address)
    ballot = view.decode(world.rpc.call(world.deployment.contract, view.data))
    assert ballot == calls.Ballot(True, batch.event.claims, 0, 0)
    step_to_next_round(world)
    refusal = ["validator", "refuse", hex_of(third), "--reason", "REFUSE_RESULT", *common]
    assert run(refusal) == 0
    assert "committed to 1 votes on K3" in capsys.readouterr().out
    step_to_next_round(world)
    assert run(["validator", "reveal", *common]) == 0
    assert "opened the votes of round" in capsys.readouterr().out
    world.index()
    with world.reader() as reader:
        (vote,) = reader.votes(third)
        assert (vote.verdict, vote.reason) == (REFUSE, Reason.REFUSE_RESULT)
        assert {v.verdict for v in reader.votes(_first_claim(world))} == {APPROVE}
    assert run(["validator", "approve", root, *common]) == 2
    assert "Nothing under" in capsys.readouterr().err


def step_to_next_round(world: World) -> None:
    """The chain, its copy and everybody's clock."""
    world.next_round()
    world.clock.ahead += world.rpc_time() - world.clock.now()
    world.index()


def _first_claim(world: World) -> Digest:
    """One of the batch's."""
    with world.reader() as reader:
        batched = (m for m in reader.migrations(10) if m.root)
        claims = (c for m in batched for c in reader.claims_of(m.request_id) if c.level < 3)
        return next(claims).kudos_id
