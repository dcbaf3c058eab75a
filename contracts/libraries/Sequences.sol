// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Sequence numbers, used once each
/// @notice A bitmap per (home, host), 256 numbers to a word, never cleared. A cursor keeps the word at hand, so that
/// neighbouring numbers of a batch cost one read and one write together.
library Sequences {
    struct Cursor {
        uint256 word;
        uint256 bits;
        bool changed;
    }

    /// @dev No sequence number is so high: they have 32 bits, words 24.
    uint256 private constant NOWHERE = type(uint256).max;

    /// @notice Starts on another bitmap; the cursor must have been flushed.
    function reset(Cursor memory cursor) internal pure {
        cursor.word = NOWHERE;
        cursor.changed = false;
    }

    /// @notice Goes to the word of `seq`, and says whether the number was used before.
    function seek(Cursor memory cursor, mapping(uint256 word => uint256 bits) storage words, uint256 seq)
        internal
        returns (bool used)
    {
        if (cursor.word != seq >> 8) {
            flush(cursor, words);
            cursor.word = seq >> 8;
            cursor.bits = words[seq >> 8];
        }
        return (cursor.bits >> (seq & 0xff)) & 1 == 1;
    }

    /// @notice Uses up `seq`, which `seek` has gone to.
    function use(Cursor memory cursor, uint256 seq) internal pure {
        cursor.bits |= 1 << (seq & 0xff);
        cursor.changed = true;
    }

    /// @notice Writes back what was used.
    function flush(Cursor memory cursor, mapping(uint256 word => uint256 bits) storage words) internal {
        if (!cursor.changed) return;
        words[cursor.word] = cursor.bits;
        cursor.changed = false;
    }

    /// @notice Whether `seq` is used, for readers outside of a batch.
    function isUsed(mapping(uint256 word => uint256 bits) storage words, uint256 seq) internal view returns (bool) {
        return (words[seq >> 8] >> (seq & 0xff)) & 1 == 1;
    }
}
