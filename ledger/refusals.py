"""What the contracts' refusals mean, in words, and what to do about them. Pure."""

from __future__ import annotations

from typing import Any

from ledger.reasons import describe
from ledger.types import hex_of

_SENTENCES = {
    "Error": ("The contract refused the call: {0}.", ""),
    "Panic": ("The contract failed with panic code {0}.", "This is a bug in the contract."),
    "BadValidatorSet": (
        "The validator list or its threshold is not allowed.",
        "Name 1 to 16 different validators and a threshold above half of them.",
    ),
    "BadParameter": ("A value of the deployment is zero.", "Give every value of the deployment."),
    "MalformedBatch": (
        "The batch is not in the packed form; reading stopped at byte {0}.",
        "This program and the contract are of different versions.",
    ),
    "NotTheHost": (
        "The batch is neither sent nor signed by its host.",
        "Send it with the host's key or add the host's signature.",
    ),
    "NothingToSettle": (
        "Nothing in it could be settled; the first item because of {0}.",
        "If it was settled before there is nothing to do.",
    ),
    "NotAValidator": (
        "The sender is not a registered validator.",
        "Vote with the key of a registered validator.",
    ),
    "UnknownBatch": ("The host has no settled batch with this root.", "Wait for its settlement."),
    "NothingToClaim": (
        "Nothing of it could be claimed; the first item because of {0}.",
        "If it was claimed before there is nothing to do.",
    ),
    "MalformedClaims": (
        "The claims are not in the packed form; reading stopped at byte {0}.",
        "This program and the contract are of different versions.",
    ),
    "NotSignedByHost": (
        "The claims are not signed by their host.",
        "Send them with the host's key or add the host's signature.",
    ),
    "NotEligible": (
        "This validator may not vote on this claim.",
        "Who is a party, or took its seat after the claim was opened, has no vote on it.",
    ),
    "NotSigned": ("The votes are not signed by this validator.", "Sign them anew."),
    "VoteRefused": (
        "The vote on claim {0} cannot be taken because of {1}.",
        "The claim may be decided, unknown, or one that is voted on by commitment.",
    ),
    "WrongRound": (
        "Commitments are now made for round {0}.",
        "Commit in the round that is running.",
    ),
    "CommittedBefore": (
        "This validator committed before.",
        "A commitment is never replaced.",
    ),
    "NothingToReveal": (
        "There is no commitment to open, or it is not its time.",
        "Reveal once the round after the commitment has begun.",
    ),
    "Closed": ("The ledger is closed.", "Settle on the ledger that follows it."),
    "VotedBefore": ("This validator voted on this before.", "Votes cannot be changed."),
    "ContradictoryVote": (
        "A claim is both approved and refused, or a reason code is not a vote.",
        "Vote once per claim with a code from 128 to 159.",
    ),
    "NotEnoughGas": (
        "A contract wallet has to be asked about a signature, which needs {0} gas.",
        "Send the transaction with more gas.",
    ),
    "StaleSet": (
        "The validators have changed since: the proposal builds on set {0}, and set {1} is in"
        " force.",
        "Propose it anew.",
    ),
    "UnknownProposal": ("There is no proposal {0} with this content.", "List the proposals."),
    "NotPossible": (
        "The proposal is {0}: this cannot be done with it, or not yet.",
        "`kudos validators status` says how it stands.",
    ),
    "NothingChanges": ("The proposal changes nothing.", "Propose another set."),
    "ZeroAddress": ("The zero address is nobody.", "Name an account or a contract."),
    "ExistingValidator": ("{0} is a validator already.", "Name another account."),
    "UnknownValidator": ("{0} is no validator.", "`kudos validators list` names those who are."),
    "SetFull": ("All 16 seats are taken.", "Remove a validator, or rotate one."),
    "BadThreshold": (
        "{0} validators cannot have a threshold of {1}.",
        "It has to be above half of them, and at most all of them.",
    ),
    "NotTransferable": (
        "Kudos are earned: they cannot be transferred, nor anybody be approved to do so.",
        "Run tasks for others to earn your own.",
    ),
    "UnknownLevel": ("There is no Kudos level {0}.", "Levels are 1, 2 and 3."),
    "UnequalLists": (
        "The lists of accounts and of levels are not equally long.",
        "Name one level for each account.",
    ),
    "TooManyBalances": (
        "More than {0} balances were asked for at once.",
        "Ask in several calls.",
    ),
    "UnknownStep": (
        "No such claim is there for the migration of sequence number {2} from {0} to {1}.",
        "It may stand on another asset, or have been over a cap.",
    ),
    "NotTheSatellite": (
        "Only the ledger's own contract for this may call it.",
        "The set is changed by the validators' queue, and Kudos are minted by decided claims.",
    ),
    "WrongInitCode": (
        "This is not the code of the ledger's next satellite, or its creation failed.",
        "Deploy with the program that the ledger was made with, and with enough gas.",
    ),
    "NothingToCarry": (
        "There are no final totals of an earlier ledger to carry over.",
        "Wait until the predecessor is closed and its totals are final.",
    ),
    "BadRound": (
        "A round of votes is empty, longer than two days, or too long for the claim window.",
        "Choose at most a third of the claim window.",
    ),
    "NotTheQueue": (
        "Families are registered by the validators' queue alone.",
        "Have a validator propose it.",
    ),
    "BadFamily": (
        "The family cannot be registered.",
        "It needs a new name, code at its address, and one of 255 numbers.",
    ),
    "BadDifficulty": (
        "The puzzle is too easy, or too hard for anybody: {0} zero bits are the least.",
        "Ask for one between that and 64.",
    ),
    "PuzzlesUsedUp": (
        "The host has solved all {0} puzzles that it may.",
        "Earn Kudos by running tasks.",
    ),
    "NoPuzzle": ("The host has no puzzle to solve now.", "Wait a block, or ask for another one."),
    "NotSolved": ("This does not solve the puzzle.", "Search on; the target names the host."),
    "NotATest": (
        "There is no claim {0}: no canary was claimed on what these salts lead to.",
        "Show REQUEST, RESULT and both salts of one test; wait for its claim.",
    ),
    "TestTooEarly": (
        "It is too early to show that claim {0} was a test: validators could still hide their"
        " votes.",
        "Wait until it is decided or timed out, and the round in which votes on it are revealed is"
        " over.",
    ),
    "BadSeconds": ("A length of the beacon's periods is zero.", "Give every length in seconds."),
    "NotNow": ("The beacon's period does not stand where this is possible.", "Wait for its turn."),
    "TooFarAhead": (
        "Secrets are committed up to period {0} for now.",
        "Commit closer to the period.",
    ),
    "TooEarly": ("Block {0}, which the beacon waits for, is not made yet.", "Wait for it."),
    "BadDelay": ("The delay of the queue is zero or above a year.", "Choose another delay."),
    "BadContent": (
        "The proposal says more, or less, than its kind has.",
        "This program and the contract are of different versions.",
    ),
    "SeatMoved": ("{0} stays, and has to keep its seat.", "Votes are counted by seats."),
}

_STANDINGS = (
    *("unknown", "open", "waiting for its delay", "ready", "executed", "withdrawn", "lapsed"),
    "stale: the validators have changed since",
)
"""IValidatorQueue.Status in words."""

_WITH_REASON = ("NothingToSettle", "NothingToClaim", "VoteRefused")
"""Errors whose last value is a reason code."""


def in_words(name: str, values: tuple[Any, ...]) -> tuple[str, str]:
    """A sentence for a custom error with these values (none: they did not decode), and a hint."""
    sentence, hint = _SENTENCES.get(name, (f"The contract refused the call with {name}.", ""))
    return sentence.format(*(_shown(name, values) or "?" * sentence.count("{"))), hint


def _shown(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values as the sentence has them."""
    if name == "NotPossible" and values and values[0] < len(_STANDINGS):
        return (_STANDINGS[values[0]],)
    told = tuple(hex_of(value) if isinstance(value, bytes) else value for value in values)
    return (*told[:-1], describe(values[-1])) if name in _WITH_REASON and values else told
