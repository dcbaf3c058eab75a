// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Counting votes on many claims at once
/// @notice A bit stands for a claim, a mask for one validator's word on all of them.
library Tally {
    /// @notice The bits that are set in at least `quorum` of the masks.
    /// @dev `reached[k]` holds the bits seen in at least k masks so far. One more mask lifts a bit from k - 1 to k;
    /// going down from `quorum` keeps a mask from being counted twice.
    function atLeast(uint256 quorum, uint256[] memory masks) internal pure returns (uint256) {
        uint256[] memory reached = new uint256[](quorum + 1);
        reached[0] = type(uint256).max;
        for (uint256 i = 0; i < masks.length; ++i) {
            for (uint256 k = quorum; k > 0; --k) {
                reached[k] |= reached[k - 1] & masks[i];
            }
        }
        return reached[quorum];
    }

    /// @notice How many bits are set.
    /// @dev Sums neighbours in fields of 2, 4, 8 bits, then adds all bytes with one multiplication; bytes hold up to
    /// 255, so the one value that would overflow, all 256 bits set, is taken apart in halves first.
    function count(uint256 bits) internal pure returns (uint256) {
        unchecked {
            return _count128(bits & type(uint128).max) + _count128(bits >> 128);
        }
    }

    /// @notice The same for a mask of seats, which has 16 bits.
    function count16(uint256 bits) internal pure returns (uint256 x) {
        unchecked {
            x = bits - ((bits >> 1) & 0x5555);
            x = (x & 0x3333) + ((x >> 2) & 0x3333);
            x = (x + (x >> 4)) & 0x0f0f;
            return (x + (x >> 8)) & 0x1f;
        }
    }

    function _count128(uint256 x) private pure returns (uint256) {
        unchecked {
            x -= (x >> 1) & 0x55555555555555555555555555555555;
            x = (x & 0x33333333333333333333333333333333) + ((x >> 2) & 0x33333333333333333333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            return ((x * 0x01010101010101010101010101010101) >> 120) & 0xff;
        }
    }
}
