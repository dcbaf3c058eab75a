// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {IKudosSteps} from "./interfaces/IKudosSteps.sol";
import {KudosToken} from "./KudosToken.sol";
import {Assets} from "./libraries/Assets.sol";
import {Seat} from "./libraries/Seats.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Pairs} from "./Pairs.sol";
import {Settlement} from "./Settlement.sol";
import {Steps} from "./Steps.sol";
import {ValidatorSeats} from "./ValidatorSeats.sol";

/// @title The Kudos ledger
/// @notice Both ways of settling, `Settlement` and `Steps`, and one way of voting on all that they claim.
contract KudosLedger is Settlement, Steps {
    /// @notice Fixes what nobody can change later; only the set of validators can be, by the queue.
    /// @param seats the first validators, in the order of their seats
    /// @param satelliteHashes keccak256 of the init codes of queue, claims and beacon, constructor arguments included
    /// @param before the ledger whose final totals can be carried over; zero for none
    constructor(
        address[] memory seats,
        uint256 quorum,
        uint64 epochLength,
        uint64 k1Allowance,
        uint64 k2Allowance,
        bytes32[3] memory satelliteHashes,
        address before
    )
        ValidatorSeats(seats, quorum, satelliteHashes)
        Pairs(epochLength, k1Allowance, k2Allowance)
        KudosToken(before)
    {}

    /// @inheritdoc IKudosLedger
    function vote(BatchVote[] calldata batchVotes, StepVote[] calldata stepVotes) external override {
        _vote(msg.sender, batchVotes, stepVotes);
    }

    /// @inheritdoc IKudosSteps
    function voteOnStep(address home, address host, uint32 seq, bytes32 id, uint8 reason) external override {
        _voteOnStep(_voter(msg.sender), msg.sender, home, host, seq, id, reason);
    }

    /// @inheritdoc IKudosLedger
    function voteFor(
        address validator,
        BatchVote[] calldata batchVotes,
        StepVote[] calldata stepVotes,
        bytes calldata signature
    ) external override {
        bytes32 content = keccak256(abi.encode(batchVotes, stepVotes));
        if (!Signatures.isBy(validator, Assets.votes(domainSeparator(), content), signature)) revert NotSigned();
        _vote(validator, batchVotes, stepVotes);
    }

    function _vote(address validator, BatchVote[] calldata batchVotes, StepVote[] calldata stepVotes) private {
        Seat voter = _voter(validator);
        for (uint256 i = 0; i < batchVotes.length; ++i) {
            _voteOnBatch(voter, validator, batchVotes[i]);
        }
        for (uint256 i = 0; i < stepVotes.length; ++i) {
            StepVote calldata cast = stepVotes[i];
            (address home, address host, uint256 seq) = _read(cast.place);
            _voteOnStep(voter, validator, home, host, seq, cast.id, cast.reason);
        }
    }

    function _voter(address validator) private view returns (Seat voter) {
        voter = _validators[validator];
        if (voter.bit() == 0) revert NotAValidator();
        _checkNotFinal(voter);
    }
}
