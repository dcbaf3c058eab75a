// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Reasons} from "./Reasons.sol";

/// @title What chain time has to say about a REQUEST
/// @notice The bounds of deadlines and windows, the same for every way in.
library Times {
    uint256 private constant MAX_RESULT_SECONDS = 7 days;
    uint256 private constant MAX_SECONDS_AHEAD = 5 minutes;
    uint256 private constant SETTLEMENT_WINDOW = 1 days;

    /// @notice Whether a REQUEST signed then, whose result may take so long, can be settled now, and its deadline.
    /// @param lasts the deadline less `signedAt`; where the deadline comes first, the difference below zero wraps, is
    /// far too long, and refused
    function check(uint256 time, uint256 signedAt, uint256 lasts)
        internal
        pure
        returns (uint256 reason, uint256 deadline)
    {
        (uint256 longest, uint256 ahead, uint256 window) = (MAX_RESULT_SECONDS, MAX_SECONDS_AHEAD, SETTLEMENT_WINDOW);
        (uint256 badDeadline, uint256 expired) = (Reasons.BAD_DEADLINE, Reasons.EXPIRED);
        // Assembly, because Solidity would branch for each comparison. A sum of good values does not overflow.
        // Memory-safe: touches no memory.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            deadline := add(signedAt, lasts)
            reason := mul(expired, gt(time, add(deadline, window)))
            let badLength := or(iszero(lasts), gt(lasts, longest))
            if or(badLength, or(gt(signedAt, add(time, ahead)), gt(deadline, add(time, longest)))) {
                reason := badDeadline
            }
        }
    }

    /// @notice Whether it is too late for anything after a REQUEST with this deadline to be settled.
    function isOver(uint256 time, uint256 deadline) internal pure returns (bool) {
        // No deadline that was taken is near the end of its type.
        unchecked {
            return time > deadline + SETTLEMENT_WINDOW;
        }
    }
}
