// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-1155's extension for metadata
/// @notice What a wallet shows of a token.
interface IERC1155MetadataURI {
    /// @notice Where a token's metadata is, as JSON.
    function uri(uint256 id) external view returns (string memory);
}
