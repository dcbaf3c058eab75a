// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-165: which interfaces a contract has
/// @notice Asked by wallets and explorers before anything else.
interface IERC165 {
    /// @notice Whether the contract has the interface with this id, the exclusive or of its selectors.
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
}
