// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {KudosLedger} from "../KudosLedger.sol";
import {Vm} from "./Vm.sol";

/// @title The ledger with a handle on the chain's clock, which its satellites read as well
contract KudosLedgerHarness is KudosLedger {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    constructor(
        address[] memory seats,
        uint256 quorum,
        uint64 epochLength,
        uint64 k1Allowance,
        uint64 k2Allowance,
        bytes32[3] memory satelliteHashes,
        address before
    ) KudosLedger(seats, quorum, epochLength, k1Allowance, k2Allowance, satelliteHashes, before) {}

    function setTime(uint256 time) external {
        VM.warp(time);
    }
}
