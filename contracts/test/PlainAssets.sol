// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Ids that the contract only makes in passing, hashed here in the plainest way
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

    function _digest(bytes32 separator, bytes memory encoded) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, keccak256(encoded)));
    }
}
