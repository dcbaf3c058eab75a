// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "../interfaces/IBeacon.sol";
import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {ISecondClaims} from "../interfaces/ISecondClaims.sol";
import {KudosLedger} from "../KudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {ClaimAssets} from "../libraries/ClaimAssets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {SystemTest} from "./SystemTest.sol";

/// @title What a review found wrong once: each test failed before the fault was mended
contract SecurityReviewTest is SystemTest {
    function _end(KudosLedger ledger) private {
        (address end,,) = ledger.satellites();
        vm.prank(end);
        ledger.close();
        vm.warp(ledger.finalAt() + 1);
    }

    function testCarryGoesThroughEveryPredecessor() public {
        address[] memory nodes = new address[](1);
        nodes[0] = host;
        KudosLedger a = core;
        (, address minter,) = a.satellites();
        vm.prank(minter);
        a.mint(host, 3, 5);
        _end(a);
        _deploySystem(2, 0, address(a));
        KudosLedger b = core;
        _end(b);
        _deploySystem(2, 0, address(b));
        vm.prank(address(0xBAD));
        core.carry(nodes);
        assertEq(core.balanceOf(host, 3), 5, "through b");
        assertEq(b.balanceOf(host, 3), 5, "in b");
        core.carry(nodes);
        assertEq(core.balanceOf(host, 3), 5, "once");
    }

    /// @dev The call that goes on may not run out of gas by itself: either all comes over or nothing.
    function testCarryWithLittleGas() public {
        address[] memory nodes = new address[](1);
        nodes[0] = host;
        KudosLedger a = core;
        (, address minter,) = a.satellites();
        vm.prank(minter);
        a.mint(host, 3, 5);
        _end(a);
        _deploySystem(2, 0, address(a));
        _end(core);
        _deploySystem(2, 0, address(core));
        for (uint256 thousands = 30; thousands < 400; ++thousands) {
            (bool done,) = address(core).call{gas: thousands * 1_000}(abi.encodeCall(IKudosLedger.carry, (nodes)));
            if (!done) continue;
            assertEq(core.balanceOf(host, 3), 5, "all");
            return;
        }
        assertTrue(false, "never");
    }

    function testStrictAcceptanceLeavesTheBatchAlone() public {
        Canary memory m = _planted(0, 1);
        bytes32 requestId = _requestId(m);
        uint64 acceptedAt = m.request.signedAt + 1;
        bytes memory hostWord = _signature(HOST_KEY, Assets.accepted(_separator(), requestId, acceptedAt));
        vm.warp(m.request.resultDeadline);
        vm.prank(m.request.home);
        core.submitRequest(m.request);
        vm.prank(m.request.home);
        core.accept(_place(m), requestId, acceptedAt, hostWord);
        vm.prank(m.request.home);
        core.submitConfirmed(requestId, host, m.request.seq, acceptedAt + 1, acceptedAt);
        bytes32 root = _settleOne(m);
        _voteBatch(0, root, 1);
        _voteBatch(1, root, 1);
        _assertKudos(host, 0, 1, 0);
        vm.expectRevert(_used());
        this.finish(m);
        Canary memory s = _planted(0, 2);
        _strictly(s);
        vm.expectRevert(_used());
        this.settleOne(s);
    }

    function _used() private pure returns (bytes memory) {
        return abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.SEQUENCE_USED));
    }

    function finish(Canary calldata m) external {
        _finish(m);
    }

    function settleOne(Canary calldata m) external {
        _settleOne(m);
    }

    function testSignedVoteDiesWithItsOpening() public {
        Canary memory m = _planted(0, 1);
        bytes32 root = _settleOne(m);
        vm.warp(NOW + WINDOW + 1);
        bytes32 id = claims.claimAgain(_secondRecord(m, root));
        IClaimVotes.Vote[] memory v = _ballot(id, ABSTAIN);
        uint64[] memory opened = new uint64[](1);
        opened[0] = claims.kudosClaim(id).openedAt;
        bytes memory old = _signature(VALIDATOR_KEY, ClaimAssets.votes(_separator(), keccak256(abi.encode(v, opened))));
        claims.voteFor(seats[0], v, old);
        vm.warp(block.timestamp + WINDOW + 1);
        claims.claimAgain(_secondRecord(m, root));
        vm.expectRevert(IClaimVotes.NotSigned.selector);
        claims.voteFor(seats[0], v, old);
        _voteDirectly(0, id, APPROVE);
        _voteDirectly(1, id, APPROVE);
        _assertKudos(host, 0, 1, 0);
    }

    function testZeroIsNoCommitment() public {
        uint64 period = beacon.periodOf(block.timestamp) + 1;
        vm.expectRevert(IBeacon.NothingToReveal.selector);
        vm.prank(seats[0]);
        beacon.commit(period, 0);
        uint64 r = claims.roundOf(block.timestamp);
        vm.expectRevert(IClaimVotes.NothingToReveal.selector);
        vm.prank(seats[0]);
        claims.commitVotes(r, 0);
    }

    function testPartiesAloneRefuseNothing() public {
        _deploy(5, 3, 0);
        Canary memory m = _planted(0, 1);
        m.homeKey = VALIDATOR_KEY;
        m.request.home = seats[0];
        _commit(m);
        bytes32 root = _settleOne(m);
        Canary memory strict = _planted(0, 2);
        strict.homeKey = VALIDATOR_KEY;
        strict.request.home = seats[0];
        _commit(strict);
        _strictly(strict);
        vm.warp(block.timestamp + 1);
        address[16] memory list;
        for (uint256 i = 0; i < 5; ++i) list[i] = seats[i];
        (list[3], list[4]) = (address(0xD3), address(0xD4));
        vm.prank(queue);
        core.applySet(list, 3);
        core.recount(host, root);
        core.recountStep(_place(strict), _resultId(strict));
        _refuseStep(1, strict);
        (,,,,, uint128 refused) = core.batch(host, root);
        (, IKudosSteps.State st,,) = core.step(_place(strict));
        assertTrue(refused == 0 && st == IKudosSteps.State.Claimed, "open");
        vm.warp(block.timestamp + WINDOW + 1);
        claims.claimAgain(_secondRecord(m, root));
        claims.claimAgain(_secondRecord(strict, 0));
    }

    function _refuseStep(uint256 seat, Canary memory c) private {
        IKudosSteps.StepVote[] memory votes = new IKudosSteps.StepVote[](1);
        votes[0] = IKudosSteps.StepVote({place: _place(c), id: _resultId(c), reason: REFUSE});
        vm.prank(seats[seat]);
        core.vote(new IKudosLedger.BatchVote[](0), votes);
    }

    function testNothingIsRetiredWhileClosing() public {
        Canary memory m = _planted(0, 1);
        bytes32 root = _settleOne(m);
        _voteBatch(0, root, 1);
        vm.warp(NOW + 60);
        vm.prank(queue);
        core.close();
        vm.warp(core.finalAt());
        ISecondClaims.Record memory record = _secondRecord(m, root);
        vm.expectRevert(
            abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(Reasons.NOT_TIMED_OUT))
        );
        claims.claimAgain(record);
        _voteBatch(1, root, 1);
        _assertKudos(host, 0, 1, 0);
    }
}
