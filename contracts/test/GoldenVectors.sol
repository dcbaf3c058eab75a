// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestBase} from "./Vm.sol";

/// @title The vectors that Python is tested against too, and reading them
abstract contract GoldenVectors is TestBase {
    string internal json;
    uint256 internal chainId;
    /// @dev Where the vectors' ledger is.
    address internal place;
    bytes32 internal separator;

    function setUp() public virtual {
        json = vm.readFile("contracts/test/golden/vectors.json");
        chainId = vm.parseJsonUint(json, ".domain.chainId");
        place = vm.parseJsonAddress(json, ".domain.verifyingContract");
        separator = vm.parseJsonBytes32(json, ".domain.separator");
    }

    function _at(string memory list, uint256 i) internal pure returns (string memory) {
        return string.concat(list, "[", vm.toString(i), "]");
    }

    function _has(string memory key) internal view returns (bool) {
        return vm.keyExistsJson(json, key);
    }

    function _word(string memory item, string memory field) internal view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(item, field));
    }

    function _number(string memory item, string memory field) internal view returns (uint256) {
        return vm.parseJsonUint(json, string.concat(item, field));
    }

    function _address(string memory item, string memory field) internal view returns (address) {
        return vm.parseJsonAddress(json, string.concat(item, field));
    }

    function _bytes(string memory item, string memory field) internal view returns (bytes memory) {
        return vm.parseJsonBytes(json, string.concat(item, field));
    }
}
