// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "./interfaces/IERC1155.sol";
import {IERC1155MetadataURI} from "./interfaces/IERC1155MetadataURI.sol";
import {IERC165} from "./interfaces/IERC165.sol";
import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {IKudosToken} from "./interfaces/IKudosToken.sol";
import {Metadata} from "./libraries/Metadata.sol";
import {Pairs} from "./Pairs.sol";

/// @title The totals of verified Kudos, and their face as tokens
/// @notice The totals are the balances: there is one number to keep, and nothing that could drift apart.
abstract contract KudosToken is IKudosToken, Pairs {
    uint256 private constant MAX_BALANCES = 256;
    uint256 private constant MAX_CARRIED = 100;
    uint256 private constant MAX_MINTED = 1 << 32;
    uint256 private constant CARRIED = 1;

    address private immutable PREDECESSOR;

    /// @dev One slot for all levels: level n counts in the nth lane of 64 bits, and lane 0 says that the node was carried
    /// over. No lane can run over into the next: a call adds 2^32 at most, and nobody will live to see 2^31 such calls.
    mapping(address node => uint256 lanes) private _totals;

    constructor(address before) {
        PREDECESSOR = before;
    }

    /// @inheritdoc IKudosLedger
    function mint(address host, uint256 level, uint256 count) external override onlyClaims {
        if (level < K1 || level > K3) revert UnknownLevel(level);
        if (count > MAX_MINTED) revert BadParameter();
        _checkNotFinal(_set);
        _mint(msg.sender, host, level, count);
    }

    /// @inheritdoc IKudosLedger
    function carry(address[] calldata nodes) external override {
        uint256 since = PREDECESSOR == address(0) ? 0 : IKudosLedger(PREDECESSOR).finalAt();
        if (since == 0 || _time() <= since) revert NothingToCarry();
        if (nodes.length > MAX_CARRIED) revert TooManyBalances(MAX_CARRIED);
        address before = PREDECESSOR;
        // What the predecessor has not taken over itself comes along; where it has none it refuses, and nothing is lost.
        // Assembly, because the call is passed on as it came. Memory-safe: writes to the free memory without taking it.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, 0, calldatasize())
            pop(call(gas(), before, 0, free, calldatasize(), 0, 0))
        }
        for (uint256 i = 0; i < nodes.length; ++i) {
            if (_totals[nodes[i]] & CARRIED == 0) _carry(nodes[i]);
        }
    }

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

    /// @inheritdoc IKudosLedger
    function predecessor() external view override returns (address) {
        return PREDECESSOR;
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
            _totals[host] += count << (LANE_BITS * level);
        }
        emit TransferSingle(operator, address(0), host, level, count);
    }

    function _carry(address node) private {
        _totals[node] |= CARRIED;
        emit Carried(node);
        for (uint256 level = K1; level <= K3; ++level) {
            _mint(msg.sender, node, level, IERC1155(PREDECESSOR).balanceOf(node, level));
        }
    }
}
