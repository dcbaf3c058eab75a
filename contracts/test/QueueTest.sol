// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorQueue} from "../ValidatorQueue.sol";
import {IValidatorQueue} from "../interfaces/IValidatorQueue.sol";
import {Assets} from "../libraries/Assets.sol";
import {SeatsDouble} from "./SeatsDouble.sol";
import {TestBase} from "./Vm.sol";

/// @title Validators with a queue, and shorthands for what they do there
abstract contract QueueTest is TestBase {
    uint64 internal constant DELAY = 3 days;
    uint64 internal constant WINDOW = 30 days;
    uint256 internal constant NOW = 1_790_000_000;
    uint256 internal constant KEY = 0xC000;
    address internal constant STRANGER = address(0x5742);

    SeatsDouble internal seats;
    ValidatorQueue internal queue;

    function setUp() public virtual {
        vm.warp(NOW);
        _deploy(3, 2);
    }

    function _deploy(uint256 n, uint256 m) internal {
        address[] memory holders = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            holders[i] = _validator(i);
        }
        seats = new SeatsDouble(holders, m, DELAY);
        queue = seats.QUEUE();
    }

    function _validator(uint256 i) internal pure returns (address) {
        return vm.addr(KEY + i);
    }

    function _propose(uint256 by, IValidatorQueue.Content memory content) internal returns (uint256) {
        vm.prank(_validator(by));
        return queue.propose(content);
    }

    function _vote(uint256 by, uint256 proposal, bool approve) internal {
        bytes32 contentHash = _hashOf(proposal);
        vm.prank(_validator(by));
        queue.vote(proposal, contentHash, approve);
    }

    /// @dev Proposed, approved by two and waited for.
    function _readied(IValidatorQueue.Content memory content) internal returns (uint256 proposal) {
        proposal = _propose(0, content);
        _vote(1, proposal, true);
        vm.warp(block.timestamp + DELAY);
    }

    function _hashOf(uint256 proposal) internal view returns (bytes32) {
        return queue.hashContent(queue.content(proposal));
    }

    function _statusOf(uint256 proposal) internal view returns (IValidatorQueue.Status status) {
        (status,,,,) = queue.standing(proposal);
    }

    function _assertStatus(uint256 proposal, IValidatorQueue.Status expected) internal view {
        assertEq(uint256(_statusOf(proposal)), uint256(expected), "status");
    }

    function _expectNotPossible(IValidatorQueue.Status status) internal {
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.NotPossible.selector, status));
    }

    function _signature(uint256 by, uint256 proposal, bytes32 contentHash, bool approve)
        internal
        view
        returns (bytes memory)
    {
        bytes32 voteType = keccak256("ProposalVote(uint256 proposal,bytes32 content,bool approve)");
        bytes32 structHash = keccak256(abi.encode(voteType, proposal, contentHash, approve));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY + by, Assets.digest(seats.domainSeparator(), structHash));
        return abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }
}
