// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title EIP-2098 signatures
/// @notice 64 bytes: r, then s with the parity of R's y coordinate in the top bit.
library Signatures {
    uint256 private constant LENGTH = 64;

    /// @notice Whether `signer` signed `digest`. High values of s pass: no signature is ever an identifier here.
    function isBy(address signer, bytes32 digest, bytes32 r, bytes32 vs) internal pure returns (bool) {
        uint8 v = uint8(27 + (uint256(vs) >> 255));
        bytes32 s = bytes32((uint256(vs) << 1) >> 1);
        // ecrecover answers a bad signature with address zero, so zero can never be a signer.
        return signer != address(0) && ecrecover(digest, v, r, s) == signer;
    }

    /// @notice The same for a signature in bytes; one of another length is nobody's.
    function isBy(address signer, bytes32 digest, bytes calldata signature) internal pure returns (bool) {
        if (signature.length != LENGTH) return false;
        return isBy(signer, digest, bytes32(signature[:32]), bytes32(signature[32:]));
    }
}
