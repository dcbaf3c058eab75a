// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-1271: signatures of accounts that are contracts
/// @notice What the ledger asks of an account with code.
interface IERC1271 {
    /// @notice Answers with this function's own selector if the signature is the account's, else with anything else.
    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4);
}
