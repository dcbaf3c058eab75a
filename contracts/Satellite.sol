// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Assets} from "./libraries/Assets.sol";

/// @title What the ledger's satellites share
/// @notice Whoever creates a satellite is its ledger; the ledger does so by `build`. Signatures are under its domain.
abstract contract Satellite {
    IKudosLedger internal immutable LEDGER;
    uint256 private immutable DEPLOYED_CHAIN_ID;
    bytes32 private immutable DEPLOYED_SEPARATOR;

    constructor(address ledgerAddress) {
        LEDGER = IKudosLedger(ledgerAddress);
        DEPLOYED_CHAIN_ID = block.chainid;
        DEPLOYED_SEPARATOR = Assets.domain(block.chainid, ledgerAddress);
    }

    /// @dev Every time that a satellite compares with comes from here.
    function _time() internal view virtual returns (uint256) {
        return block.timestamp;
    }

    /// @dev The ledger's domain separator; worked out here, because asking the ledger costs more.
    function _separator() internal view returns (bytes32) {
        // A chain that splits in two gives one half another id; signatures must not hold on both.
        return
            block.chainid == DEPLOYED_CHAIN_ID ? DEPLOYED_SEPARATOR : Assets.domain(block.chainid, address(LEDGER));
    }

    function _isValidator(address node) internal view returns (bool) {
        (uint8 seatPlusOne,,,,) = LEDGER.seat(node);
        return seatPlusOne != 0;
    }
}
