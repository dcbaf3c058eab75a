// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClaimStore} from "./ClaimStore.sol";
import {IClaimVotes} from "./interfaces/IClaimVotes.sol";
import {ClaimAssets} from "./libraries/ClaimAssets.sol";
import {ClaimFacts} from "./libraries/ClaimFacts.sol";
import {ClaimWords} from "./libraries/ClaimWords.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Tally} from "./libraries/Tally.sol";

/// @title Votes on Kudos that are claimed one by one
/// @notice Takes votes, counts them, and mints through the ledger what is verified.
abstract contract ClaimVotes is ClaimStore {
    /// @dev The set of validators as one call sees it, who is voting, and what is still to be minted. `holders` and
    /// `since` are filled in when a claim older than the last change needs them.
    struct Session {
        address validator;
        uint256 seatPlusOne;
        uint256 satSince;
        uint256 lastChange;
        uint256 n;
        uint256 quorum;
        bool hasSeats;
        address[16] holders;
        uint40[16] since;
        address mintHost;
        uint256 mintLevel;
        uint256 mintCount;
    }

    uint256 private constant ALL_SEATS = 0xffff;

    /// @inheritdoc IClaimVotes
    function vote(Vote[] calldata votes) external override {
        _voteDirectly(msg.sender, votes);
    }

    /// @inheritdoc IClaimVotes
    function voteFor(address validator, Vote[] calldata votes, bytes calldata signature) external override {
        bytes32 digest = ClaimAssets.votes(_separator(), keccak256(abi.encode(votes, _openings(votes))));
        if (!Signatures.isBy(validator, digest, signature)) revert NotSigned();
        _voteDirectly(validator, votes);
    }

    /// @inheritdoc IClaimVotes
    function commitVotes(uint64 round, bytes32 commitment) external override {
        _commitVotes(msg.sender, round, commitment);
    }

    /// @inheritdoc IClaimVotes
    function commitVotesFor(address validator, uint64 round, bytes32 commitment, bytes calldata signature)
        external
        override
    {
        bytes32 digest = ClaimAssets.voteCommitment(_separator(), round, commitment);
        if (!Signatures.isBy(validator, digest, signature)) revert NotSigned();
        _commitVotes(validator, round, commitment);
    }

    /// @inheritdoc IClaimVotes
    function revealVotes(address validator, uint64 round, Vote[] calldata votes, bytes32 salt) external override {
        bytes32 commitment = _commitments[validator][round];
        if (roundOf(_time()) <= round || commitment == 0 || commitment != hashVotes(validator, round, votes, salt)) {
            revert NothingToReveal();
        }
        Session memory session = _session(validator);
        if (session.seatPlusOne == 0) revert NotAValidator();
        delete _commitments[validator][round];
        emit VotesRevealed(validator, round);
        for (uint256 i = 0; i < votes.length; ++i) {
            uint256 reason = _cast(session, votes[i], round);
            if (reason != Reasons.NONE) emit VoteSkipped(validator, votes[i].kudosId, uint8(reason));
        }
        _mintPending(session);
    }

    /// @inheritdoc IClaimVotes
    function recountClaim(bytes32 kudosId) external override {
        Claim memory claim = _claims[kudosId];
        if (ClaimFacts.standing(claim.facts) != Standing.Open) {
            revert VoteRefused(kudosId, uint8(Reasons.UNKNOWN_CLAIM));
        }
        Session memory session = _session(msg.sender);
        _decide(session, kudosId, claim);
        // Written after the call that may have minted: it goes to the ledger, which calls nobody.
        // slither-disable-next-line reentrancy-no-eth
        _claims[kudosId].facts = claim.facts;
        _mintPending(session);
    }

    /// @dev When each claim was opened: a vote signed for it must not count when it is made again.
    function _openings(Vote[] calldata votes) private view returns (uint64[] memory openedAt) {
        openedAt = new uint64[](votes.length);
        for (uint256 i = 0; i < votes.length; ++i) {
            openedAt[i] = _claims[votes[i].kudosId].openedAt;
        }
    }

    function _voteDirectly(address validator, Vote[] calldata votes) private {
        Session memory session = _session(validator);
        if (session.seatPlusOne == 0) revert NotAValidator();
        for (uint256 i = 0; i < votes.length; ++i) {
            uint256 reason = _cast(session, votes[i], 0);
            if (reason != Reasons.NONE) revert VoteRefused(votes[i].kudosId, uint8(reason));
        }
        _mintPending(session);
    }

    function _commitVotes(address validator, uint64 round, bytes32 commitment) private {
        uint64 open = roundOf(_time());
        if (round != open) revert WrongRound(open);
        if (commitment == 0) revert NothingToReveal();
        if (!_isValidator(validator)) revert NotAValidator();
        if (_commitments[validator][round] != 0) revert CommittedBefore();
        _commitments[validator][round] = commitment;
        emit VotesCommitted(validator, round, commitment);
    }

    /// @dev Takes one vote, or says why not. `round` is that of the commitment, 0 for a direct vote.
    function _cast(Session memory session, Vote calldata given, uint64 round) private returns (uint256) {
        Claim memory claim = _claims[given.kudosId];
        uint256 word = ClaimWords.fromReason(given.reason);
        uint256 reason = _checkVote(session, claim, word, round);
        if (reason != Reasons.NONE) return reason;
        claim.words = ClaimWords.say(claim.words, session.seatPlusOne - 1, word);
        emit ClaimVoted(session.validator, given.kudosId, given.reason);
        if (ClaimFacts.standing(claim.facts) == Standing.Open) _decide(session, given.kudosId, claim);
        // As in `recountClaim`.
        // slither-disable-next-line reentrancy-no-eth
        _claims[given.kudosId] = claim;
        return Reasons.NONE;
    }

    function _checkVote(Session memory session, Claim memory claim, uint256 word, uint64 round)
        private
        view
        returns (uint256)
    {
        if (ClaimFacts.standing(claim.facts) == Standing.None) return Reasons.UNKNOWN_CLAIM;
        if (word == 0) return Reasons.NOT_A_VOTE;
        uint64 due = ClaimFacts.level(claim.facts) == CANARY_LEVEL ? roundOf(claim.openedAt) + 1 : 0;
        if (round != due) return Reasons.WRONG_ROUND;
        if (_time() > claim.openedAt + CLAIM_WINDOW) return Reasons.EXPIRED;
        // Whoever left its seat after the commitment and came back took it too late for the claim, too.
        uint256 own = 1 << (session.seatPlusOne - 1);
        if (session.satSince >= claim.openedAt || ClaimFacts.parties(claim.facts) & own != 0) {
            return Reasons.NOT_ELIGIBLE;
        }
        return ClaimWords.voters(claim.words) & own == 0 ? Reasons.NONE : Reasons.VOTED_BEFORE;
    }

    /// @dev Changes `claim` in memory only; the caller stores it.
    function _decide(Session memory session, bytes32 kudosId, Claim memory claim) private {
        (uint256 eligible, uint256 room) = _eligible(session, claim);
        uint256 level = ClaimFacts.level(claim.facts);
        Standing standing = level == CANARY_LEVEL
            ? ClaimWords.judgeRuns(claim.words, eligible, room, session.quorum)
            : ClaimWords.judge(claim.words, eligible, room, session.quorum);
        if (standing == Standing.Open) return;
        claim.facts = ClaimFacts.decide(claim.facts, standing);
        emit ClaimDecided(kudosId, claim.host, uint8(level), standing);
        if (standing != Standing.Verified) return;
        if (session.mintHost != claim.host || session.mintLevel != level) {
            _mintPending(session);
            (session.mintHost, session.mintLevel) = (claim.host, level);
        }
        ++session.mintCount;
    }

    /// @dev The seats whose votes count, and how many they are. As long as the set is that of the opening all seats
    /// count that can have voted, and the empty ones are silent.
    function _eligible(Session memory session, Claim memory claim) private view returns (uint256 mask, uint256 room) {
        uint256 parties = ClaimFacts.parties(claim.facts);
        if (session.lastChange < claim.openedAt) return (ALL_SEATS & ~parties, session.n - Tally.count(parties));
        if (!session.hasSeats) {
            (session.holders, session.since) = LEDGER.seats();
            session.hasSeats = true;
        }
        for (uint256 i = 0; i < session.holders.length; ++i) {
            if (session.holders[i] != address(0) && session.since[i] < claim.openedAt) mask |= 1 << i;
        }
        mask &= ~parties;
        return (mask, Tally.count(mask));
    }

    function _session(address validator) private view returns (Session memory session) {
        session.validator = validator;
        (session.seatPlusOne, session.satSince, session.lastChange, session.n, session.quorum) = LEDGER.seat(validator);
    }

    /// @dev Neighbouring claims of one host are minted together.
    function _mintPending(Session memory session) private {
        if (session.mintCount == 0) return;
        uint256 count = session.mintCount;
        session.mintCount = 0;
        LEDGER.mint(session.mintHost, session.mintLevel, count);
    }
}
