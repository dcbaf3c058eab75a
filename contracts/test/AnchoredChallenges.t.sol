// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchoredLedger} from "../interfaces/IAnchoredLedger.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {AnchoredTest} from "./AnchoredTest.sol";
import {Vm} from "./Vm.sol";

contract AnchoredChallengesTest is AnchoredTest {
    address internal constant DOUBTER = address(0xD0B7);

    // ------------------------------------------------------------------ challenge and answer

    function testAChallengedLeafIsShown() public {
        bytes32[] memory leaves = _leaves(5);
        IAnchoredLedger.Anchored memory anchored = _anchorLeaves(leaves);
        vm.recordLogs();
        _challenge(anchored, 3);
        (uint64 dueAt, bool shown) = anchors.challengeOf(0, 3);
        assertTrue(dueAt == NOW + ANSWER && !shown, "asked");
        _assertStanding(anchored, false, 1);
        vm.warp(NOW + ANSWER);
        anchors.answer(anchored, 3, _migration(3), _path(leaves, 3));
        (, shown) = anchors.challengeOf(0, 3);
        assertTrue(shown, "shown");
        _assertStanding(anchored, false, 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs[0].topics[0], IAnchoredLedger.LeafChallenged.selector, "LeafChallenged");
        assertEq(logs[1].topics[0], IAnchoredLedger.LeafShown.selector, "LeafShown");
        assertEq(logs[1].topics[3], leaves[3], "the RESULT");
        vm.warp(NOW + ANSWER + 1);
        vm.expectRevert(IAnchoredLedger.NotChallenged.selector);
        anchors.dispute(anchored, 3);
        vm.expectRevert(IAnchoredLedger.NotChallenged.selector);
        anchors.answer(anchored, 3, _migration(3), _path(leaves, 3));
        vm.expectRevert(IAnchoredLedger.ChallengedBefore.selector);
        anchors.challenge(anchored, 3);
    }

    function testFuzzEveryLeafCanBeShown(uint256 count, uint256 index) public {
        count = bound(count, 1, 20);
        index = bound(index, 0, count - 1);
        bytes32[] memory leaves = _leaves(uint32(count));
        IAnchoredLedger.Anchored memory anchored = _anchorLeaves(leaves);
        _challenge(anchored, uint32(index));
        anchors.answer(anchored, uint32(index), _migration(uint32(index)), _path(leaves, index));
        _assertStanding(anchored, false, 0);
    }

    function testAnUnansweredLeafMarksTheAnchor() public {
        IAnchoredLedger.Anchored memory anchored = _anchorLeaves(_leaves(2));
        _challenge(anchored, 0);
        _challenge(anchored, 1);
        vm.warp(NOW + ANSWER);
        vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.TooEarly.selector, NOW + ANSWER));
        anchors.dispute(anchored, 0);
        vm.warp(NOW + ANSWER + 1);
        bytes32[] memory path = _path(_leaves(2), 0);
        vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.TooLate.selector, NOW + ANSWER));
        anchors.answer(anchored, 0, _migration(0), path);
        anchors.dispute(anchored, 0);
        _assertStanding(anchored, true, 2);
        assertEq(anchors.disputedAnchors(), 1, "counted");
        vm.expectRevert(IAnchoredLedger.DisputedBefore.selector);
        anchors.dispute(anchored, 1);
        assertEq(anchors.anchoredTotal(_host(0)), 2, "totals stay: the contract cannot know better");
    }

    function testChallengesHaveTheirBounds() public {
        Draft memory draft = _draft();
        (draft.count, draft.totals) = (100, _word(0, 100));
        IAnchoredLedger.Anchored memory anchored = _anchor(draft);
        vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.NoSuchLeaf.selector, 100));
        anchors.challenge(anchored, 100);
        for (uint32 i = 0; i < 64; ++i) {
            _challenge(anchored, i);
        }
        vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.TooManyChallenges.selector, 64));
        anchors.challenge(anchored, 64);
        vm.warp(NOW + CHALLENGE);
        anchors.dispute(anchored, 5);
        vm.expectRevert(IAnchoredLedger.DisputedBefore.selector);
        anchors.challenge(anchored, 64);
        vm.warp(NOW + CHALLENGE + 1);
        vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.TooLate.selector, NOW + CHALLENGE));
        anchors.challenge(anchored, 64);
    }

    function testFuzzOnlyTheAnchorItself(uint256 what) public {
        IAnchoredLedger.Anchored memory anchored = _anchorLeaves(_leaves(2));
        what %= 4;
        if (what == 0) anchored.sequence = 1;
        if (what == 1) anchored.root = keccak256("another");
        if (what == 2) anchored.count = 3;
        if (what == 3) ++anchored.anchoredAt;
        vm.expectRevert(IAnchoredLedger.UnknownAnchor.selector);
        anchors.challenge(anchored, 0);
    }

    // ------------------------------------------------------------------ wrong answers

    function testNobodyAnswersWhatNobodyAsked() public {
        bytes32[] memory leaves = _leaves(2);
        IAnchoredLedger.Anchored memory anchored = _anchorLeaves(leaves);
        bytes32[] memory path = _path(leaves, 0);
        vm.expectRevert(IAnchoredLedger.NotChallenged.selector);
        anchors.answer(anchored, 0, _migration(0), path);
    }

    function testAnotherLeafIsNoAnswer() public {
        bytes32[] memory leaves = _leaves(3);
        IAnchoredLedger.Anchored memory anchored = _anchorLeaves(leaves);
        _challenge(anchored, 0);
        for (uint256 i = 0; i < 3; ++i) {
            bytes32[] memory path = i == 2 ? new bytes32[](3) : _path(leaves, i);
            vm.expectRevert(IAnchoredLedger.WrongPath.selector);
            anchors.answer(anchored, 0, _migration(1), path);
        }
        _assertStanding(anchored, false, 1);
    }

    /// @dev A leaf for which there is no sound record cannot be defended by whoever anchored it.
    function testFuzzUnsoundRecordsAnswerNothing(uint256 what) public {
        (IAnchoredLedger.Migration memory migration, uint256 reason) = _unsound(what % 9);
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = _resultId(migration);
        IAnchoredLedger.Anchored memory anchored = _anchorLeaves(leaves);
        _challenge(anchored, 0);
        vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.NotSound.selector, uint8(reason)));
        anchors.answer(anchored, 0, migration, new bytes32[](0));
    }

    // ------------------------------------------------------------------ one leaf in two places

    function testOneLeafTwiceInAnAnchor() public {
        bytes32[] memory leaves = _leaves(4);
        leaves[3] = leaves[1];
        IAnchoredLedger.Anchored memory anchored = _anchorLeaves(leaves);
        bytes32[] memory first = _path(leaves, 1);
        bytes32[] memory second = _path(leaves, 3);
        vm.expectRevert(IAnchoredLedger.NotTwoPlaces.selector);
        anchors.disputeTwice(leaves[1], anchored, 1, first, anchored, 1, first);
        vm.expectRevert(IAnchoredLedger.NotTwoPlaces.selector);
        anchors.disputeTwice(leaves[1], anchored, 3, second, anchored, 1, first);
        vm.expectRevert(IAnchoredLedger.WrongPath.selector);
        anchors.disputeTwice(leaves[0], anchored, 1, first, anchored, 3, second);
        anchors.disputeTwice(leaves[1], anchored, 1, first, anchored, 3, second);
        _assertStanding(anchored, true, 0);
    }

    function testOneLeafInTwoAnchorsMarksTheLater() public {
        bytes32[] memory leaves = _leaves(2);
        IAnchoredLedger.Anchored memory first = _anchorLeaves(leaves);
        IAnchoredLedger.Anchored memory second = _anchorLeaves(leaves);
        bytes32[] memory path = _path(leaves, 1);
        vm.expectRevert(IAnchoredLedger.NotTwoPlaces.selector);
        anchors.disputeTwice(leaves[1], second, 1, path, first, 1, path);
        bytes32[] memory another = _path(leaves, 0);
        vm.expectRevert(IAnchoredLedger.WrongPath.selector);
        anchors.disputeTwice(leaves[1], first, 1, path, second, 0, another);
        anchors.disputeTwice(leaves[1], first, 1, path, second, 1, path);
        _assertStanding(first, false, 0);
        _assertStanding(second, true, 0);
        assertEq(anchors.disputedAnchors(), 1, "one");
    }

    function _challenge(IAnchoredLedger.Anchored memory anchored, uint32 index) private {
        vm.prank(DOUBTER);
        anchors.challenge(anchored, index);
    }

    /// @dev A migration with one thing wrong, signed all the same but for the last two.
    function _unsound(uint256 what) private view returns (IAnchoredLedger.Migration memory migration, uint256 reason) {
        migration = _migration(1);
        reason = Reasons.BAD_ORDER;
        if (what == 0) (migration.request.host, reason) = (migration.request.home, Reasons.SELF);
        if (what == 1) (migration.request.resultDeadline, reason) = (uint64(NOW - 60), Reasons.BAD_DEADLINE);
        if (what == 2) (migration.request.resultDeadline, reason) = (uint64(NOW + 7 days - 59), Reasons.BAD_DEADLINE);
        if (what == 3) (migration.request.signedAt, reason) = (uint64(NOW + 301), Reasons.BAD_DEADLINE);
        if (what == 4) migration.acceptedAt = uint64(NOW - 61);
        if (what == 5) migration.confirmedAt = uint64(NOW - 60);
        if (what == 6) migration.resultAt = uint64(NOW + 601);
        if (what == 7) migration.resultAt = uint64(NOW - 59);
        _sign(migration, what == 8 ? HOME_KEY + 1 : HOME_KEY);
        if (what == 8) reason = Reasons.BAD_SIGNATURE;
    }

    function _assertStanding(IAnchoredLedger.Anchored memory anchored, bool disputed, uint256 open) private view {
        (bool exists, bool isDisputed, uint16 openNow) = anchors.standing(anchored);
        assertTrue(exists, "exists");
        assertTrue(isDisputed == disputed, "disputed");
        assertEq(openNow, open, "open");
    }
}
