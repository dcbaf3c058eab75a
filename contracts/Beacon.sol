// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "./interfaces/IBeacon.sol";
import {ClaimAssets} from "./libraries/ClaimAssets.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Satellite} from "./Satellite.sol";

/// @title The validators' randomness, one value per period
/// @notice Secrets are mixed by exclusive or of their hashes: the order of the reveals says nothing, and one secret that
/// nobody else knows makes the whole unknown.
contract Beacon is Satellite, IBeacon {
    /// @dev Final outcomes only; everything before follows from the times.
    enum Outcome {
        Open,
        Known,
        None
    }

    /// @dev `value` is the mix of what was revealed, and once the outcome is Known the beacon itself.
    struct Round {
        uint64 blockNumber;
        uint16 commitments;
        uint16 reveals;
        Outcome outcome;
        bytes32 value;
    }

    struct Commitment {
        bytes32 hash;
        bool revealed;
    }

    uint64 private constant MAX_PERIODS_AHEAD = 64;

    uint64 private immutable PERIOD_SECONDS;
    uint64 private immutable REVEAL_SECONDS;

    mapping(uint64 period => Round) private _rounds;
    mapping(uint64 period => mapping(address validator => Commitment)) private _commitments;

    constructor(uint64 periodLength, uint64 revealLength) Satellite(msg.sender) {
        if (periodLength == 0 || revealLength == 0) revert BadSeconds();
        (PERIOD_SECONDS, REVEAL_SECONDS) = (periodLength, revealLength);
    }

    /// @inheritdoc IBeacon
    function commit(uint64 period, bytes32 commitment) external override {
        _commit(msg.sender, period, commitment);
    }

    /// @inheritdoc IBeacon
    function commitFor(address validator, uint64 period, bytes32 commitment, bytes calldata signature)
        external
        override
    {
        bytes32 digest = ClaimAssets.beaconCommitment(_separator(), period, commitment);
        if (!Signatures.isBy(validator, digest, signature)) revert NotSigned();
        _commit(validator, period, commitment);
    }

    /// @inheritdoc IBeacon
    function reveal(address validator, uint64 period, bytes32 secret) external override {
        Round storage round = _rounds[period];
        Status status = _status(period, round.outcome);
        if (status != Status.Revealing) revert NotNow(status);
        Commitment storage made = _commitments[period][validator];
        if (made.revealed || made.hash != hashSecret(validator, period, secret)) revert NothingToReveal();
        // A secret counts for the set as it is: who has left may have sold it.
        if (!_isValidator(validator)) revert NotAValidator();
        made.revealed = true;
        ++round.reveals;
        round.value ^= keccak256(abi.encode(validator, secret));
        emit SecretRevealed(period, validator, secret);
    }

    /// @inheritdoc IBeacon
    function fix(uint64 period) external override {
        Round storage round = _rounds[period];
        Status status = _status(period, round.outcome);
        if (status != Status.Waiting) revert NotNow(status);
        uint256 named = round.blockNumber;
        if (named == 0 && round.reveals < LEDGER.threshold()) {
            round.outcome = Outcome.None;
            emit NoBeacon(period, round.commitments, round.reveals);
            return;
        }
        if (named != 0 && block.number <= named) revert TooEarly(named);
        bytes32 hash = named == 0 ? bytes32(0) : blockhash(named);
        if (hash == 0) {
            round.blockNumber = uint64(block.number) + 1;
            emit BlockNamed(period, block.number + 1);
            return;
        }
        round.value = keccak256(abi.encode(period, round.value, hash));
        round.outcome = Outcome.Known;
        emit BeaconKnown(period, round.value, round.reveals);
    }

    /// @inheritdoc IBeacon
    function beacon(uint64 period) external view override returns (bool known, bytes32 value) {
        known = _rounds[period].outcome == Outcome.Known;
        if (known) value = _rounds[period].value;
    }

    /// @inheritdoc IBeacon
    function standing(uint64 period)
        external
        view
        override
        returns (Status status, uint256 commitments, uint256 reveals, uint256 blockNumber)
    {
        Round memory round = _rounds[period];
        return (_status(period, round.outcome), round.commitments, round.reveals, round.blockNumber);
    }

    /// @inheritdoc IBeacon
    function commitmentOf(uint64 period, address validator)
        external
        view
        override
        returns (bytes32 commitment, bool revealed)
    {
        Commitment memory made = _commitments[period][validator];
        return (made.hash, made.revealed);
    }

    /// @inheritdoc IBeacon
    function periodOf(uint256 time) external view override returns (uint64) {
        return uint64(time / PERIOD_SECONDS);
    }

    /// @inheritdoc IBeacon
    function periodSeconds() external view override returns (uint64) {
        return PERIOD_SECONDS;
    }

    /// @inheritdoc IBeacon
    function revealSeconds() external view override returns (uint64) {
        return REVEAL_SECONDS;
    }

    /// @inheritdoc IBeacon
    function hashSecret(address validator, uint64 period, bytes32 secret) public view override returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), validator, period, secret));
    }

    function _commit(address validator, uint64 period, bytes32 commitment) private {
        Status status = _status(period, Outcome.Open);
        if (status != Status.Committing) revert NotNow(status);
        uint64 furthest = uint64(_time() / PERIOD_SECONDS) + MAX_PERIODS_AHEAD;
        if (period > furthest) revert TooFarAhead(furthest);
        if (!_isValidator(validator)) revert NotAValidator();
        Commitment storage made = _commitments[period][validator];
        // Zero means none: it could be made again and again, until the count runs over.
        if (commitment == 0) revert NothingToReveal();
        if (made.hash != 0) revert CommittedBefore();
        made.hash = commitment;
        ++_rounds[period].commitments;
        emit SecretCommitted(period, validator, commitment);
    }

    function _status(uint64 period, Outcome outcome) private view returns (Status) {
        if (outcome == Outcome.Known) return Status.Known;
        if (outcome == Outcome.None) return Status.None;
        uint256 start = uint256(period) * PERIOD_SECONDS;
        uint256 time = _time();
        if (time < start) return Status.Committing;
        if (time < start + PERIOD_SECONDS) return Status.Running;
        return time < start + PERIOD_SECONDS + REVEAL_SECONDS ? Status.Revealing : Status.Waiting;
    }
}
