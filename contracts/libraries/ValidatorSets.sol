// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IValidatorQueue} from "../interfaces/IValidatorQueue.sol";

/// @title Sets of validators, by seats
/// @notice Works on a list of 16 seats in memory, zero for an empty one, and says what is wrong with a change.
library ValidatorSets {
    uint256 internal constant SEATS = 16;

    /// @notice Seats a validator in the lowest empty seat.
    function add(address[SEATS] memory seats, address validator) internal pure {
        _requireNew(seats, validator);
        (bool free, uint256 seat) = find(seats, address(0));
        if (!free) revert IValidatorQueue.SetFull();
        seats[seat] = validator;
    }

    /// @notice Leaves a validator's seat empty.
    function remove(address[SEATS] memory seats, address validator) internal pure {
        seats[seatOf(seats, validator)] = address(0);
    }

    /// @notice Puts another validator into a validator's seat.
    function rotate(address[SEATS] memory seats, address from, address to) internal pure {
        uint256 seat = seatOf(seats, from);
        _requireNew(seats, to);
        seats[seat] = to;
    }

    /// @notice Reverts unless every validator stands once, and the threshold is in (n/2, n].
    function check(address[SEATS] memory seats, uint256 quorum) internal pure {
        uint256 n = 0;
        for (uint256 i = 0; i < SEATS; ++i) {
            if (seats[i] == address(0)) continue;
            ++n;
            for (uint256 j = 0; j < i; ++j) {
                if (seats[j] == seats[i]) revert IValidatorQueue.ExistingValidator(seats[i]);
            }
        }
        if (quorum <= n / 2 || quorum > n) revert IValidatorQueue.BadThreshold(n, quorum);
    }

    /// @notice Reverts when a validator that stays has another seat than before. Both lists hold nobody twice.
    /// @return changes whether any seat is held by somebody else
    function compare(address[SEATS] memory before, address[SEATS] memory afterwards)
        internal
        pure
        returns (bool changes)
    {
        for (uint256 i = 0; i < SEATS; ++i) {
            if (before[i] == afterwards[i]) continue;
            changes = true;
            (bool stays,) = find(before, afterwards[i]);
            if (stays && afterwards[i] != address(0)) revert IValidatorQueue.SeatMoved(afterwards[i]);
        }
    }

    /// @notice A validator's seat; reverts when it has none.
    function seatOf(address[SEATS] memory seats, address validator) internal pure returns (uint256) {
        (bool seated, uint256 seat) = find(seats, validator);
        if (!seated || validator == address(0)) revert IValidatorQueue.UnknownValidator(validator);
        return seat;
    }

    /// @notice The lowest seat that holds this address.
    function find(address[SEATS] memory seats, address account) internal pure returns (bool found, uint256 seat) {
        for (seat = 0; seat < SEATS; ++seat) {
            if (seats[seat] == account) return (true, seat);
        }
        return (false, SEATS);
    }

    function _requireNew(address[SEATS] memory seats, address validator) private pure {
        if (validator == address(0)) revert IValidatorQueue.ZeroAddress();
        (bool seated,) = find(seats, validator);
        if (seated) revert IValidatorQueue.ExistingValidator(validator);
    }
}
