// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Contracts that the ledger creates, at addresses that are known before
/// @notice A contract's own creations are at addresses made of its address and their number, whatever their code, so
/// the ledger knows its satellites while their code may know the ledger: nobody has to come first.
library Satellites {
    /// @notice Queue, claims, beacon, in this order.
    uint256 internal constant COUNT = 3;

    /// @notice Where the `number`th creation of `creator` goes, from 1 to 127: the hash of the RLP list of both.
    function addressOf(address creator, uint8 number) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", creator, number)))));
    }

    /// @notice Creates a contract; zero if its constructor fails.
    function create(bytes calldata initCode) internal returns (address created) {
        bytes memory code = initCode;
        // Assembly, because Solidity creates only what it knows at compile time. Memory-safe: reads what it has taken.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
    }
}
