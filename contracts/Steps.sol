// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "./interfaces/IKudosSteps.sol";
import {Assets} from "./libraries/Assets.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Seat} from "./libraries/Seats.sol";
import {StepWord} from "./libraries/StepWords.sol";
import {Tally} from "./libraries/Tally.sol";
import {StepRecords} from "./StepRecords.sol";

/// @title The strict way: one asset at a time
/// @notice Its doors, for owners and for who has their signatures, and the votes on what it claims.
abstract contract Steps is StepRecords {
    /// @inheritdoc IKudosSteps
    function request(Request calldata asset, bytes calldata signature) external override {
        _request(asset, signature);
    }

    /// @inheritdoc IKudosSteps
    function submitRequest(Request calldata asset) external override {
        _request(asset, _unsigned());
    }

    /// @inheritdoc IKudosSteps
    function accept(Place calldata place, bytes32 requestId, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        (address home, address host, uint256 seq) = _read(place);
        _accept(home, host, seq, requestId, signedAt, signature);
    }

    /// @inheritdoc IKudosSteps
    function submitAccepted(bytes32 requestId, address home, uint32 seq, uint64 signedAt) external override {
        _accept(home, msg.sender, seq, requestId, signedAt, _unsigned());
    }

    /// @inheritdoc IKudosSteps
    function reject(Place calldata place, bytes32 requestId, uint8 reason, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        (address home, address host, uint256 seq) = _read(place);
        _reject(home, host, seq, requestId, reason, signedAt, signature);
    }

    /// @inheritdoc IKudosSteps
    function submitRejected(bytes32 requestId, address home, uint32 seq, uint64 signedAt, uint8 reason)
        external
        override
    {
        _reject(home, msg.sender, seq, requestId, reason, signedAt, _unsigned());
    }

    /// @inheritdoc IKudosSteps
    function confirm(
        Place calldata place,
        bytes32 requestId,
        uint64 acceptedAt,
        uint64 signedAt,
        bytes calldata signature
    ) external override {
        (address home, address host, uint256 seq) = _read(place);
        _confirm(home, host, seq, requestId, acceptedAt, signedAt, signature);
    }

    /// @inheritdoc IKudosSteps
    function submitConfirmed(bytes32 requestId, address host, uint32 seq, uint64 signedAt, uint64 acceptedAt)
        external
        override
    {
        _confirm(msg.sender, host, seq, requestId, acceptedAt, signedAt, _unsigned());
    }

    /// @inheritdoc IKudosSteps
    function result(Place calldata place, bytes32 requestId, bytes32 seal, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        (address home, address host, uint256 seq) = _read(place);
        _result(home, host, seq, requestId, seal, signedAt, signature);
    }

    /// @inheritdoc IKudosSteps
    function submitResult(bytes32 requestId, address home, uint32 seq, uint64 signedAt, bytes32 seal)
        external
        override
    {
        _result(home, msg.sender, seq, requestId, seal, signedAt, _unsigned());
    }

    /// @inheritdoc IKudosSteps
    function recountStep(Place calldata place, bytes32 id) external override {
        Seat set = _set;
        _checkNotFinal(set);
        (address home, address host, uint256 seq) = _read(place);
        (bytes32 slot, StepWord current) = _claimOn(home, host, seq, id);
        if (!current.isOpen()) return;
        State state = _standing(set, current, home, host);
        if (state != State.Claimed) _decide(slot, current, place, state);
        if (state == State.Verified) _mint(msg.sender, host, _level(current), 1);
    }

    /// @inheritdoc IKudosSteps
    function retireStep(Place calldata place) external override onlyClaims returns (bool) {
        (bytes32 slot, StepWord current) = _find(place);
        if (!current.isOpen() || _time() <= current.time() + CLAIM_WINDOW) return false;
        _decide(slot, current, place, State.Refused);
        return true;
    }

    /// @inheritdoc IKudosSteps
    function step(Place calldata place)
        external
        view
        override
        returns (Stage stage, State claim, bytes20 fingerprint, uint32 time)
    {
        (, StepWord current) = _find(place);
        return (current.stage(), current.claim(), bytes20(current.fingerprint()), uint32(current.time()));
    }

    /// @inheritdoc IKudosSteps
    function stepPendingSince(Place calldata place) external view override returns (uint64) {
        (, StepWord current) = _find(place);
        return current.isOpen() ? uint64(current.time()) : 0;
    }

    /// @inheritdoc IKudosSteps
    function stepVotes(Place calldata place)
        external
        view
        override
        returns (uint16 voters, uint16 approvals, uint16 refusals)
    {
        (, StepWord current) = _find(place);
        if (!current.hasClaim()) return (0, 0, 0);
        return (uint16(current.voters()), uint16(current.approvals()), uint16(current.refusals()));
    }

    /// @dev Counts a vote on one claim.
    function _voteOnStep(
        Seat voter,
        address validator,
        address home,
        address host,
        uint256 seq,
        bytes32 id,
        uint256 reason
    ) internal {
        (bytes32 slot, StepWord current) = _claimOn(home, host, seq, id);
        uint256 openedAt = current.time();
        // Steps do not look whether the ledger is closed, which would cost each a read: what they claim then is nothing.
        if (voter.closed() && openedAt + CLAIM_WINDOW > _finalAt) revert Closed();
        if (voter.since() >= openedAt || validator == home || validator == host) revert NotEligible(validator);
        uint256 bit = voter.bit();
        if (current.voters() & bit != 0) revert VotedBefore();
        if (!Reasons.isVote(reason)) revert ContradictoryVote();

        bool wasOpen = current.isOpen();
        current = current.withVote(bit, reason == Reasons.APPROVE, Reasons.isRefusal(reason));
        State state = wasOpen ? _standing(voter, current, home, host) : current.claim();
        _store(slot, current.withClaim(state));
        emit StepVoted(validator, id, uint8(reason), state);
        if (wasOpen && state == State.Verified) _mint(validator, host, _level(current), 1);
    }

    /// @dev The claim, open or decided, that this asset of this very number has earned.
    function _claimOn(address home, address host, uint256 seq, bytes32 id)
        private
        view
        returns (bytes32 slot, StepWord current)
    {
        slot = _slot(home, host, seq);
        current = _load(slot);
        if (!current.hasClaim() || current.fingerprint() != Assets.fingerprint(id, seq)) {
            revert UnknownStep(home, host, uint32(seq));
        }
    }

    function _decide(bytes32 slot, StepWord current, Place calldata place, State state) private {
        _store(slot, current.withClaim(state));
        emit StepDecided(place.home, place.host, place.seq, state);
    }

    /// @dev No signature, for who sends its own asset.
    function _unsigned() private pure returns (bytes calldata) {
        return msg.data[:0];
    }

    /// @dev How an open claim stands by the votes that count now.
    function _standing(Seat entry, StepWord current, address home, address host) private view returns (State) {
        (uint256 mask, uint256 n) = _eligible(entry, current.time());
        if (Tally.count16(current.approvals() & mask) >= entry.quorum()) return State.Verified;
        uint256 against = current.refusals() & mask;
        // Parties do not refuse by themselves.
        if (against == 0) return State.Claimed;
        uint256 parties = (_seatBit(entry.bloom(), home) | _seatBit(entry.bloom(), host)) & mask;
        uint256 end = _refusalsToEnd(entry, n);
        if (Tally.count16(parties) >= end) return State.Claimed;
        return Tally.count16(against | parties) >= end ? State.Refused : State.Claimed;
    }

    function _level(StepWord current) private pure returns (uint256) {
        return current.isRejected() ? K1 : K2;
    }
}
