// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Positional Merkle tree
/// @notice The smallest power of two of leaves that holds n, missing ones zero; node = keccak256(left | right).
library MerkleTree {
    /// @notice The levels above the leaves of a tree that holds `n` of them; 0 for a single leaf, which is its own root.
    function depth(uint256 n) internal pure returns (uint256 levels) {
        while ((1 << levels) < n) ++levels;
    }

    /// @notice Folds the leaves into the root; the array is used up. Its length must be a power of two.
    function fold(bytes32[] memory leaves) internal pure returns (bytes32 root) {
        // Assembly, because Solidity would copy each pair before hashing it: the pair already lies side by side, and
        // the parent's place (i) is never ahead of the children's (2i, 2i + 1) still to be read.
        // Memory-safe: reads and writes stay inside the array.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let first := add(leaves, 0x20)
            for { let width := shr(1, mload(leaves)) } width { width := shr(1, width) } {
                for { let i := 0 } lt(i, width) { i := add(i, 1) } {
                    mstore(add(first, shl(5, i)), keccak256(add(first, shl(6, i)), 0x40))
                }
            }
            root := mload(first)
        }
    }

    /// @notice The root that a leaf at `index` has under `path`, whose first element is the leaf's sibling.
    function climb(bytes32 leaf, uint256 index, bytes32[] calldata path) internal pure returns (bytes32 node) {
        node = leaf;
        for (uint256 level = 0; level < path.length; ++level) {
            bool isRight = (index >> level) & 1 == 1;
            node = isRight
                ? keccak256(abi.encode(path[level], node))
                : keccak256(abi.encode(node, path[level]));
        }
    }
}
