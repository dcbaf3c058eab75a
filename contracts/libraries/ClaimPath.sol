// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Climbing from the RESULTs of packed claims to their roots
/// @notice Neighbours carry the siblings that they share once, and climb together from where they meet. Works in a part
/// of `ClaimFrame`'s memory:
///
///     0x9a0  the path, a sibling for each of seven levels; what an item does not carry stays from the one before
///     0xa80  the nodes of the last climb from the leaf on, one for each of these levels
///     0xb60  its depth and index: the depth as a bit, 128 above the index, so that a shift gives what is left of both
///     0xb80  the root that it came to
///
/// Memory-safe, both blocks: they write to this part, which `ClaimFrame.open` has taken, and to the scratch space.
library ClaimPath {
    uint256 private constant PATH_AT = 0x9a0;
    uint256 private constant NODES_BEHIND_PATH = 0xe0;
    uint256 private constant CLIMBED_AT = 0xb60;
    uint256 private constant ROOT_AT = 0xb80;

    /// @notice No siblings, and no climb to meet.
    function clear() internal pure {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            calldatacopy(PATH_AT, calldatasize(), NODES_BEHIND_PATH)
            mstore(CLIMBED_AT, 0)
        }
    }

    /// @notice The root that a leaf has in its place; zero where the index lies outside of the tree.
    /// @param levels as in the packed form, and not 0: there are no more than seven below the highest of eight bits
    /// @param nodesAt where in the call data the siblings begin that are carried
    function climb(bytes32 leaf, uint256 levels, uint256 index, uint256 nodesAt) internal pure returns (bytes32 root) {
        // Where no sibling is carried for the levels above, and the climb has come to a node that the last one came to,
        // in the same place of a tree of the same depth, it goes on as that one did, and so to the same root.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let node := leaf
            let left := index
            let level := 0
            for { let path := PATH_AT } 1 { path := add(path, 0x20) } {
                switch and(levels, sub(levels, 1))
                case 0 {
                    level := shr(5, sub(path, PATH_AT))
                    if eq(levels, 1) {
                        root := mul(node, iszero(left))
                        break
                    }
                    let samePlace := eq(shr(level, mload(CLIMBED_AT)), or(shl(128, levels), left))
                    if and(samePlace, eq(node, mload(add(path, NODES_BEHIND_PATH)))) {
                        root := mload(ROOT_AT)
                        break
                    }
                }
                default {
                    if and(levels, 1) {
                        mstore(path, calldataload(nodesAt))
                        nodesAt := add(nodesAt, 0x20)
                    }
                }
                mstore(add(path, NODES_BEHIND_PATH), node)
                // A node at an odd index is the right one of its pair.
                let place := shl(5, and(left, 1))
                mstore(place, node)
                mstore(xor(place, 0x20), mload(path))
                node := keccak256(0, 0x40)
                left := shr(1, left)
                levels := shr(1, levels)
            }
            mstore(CLIMBED_AT, or(shl(add(128, level), levels), index))
            mstore(ROOT_AT, root)
        }
    }
}
