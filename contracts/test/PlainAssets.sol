// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the contracts only make in passing, made here in the plainest way
library PlainAssets {
    function accepted(bytes32 separator, bytes32 requestId, uint256 signedAt) internal pure returns (bytes32) {
        return _digest(
            separator, abi.encode(keccak256("Accepted(bytes32 requestId,uint64 signedAt)"), requestId, signedAt)
        );
    }

    function confirmed(bytes32 separator, bytes32 acceptanceId, uint256 signedAt) internal pure returns (bytes32) {
        return _digest(
            separator, abi.encode(keccak256("Confirmed(bytes32 acceptanceId,uint64 signedAt)"), acceptanceId, signedAt)
        );
    }

    /// @notice Keccak-256 of the descriptor of a puzzle's result (`encode_result` of node/task.py).
    function puzzleDigest(bytes32 solution) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                "{\"exit_status\":0,\"outputs\":[],\"stderr\":\"",
                _hex(sha256("")),
                "\",\"stdout\":\"",
                _hex(sha256(abi.encodePacked(_hex(solution), "\n"))),
                "\",\"version\":1}"
            )
        );
    }

    /// @notice The root above a leaf, sibling by sibling; zero where the index lies outside of the tree.
    function climb(bytes32 leaf, uint256 index, bytes32[7] memory path, uint256 depth) internal pure returns (bytes32) {
        if (index >> depth != 0) return bytes32(0);
        for (uint256 i = 0; i < depth; ++i) {
            bool right = (index >> i) & 1 == 1;
            leaf = right
                ? keccak256(bytes.concat(path[i], leaf))
                : keccak256(bytes.concat(leaf, path[i]));
        }
        return leaf;
    }

    function _hex(bytes32 word) private pure returns (bytes memory text) {
        text = new bytes(64);
        for (uint256 i = 0; i < 64; ++i) {
            text[i] = bytes("0123456789abcdef")[uint256(word) >> (252 - 4 * i) & 15];
        }
    }

    function _digest(bytes32 separator, bytes memory encoded) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, keccak256(encoded)));
    }
}
