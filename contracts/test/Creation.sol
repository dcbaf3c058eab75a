// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice Creates a contract by its name and not by `new`, which would compile all of it into every test once more.
/// Forge has a cheat for that, Hardhat has not.
function createByName(Vm vm, string memory artifact, bytes memory arguments) returns (address created) {
    bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
    // Memory-safe: reads `code`, and on failure hands on what the constructor said.
    // solhint-disable-next-line no-inline-assembly
    assembly ("memory-safe") {
        created := create(0, add(code, 0x20), mload(code))
        if iszero(created) {
            let data := mload(0x40)
            returndatacopy(data, 0, returndatasize())
            revert(data, returndatasize())
        }
    }
}
