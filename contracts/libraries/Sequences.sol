// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Sequence numbers, used once each
/// @notice A bitmap per (home, host), 256 numbers to a word, never cleared. A cursor keeps the word at hand, so that
/// neighbouring numbers of a batch cost one read and one write together.
library Sequences {
    /// @dev One word of a bitmap: its bits, its number, its slot in storage (0 before the first word), and the slot of
    /// the bitmap.
    struct Cursor {
        uint256 bits;
        uint256 word;
        uint256 slot;
        uint256 map;
    }

    /// @dev No sequence number is so high: they have 32 bits, words 24.
    uint256 private constant NOWHERE = type(uint256).max;

    /// @notice Goes to another bitmap. What was used in the one before is written by the next `seek` or `flush`.
    function open(Cursor memory cursor, mapping(uint256 word => uint256 bits) storage words) internal pure {
        uint256 map;
        // Memory-safe: touches no memory.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            map := words.slot
        }
        cursor.map = map;
        cursor.word = NOWHERE;
    }

    /// @notice Goes to the word of `seq`, and says whether the number was used before.
    function seek(Cursor memory cursor, uint256 seq) internal returns (bool used) {
        // Assembly, because Solidity cannot remember a mapping's slot, and would hash it again to write what it read.
        // The cursor's fields lie 0x20 apart in the struct's order; no hash is 0, which stands for no slot.
        // Memory-safe, like the next one: writes to the cursor and to the scratch space.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let word := shr(8, seq)
            if xor(word, mload(add(cursor, 0x20))) {
                let slot := mload(add(cursor, 0x40))
                if slot { sstore(slot, mload(cursor)) }
                mstore(0, word)
                mstore(0x20, mload(add(cursor, 0x60)))
                slot := keccak256(0, 0x40)
                mstore(cursor, sload(slot))
                mstore(add(cursor, 0x20), word)
                mstore(add(cursor, 0x40), slot)
            }
            used := and(shr(and(seq, 0xff), mload(cursor)), 1)
        }
    }

    /// @notice Uses up `seq`, which `seek` has gone to.
    function use(Cursor memory cursor, uint256 seq) internal pure {
        cursor.bits |= 1 << (seq & 0xff);
    }

    /// @notice Writes back what was used; where nothing was, it writes what stands there.
    function flush(Cursor memory cursor) internal {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let slot := mload(add(cursor, 0x40))
            if slot {
                sstore(slot, mload(cursor))
                mstore(add(cursor, 0x40), 0)
            }
        }
    }

    /// @notice Whether `seq` is used, for readers outside of a batch.
    function isUsed(mapping(uint256 word => uint256 bits) storage words, uint256 seq) internal view returns (bool) {
        return (words[seq >> 8] >> (seq & 0xff)) & 1 == 1;
    }
}
