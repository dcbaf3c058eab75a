// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "./IERC1155.sol";
import {IERC1155MetadataURI} from "./IERC1155MetadataURI.sol";
import {IERC165} from "./IERC165.sol";

/// @title Verified Kudos as tokens, so that any wallet or explorer shows them
/// @notice ERC-1155 with three kinds of token: the id is the level, 1 to 3, and the amount is the number of verified
/// records of that level, the same number as `IKudosLedger.kudos`. Points are balance times weight (1, 10, 100).
///
/// Reputation is earned, so nothing here can be moved: transfers and approvals revert. Tokens are minted by the vote
/// that decides, behind its event BatchDecided or CanaryDecided: one TransferSingle per level, from zero, with the
/// validator as operator and the number of records as value. None is ever burnt.
///
/// One deviation from ERC-1155: minting asks no receiver (`onERC1155Received`). A host that is a contract and reverts
/// there, or burns gas, could otherwise undo the vote that decides, and with it the votes on everybody else's claims
/// in the same transaction. The receiver hook keeps tokens from being stuck where nobody can move them on; these are
/// not to be moved at all.
interface IKudosToken is IERC165, IERC1155, IERC1155MetadataURI {
    /// @notice Kudos are earned, not given: they cannot be transferred, nor anybody be approved to do so.
    error NotTransferable();
    /// @notice There is no Kudos level with this number; levels are 1, 2 and 3.
    error UnknownLevel(uint256 id);
    /// @notice The two lists of `balanceOfBatch` are not equally long.
    error UnequalLists();
    /// @notice `balanceOfBatch` was asked for more than this many balances at once.
    error TooManyBalances(uint256 most);
}
