// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchoredLedger} from "../interfaces/IAnchoredLedger.sol";

/// @title Eight counters of 32 bits to a word
/// @notice Adds a packed list of words to stored ones: totals = (word:4 | eight lanes:32)..., ascending.
library DenseTotals {
    uint256 private constant ENTRY_BYTES = 36;
    uint256 private constant LANES = 8;
    uint256 private constant LANE_BITS = 32;
    uint256 private constant TOP_BITS = 0x8000000080000000800000008000000080000000800000008000000080000000;
    uint256 private constant EVEN_LANES = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    /// @dev Times this, the highest of four 64-bit numbers becomes the sum of all four.
    uint256 private constant SUM_OF_FOUR = 0x0000000000000001000000000000000100000000000000010000000000000001;

    /// @notice Adds all entries; only the first `hosts` lanes may be touched.
    /// @return sum of everything that was added
    function add(mapping(uint256 word => uint256 lanes) storage words, bytes calldata totals, uint256 hosts)
        internal
        returns (uint256 sum)
    {
        if (totals.length % ENTRY_BYTES != 0) revert IAnchoredLedger.MalformedTotals(totals.length);
        uint256 lowest = 0;
        for (uint256 offset = 0; offset < totals.length; offset += ENTRY_BYTES) {
            uint256 word = uint32(bytes4(totals[offset:offset + 4]));
            uint256 lanes = uint256(bytes32(totals[offset + 4:offset + ENTRY_BYTES]));
            if (word < lowest || lanes == 0 || !_areKnown(word, lanes, hosts)) {
                revert IAnchoredLedger.MalformedTotals(offset);
            }
            lowest = word + 1;
            words[word] = _plus(word, words[word], lanes);
            sum += sumOf(lanes);
        }
    }

    /// @notice The counter at `index`.
    function counter(mapping(uint256 word => uint256 lanes) storage words, uint256 index) internal view returns (uint32) {
        return uint32(words[index / LANES] >> (LANE_BITS * (index % LANES)));
    }

    /// @notice The sum of the eight lanes of a word.
    /// @dev Two lanes each in four fields of 64 bits, then all four fields by one multiplication; no field overflows.
    function sumOf(uint256 lanes) internal pure returns (uint256) {
        unchecked {
            uint256 pairs = (lanes & EVEN_LANES) + ((lanes >> LANE_BITS) & EVEN_LANES);
            return (pairs * SUM_OF_FOUR) >> 192;
        }
    }

    /// @dev Adds lane by lane. A bit is carried out of a place where both have a one, or one has and the sum has not;
    /// at the top of a lane that would count in the neighbour's total.
    function _plus(uint256 word, uint256 a, uint256 b) private pure returns (uint256 sum) {
        unchecked {
            sum = a + b;
        }
        if (((a & b) | ((a | b) & ~sum)) & TOP_BITS != 0) revert IAnchoredLedger.TotalOverflow(word);
    }

    function _areKnown(uint256 word, uint256 lanes, uint256 hosts) private pure returns (bool) {
        uint256 first = word * LANES;
        if (first + LANES <= hosts) return true;
        return first < hosts && lanes >> (LANE_BITS * (hosts - first)) == 0;
    }
}
