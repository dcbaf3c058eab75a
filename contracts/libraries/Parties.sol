// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Reasons} from "./Reasons.sol";

/// @title Who may be home to a host's migrations
/// @notice Not the host itself, and neither of the two a validator.
library Parties {
    /// @notice The homes that `check` has to look at: those whose last byte has its bit set. Others pass, and the list
    /// of validators need not be walked for every home of a batch.
    function suspects(address[] memory seats, address host) internal pure returns (uint256 bits) {
        if (_isAmong(seats, host)) return type(uint256).max;
        bits = 1 << (uint160(host) & 0xff);
        for (uint256 i = 0; i < seats.length; ++i) {
            bits |= 1 << (uint160(seats[i]) & 0xff);
        }
    }

    function isSuspect(uint256 bits, address home) internal pure returns (bool) {
        return (bits >> (uint160(home) & 0xff)) & 1 == 1;
    }

    /// @notice Why records of this home and host cannot be settled, or NONE.
    function check(address[] memory seats, address home, address host) internal pure returns (uint256) {
        if (home == host) return Reasons.SELF;
        return _isAmong(seats, home) || _isAmong(seats, host) ? Reasons.PARTY_IS_VALIDATOR : Reasons.NONE;
    }

    function _isAmong(address[] memory seats, address node) private pure returns (bool) {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i] == node) return true;
        }
        return false;
    }
}
