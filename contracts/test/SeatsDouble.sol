// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorQueue} from "../ValidatorQueue.sol";
import {Assets} from "../libraries/Assets.sol";

/// @title What queue and anchored ledger see of a ledger: its set, and what it lets the queue do
/// @notice For tests of those two alone. Takes what it is given, so that whatever the queue lets through is seen.
contract SeatsDouble {
    ValidatorQueue public immutable QUEUE;
    uint256 public threshold;
    uint256 public setVersion = 1;
    bool public closed;
    address[16] private _holders;
    mapping(bytes32 family => address implementation) public families;

    error NotTheQueue();

    constructor(address[] memory holders, uint256 quorum, uint64 delaySeconds) {
        for (uint256 i = 0; i < holders.length; ++i) {
            _holders[i] = holders[i];
        }
        threshold = quorum;
        QUEUE = new ValidatorQueue(delaySeconds);
    }

    modifier onlyQueue() {
        if (msg.sender != address(QUEUE)) revert NotTheQueue();
        _;
    }

    function applySet(address[16] calldata holders, uint256 quorum) external onlyQueue {
        _holders = holders;
        threshold = quorum;
        ++setVersion;
    }

    function close() external onlyQueue {
        closed = true;
    }

    function register(bytes32 family, address implementation) external onlyQueue returns (uint8 number) {
        families[family] = implementation;
        return 1;
    }

    function satellites() external view returns (address queue, address claims, address beacon) {
        return (address(QUEUE), address(this), address(0));
    }

    function seats() external view returns (address[16] memory holders, uint40[16] memory since) {
        return (_holders, since);
    }

    function seat(address node)
        external
        view
        returns (uint8 seatPlusOne, uint40 since, uint40 lastChange, uint8 n, uint8 quorum)
    {
        for (uint8 i = 0; i < 16; ++i) {
            if (_holders[i] == address(0)) continue;
            ++n;
            if (_holders[i] == node) seatPlusOne = i + 1;
        }
        return (seatPlusOne, since, lastChange, n, uint8(threshold));
    }

    function domainSeparator() external view returns (bytes32) {
        return Assets.domain(block.chainid, address(this));
    }
}
