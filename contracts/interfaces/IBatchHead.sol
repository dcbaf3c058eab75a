// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The first three words of what `IKudosLedger.batch` answers
/// @notice For a caller that trusts its ledger: reading the other three, and checking that each fits its type, costs as
/// much as all else around the call.
interface IBatchHead {
    /// @notice How many records the batch has, how many are CONFIRMED, and when it was settled; 0 where it was not.
    function batch(address host, bytes32 root)
        external
        view
        returns (uint256 n, uint256 confirmed, uint256 settledAt);
}
