// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "./interfaces/IERC1155.sol";
import {IERC1155MetadataURI} from "./interfaces/IERC1155MetadataURI.sol";
import {IERC165} from "./interfaces/IERC165.sol";
import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {IKudosToken} from "./interfaces/IKudosToken.sol";
import {Metadata} from "./libraries/Metadata.sol";

/// @title The totals of verified Kudos, and their face as tokens
/// @notice The totals are the balances: there is one number to keep, and nothing that could drift apart.
abstract contract KudosToken is IKudosLedger, IKudosToken {
    uint256 internal constant K1 = 1;
    uint256 internal constant K2 = 2;
    uint256 internal constant K3 = 3;

    uint256 private constant LANE_BITS = 64;
    uint256 private constant MAX_BALANCES = 256;

    /// @dev One slot for all levels: level n counts in the nth 64 bits. No lane can run over into the next: a decision
    /// adds 128 at most, and nobody will live to see 2^57 decisions.
    mapping(address node => uint256 lanes) private _totals;

    /// @inheritdoc IERC1155
    function safeTransferFrom(address, address, uint256, uint256, bytes calldata) external pure override {
        revert NotTransferable();
    }

    /// @inheritdoc IERC1155
    function safeBatchTransferFrom(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        external
        pure
        override
    {
        revert NotTransferable();
    }

    /// @inheritdoc IERC1155
    function setApprovalForAll(address, bool) external pure override {
        revert NotTransferable();
    }

    /// @inheritdoc IKudosLedger
    function kudos(address node) external view override returns (uint64 k1, uint64 k2, uint64 k3) {
        uint256 lanes = _totals[node];
        return (uint64(_lane(lanes, K1)), uint64(_lane(lanes, K2)), uint64(_lane(lanes, K3)));
    }

    /// @inheritdoc IERC1155
    function balanceOfBatch(address[] calldata accounts, uint256[] calldata ids)
        external
        view
        override
        returns (uint256[] memory balances)
    {
        if (accounts.length != ids.length) revert UnequalLists();
        if (accounts.length > MAX_BALANCES) revert TooManyBalances(MAX_BALANCES);
        balances = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            balances[i] = balanceOf(accounts[i], ids[i]);
        }
    }

    /// @inheritdoc IERC1155
    function isApprovedForAll(address, address) external pure override returns (bool) {
        return false;
    }

    /// @inheritdoc IERC1155MetadataURI
    function uri(uint256 id) external pure override returns (string memory) {
        return Metadata.uri(id);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure override returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC1155).interfaceId
            || interfaceId == type(IERC1155MetadataURI).interfaceId;
    }

    /// @inheritdoc IERC1155
    function balanceOf(address account, uint256 id) public view override returns (uint256) {
        return id < K1 || id > K3 ? 0 : _lane(_totals[account], id);
    }

    /// @dev Counts Kudos that became verified, and shows them as minted. No receiver is asked: see IKudosToken.
    function _mint(address operator, address host, uint256 level, uint256 count) internal {
        if (count == 0) return;
        unchecked {
            _totals[host] += count << (LANE_BITS * (level - K1));
        }
        emit TransferSingle(operator, address(0), host, level, count);
    }

    function _lane(uint256 lanes, uint256 level) private pure returns (uint256) {
        unchecked {
            return uint64(lanes >> (LANE_BITS * (level - K1)));
        }
    }
}
