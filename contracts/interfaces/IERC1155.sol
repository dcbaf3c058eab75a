// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-1155: many kinds of tokens in one contract
/// @notice What wallets and explorers know how to show.
/// @dev Its events TransferBatch, ApprovalForAll and URI are left out: here nothing could ever emit them, and readers
/// of the log take a topic that the ABI does not name for a contract that is not this one.
interface IERC1155 {
    /// @notice `value` tokens of kind `id` went from `from` to `to`; from zero means minted.
    event TransferSingle(
        address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value
    );

    /// @notice Moves tokens.
    function safeTransferFrom(address from, address to, uint256 id, uint256 value, bytes calldata data) external;

    /// @notice Moves tokens of several kinds.
    function safeBatchTransferFrom(
        address from,
        address to,
        uint256[] calldata ids,
        uint256[] calldata values,
        bytes calldata data
    ) external;

    /// @notice Lets an operator move all of the sender's tokens, or no longer.
    function setApprovalForAll(address operator, bool approved) external;

    /// @notice How many tokens of kind `id` the account has.
    function balanceOf(address account, uint256 id) external view returns (uint256);

    /// @notice The same for many pairs of account and kind.
    function balanceOfBatch(address[] calldata accounts, uint256[] calldata ids)
        external
        view
        returns (uint256[] memory);

    /// @notice Whether the operator may move the account's tokens.
    function isApprovedForAll(address account, address operator) external view returns (bool);
}
