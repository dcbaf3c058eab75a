// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClaimStore} from "./ClaimStore.sol";
import {ClaimVotes} from "./ClaimVotes.sol";
import {Satellite} from "./Satellite.sol";
import {SecondClaims} from "./SecondClaims.sol";

/// @title The claims contract's code for votes and second claims
/// @notice Runs on the claims contract's storage (by delegatecall), which creates it and never changes it: one contract
/// would be larger than a contract may be. It holds nothing itself, and to the ledger it is a stranger: calling it
/// directly opens no claim and mints nothing.
contract ClaimDecisions is ClaimVotes, SecondClaims {
    constructor(address ledger, uint64 roundLength) Satellite(ledger) ClaimStore(roundLength) {}
}
