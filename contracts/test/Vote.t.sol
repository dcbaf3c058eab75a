// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {IValidatorSeats} from "../interfaces/IValidatorSeats.sol";
import {createByName} from "./Creation.sol";
import {LedgerTest} from "./LedgerTest.sol";
import {Vm} from "./Vm.sol";

contract VoteTest is LedgerTest {
    // ------------------------------------------------------------------ the set

    function testValidatorSet() public view {
        address[] memory list = ledger.validators();
        assertEq(list.length, 3, "three");
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(list[i], seats[i], "in order");
        }
        assertEq(ledger.threshold(), 2, "threshold");
        assertEq(ledger.epochSeconds(), EPOCH, "epoch");
        assertEq(ledger.k1PerHostAndEpoch(), K1_ALLOWANCE, "allowance");
    }

    function testFuzzBadValidatorSets(uint256 n, uint256 m, uint256 place, bool zero) public {
        n = bound(n, 0, 18);
        m = bound(m, 0, 19);
        address[] memory list = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            list[i] = vm.addr(VALIDATOR_KEY + i);
        }
        bool good = n > 0 && n < 17 && 2 * m > n && m <= n;
        if (!good) vm.expectRevert(IValidatorSeats.BadValidatorSet.selector);
        _make(list, m, EPOCH, K1_ALLOWANCE);
        if (n < 2) return;
        place = bound(place, 1, n - 1);
        list[place] = zero ? address(0) : list[place - 1];
        vm.expectRevert(IValidatorSeats.BadValidatorSet.selector);
        _make(list, n, EPOCH, K1_ALLOWANCE);
    }

    /// @dev Without the hole it would be a set of two of two.
    function testAHoleInTheFirstSet() public {
        address[] memory list = new address[](3);
        (list[0], list[2]) = (vm.addr(VALIDATOR_KEY), vm.addr(VALIDATOR_KEY + 1));
        vm.expectRevert(IValidatorSeats.BadValidatorSet.selector);
        _make(list, 2, EPOCH, K1_ALLOWANCE);
    }

    function testBadParameters() public {
        vm.expectRevert(IKudosLedger.BadParameter.selector);
        _make(seats, 2, 0, 1);
        vm.expectRevert(IKudosLedger.BadParameter.selector);
        _make(seats, 2, 1, 0);
    }

    // ------------------------------------------------------------------ batches

    function testTwoOfThreeVerify() public {
        bytes32 root = _settle(_items(5, 3, 8, 0));
        _vote(0, root, 0xff, 0);
        _assertKudos(host, 0, 0, 0);
        vm.recordLogs();
        _vote(2, root, 0xff, 0);
        _assertKudos(host, 3, 5, 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 4, "a vote, a decision, and tokens of two levels");
        assertEq(logs[0].topics[0], IKudosLedger.BatchVoted.selector, "BatchVoted");
        assertEq(logs[0].topics[1], bytes32(uint256(uint160(seats[2]))), "by its validator");
        assertEq(logs[1].topics[0], IKudosLedger.BatchDecided.selector, "BatchDecided");
        assertEq(logs[1].data, abi.encode(uint128(0xff), uint128(0)), "all verified");
        (, uint128 verified, uint128 refused) = _batchClaims(root);
        assertEq(verified, 0xff, "verified");
        assertEq(refused, 0, "refused");
    }

    function testLateVoteIsRecordedAndChangesNothing() public {
        bytes32 root = _settle(_items(2, 0, 1, 0));
        _vote(0, root, 3, 0);
        _vote(1, root, 3, 0);
        vm.recordLogs();
        _vote(2, root, 0, 3);
        assertEq(vm.getRecordedLogs().length, 1, "no second decision");
        _assertKudos(host, 0, 2, 0);
        (bool voted, uint128 approve, uint128 refuse,) = ledger.ballot(host, root, seats[2]);
        assertTrue(voted, "recorded");
        assertEq(approve, 0, "approve");
        assertEq(refuse, 3, "refuse");
    }

    function testRefusalsMakeItFinal() public {
        bytes32 root = _settle(_items(3, 0, 1, 0));
        _vote(0, root, 1, 6);
        _vote(1, root, 4, 2);
        (, uint128 verified, uint128 refused) = _batchClaims(root);
        assertEq(verified, 0, "no claim has two approvals");
        assertEq(refused, 2, "one has two refusals");
        _vote(2, root, 7, 0);
        (, verified, refused) = _batchClaims(root);
        assertEq(verified, 5, "the open ones are decided");
        assertEq(refused, 2, "the refused one stays refused");
        _assertKudos(host, 0, 2, 0);
    }

    function testAbstainingIsVoting() public {
        bytes32 root = _settle(_items(2, 0, 1, 0));
        (bool voted,,,) = ledger.ballot(host, root, seats[0]);
        assertTrue(!voted, "not yet");
        _voteWithReasons(0, root, 0, 0, hex"00900191");
        (voted,,,) = ledger.ballot(host, root, seats[0]);
        assertTrue(voted, "voted");
        _expectVoteRevert(0, root, 3, 0, "", abi.encodeWithSelector(IKudosLedger.VotedBefore.selector));
        (bool strange, uint128 approve, uint128 refuse, uint128 excluded) = ledger.ballot(host, root, address(this));
        assertTrue(!strange && approve | refuse | excluded == 0, "a stranger never");
    }

    function testVoteOnNoClaimCountsNothing() public {
        Item[] memory items = _items(2, 2, 1, 0);
        bytes32 root = _settle(items);
        // The second rejection has no claim: one K1 per pair and epoch.
        _vote(0, root, type(uint128).max, 0);
        _vote(1, root, type(uint128).max, 0);
        _assertKudos(host, 1, 2, 0);
        (, uint128 approve,,) = ledger.ballot(host, root, seats[0]);
        assertEq(approve, 7, "bits that are no claims are dropped");
    }

    function testVotesTwice() public {
        bytes32 root = _settle(_items(1, 0, 1, 0));
        _vote(0, root, 1, 0);
        _expectVoteRevert(0, root, 1, 0, "", abi.encodeWithSelector(IKudosLedger.VotedBefore.selector));
        _assertKudos(host, 0, 0, 0);
    }

    function testVotesTwiceInOneCall() public {
        bytes32 root = _settle(_items(1, 0, 1, 0));
        IKudosLedger.BatchVote[] memory votes = new IKudosLedger.BatchVote[](2);
        votes[0] = votes[1] = IKudosLedger.BatchVote({host: host, root: root, approve: 1, refuse: 0, reasons: ""});
        vm.expectRevert(IKudosLedger.VotedBefore.selector);
        vm.prank(seats[0]);
        ledger.vote(votes, new IKudosSteps.StepVote[](0));
    }

    function testFuzzStrangersHaveNoVote(address stranger) public {
        bytes32 root = _settle(_items(1, 0, 1, 0));
        vm.assume(stranger != seats[0] && stranger != seats[1] && stranger != seats[2]);
        seats[0] = stranger;
        _expectVoteRevert(0, root, 1, 0, "", abi.encodeWithSelector(IValidatorSeats.NotAValidator.selector));
    }

    function testContradictoryVotes() public {
        bytes32 root = _settle(_items(3, 0, 1, 0));
        bytes memory contradictory = abi.encodeWithSelector(IKudosLedger.ContradictoryVote.selector);
        _expectVoteRevert(0, root, 3, 2, "", contradictory);
        // An odd length; an approval as a reason; a skip code; codes beyond the last; reasons that belie the masks.
        _expectVoteRevert(0, root, 3, 4, hex"02", contradictory);
        _expectVoteRevert(0, root, 3, 4, hex"0280", contradictory);
        _expectVoteRevert(0, root, 3, 4, hex"0243", contradictory);
        _expectVoteRevert(0, root, 3, 0, hex"02a0", contradictory);
        _expectVoteRevert(0, root, 3, 4, hex"0290", contradictory);
        _expectVoteRevert(0, root, 3, 4, hex"0181", contradictory);
        _expectVoteRevert(0, root, 3, 4, hex"0190", contradictory);
        _expectVoteRevert(0, root, 3, 4, hex"8081", contradictory);
        _expectVoteRevert(0, root, 3, 4, new bytes(258), contradictory);
        _voteWithReasons(0, root, 1, 4, hex"02810190");
    }

    function testUnknownBatch() public {
        bytes32 root = _settle(_items(1, 0, 1, 0));
        _expectVoteRevert(
            0, keccak256("x"), 1, 0, "", abi.encodeWithSelector(IKudosLedger.UnknownBatch.selector, host, keccak256("x"))
        );
        // The root of this host is none of another's.
        host = vm.addr(0xD0);
        _expectVoteRevert(
            0, root, 1, 0, "", abi.encodeWithSelector(IKudosLedger.UnknownBatch.selector, host, root)
        );
    }

    /// @dev Any ballots of any validator set end in what a naive count says, whatever their order.
    function testFuzzAnyBallots(uint256 n, uint256 m, uint256[16] memory approve, uint256[16] memory refuse) public {
        n = bound(n, 1, 16);
        m = bound(m, n / 2 + 1, n);
        _deploy(n, m);
        bytes32 root = _settle(_items(3, 3, 6, 0));
        for (uint256 i = 0; i < n; ++i) {
            _vote(i, root, uint128(approve[i]) & 0x3f, uint128(refuse[i] & ~approve[i]) & 0x3f);
        }
        uint256[3] memory totals;
        (, uint128 verified, uint128 refused) = _batchClaims(root);
        for (uint256 bit = 0; bit < 6; ++bit) {
            uint256 ayes = 0;
            uint256 nays = 0;
            for (uint256 i = 0; i < n; ++i) {
                if ((approve[i] >> bit) & 1 == 1) ++ayes;
                else if ((refuse[i] >> bit) & 1 == 1) ++nays;
            }
            assertEq((verified >> bit) & 1, ayes >= m ? 1 : 0, "verified with m approvals and not without");
            assertEq((refused >> bit) & 1, nays > n - m ? 1 : 0, "refused when no m approvals are left");
            if (ayes >= m) ++totals[bit < 3 ? 2 : 1];
        }
        // Of the three rejections all have claims: other homes, and the allowance is three.
        _assertKudos(host, totals[1], totals[2], 0);
    }

    function testManyBatchesInOneCall() public {
        bytes32 first = _settle(_items(2, 0, 1, 0));
        bytes32 second = _settle(_items(3, 0, 1, 10));
        IKudosLedger.BatchVote[] memory votes = new IKudosLedger.BatchVote[](2);
        votes[0] = IKudosLedger.BatchVote({host: host, root: first, approve: 3, refuse: 0, reasons: ""});
        votes[1] = IKudosLedger.BatchVote({host: host, root: second, approve: 7, refuse: 0, reasons: ""});
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(seats[i]);
            ledger.vote(votes, new IKudosSteps.StepVote[](0));
        }
        _assertKudos(host, 0, 5, 0);
    }

    function _expectVoteRevert(
        uint256 seat,
        bytes32 root,
        uint128 approve,
        uint128 refuse,
        bytes memory reasons,
        bytes memory revertData
    ) private {
        vm.expectRevert(revertData);
        _voteWithReasons(seat, root, approve, refuse, reasons);
    }

    function _make(address[] memory list, uint256 m, uint64 epoch, uint64 k1Allowance) private {
        bytes32[3] memory none;
        bytes memory arguments = abi.encode(list, m, epoch, k1Allowance, uint64(0), none, address(0));
        createByName(vm, "KudosLedgerHarness.sol:KudosLedgerHarness", arguments);
    }
}
