// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";

/// @title The hashes behind a REQUEST's commitment and a RESULT's seal
/// @notice The same as `Assets.mark`, `Assets.commitment` and `Assets.seal`, which a test holds them to, in the free
/// memory without taking it: abi.encode would take new memory for each of them, for every item of a list of claims.
library CanaryHashes {
    bytes32 private constant COMMITMENT_TYPE = keccak256(
        "Commitment(uint256 chainId,address verifyingContract,address home,address host,uint32 seq,"
        "bytes32 taskDigest,bytes32 markHash)"
    );

    /// @notice The mark of a planted canary.
    function plantedMark(bytes32 family, bytes32 parameters, bytes32 salt) internal pure returns (bytes32 hash) {
        // Memory-safe, as the others: nothing is written below the free-memory pointer or expected to stay.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, 1)
            mstore(add(free, 0x20), family)
            mstore(add(free, 0x40), parameters)
            mstore(add(free, 0x60), salt)
            hash := keccak256(free, 0x80)
        }
    }

    /// @notice The commitment of a request of this chain.
    function commitment(
        address ledger,
        IKudosLedger.Request memory request,
        bytes32 taskDigest,
        bytes32 markHash
    ) internal view returns (bytes32 hash) {
        bytes32 typeHash = COMMITMENT_TYPE;
        // The struct's first two words are home and host, its ninth the sequence number.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            mstore(add(free, 0x20), chainid())
            mstore(add(free, 0x40), shr(96, shl(96, ledger)))
            mcopy(add(free, 0x60), request, 0x40)
            mstore(add(free, 0xa0), mload(add(request, 0x100)))
            mstore(add(free, 0xc0), taskDigest)
            mstore(add(free, 0xe0), markHash)
            hash := keccak256(free, 0x100)
        }
    }

    /// @notice The seal of a result.
    function seal(bytes32 resultDigest, bytes32 salt, address host, bytes32 requestId)
        internal
        pure
        returns (bytes32 hash)
    {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, resultDigest)
            mstore(add(free, 0x20), salt)
            mstore(add(free, 0x40), shr(96, shl(96, host)))
            mstore(add(free, 0x60), requestId)
            hash := keccak256(free, 0x80)
        }
    }
}
