// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosClaims} from "../interfaces/IKudosClaims.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";

/// @title Reading the packed form of K3 claims
/// @notice The layout is drawn in `IKudosClaims`. Offsets count bytes from the start of the claims.
library PackedClaims {
    /// @dev A batch has 128 records at most.
    uint256 internal constant MAX_LEVELS = 7;

    /// @dev Where the parts of an item stand. `home` and `path` stay from item to item.
    /// @param form without SAME_HOME
    /// @param tail the bytes of opening and words together
    /// @param path the siblings, from the leaf's up
    struct Item {
        uint256 form;
        address home;
        uint256 resultAt;
        uint256 levels;
        uint256 index;
        uint256 openingAt;
        uint256 openingEnd;
        uint256 tail;
        bytes32[MAX_LEVELS] path;
    }

    uint256 internal constant PUZZLE = 1;
    uint256 internal constant PLANTED = 2;
    uint256 internal constant DRAWN = 3;
    uint256 internal constant KIND = 3;
    uint256 internal constant SIGNED = 8;

    uint256 private constant SAME_HOME = 4;
    uint256 private constant HOME_BYTES = 20;
    uint256 private constant RESULT_BYTES = 88;
    uint256 private constant NUMBERS_AT = 64;
    uint256 internal constant WORDS_BYTES = 10;
    uint256 private constant RECORDED_HEAD_BYTES = 25;

    /// @notice Reads where the parts of the item at `offset` stand, and the nodes that it carries. Gives where it ends.
    function next(bytes calldata claims, uint256 offset, Item memory item) internal pure returns (uint256 end) {
        uint256 first = uint256(word(claims, offset)) >> 248;
        uint256 kind = first & 3;
        item.form = first & ~SAME_HOME;
        if (kind == 0 || first > 15 || item.form == (DRAWN | SIGNED)) revert IKudosClaims.MalformedClaims(offset);
        unchecked {
            end = offset + 1;
            if (first & SAME_HOME == 0) {
                item.home = address(bytes20(word(claims, end)));
                end += HOME_BYTES;
            } else if (offset == 0) {
                revert IKudosClaims.MalformedClaims(offset);
            }
            item.resultAt = end;
            end = _place(claims, end + RESULT_BYTES, item);
            item.openingAt = end;
            end += _openingBytes(kind);
            item.openingEnd = end;
            if (first & SIGNED != 0) {
                end += WORDS_BYTES + uint16(uint256(word(claims, end)) >> 176);
            }
            item.tail = end - item.openingAt;
        }
        if (end > claims.length) revert IKudosClaims.MalformedClaims(offset);
    }

    /// @notice Fills in the REQUEST of an item, all but host and commitment, and gives the RESULT's signing time.
    function readRequest(bytes calldata claims, Item memory item, IKudosLedger.Request memory request)
        internal
        pure
        returns (uint256 resultSignedAt)
    {
        (uint256 resultAt, address home) = (item.resultAt, item.home);
        // Assembly, because Solidity would check and mask each field twice. The struct has one word per field, in the
        // order of `IKudosSteps.Request`. Memory-safe: writes to the struct. No sum overflows: times have 32 bits.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let from := add(claims.offset, resultAt)
            let numbers := calldataload(add(from, NUMBERS_AT))
            let signedAt := and(shr(192, numbers), 0xffffffff)
            mstore(request, home)
            calldatacopy(add(request, 0x40), from, 0x40)
            mstore(add(request, 0xa0), and(shr(144, numbers), 0xffffff))
            mstore(add(request, 0xc0), and(shr(120, numbers), 0xffffff))
            mstore(add(request, 0xe0), and(shr(88, numbers), 0xffffffff))
            mstore(add(request, 0x100), shr(224, numbers))
            mstore(add(request, 0x120), add(signedAt, and(shr(168, numbers), 0xffffff)))
            mstore(add(request, 0x140), signedAt)
            resultSignedAt := add(signedAt, and(shr(64, numbers), 0xffffff))
        }
    }

    /// @notice The root that a leaf has in the item's place; zero where the index lies outside of the tree.
    function climb(Item memory item, bytes32 leaf) internal pure returns (bytes32 node) {
        (uint256 levels, uint256 index) = (item.levels, item.index);
        bytes32[MAX_LEVELS] memory path = item.path;
        node = leaf;
        // Assembly, because Solidity would copy each pair into new memory. Memory-safe: reads the path, hashes in the
        // scratch space.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            for {} gt(levels, 1) { levels := shr(1, levels) } {
                // A node at an odd index is the right one of its pair.
                let place := shl(5, and(index, 1))
                mstore(place, node)
                mstore(xor(place, 0x20), mload(path))
                node := keccak256(0, 0x40)
                path := add(path, 0x20)
                index := shr(1, index)
            }
            node := mul(node, iszero(index))
        }
    }

    /// @notice Appends to the list what the log has to hold of an item: form | home | seq | opening | words. There must
    /// be room, which an item has that does not share its bytes with this: it is longer.
    function record(bytes calldata claims, Item memory item, bytes memory list, uint256 length)
        internal
        pure
        returns (uint256)
    {
        (uint256 form, address home) = (item.form, item.home);
        (uint256 numbersAt, uint256 openingAt, uint256 tail) =
            (item.resultAt + NUMBERS_AT, item.openingAt, item.tail);
        // Memory-safe: writes inside the list. Each mstore reaches beyond its field, where what comes next is written
        // later; beyond the end of the list there is none, as the opening is longer than a word.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let to := add(add(list, 0x20), length)
            mstore(to, or(shl(248, form), shl(88, home)))
            mstore(add(to, 21), calldataload(add(claims.offset, numbersAt)))
            calldatacopy(add(to, RECORDED_HEAD_BYTES), add(claims.offset, openingAt), tail)
        }
        unchecked {
            return length + RECORDED_HEAD_BYTES + tail;
        }
    }

    /// @notice The 32 bytes at `offset`; beyond the end whatever follows. `next` has checked what it read.
    function word(bytes calldata claims, uint256 offset) internal pure returns (bytes32 value) {
        // Assembly, because a checked slice costs more than all the rest. Memory-safe: touches none.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            value := calldataload(add(claims.offset, offset))
        }
    }

    /// @notice What an opening says of the task, parameters and salt (PUZZLE and PLANTED); with DRAWN the last two are the
    /// task's digest and the mark.
    function readMark(bytes calldata claims, Item memory item)
        internal
        pure
        returns (bytes32 taskDigest, bytes32 parameters, bytes32 salt)
    {
        uint256 end = item.openingEnd;
        unchecked {
            return (word(claims, end - 160), word(claims, end - 128), word(claims, end - 96));
        }
    }

    /// @notice What every opening ends with: the seal's salt, and the result digest or the solution.
    function readSeal(bytes calldata claims, Item memory item) internal pure returns (bytes32 sealSalt, bytes32 last) {
        uint256 end = item.openingEnd;
        unchecked {
            return (word(claims, end - 64), word(claims, end - 32));
        }
    }

    function _place(bytes calldata claims, uint256 offset, Item memory item) private pure returns (uint256 end) {
        uint256 head = uint256(word(claims, offset));
        uint256 levels = head >> 248;
        (item.levels, item.index) = (levels, uint8(head >> 240));
        if (levels == 0) return offset + 1;
        bytes32[MAX_LEVELS] memory path = item.path;
        // Memory-safe: writes to the path, of which there are no more than seven below the highest of eight bits.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            end := add(offset, 2)
            for {} gt(levels, 1) { levels := shr(1, levels) } {
                if and(levels, 1) {
                    mstore(path, calldataload(add(claims.offset, end)))
                    end := add(end, 0x20)
                }
                path := add(path, 0x20)
            }
        }
    }

    function _openingBytes(uint256 kind) private pure returns (uint256) {
        // A byte for each form, from the lowest.
        return (0x80c0a100 >> (kind << 3)) & 0xff;
    }
}
