// A validator's vote, signed by the validator's own wallet (EIP-1193). What is signed is built here,
// from what the page shows; the service is not asked again and gets nothing back.
//
// K3 votes are committed in one round and revealed in a later one. Votes and salt are made here and
// kept in this browser, before the commitment leaves it, until the chain has them; as a file, too.

import {
  commitmentOf,
  encodeClaimVote,
  encodeCommit,
  encodeCommitment,
  encodeReveal,
  encodeVote,
} from "./calldata.js";

const page = document.getElementById("approve");
const outcome = page.querySelector("[data-outcome]");
const wallet = () => window.ethereum;

const APPROVE = 128;
const isRefusal = (reason) => reason >= 129 && reason <= 143;

// The vote that decides a claim costs more than the one before it, and which of two comes first is
// known only in the block: an estimate would be too low now and then.
const GAS_BASE = 150_000;
const GAS_PER_VOTE = 200_000;
const GAS_MAX = 16_000_000;
const RECEIPT_POLLS = 120;
const POLL_MILLISECONDS = 500;
const NO_COMMITMENT = `0x${"00".repeat(32)}`;

const say = (text) => {
  outcome.textContent = text;
};

// -- what the forms say ----------------------------------------------------------------------------

const reasonOf = (element) => Number(element.querySelector("select").value);

function ballotOf(form) {
  let approve = 0n;
  let refuse = 0n;
  let reasons = "0x";
  for (const row of form.querySelectorAll("[data-index]")) {
    const index = Number(row.dataset.index);
    const reason = reasonOf(row);
    if (reason === APPROVE) {
      approve |= 1n << BigInt(index);
      continue;
    }
    if (isRefusal(reason)) refuse |= 1n << BigInt(index);
    reasons += index.toString(16).padStart(2, "0") + reason.toString(16).padStart(2, "0");
  }
  return { host: form.dataset.host, root: form.dataset.root, approve, refuse, reasons };
}

const transaction = (to, data, votes) => {
  const gas = Math.min(GAS_BASE + GAS_PER_VOTE * votes, GAS_MAX);
  return { to, data, gas: `0x${gas.toString(16)}` };
};

// The one place that knows how a decision becomes a transaction; K3 aside.
function transactionOf(form) {
  const { contract, claims, vote, claimVote } = page.dataset;
  if (form.matches("[data-batch]")) {
    return transaction(contract, encodeVote(vote, [ballotOf(form)], []), 1);
  }
  const { home, host, seq, answer, kudos } = form.dataset;
  const reason = reasonOf(form);
  if (answer) return transaction(contract, encodeVote(vote, [], [{ home, host, seq, answer, reason }]), 1);
  return transaction(claims, encodeClaimVote(claimVote, [{ kudos, reason }]), 1);
}

// -- votes that are sealed until they are revealed ----------------------------------------------------

const sealedKey = (commitment) => `kudos votes ${commitment}`;

function sealedOf(form) {
  const votes = [...form.querySelectorAll("[data-kudos]")]
    .map((row) => ({ kudos: row.dataset.kudos, reason: reasonOf(row) }))
    .filter((vote) => vote.reason);
  if (!votes.length) throw new Error("No claim of this round is decided.");
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return {
    chainId: Number(page.dataset.chainId),
    contract: page.dataset.claims,
    validator: page.dataset.validator,
    round: Number(form.dataset.round),
    votes,
    salt: `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`,
  };
}

// Every commitment has a place of its own: none that may yet reach the chain is overwritten.
function keep(sealed) {
  localStorage.setItem(sealedKey(commitmentOf(sealed)), JSON.stringify(sealed));
}

function offerFile(sealed) {
  const link = document.createElement("a");
  const blob = new Blob([`${JSON.stringify(sealed, null, 1)}\n`], { type: "application/json" });
  link.href = URL.createObjectURL(blob);
  link.download = `kudos-votes-round-${sealed.round}.json`;
  link.textContent = `Save the sealed votes of round ${sealed.round} as a file`;
  page.querySelector("[data-file]").replaceChildren(link);
}

async function sealedFor(form, commitment) {
  const kept = localStorage.getItem(sealedKey(commitment));
  const [file] = form.querySelector("[type=file]").files;
  if (!kept && !file) {
    throw new Error("This browser does not have the votes of this round. Choose the file in which you saved them.");
  }
  let sealed = null;
  try {
    sealed = JSON.parse(kept ?? (await file.text()));
    if (commitmentOf(sealed) === commitment) return sealed;
  } catch {
    // Said below: whatever is wrong with the file, it does not open the commitment.
  }
  throw new Error("The votes in this file are not those that were committed to.");
}

// -- the wallet ------------------------------------------------------------------------------------

const ask = (method, ...params) => wallet().request(params.length ? { method, params } : { method });

async function account() {
  if (!wallet()) throw new Error("This browser has no wallet. Install one, or vote with `kudos validator`.");
  const [found] = await ask("eth_requestAccounts");
  if (!found) throw new Error("The wallet gave no account.");
  return found.toLowerCase();
}

async function checkChain() {
  const chain = Number(await ask("eth_chainId"));
  const wanted = Number(page.dataset.chainId);
  if (chain !== wanted) {
    throw new Error(`The wallet is on chain ${chain}; this ledger is on chain ${wanted}. Switch it and try again.`);
  }
}

async function voter() {
  const from = await account();
  if (from !== page.dataset.validator) {
    throw new Error(`The wallet's account is ${from}, not the validator of this page. Connect it first.`);
  }
  await checkChain();
  return from;
}

async function receiptOf(hash) {
  for (let poll = 0; poll < RECEIPT_POLLS; poll += 1) {
    const receipt = await ask("eth_getTransactionReceipt", hash);
    if (receipt) return receipt;
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
  throw new Error(`Transaction ${hash} is in no block yet. It may still get there: look before you vote again.`);
}

// Sends it, and says in which block it is.
async function send(from, unsent) {
  const whole = { from, ...unsent };
  say("Waiting for the wallet …");
  // Asked first: the contract's refusal costs nothing then.
  await ask("eth_call", whole, "latest");
  const hash = await ask("eth_sendTransaction", whole);
  say(`Sent as ${hash}; waiting for its block …`);
  const receipt = await receiptOf(hash);
  if (Number(receipt.status) !== 1) throw new Error(`Transaction ${hash} was undone by the contract.`);
  return `in block ${Number(receipt.blockNumber)}: ${hash}`;
}

async function vote(form) {
  say(`Voted ${await send(await voter(), transactionOf(form))}`);
}

async function commit(form) {
  const from = await voter();
  const { claims, commit: selector } = page.dataset;
  const sealed = sealedOf(form);
  keep(sealed);
  offerFile(sealed);
  const data = encodeCommit(selector, sealed.round, commitmentOf(sealed));
  const where = await send(from, transaction(claims, data, 0));
  say(`Committed ${where}. The votes count once you reveal them, from the next round on: come back to this page.`);
}

async function reveal(form) {
  const from = await voter();
  const { claims, commitment: view, reveal: selector, validator } = page.dataset;
  const round = Number(form.dataset.reveal);
  const asked = { to: claims, data: encodeCommitment(view, validator, round) };
  const commitment = await ask("eth_call", asked, "latest");
  if (commitment === NO_COMMITMENT) throw new Error(`The votes of round ${round} are revealed already.`);
  const sealed = await sealedFor(form, commitment);
  const where = await send(from, transaction(claims, encodeReveal(selector, validator, sealed), sealed.votes.length));
  localStorage.removeItem(sealedKey(commitment));
  say(`Revealed ${where}`);
}

function workOf(form) {
  if (form.matches("[data-round]")) return commit;
  return form.matches("[data-reveal]") ? reveal : vote;
}

async function guarded(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(`Not done: ${error.message ?? error}`);
  } finally {
    button.disabled = false;
  }
}

page.querySelector("[data-connect]").addEventListener("click", (event) =>
  guarded(event.currentTarget, async () => {
    const found = await account();
    await checkChain();
    if (found === page.dataset.validator) say(`Connected as ${found}.`);
    else location.assign(`/approve?validator=${found}`);
  }),
);

page.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  guarded(event.submitter, async () => {
    await workOf(form)(form);
    form.hidden = true;
  });
});

page.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const choice of event.target.form.querySelectorAll("[data-index] select, [data-kudos] select")) {
    choice.value = event.target.value;
  }
});
