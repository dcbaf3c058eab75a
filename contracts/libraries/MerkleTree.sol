// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Positional Merkle tree
/// @notice The smallest power of two of leaves that holds n, missing ones zero; node = keccak256(left | right).
library MerkleTree {
    /// @notice The levels above the leaves of a tree that holds `n` of them; 0 for a single leaf, which is its own root.
    function depth(uint256 n) internal pure returns (uint256 levels) {
        while ((1 << levels) < n) ++levels;
    }

    /// @notice Puts a leaf into its place, which must be below the array's length: nothing here checks that again.
    function put(bytes32[] memory leaves, uint256 index, bytes32 leaf) internal pure {
        // Memory-safe: writes an element of the array.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(add(add(leaves, 0x20), shl(5, index)), leaf)
        }
    }

    /// @notice Folds the leaves into the root; the array is used up. Its length must be a power of two.
    function fold(bytes32[] memory leaves) internal pure returns (bytes32 root) {
        // Assembly, because Solidity would copy each pair before hashing it: the pair already lies side by side, and
        // the parent's place is never ahead of the children's still to be read: `to` goes half as fast as `from`.
        // Memory-safe: reads and writes stay inside the array.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let first := add(leaves, 0x20)
            for { let half := shl(4, mload(leaves)) } gt(half, 0x10) { half := shr(1, half) } {
                let end := add(first, half)
                let from := first
                // Two at a time: every level but the last has an even number of nodes, and there the second one falls
                // on a leaf that is used up.
                for { let to := first } lt(to, end) { to := add(to, 0x40) } {
                    mstore(to, keccak256(from, 0x40))
                    mstore(add(to, 0x20), keccak256(add(from, 0x40), 0x40))
                    from := add(from, 0x80)
                }
            }
            root := mload(first)
        }
    }

    /// @notice The root that a leaf at `index` has under `path`, whose first element is the leaf's sibling.
    function climb(bytes32 leaf, uint256 index, bytes32[] calldata path) internal pure returns (bytes32 node) {
        node = leaf;
        // Assembly, because Solidity would copy each pair into new memory. Memory-safe: hashes in the scratch space.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            for { let level := 0 } lt(level, path.length) { level := add(level, 1) } {
                // A node at an odd index is the right one of its pair.
                let place := shl(5, and(shr(level, index), 1))
                mstore(place, node)
                mstore(xor(place, 0x20), calldataload(add(path.offset, shl(5, level))))
                node := keccak256(0, 0x40)
            }
        }
    }
}
