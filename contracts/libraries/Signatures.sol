// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title EIP-2098 signatures
/// @notice 64 bytes: r, then s with the parity of R's y coordinate in the top bit.
library Signatures {
    uint256 private constant LENGTH = 64;

    /// @notice Whether `signer` signed `digest`. High values of s pass: no signature is ever an identifier here.
    function isBy(address signer, bytes32 digest, bytes32 r, bytes32 vs) internal view returns (bool) {
        address recovered;
        // Assembly, because Solidity's ecrecover wants s and v apart and checks both, once per record of a batch.
        // The precompile answers a bad signature with nothing, which leaves the zero in the scratch space.
        // Memory-safe: works in the scratch space and in the free memory without taking it.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 0x20), add(27, shr(255, vs)))
            mstore(add(input, 0x40), r)
            mstore(add(input, 0x60), shr(1, shl(1, vs)))
            mstore(0, 0)
            if iszero(staticcall(gas(), 1, input, 0x80, 0, 0x20)) { revert(0, 0) }
            recovered := mload(0)
        }
        // Zero is the answer to a bad signature, so it can never be a signer.
        return recovered == signer && signer != address(0);
    }

    /// @notice The same for a signature in bytes; one of another length is nobody's.
    function isBy(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signature.length != LENGTH) return false;
        return isBy(signer, digest, bytes32(signature[:32]), bytes32(signature[32:]));
    }
}
