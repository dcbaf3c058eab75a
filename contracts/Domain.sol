// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Assets} from "./libraries/Assets.sol";

/// @title Where signatures are valid, and what time it is
/// @notice The EIP-712 domain of this contract on this chain, and the one clock.
abstract contract Domain is IKudosLedger {
    uint256 private immutable DEPLOYED_CHAIN_ID;
    bytes32 private immutable DEPLOYED_SEPARATOR;

    constructor() {
        DEPLOYED_CHAIN_ID = block.chainid;
        DEPLOYED_SEPARATOR = Assets.domain(block.chainid, address(this));
    }

    /// @inheritdoc IKudosLedger
    function domainSeparator() public view override returns (bytes32) {
        // A chain that splits in two gives one half another id; signatures must not hold on both.
        return block.chainid == DEPLOYED_CHAIN_ID ? DEPLOYED_SEPARATOR : Assets.domain(block.chainid, address(this));
    }

    /// @dev Every time that the contract compares with comes from here.
    function _time() internal view virtual returns (uint256) {
        return block.timestamp;
    }
}
