// A validator's vote, signed by the validator's own wallet (EIP-1193). What is signed is built here,
// from what the page shows; the service is not asked again and gets nothing back.

const page = document.getElementById("approve");
const outcome = page.querySelector("[data-outcome]");
const wallet = () => window.ethereum;

const APPROVE = 128;
const isRefusal = (reason) => reason >= 129 && reason <= 143;

// The vote that decides a claim costs more than the one before it, and which of two comes first is
// known only in the block: an estimate would be too low now and then.
const GAS_BASE = 100_000;
const GAS_PER_VOTE = 200_000;
const RECEIPT_POLLS = 120;
const POLL_MILLISECONDS = 500;

const say = (text) => {
  outcome.textContent = text;
};

// -- calldata of vote((address,bytes32,uint128,uint128,bytes)[],(bytes32,uint8)[]) ------------------

const word = (value) => BigInt(value).toString(16).padStart(64, "0");
const bytesOf = (hex) => hex.slice(2);

function bytesWords(hex) {
  const digits = bytesOf(hex);
  const padded = digits.padEnd(Math.ceil(digits.length / 64) * 64, "0");
  return word(digits.length / 2) + padded;
}

function encodeBatch(ballot) {
  const fixed = [
    word(ballot.host),
    bytesOf(ballot.root),
    word(ballot.approve),
    word(ballot.refuse),
    word(5 * 32),
  ];
  return fixed.join("") + bytesWords(ballot.reasons);
}

function encodeBatches(ballots) {
  const bodies = ballots.map(encodeBatch);
  let offset = ballots.length * 32;
  const offsets = bodies.map((body) => {
    const here = word(offset);
    offset += body.length / 2;
    return here;
  });
  return word(ballots.length) + offsets.join("") + bodies.join("");
}

function encodeCanaries(votes) {
  return word(votes.length) + votes.map((vote) => bytesOf(vote.kudos) + word(vote.reason)).join("");
}

export function encodeVote(selector, ballots, votes) {
  const first = encodeBatches(ballots);
  return selector + word(64) + word(64 + first.length / 2) + first + encodeCanaries(votes);
}

// -- what the forms say ----------------------------------------------------------------------------

function ballotOf(form) {
  let approve = 0n;
  let refuse = 0n;
  let reasons = "0x";
  for (const row of form.querySelectorAll("[data-index]")) {
    const index = Number(row.dataset.index);
    const reason = Number(row.querySelector("select").value);
    if (reason === APPROVE) {
      approve |= 1n << BigInt(index);
      continue;
    }
    if (isRefusal(reason)) refuse |= 1n << BigInt(index);
    reasons += index.toString(16).padStart(2, "0") + reason.toString(16).padStart(2, "0");
  }
  return { host: form.dataset.host, root: form.dataset.root, approve, refuse, reasons };
}

// The one place that knows how a decision becomes a transaction.
function transactionOf(form) {
  const ballots = form.matches("[data-batch]") ? [ballotOf(form)] : [];
  const votes = form.matches("[data-canary]")
    ? [{ kudos: form.dataset.kudos, reason: Number(form.querySelector("select").value) }]
    : [];
  const gas = GAS_BASE + GAS_PER_VOTE * (ballots.length + votes.length);
  const data = encodeVote(page.dataset.selector, ballots, votes);
  return { to: page.dataset.contract, data, gas: `0x${gas.toString(16)}` };
}

// -- the wallet ------------------------------------------------------------------------------------

async function account() {
  if (!wallet()) throw new Error("This browser has no wallet. Install one, or vote with `kudos validator`.");
  const [found] = await wallet().request({ method: "eth_requestAccounts" });
  if (!found) throw new Error("The wallet gave no account.");
  return found.toLowerCase();
}

async function checkChain() {
  const chain = Number(await wallet().request({ method: "eth_chainId" }));
  const wanted = Number(page.dataset.chainId);
  if (chain !== wanted) {
    throw new Error(`The wallet is on chain ${chain}; this ledger is on chain ${wanted}. Switch it and try again.`);
  }
}

async function receiptOf(hash) {
  for (let poll = 0; poll < RECEIPT_POLLS; poll += 1) {
    const receipt = await wallet().request({ method: "eth_getTransactionReceipt", params: [hash] });
    if (receipt) return receipt;
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
  throw new Error(`Transaction ${hash} is in no block yet. It may still get there: look before you vote again.`);
}

async function vote(form) {
  const from = await account();
  if (from !== page.dataset.validator) {
    throw new Error(`The wallet's account is ${from}, not the validator of this page. Connect it first.`);
  }
  await checkChain();
  say("Waiting for the wallet …");
  const transaction = { from, ...transactionOf(form) };
  // Asked first: the contract's refusal costs nothing then.
  await wallet().request({ method: "eth_call", params: [transaction, "latest"] });
  const hash = await wallet().request({ method: "eth_sendTransaction", params: [transaction] });
  say(`Sent as ${hash}; waiting for its block …`);
  const receipt = await receiptOf(hash);
  if (Number(receipt.status) !== 1) throw new Error(`Transaction ${hash} was undone by the contract.`);
  say(`Voted in block ${Number(receipt.blockNumber)}: ${hash}`);
  form.hidden = true;
}

async function guarded(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(`Not voted: ${error.message ?? error}`);
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
  guarded(event.submitter, () => vote(event.target));
});

page.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const choice of event.target.form.querySelectorAll("[data-index] select")) {
    choice.value = event.target.value;
  }
});
