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
import {Voting} from "./Voting.sol";

/// @title The strict way: one asset at a time
/// @notice Sent by its owner, or by anybody with the owner's signature. One slot holds all that a migration needs.
abstract contract Steps is Voting {
    mapping(bytes32 place => StepWord) private _steps;

    // In memory, where the asset is hashed and logged as it lies.
    // solhint-disable gas-calldata-parameters
    /// @inheritdoc IKudosSteps
    function request(Request memory asset, bytes calldata signature) external override {
        if (asset.home == asset.host) _refuse(Reasons.SELF);
        // What is below zero wraps, and is refused as too long.
        uint256 lasts;
        unchecked {
            lasts = uint256(asset.resultDeadline) - asset.signedAt;
        }
        (uint256 reason,) = Times.check(_time(), asset.signedAt, lasts);
        if (reason != Reasons.NONE) _refuse(reason);
        bytes32 key = keccak256(abi.encode(asset.home, asset.host, asset.seq));
        if (_steps[key].stage() != Stage.None) _refuse(Reasons.SEQUENCE_USED);
        bytes32 requestId = Assets.request(domainSeparator(), asset);
        _checkOwner(asset.home, requestId, signature, Reasons.BAD_SIGNATURE);
        // The sequence number is used up by the answer, and not looked at before: a REQUEST whose number a batch has
        // used is a record without consequences.
        _advance(key, requestId, Stage.Requested, asset.resultDeadline, asset.signedAt);
        _announce(requestId, asset);
    }
    // solhint-enable gas-calldata-parameters

    /// @inheritdoc IKudosSteps
    function accept(Place calldata place, bytes32 requestId, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        bytes32 id = Assets.accepted(domainSeparator(), requestId, signedAt);
        _checkOwner(place.host, id, signature, Reasons.NOT_AUTHORISED);
        bytes32 key = _key(place);
        uint256 deadline = _checkTurn(key, Stage.Requested, requestId, signedAt);
        _advance(key, id, Stage.Accepted, deadline, signedAt);
        emit Accepted(requestId, signedAt);
    }

    /// @inheritdoc IKudosSteps
    function reject(Place calldata place, bytes32 requestId, uint8 reason, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        bytes32 id = Assets.rejected(domainSeparator(), requestId, reason, signedAt);
        _checkOwner(place.host, id, signature, Reasons.NOT_AUTHORISED);
        bytes32 key = _key(place);
        _checkTurn(key, Stage.Requested, requestId, signedAt);
        _useSequence(place);
        emit Rejected(requestId, reason, signedAt, _finish(key, place, id, Stage.Rejected));
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
        _checkOwner(place.home, id, signature, Reasons.BAD_SIGNATURE);
        bytes32 key = _key(place);
        uint256 deadline = _checkTurn(key, Stage.Accepted, acceptanceId, signedAt);
        // The request's again: the acceptance is bound to it, and RESULT names it.
        _advance(key, requestId, Stage.Confirmed, deadline, signedAt);
        emit Confirmed(requestId, signedAt);
    }

    /// @inheritdoc IKudosSteps
    function result(Place calldata place, bytes32 requestId, bytes32 seal, uint64 signedAt, bytes calldata signature)
        external
        override
    {
        bytes32 id = Assets.result(domainSeparator(), requestId, seal, signedAt);
        _checkOwner(place.host, id, signature, Reasons.NOT_AUTHORISED);
        bytes32 key = _key(place);
        uint256 deadline = _checkTurn(key, Stage.Confirmed, requestId, signedAt);
        _useSequence(place);
        // A result that is settled late is a fact, but no claim to K2.
        Stage stage = _time() > deadline ? Stage.LateResult : Stage.Result;
        emit Resulted(requestId, seal, signedAt, _finish(key, place, id, stage));
    }

    /// @inheritdoc IKudosSteps
    function recountStep(Place calldata place) external override {
        Seat set = _set;
        _checkNotFinal(set);
        bytes32 key = _key(place);
        StepWord current = _steps[key];
        if (current.claim() == State.None) revert UnknownStep(place.home, place.host, place.seq);
        if (current.claim() != State.Claimed) return;
        State state = _standing(set, current, place);
        if (state != State.Claimed) _decide(key, current, place, state);
        if (state == State.Verified) _mint(msg.sender, place.host, _level(current), 1);
    }

    /// @inheritdoc IKudosSteps
    function retireStep(Place calldata place) external override onlyClaims returns (bool) {
        bytes32 key = _key(place);
        StepWord current = _steps[key];
        if (current.claim() != State.Claimed || _time() <= current.time() + CLAIM_WINDOW) return false;
        _decide(key, current, place, State.Refused);
        return true;
    }

    /// @inheritdoc IKudosSteps
    function step(Place calldata place)
        external
        view
        override
        returns (Stage stage, State claim, bytes20 fingerprint, uint32 time)
    {
        StepWord current = _steps[_key(place)];
        return (current.stage(), current.claim(), bytes20(current.fingerprint()), uint32(current.time()));
    }

    /// @inheritdoc IKudosSteps
    function stepPendingSince(Place calldata place) external view override returns (uint64) {
        StepWord current = _steps[_key(place)];
        return current.claim() == State.Claimed ? uint64(current.time()) : 0;
    }

    /// @inheritdoc IKudosSteps
    function stepVotes(Place calldata place)
        external
        view
        override
        returns (uint16 voters, uint16 approvals, uint16 refusals)
    {
        StepWord current = _steps[_key(place)];
        if (current.claim() == State.None) return (0, 0, 0);
        return (uint16(current.voters()), uint16(current.approvals()), uint16(current.refusals()));
    }

    /// @dev Counts a vote on one claim.
    function _voteOnStep(Seat voter, address validator, StepVote calldata cast) internal {
        bytes32 key = _key(cast.place);
        StepWord current = _steps[key];
        State earlier = current.claim();
        (address home, address host, uint256 openedAt) = (cast.place.home, cast.place.host, current.time());
        if (earlier == State.None || current.fingerprint() != Assets.fingerprint(cast.id)) {
            revert UnknownStep(home, host, cast.place.seq);
        }
        // Steps do not look whether the ledger is closed, which would cost each a read: what they claim then is nothing.
        if (voter.closed() && openedAt + CLAIM_WINDOW > _finalAt) revert Closed();
        if (voter.since() >= openedAt || validator == home || validator == host) revert NotEligible(validator);
        if (current.voters() & voter.bit() != 0) revert VotedBefore();
        bool approves = cast.reason == Reasons.APPROVE;
        bool refuses = Reasons.isRefusal(cast.reason);
        if (!approves && !refuses && !Reasons.isAbstention(cast.reason)) revert ContradictoryVote();

        current = current.withVote(voter.bit(), approves, refuses);
        State state = earlier == State.Claimed ? _standing(voter, current, cast.place) : earlier;
        _steps[key] = current.withClaim(state);
        emit StepVoted(validator, cast.id, cast.reason, state);
        if (state == State.Verified && earlier != state) _mint(validator, host, _level(current), 1);
    }

    /// @dev As `keccak256(abi.encode(place))`. In assembly, because Solidity would check and move each field for itself.
    /// Dirty bits would make another key, under which nothing stands, and are refused wherever a field is read.
    /// Memory-safe: hashes in the free memory without taking it.
    function _key(Place calldata place) private pure returns (bytes32 key) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, place, 0x60)
            key := keccak256(free, 0x60)
        }
    }

    function _decide(bytes32 key, StepWord current, Place calldata place, State state) private {
        _steps[key] = current.withClaim(state);
        emit StepDecided(place.home, place.host, place.seq, state);
    }

    /// @dev `emit Requested(requestId, asset)`. In assembly, because Solidity would copy and clean the eleven words once
    /// more, which lie in memory as the event has them. Memory-safe: reads the struct only.
    function _announce(bytes32 requestId, Request memory asset) private {
        bytes32 topic = Requested.selector;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            log2(asset, 0x160, topic, requestId)
        }
    }

    /// @dev The owner sends its asset itself, or has signed it; a signature is kept in the log.
    function _checkOwner(address owner, bytes32 id, bytes calldata signature, uint256 reason) private {
        if (msg.sender == owner && signature.length == 0) return;
        if (!Signatures.isBy(owner, id, signature)) _refuse(reason);
        emit Signed(id, signature);
    }

    /// @dev Whether the migration stands at this stage with this asset, and an asset signed then may follow it. Gives
    /// its result deadline.
    function _checkTurn(bytes32 key, Stage stage, bytes32 id, uint64 signedAt) private view returns (uint256 deadline) {
        StepWord current = _steps[key];
        if (current.stage() != stage || current.fingerprint() != Assets.fingerprint(id)) {
            // An answer to a request that has one: the number is used.
            bool answered = stage == Stage.Requested && current.stage() > stage;
            _refuse(answered ? Reasons.SEQUENCE_USED : Reasons.OUT_OF_TURN);
        }
        if (signedAt < current.signedAt() || signedAt > type(uint48).max) {
            _refuse(Reasons.BAD_ORDER);
        }
        deadline = current.time();
        if (Times.isOver(_time(), deadline)) _refuse(Reasons.EXPIRED);
    }

    function _refuse(uint256 reason) private pure {
        revert NothingToSettle(uint8(reason));
    }

    function _useSequence(Place calldata place) private {
        mapping(uint256 word => uint256 bits) storage words = _sequences[place.host][place.home];
        uint256 word = words[place.seq >> 8];
        uint256 bit = 1 << (place.seq & 0xff);
        if (word & bit != 0) _refuse(Reasons.SEQUENCE_USED);
        words[place.seq >> 8] = word | bit;
    }

    function _advance(bytes32 key, bytes32 id, Stage stage, uint256 deadline, uint256 signedAt) private {
        _steps[key] = StepWords.make(Assets.fingerprint(id), stage, State.None, deadline, signedAt);
    }

    /// @dev Stores the last asset, and opens the claim that it earns, if the caps leave room.
    function _finish(bytes32 key, Place calldata place, bytes32 id, Stage stage) private returns (bool claimed) {
        claimed =
            stage != Stage.LateResult && _admit(place.home, place.host, stage == Stage.Rejected ? K1 : K2);
        State claim = claimed ? State.Claimed : State.None;
        _steps[key] = StepWords.make(Assets.fingerprint(id), stage, claim, _time(), 0);
    }

    /// @dev How an open claim stands by the votes that count now.
    function _standing(Seat entry, StepWord current, Place calldata place) private view returns (State) {
        (uint256 mask, uint256 n) = _eligible(entry, current.time());
        if (Tally.count(current.approvals() & mask) >= entry.quorum()) return State.Verified;
        uint256 parties = (_seatBit(entry.bloom(), place.home) | _seatBit(entry.bloom(), place.host)) & mask;
        uint256 end = _refusalsToEnd(entry, n);
        if (Tally.count(parties) >= end) return State.Claimed;
        return Tally.count((current.refusals() & mask) | parties) >= end ? State.Refused : State.Claimed;
    }

    function _level(StepWord current) private pure returns (uint256) {
        return current.stage() == Stage.Rejected ? K1 : K2;
    }
}
