// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "./interfaces/IKudosSteps.sol";
import {Assets} from "./libraries/Assets.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Seat} from "./libraries/Seats.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {StepWord, StepWords} from "./libraries/StepWords.sol";
import {Tally} from "./libraries/Tally.sol";
import {Times} from "./libraries/Times.sol";
import {StepPlaces} from "./StepPlaces.sol";

/// @title The strict way: one asset at a time
/// @notice Sent by its owner, or by anybody with the owner's signature. One slot holds all that a migration needs, and is
/// used again when that can be forgotten.
abstract contract Steps is StepPlaces {
    /// @dev Longer than any window that looks for a migration here: to settle its next asset (1 day after the deadline), to
    /// bring a receipt and to claim K3 (7 days). A K1 or K2 that waits to be claimed again is open.
    uint256 private constant KEPT_SECONDS = 30 days;

    /// @inheritdoc IKudosSteps
    function request(Request calldata asset, bytes calldata signature) external override {
        (uint256 copy, address home, address host, uint256 seq) = _read(asset);
        if (home == host) _refuse(Reasons.SELF);
        (uint256 deadline, uint256 signedAt) = _times(copy);
        // What is below zero wraps, and is refused as too long.
        uint256 lasts;
        unchecked {
            lasts = deadline - signedAt;
        }
        (uint256 reason,) = Times.check(_time(), signedAt, lasts);
        if (reason != Reasons.NONE) _refuse(reason);
        bytes32 slot = _slot(home, host, seq);
        if (_load(slot).isKept(_time(), KEPT_SECONDS)) _refuse(Reasons.SEQUENCE_USED);
        bytes32 requestId = Assets.requestAt(domainSeparator(), copy);
        _checkOwner(home, requestId, signature, Reasons.BAD_SIGNATURE);
        // The sequence number is used up by the answer, and not looked at before: a REQUEST whose number was used, in a
        // batch or by what stood here long ago, is a record without consequences.
        _advance(slot, Assets.fingerprint(requestId, seq), Stage.Requested, deadline, signedAt);
        _announce(requestId, copy);
    }

    /// @inheritdoc IKudosSteps
    function accept(Place calldata place, bytes32 requestId, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        bytes32 id = Assets.accepted(domainSeparator(), requestId, signedAt);
        (bytes32 slot, uint256 seq, uint256 deadline) =
            _turn(place, Stage.Requested, requestId, id, signedAt, signature);
        _advance(slot, Assets.fingerprint(id, seq), Stage.Accepted, deadline, signedAt);
        emit Accepted(requestId, signedAt);
    }

    /// @inheritdoc IKudosSteps
    function reject(Place calldata place, bytes32 requestId, uint8 reason, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        bytes32 id = Assets.rejected(domainSeparator(), requestId, reason, signedAt);
        (bytes32 slot, uint256 seq,) = _turn(place, Stage.Requested, requestId, id, signedAt, signature);
        (address home, address host) = (place.home, place.host);
        _useSequence(home, host, seq);
        bool claimed = _admit(home, host, K1);
        _finish(slot, Assets.fingerprint(id, seq), Stage.Rejected, claimed);
        emit Rejected(requestId, reason, signedAt, claimed);
    }

    /// @inheritdoc IKudosSteps
    function confirm(
        Place calldata place,
        bytes32 requestId,
        uint64 acceptedAt,
        uint64 signedAt,
        bytes calldata signature
    ) external override {
        bytes32 separator = domainSeparator();
        bytes32 acceptanceId = Assets.accepted(separator, requestId, acceptedAt);
        bytes32 id = Assets.confirmed(separator, acceptanceId, signedAt);
        (bytes32 slot, uint256 seq, uint256 deadline) =
            _turn(place, Stage.Accepted, acceptanceId, id, signedAt, signature);
        // The request's again: the acceptance is bound to it, and RESULT names it.
        _advance(slot, Assets.fingerprint(requestId, seq), Stage.Confirmed, deadline, signedAt);
        emit Confirmed(requestId, signedAt);
    }

    /// @inheritdoc IKudosSteps
    function result(Place calldata place, bytes32 requestId, bytes32 seal, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        bytes32 id = Assets.result(domainSeparator(), requestId, seal, signedAt);
        (bytes32 slot, uint256 seq, uint256 deadline) =
            _turn(place, Stage.Confirmed, requestId, id, signedAt, signature);
        (address home, address host) = (place.home, place.host);
        _useSequence(home, host, seq);
        // A result that is settled late is a fact, but no claim to K2.
        bool late = _time() > deadline;
        bool claimed = !late && (_isUncapped() || _admit(home, host, K2));
        _finish(slot, Assets.fingerprint(id, seq), late ? Stage.LateResult : Stage.Result, claimed);
        emit Resulted(requestId, seal, signedAt, claimed);
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
    function _voteOnStep(Seat voter, address validator, StepVote calldata cast) internal {
        (address home, address host, uint256 seq) = _read(cast.place);
        (bytes32 slot, StepWord current) = _claimOn(home, host, seq, cast.id);
        uint256 openedAt = current.time();
        // Steps do not look whether the ledger is closed, which would cost each a read: what they claim then is nothing.
        if (voter.closed() && openedAt + CLAIM_WINDOW > _finalAt) revert Closed();
        if (voter.since() >= openedAt || validator == home || validator == host) revert NotEligible(validator);
        uint256 bit = voter.bit();
        if (current.voters() & bit != 0) revert VotedBefore();
        uint256 reason = cast.reason;
        if (!Reasons.isVote(reason)) revert ContradictoryVote();

        bool wasOpen = current.isOpen();
        current = current.withVote(bit, reason == Reasons.APPROVE, Reasons.isRefusal(reason));
        State state = wasOpen ? _standing(voter, current, home, host) : current.claim();
        _store(slot, current.withClaim(state));
        emit StepVoted(validator, cast.id, uint8(reason), state);
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

    /// @dev The owner sends its asset itself, or has signed it; a signature is kept in the log.
    function _checkOwner(address owner, bytes32 id, bytes calldata signature, uint256 reason) private {
        if (msg.sender == owner && signature.length == 0) return;
        if (!Signatures.isBy(owner, id, signature)) _refuse(reason);
        emit Signed(id, signature);
    }

    /// @dev Whether the migration stands at this stage with the asset `before`, and the asset `id`, signed then, is its
    /// owner's and may follow. Gives its result deadline.
    function _turn(
        Place calldata place,
        Stage stage,
        bytes32 before,
        bytes32 id,
        uint256 signedAt,
        bytes calldata signature
    ) private returns (bytes32 slot, uint256 seq, uint256 deadline) {
        address home;
        address host;
        (home, host, seq) = _read(place);
        if (stage == Stage.Accepted) _checkOwner(home, id, signature, Reasons.BAD_SIGNATURE);
        else _checkOwner(host, id, signature, Reasons.NOT_AUTHORISED);
        slot = _slot(home, host, seq);
        StepWord current = _load(slot);
        if (!current.stands(stage, Assets.fingerprint(before, seq))) {
            // An answer to a request that has one: the number is used.
            bool answered = stage == Stage.Requested && current.stage() > stage;
            _refuse(answered ? Reasons.SEQUENCE_USED : Reasons.OUT_OF_TURN);
        }
        if (signedAt < current.signedAt() || signedAt > type(uint48).max) _refuse(Reasons.BAD_ORDER);
        deadline = current.time();
        if (Times.isOver(_time(), deadline)) _refuse(Reasons.EXPIRED);
    }

    function _refuse(uint256 reason) private pure {
        revert NothingToSettle(uint8(reason));
    }

    function _useSequence(address home, address host, uint256 seq) private {
        mapping(uint256 word => uint256 bits) storage words = _sequences[host][home];
        uint256 word = words[seq >> 8];
        uint256 bit = 1 << (seq & 0xff);
        if (word & bit != 0) _refuse(Reasons.SEQUENCE_USED);
        words[seq >> 8] = word | bit;
    }

    function _advance(bytes32 slot, uint160 fingerprint, Stage stage, uint256 deadline, uint256 signedAt) private {
        _store(slot, StepWords.make(fingerprint, stage, State.None, deadline, signedAt));
    }

    /// @dev Stores the last asset, and opens the claim that it earns, if the caps leave room.
    function _finish(bytes32 slot, uint160 fingerprint, Stage stage, bool claimed) private {
        State claim = claimed ? State.Claimed : State.None;
        _store(slot, StepWords.make(fingerprint, stage, claim, _time(), 0));
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
