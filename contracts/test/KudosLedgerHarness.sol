// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {KudosLedger} from "../KudosLedger.sol";

/// @title The ledger with a clock that tests can set
contract KudosLedgerHarness is KudosLedger {
    uint256 private _now;

    constructor(address[] memory seats, uint256 quorum, uint64 epochLength, uint64 k1Allowance)
        KudosLedger(seats, quorum, epochLength, k1Allowance)
    {}

    function setTime(uint256 time) external {
        _now = time;
    }

    function _time() internal view override returns (uint256) {
        return _now;
    }
}
