// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {KudosToken} from "./KudosToken.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Seat} from "./libraries/Seats.sol";
import {Tally} from "./libraries/Tally.sol";

/// @title Votes on batches, and what they add up to
/// @notice Keeps the claims that settlement opens, and counts Kudos when enough validators have approved them.
abstract contract Voting is KudosToken {
    /// @dev What has become of the claims of a batch: nothing yet, or all are verified, or see its `decision`.
    enum Outcome {
        Open,
        AllVerified,
        Mixed
    }

    /// @dev One slot. Nearly always a validator approves every claim of a batch, and so do all: `approvers` and
    /// `outcome` say so here, and spare three slots. In the masks a bit stands for a validator's seat; `excluded` are
    /// those that are party to some of the records.
    struct Head {
        uint128 claims;
        uint8 n;
        uint8 confirmed;
        uint40 settledAt;
        uint16 voters;
        uint16 approvers;
        uint16 excluded;
        Outcome outcome;
    }

    /// @dev A decision and a ballot have a slot each, where the head does not say it all: in the lower half the claims
    /// that are verified or approved, in the upper half those refused.
    struct Batch {
        Head head;
        uint256 decision;
        uint256[MAX_SEATS] ballots;
        uint128[MAX_SEATS] excluded;
    }

    uint256 private constant REFUSED_AT = 128;

    mapping(address host => mapping(bytes32 root => Batch)) private _batches;

    /// @inheritdoc IKudosLedger
    function recount(address host, bytes32 root) external override {
        Seat set = _set;
        _checkNotFinal(set);
        Batch storage target = _batches[host][root];
        Head memory head = target.head;
        if (head.n == 0) revert UnknownBatch(host, root);
        _decideBatch(set, msg.sender, host, root, target, head);
        target.head = head;
    }

    /// @inheritdoc IKudosLedger
    function retire(address host, bytes32 root, uint256 index) external override onlyClaims returns (bool) {
        Batch storage target = _batches[host][root];
        Head memory head = target.head;
        uint256 decision = _decisionOf(target, head);
        uint256 claim = index < head.n ? 1 << index : 0;
        if (_undecided(head, decision) & claim == 0 || _time() <= head.settledAt + CLAIM_WINDOW) return false;
        target.decision = decision | claim << REFUSED_AT;
        target.head.outcome = Outcome.Mixed;
        emit BatchDecided(host, root, 0, uint128(claim));
        return true;
    }

    /// @inheritdoc IKudosLedger
    function batch(address host, bytes32 root)
        external
        view
        override
        returns (uint8 n, uint8 confirmed, uint64 settledAt, uint128 claims, uint128 verified, uint128 refused)
    {
        Batch storage target = _batches[host][root];
        Head memory head = target.head;
        (verified, refused) = _halves(_decisionOf(target, head));
        return (head.n, head.confirmed, head.settledAt, head.claims, verified, refused);
    }

    /// @inheritdoc IKudosLedger
    function pendingSince(address host, bytes32 root) external view override returns (uint64) {
        Batch storage target = _batches[host][root];
        Head memory head = target.head;
        return _undecided(head, _decisionOf(target, head)) == 0 ? 0 : head.settledAt;
    }

    /// @inheritdoc IKudosLedger
    function ballot(address host, bytes32 root, address validator)
        external
        view
        override
        returns (bool voted, uint128 approve, uint128 refuse, uint128 excluded)
    {
        Seat entry = _validators[validator];
        Batch storage target = _batches[host][root];
        Head memory head = target.head;
        // A seat taken later than the batch has no ballot in it, though its former holder may have one.
        if (entry.bit() == 0 || entry.since() >= head.settledAt) return (false, 0, 0, 0);
        uint256 number = entry.numberPlusOne() - 1;
        (approve, refuse) = _halves(_ballotOf(target, head, number));
        return (head.voters & entry.bit() != 0, approve, refuse, target.excluded[number]);
    }

    function _batch(address host, bytes32 root) internal view returns (Batch storage) {
        return _batches[host][root];
    }

    /// @dev Counts a ballot. Nothing is stored for a validator that approves all: that is a bit in the head.
    function _voteOnBatch(Seat voter, address validator, BatchVote calldata cast) internal {
        Batch storage target = _batches[cast.host][cast.root];
        Head memory head = target.head;
        if (head.n == 0) revert UnknownBatch(cast.host, cast.root);
        if (voter.since() >= head.settledAt) revert NotEligible(validator);
        uint256 number = voter.numberPlusOne() - 1;
        uint16 own = uint16(voter.bit());
        if (head.voters & own != 0) revert VotedBefore();
        _checkReasons(cast);
        uint128 votable = head.claims;
        if (head.excluded & own != 0) votable &= ~target.excluded[number];
        uint128 approve = cast.approve & votable;
        uint128 refuse = cast.refuse & votable;
        if (approve & refuse != 0) revert ContradictoryVote();

        head.voters |= own;
        if (approve == head.claims) head.approvers |= own;
        else target.ballots[number] = approve | uint256(refuse) << REFUSED_AT;
        emit BatchVoted(validator, cast.host, cast.root, approve, refuse, cast.reasons);
        _decideBatch(voter, validator, cast.host, cast.root, target, head);
        target.head = head;
    }

    /// @dev Every reason must be a vote that is no approval, and agree with the masks. The pairs are bounded by the
    /// number of records; whether one is given for every claim is for the readers of the log to judge.
    function _checkReasons(BatchVote calldata cast) private pure {
        bytes calldata reasons = cast.reasons;
        if (reasons.length % 2 != 0 || reasons.length > 256) revert ContradictoryVote();
        // The list's end bounds the index far below an overflow.
        unchecked {
            for (uint256 i = 0; i < reasons.length; i += 2) {
                uint256 bit = 1 << uint8(reasons[i]);
                uint256 code = uint8(reasons[i + 1]);
                bool agrees = cast.refuse & bit != 0
                    ? Reasons.isRefusal(code)
                    : Reasons.isAbstention(code) && cast.approve & bit == 0;
                if (!agrees) revert ContradictoryVote();
            }
        }
    }

    /// @dev Counts the ballots anew, and makes final what they decide now and had not decided before. Changes `head`
    /// in memory only; the caller stores it.
    function _decideBatch(
        Seat entry,
        address operator,
        address host,
        bytes32 root,
        Batch storage target,
        Head memory head
    ) private {
        (uint256 approved, uint256 refused) = _count(entry, target, head);
        if (approved | refused == 0) return;
        uint256 decision = _decisionOf(target, head);
        // Both cannot hold for one claim: m approvals and n - m + 1 refusals would be more votes than validators.
        uint256 open = _undecided(head, decision);
        uint128 newlyVerified = uint128(approved & open);
        uint128 newlyRefused = uint128(refused & open);
        if (newlyVerified | newlyRefused == 0) return;

        decision |= newlyVerified | uint256(newlyRefused) << REFUSED_AT;
        head.outcome = decision == head.claims ? Outcome.AllVerified : Outcome.Mixed;
        if (head.outcome == Outcome.Mixed) target.decision = decision;
        emit BatchDecided(host, root, newlyVerified, newlyRefused);
        _mint(operator, host, K1, Tally.count(newlyVerified >> head.confirmed));
        _mint(operator, host, K2, Tally.count(newlyVerified & ((1 << head.confirmed) - 1)));
    }

    /// @dev The claims that the quorum of ballots approves, and those that so many refuse, or are party to, that no
    /// quorum is left.
    function _count(Seat entry, Batch storage target, Head memory head)
        private
        view
        returns (uint256 approved, uint256 refused)
    {
        (uint256 mask, uint256 n) = _eligible(entry, head.settledAt);
        mask &= head.voters | head.excluded;
        uint256 width = 0;
        unchecked {
            while (mask >> width != 0) ++width;
        }
        uint256[] memory approvals = new uint256[](width);
        uint256[] memory refusals = new uint256[](width);
        uint256[] memory parties = new uint256[](width);
        for (uint256 i = 0; i < width; ++i) {
            if ((mask >> i) & 1 == 0) continue;
            uint256 cast = _ballotOf(target, head, i);
            approvals[i] = uint128(cast);
            refusals[i] = cast >> REFUSED_AT;
            if ((head.excluded >> i) & 1 == 0) continue;
            parties[i] = target.excluded[i];
            refusals[i] |= parties[i];
        }
        // Nearly always nobody refuses anything, and counting would find nothing.
        if ((head.voters ^ head.approvers) | head.excluded != 0) {
            uint256 end = _refusalsToEnd(entry, n);
            refused = Tally.atLeast(end, refusals) & ~Tally.atLeast(end, parties);
        }
        return (Tally.atLeast(entry.quorum(), approvals), refused);
    }

    /// @dev Of a seat that has not voted, an empty ballot.
    function _ballotOf(Batch storage target, Head memory head, uint256 number) private view returns (uint256) {
        return (head.approvers >> number) & 1 == 1 ? head.claims : target.ballots[number];
    }

    function _decisionOf(Batch storage target, Head memory head) private view returns (uint256) {
        if (head.outcome == Outcome.Mixed) return target.decision;
        return head.outcome == Outcome.AllVerified ? head.claims : 0;
    }

    function _undecided(Head memory head, uint256 decision) private pure returns (uint256) {
        return head.claims & ~(decision | decision >> REFUSED_AT);
    }

    function _halves(uint256 word) private pure returns (uint128 lower, uint128 upper) {
        return (uint128(word), uint128(word >> REFUSED_AT));
    }
}
