// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {KudosToken} from "./KudosToken.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Tally} from "./libraries/Tally.sol";

/// @title The validators, their votes, and what the votes add up to
/// @notice Keeps the claims that settlement opens, and counts Kudos when enough validators have approved.
/// A validator never votes on a claim of its own: records that name a validator as home or host are not settled.
abstract contract Voting is KudosToken {
    uint256 private constant MAX_SEATS = 16;

    /// @dev What has become of the claims of a batch: nothing yet, or all are verified, or see its `decision`.
    enum Outcome {
        Open,
        AllVerified,
        Mixed
    }

    /// @dev One slot. Nearly always a validator approves every claim of a batch, and so do all: `approvers` and
    /// `outcome` say so here, and spare three slots. In the masks a bit stands for a validator's seat.
    struct Head {
        uint128 claims;
        uint8 n;
        uint8 confirmed;
        uint64 settledAt;
        uint16 voters;
        uint16 approvers;
        Outcome outcome;
    }

    /// @dev One slot each for a decision and for a ballot, where the head does not say it all.
    struct Decision {
        uint128 verified;
        uint128 refused;
    }

    struct Ballot {
        uint128 approve;
        uint128 refuse;
    }

    struct Batch {
        Head head;
        Decision decision;
        Ballot[MAX_SEATS] ballots;
    }

    /// @dev One slot, full to the last bit; in the masks a bit stands for a validator's seat.
    struct Canary {
        address host;
        State state;
        uint40 claimedAt;
        uint16 approvals;
        uint16 refusals;
        uint16 voters;
    }

    uint256 private immutable QUORUM;
    uint256 private immutable SEATS;

    address[MAX_SEATS] private _seats;
    mapping(address validator => uint256 seatPlusOne) private _seatOf;
    mapping(address host => mapping(bytes32 root => Batch)) private _batches;
    mapping(bytes32 kudosId => Canary) private _canaries;

    constructor(address[] memory seats, uint256 quorum) {
        if (seats.length == 0 || seats.length > MAX_SEATS) revert BadValidatorSet();
        if (quorum <= seats.length / 2 || quorum > seats.length) revert BadValidatorSet();
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i] == address(0) || _seatOf[seats[i]] != 0) revert BadValidatorSet();
            _seatOf[seats[i]] = i + 1;
            _seats[i] = seats[i];
        }
        QUORUM = quorum;
        SEATS = seats.length;
    }

    /// @inheritdoc IKudosLedger
    function vote(BatchVote[] calldata batchVotes, CanaryVote[] calldata canaryVotes) external override {
        uint256 seatPlusOne = _seatOf[msg.sender];
        if (seatPlusOne == 0) revert NotAValidator();
        uint256 seat = seatPlusOne - 1;
        for (uint256 i = 0; i < batchVotes.length; ++i) {
            _voteOnBatch(seat, batchVotes[i]);
        }
        for (uint256 i = 0; i < canaryVotes.length; ++i) {
            _voteOnCanary(seat, canaryVotes[i].kudosId, canaryVotes[i].reason);
        }
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
        Decision memory decision = _decisionOf(target, head);
        return (head.n, head.confirmed, head.settledAt, head.claims, decision.verified, decision.refused);
    }

    /// @inheritdoc IKudosLedger
    function canary(bytes32 kudosId) external view override returns (State state, address host, uint64 claimedAt) {
        Canary memory claim = _canaries[kudosId];
        return (claim.state, claim.host, claim.claimedAt);
    }

    /// @inheritdoc IKudosLedger
    function ballot(address host, bytes32 root, address validator)
        external
        view
        override
        returns (bool voted, uint128 approve, uint128 refuse)
    {
        uint256 seatPlusOne = _seatOf[validator];
        if (seatPlusOne == 0) return (false, 0, 0);
        Batch storage target = _batches[host][root];
        Head memory head = target.head;
        Ballot memory cast = _ballotOf(target, head, seatPlusOne - 1);
        return ((head.voters >> (seatPlusOne - 1)) & 1 == 1, cast.approve, cast.refuse);
    }

    /// @inheritdoc IKudosLedger
    function validators() external view override returns (address[] memory) {
        return _seatList();
    }

    /// @inheritdoc IKudosLedger
    function threshold() external view override returns (uint256) {
        return QUORUM;
    }

    function _seatList() internal view returns (address[] memory seats) {
        seats = new address[](SEATS);
        for (uint256 i = 0; i < SEATS; ++i) {
            seats[i] = _seats[i];
        }
    }

    function _batch(address host, bytes32 root) internal view returns (Batch storage) {
        return _batches[host][root];
    }

    function _storeBatch(address host, bytes32 root, uint128 claims, uint8 n, uint8 confirmed, uint64 time) internal {
        _batches[host][root].head = Head({
            claims: claims,
            n: n,
            confirmed: confirmed,
            settledAt: time,
            voters: 0,
            approvers: 0,
            outcome: Outcome.Open
        });
    }

    /// @dev False, and nothing stored, where this Kudos was claimed before.
    function _storeCanary(bytes32 kudosId, address host, uint40 time) internal returns (bool) {
        if (_canaries[kudosId].state != State.None) return false;
        _canaries[kudosId] =
            Canary({host: host, state: State.Claimed, claimedAt: time, approvals: 0, refusals: 0, voters: 0});
        return true;
    }

    function _voteOnBatch(uint256 seat, BatchVote calldata cast) private {
        Batch storage target = _batches[cast.host][cast.root];
        Head memory head = target.head;
        if (head.n == 0) revert UnknownBatch(cast.host, cast.root);
        if ((head.voters >> seat) & 1 == 1) revert VotedBefore();
        _checkReasons(cast);
        uint128 approve = cast.approve & head.claims;
        uint128 refuse = cast.refuse & head.claims;
        if (approve & refuse != 0) revert ContradictoryVote();

        head.voters |= uint16(1 << seat);
        if (approve == head.claims) head.approvers |= uint16(1 << seat);
        else target.ballots[seat] = Ballot({approve: approve, refuse: refuse});
        emit BatchVoted(msg.sender, cast.host, cast.root, approve, refuse, cast.reasons);
        _decideBatch(cast.host, cast.root, target, head);
        target.head = head;
    }

    /// @dev Every reason must be a vote that is no approval, and agree with the masks. The pairs are bounded by the
    /// number of records; whether one is given for every claim is for the readers of the log to judge.
    function _checkReasons(BatchVote calldata cast) private pure {
        bytes calldata reasons = cast.reasons;
        if (reasons.length % 2 != 0 || reasons.length > 256) revert ContradictoryVote();
        for (uint256 i = 0; i < reasons.length; i += 2) {
            uint256 bit = 1 << uint8(reasons[i]);
            uint256 code = uint8(reasons[i + 1]);
            bool agrees = cast.refuse & bit != 0
                ? Reasons.isRefusal(code)
                : Reasons.isAbstention(code) && cast.approve & bit == 0;
            if (!agrees) revert ContradictoryVote();
        }
    }

    /// @dev Counts the ballots anew, and makes final what they decide now and had not decided before. Changes `head`
    /// in memory only; the caller stores it.
    function _decideBatch(address host, bytes32 root, Batch storage target, Head memory head) private {
        (uint256 approved, uint256 refused) = _count(target, head);
        if (approved | refused == 0) return;
        Decision memory decision = _decisionOf(target, head);
        // Both cannot hold for one claim: m approvals and n - m + 1 refusals would be more votes than validators.
        uint128 open = ~(decision.verified | decision.refused);
        uint128 newlyVerified = uint128(approved) & open;
        uint128 newlyRefused = uint128(refused) & open;
        if (newlyVerified | newlyRefused == 0) return;

        decision.verified |= newlyVerified;
        decision.refused |= newlyRefused;
        head.outcome = decision.verified == head.claims ? Outcome.AllVerified : Outcome.Mixed;
        if (head.outcome == Outcome.Mixed) target.decision = decision;
        emit BatchDecided(host, root, newlyVerified, newlyRefused);
        _mint(msg.sender, host, K1, Tally.count(newlyVerified >> head.confirmed));
        _mint(msg.sender, host, K2, Tally.count(newlyVerified & ((1 << head.confirmed) - 1)));
    }

    /// @dev The claims that `threshold` ballots approve, and those that so many refuse that no threshold is left.
    function _count(Batch storage target, Head memory head) private view returns (uint256 approved, uint256 refused) {
        uint256[] memory approvals = new uint256[](SEATS);
        uint256[] memory refusals = new uint256[](SEATS);
        for (uint256 i = 0; i < SEATS; ++i) {
            if ((head.voters >> i) & 1 == 0) continue;
            Ballot memory cast = _ballotOf(target, head, i);
            approvals[i] = cast.approve;
            refusals[i] = cast.refuse;
        }
        return (Tally.atLeast(QUORUM, approvals), Tally.atLeast(SEATS - QUORUM + 1, refusals));
    }

    function _ballotOf(Batch storage target, Head memory head, uint256 seat) private view returns (Ballot memory) {
        if ((head.approvers >> seat) & 1 == 1) return Ballot({approve: head.claims, refuse: 0});
        return target.ballots[seat];
    }

    function _decisionOf(Batch storage target, Head memory head) private view returns (Decision memory) {
        if (head.outcome == Outcome.Mixed) return target.decision;
        return Decision({verified: head.outcome == Outcome.AllVerified ? head.claims : 0, refused: 0});
    }

    function _voteOnCanary(uint256 seat, bytes32 kudosId, uint256 reason) private {
        Canary memory claim = _canaries[kudosId];
        if (claim.state == State.None) revert UnknownClaim(kudosId);
        uint16 own = uint16(1 << seat);
        if (claim.voters & own != 0) revert VotedBefore();
        if (reason == Reasons.APPROVE) claim.approvals |= own;
        else if (Reasons.isRefusal(reason)) claim.refusals |= own;
        else if (!Reasons.isAbstention(reason)) revert ContradictoryVote();
        claim.voters |= own;

        State earlier = claim.state;
        if (earlier == State.Claimed) claim.state = _standing(claim);
        _canaries[kudosId] = claim;
        emit CanaryVoted(msg.sender, kudosId, uint8(reason));
        if (claim.state == earlier) return;
        bool verified = claim.state == State.Verified;
        emit CanaryDecided(kudosId, claim.host, verified);
        if (verified) _mint(msg.sender, claim.host, K3, 1);
    }

    function _standing(Canary memory claim) private view returns (State) {
        if (Tally.count(claim.approvals) >= QUORUM) return State.Verified;
        if (Tally.count(claim.refusals) > SEATS - QUORUM) return State.Refused;
        return State.Claimed;
    }
}
