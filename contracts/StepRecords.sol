// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assets} from "./libraries/Assets.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {StepWord, StepWords} from "./libraries/StepWords.sol";
import {Times} from "./libraries/Times.sol";
import {StepPlaces} from "./StepPlaces.sol";

/// @title What becomes of each asset that comes the strict way
/// @notice Whether it may follow what stands there, and what it leaves behind. One slot holds all that a migration needs,
/// and is used again when that can be forgotten.
/// @dev A `signature` that is empty says that the owner sends the asset itself.
abstract contract StepRecords is StepPlaces {
    /// @dev Longer than any window that looks for a migration here: to settle its next asset (1 day after the deadline), to
    /// bring a receipt and to claim K3 (7 days). A K1 or K2 that waits to be claimed again is open.
    uint256 private constant KEPT_SECONDS = 30 days;

    function _request(Request calldata asset, bytes calldata signature) internal {
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

    function _accept(
        address home,
        address host,
        uint256 seq,
        bytes32 requestId,
        uint64 signedAt,
        bytes calldata signature
    ) internal {
        bytes32 id = Assets.accepted(domainSeparator(), requestId, signedAt);
        (bytes32 slot, uint256 deadline) =
            _turn(home, host, seq, Stage.Requested, requestId, id, signedAt, signature);
        _advance(slot, Assets.fingerprint(id, seq), Stage.Accepted, deadline, signedAt);
        emit Accepted(requestId, signedAt);
    }

    function _reject(
        address home,
        address host,
        uint256 seq,
        bytes32 requestId,
        uint8 reason,
        uint64 signedAt,
        bytes calldata signature
    ) internal {
        bytes32 id = Assets.rejected(domainSeparator(), requestId, reason, signedAt);
        (bytes32 slot,) = _turn(home, host, seq, Stage.Requested, requestId, id, signedAt, signature);
        _useSequence(home, host, seq);
        bool claimed = _admit(home, host, K1);
        _finish(slot, Assets.fingerprint(id, seq), Stage.Rejected, claimed);
        emit Rejected(requestId, reason, signedAt, claimed);
    }

    function _confirm(
        address home,
        address host,
        uint256 seq,
        bytes32 requestId,
        uint64 acceptedAt,
        uint64 signedAt,
        bytes calldata signature
    ) internal {
        bytes32 separator = domainSeparator();
        bytes32 acceptanceId = Assets.accepted(separator, requestId, acceptedAt);
        bytes32 id = Assets.confirmed(separator, acceptanceId, signedAt);
        (bytes32 slot, uint256 deadline) =
            _turn(home, host, seq, Stage.Accepted, acceptanceId, id, signedAt, signature);
        // The request's again: the acceptance is bound to it, and RESULT names it.
        _advance(slot, Assets.fingerprint(requestId, seq), Stage.Confirmed, deadline, signedAt);
        emit Confirmed(requestId, signedAt);
    }

    function _result(
        address home,
        address host,
        uint256 seq,
        bytes32 requestId,
        bytes32 seal,
        uint64 signedAt,
        bytes calldata signature
    ) internal {
        bytes32 id = Assets.result(domainSeparator(), requestId, seal, signedAt);
        (bytes32 slot, uint256 deadline) =
            _turn(home, host, seq, Stage.Confirmed, requestId, id, signedAt, signature);
        _useSequence(home, host, seq);
        // A result that is settled late is a fact, but no claim to K2.
        bool late = _time() > deadline;
        bool claimed = !late && (_isUncapped() || _admit(home, host, K2));
        _finish(slot, Assets.fingerprint(id, seq), late ? Stage.LateResult : Stage.Result, claimed);
        emit Resulted(requestId, seal, signedAt, claimed);
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
        address home,
        address host,
        uint256 seq,
        Stage stage,
        bytes32 before,
        bytes32 id,
        uint256 signedAt,
        bytes calldata signature
    ) private returns (bytes32 slot, uint256 deadline) {
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
}
