// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorQueue} from "../ValidatorQueue.sol";
import {IValidatorQueue} from "../interfaces/IValidatorQueue.sol";
import {QueueTest} from "./QueueTest.sol";
import {Vm} from "./Vm.sol";

contract ValidatorQueueTest is QueueTest {
    // ------------------------------------------------------------------ the way through

    function testAddingTakesApprovalDelayAndExecution() public {
        uint256 proposal = _propose(0, queue.adding(_validator(7), 3));
        assertEq(proposal, 1, "the first");
        assertEq(queue.proposals(), 1, "counted");
        _assertStatus(1, IValidatorQueue.Status.Open);
        _expectNotPossible(IValidatorQueue.Status.Open);
        queue.execute(1);
        _vote(2, 1, true);
        (IValidatorQueue.Status status, uint16 approvals, uint16 withdrawals, uint64 readyAt, uint64 expiresAt) =
            queue.standing(1);
        assertEq(uint256(status), uint256(IValidatorQueue.Status.Waiting), "waits");
        assertEq(approvals, 5, "seats 0 and 2");
        assertEq(withdrawals, 0, "nobody");
        assertEq(readyAt, NOW + DELAY, "after the delay");
        assertEq(expiresAt, NOW + DELAY + WINDOW, "and not forever");
        vm.warp(NOW + DELAY - 1);
        _expectNotPossible(IValidatorQueue.Status.Waiting);
        queue.execute(1);
        vm.warp(NOW + DELAY);
        _assertStatus(1, IValidatorQueue.Status.Ready);
        vm.prank(STRANGER);
        queue.execute(1);
        (address[16] memory holders,) = seats.seats();
        assertEq(holders[3], _validator(7), "in the lowest empty seat");
        assertEq(seats.threshold(), 3, "threshold");
        assertEq(seats.setVersion(), 2, "a new version");
        _assertStatus(1, IValidatorQueue.Status.Executed);
        _expectNotPossible(IValidatorQueue.Status.Executed);
        queue.execute(1);
    }

    function testEventsTellEverything() public {
        IValidatorQueue.Content memory content = queue.settingThreshold(3);
        vm.recordLogs();
        _propose(0, content);
        _vote(1, 1, true);
        vm.warp(NOW + DELAY);
        queue.execute(1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 5, "five");
        assertEq(logs[0].topics[0], IValidatorQueue.Proposed.selector, "Proposed");
        assertEq(logs[0].topics[2], _hashOf(1), "its content's hash");
        assertEq(logs[0].data, abi.encode(content), "its content");
        assertEq(logs[1].topics[0], IValidatorQueue.ProposalVoted.selector, "the proposer's approval");
        assertEq(logs[2].topics[2], bytes32(uint256(uint160(_validator(1)))), "by whom");
        assertEq(logs[3].topics[0], IValidatorQueue.ProposalApproved.selector, "ProposalApproved");
        assertEq(logs[3].data, abi.encode(uint64(NOW + DELAY)), "ready at");
        assertEq(logs[4].topics[0], IValidatorQueue.ProposalExecuted.selector, "ProposalExecuted");
    }

    function testOneValidatorAloneDecidesWaitsAllTheSame() public {
        _deploy(1, 1);
        _propose(0, queue.adding(_validator(1), 2));
        _assertStatus(1, IValidatorQueue.Status.Waiting);
        vm.warp(NOW + DELAY);
        queue.execute(1);
        assertEq(seats.threshold(), 2, "two of two");
    }

    function testRemovingLeavesAHoleThatTheNextFills() public {
        queue.execute(_readied(queue.removing(_validator(1), 2)));
        (address[16] memory holders,) = seats.seats();
        assertEq(holders[1], address(0), "empty");
        assertEq(holders[2], _validator(2), "seat 2 stays");
        IValidatorQueue.Content memory content = queue.adding(_validator(5), 2);
        assertEq(content.seats[1], _validator(5), "fills it");
    }

    function testRotatingKeepsTheSeat() public {
        queue.execute(_readied(queue.rotating(_validator(2), _validator(9))));
        (address[16] memory holders,) = seats.seats();
        assertEq(holders[2], _validator(9), "rotated");
        assertEq(seats.threshold(), 2, "same threshold");
    }

    function testFamilyIsRegistered() public {
        queue.execute(_readied(queue.registering("dlog", address(this))));
        assertEq(seats.families("dlog"), address(this), "registered");
    }

    function testClosing() public {
        queue.execute(_readied(queue.closing()));
        assertTrue(seats.closed(), "closed");
    }

    // ------------------------------------------------------------------ votes

    function testOnlyValidatorsProposeAndVote() public {
        IValidatorQueue.Content memory content = queue.closing();
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.NotAValidator.selector, STRANGER));
        vm.prank(STRANGER);
        queue.propose(content);
        _propose(0, content);
        bytes32 contentHash = _hashOf(1);
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.NotAValidator.selector, STRANGER));
        vm.prank(STRANGER);
        queue.vote(1, contentHash, true);
    }

    function testNobodyCountsTwice() public {
        _propose(0, queue.closing());
        bytes32 contentHash = _hashOf(1);
        vm.expectRevert(IValidatorQueue.VotedBefore.selector);
        vm.prank(_validator(0));
        queue.vote(1, contentHash, true);
        _vote(0, 1, false);
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(IValidatorQueue.VotedBefore.selector);
            vm.prank(_validator(0));
            queue.vote(1, contentHash, i == 0);
        }
    }

    function testAVoteNamesItsContent() public {
        _propose(0, queue.closing());
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.UnknownProposal.selector, 1));
        vm.prank(_validator(1));
        queue.vote(1, keccak256("another"), true);
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.UnknownProposal.selector, 2));
        vm.prank(_validator(1));
        queue.vote(2, bytes32(0), true);
        _assertStatus(2, IValidatorQueue.Status.None);
    }

    /// @dev Who approved and wants it withdrawn does not carry it any more.
    function testTakenBackApprovalDoesNotCount() public {
        _propose(0, queue.closing());
        _vote(0, 1, false);
        _vote(1, 1, true);
        _assertStatus(1, IValidatorQueue.Status.Open);
        _vote(2, 1, true);
        _assertStatus(1, IValidatorQueue.Status.Waiting);
    }

    function testWithdrawnWhileWaiting() public {
        _propose(0, queue.closing());
        _vote(1, 1, true);
        bytes32 contentHash = _hashOf(1);
        _expectNotPossible(IValidatorQueue.Status.Waiting);
        vm.prank(_validator(2));
        queue.vote(1, contentHash, true);
        _vote(2, 1, false);
        _assertStatus(1, IValidatorQueue.Status.Waiting);
        vm.warp(NOW + DELAY);
        _vote(1, 1, false);
        _assertStatus(1, IValidatorQueue.Status.Withdrawn);
        _expectNotPossible(IValidatorQueue.Status.Withdrawn);
        queue.execute(1);
        _expectNotPossible(IValidatorQueue.Status.Withdrawn);
        vm.prank(_validator(0));
        queue.vote(1, contentHash, false);
    }

    function testLapses() public {
        _propose(0, queue.closing());
        (,,,, uint64 expiresAt) = queue.standing(1);
        assertEq(expiresAt, NOW + WINDOW, "unapproved");
        vm.warp(expiresAt);
        _assertStatus(1, IValidatorQueue.Status.Open);
        vm.warp(expiresAt + 1);
        _assertStatus(1, IValidatorQueue.Status.Lapsed);
        bytes32 contentHash = _hashOf(1);
        _expectNotPossible(IValidatorQueue.Status.Lapsed);
        vm.prank(_validator(1));
        queue.vote(1, contentHash, true);
        uint256 second = _readied(queue.closing());
        vm.warp(block.timestamp + WINDOW + 1);
        _expectNotPossible(IValidatorQueue.Status.Lapsed);
        queue.execute(second);
    }

    /// @dev The approvals of validators who left must not count: with the set, all other proposals go.
    function testAChangeOfTheSetMakesOthersStale() public {
        _propose(0, queue.adding(STRANGER, 3));
        _vote(1, 1, true);
        uint256 second = _readied(queue.rotating(_validator(1), _validator(8)));
        IValidatorQueue.Content memory old = queue.content(1);
        queue.execute(second);
        _assertStatus(1, IValidatorQueue.Status.Stale);
        _expectNotPossible(IValidatorQueue.Status.Stale);
        queue.execute(1);
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.StaleSet.selector, 1, 2));
        vm.prank(_validator(0));
        queue.propose(old);
    }

    // ------------------------------------------------------------------ relayed

    function testRelayedProposalAndVotes() public {
        IValidatorQueue.Content memory content = queue.closing();
        bytes32 contentHash = queue.hashContent(content);
        bytes memory signature = _signature(0, 1, contentHash, true);
        vm.prank(STRANGER);
        queue.proposeFor(_validator(0), content, signature);
        signature = _signature(1, 1, contentHash, true);
        vm.prank(STRANGER);
        queue.voteFor(_validator(1), 1, contentHash, true, signature);
        _assertStatus(1, IValidatorQueue.Status.Waiting);
        queue.voteFor(_validator(2), 1, contentHash, false, _signature(2, 1, contentHash, false));
        (,, uint16 withdrawals,,) = queue.standing(1);
        assertEq(withdrawals, 4, "seat 2");
    }

    /// @dev A signature fits its signer, number, content and word, and is used up with them.
    function testFuzzForeignSignatures(uint256 signer, uint256 number, bytes32 content, bool approve) public {
        IValidatorQueue.Content memory proposed = queue.closing();
        bytes32 contentHash = queue.hashContent(proposed);
        signer = bound(signer, 0, 5);
        number = bound(number, 1, 3);
        if (content[0] < 0x80) content = contentHash;
        bool good = signer == 1 && number == 1 && content == contentHash && approve;
        _propose(0, proposed);
        bytes memory signature = _signature(signer, number, content, approve);
        if (!good) vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.NotAValidator.selector, _validator(1)));
        queue.voteFor(_validator(1), 1, contentHash, true, signature);
        if (!good) return;
        _expectNotPossible(IValidatorQueue.Status.Waiting);
        queue.voteFor(_validator(1), 1, contentHash, true, signature);
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.NotAValidator.selector, _validator(1)));
        queue.proposeFor(_validator(1), proposed, signature);
    }

    // ------------------------------------------------------------------ contents

    function testBadDelays() public {
        vm.expectRevert(IValidatorQueue.BadDelay.selector);
        new ValidatorQueue(0);
        vm.expectRevert(IValidatorQueue.BadDelay.selector);
        new ValidatorQueue(365 days + 1);
        assertEq(new ValidatorQueue(365 days).delay(), 365 days, "a year");
        assertEq(queue.ledger(), address(seats), "the ledger is who creates the queue");
    }

    function testHelpersRefuseWhatMakesNoSense() public {
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.ExistingValidator.selector, _validator(1)));
        queue.adding(_validator(1), 2);
        vm.expectRevert(IValidatorQueue.ZeroAddress.selector);
        queue.adding(address(0), 2);
        vm.expectRevert(IValidatorQueue.ZeroAddress.selector);
        queue.rotating(_validator(1), address(0));
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.ExistingValidator.selector, _validator(2)));
        queue.rotating(_validator(1), _validator(2));
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.UnknownValidator.selector, STRANGER));
        queue.rotating(STRANGER, _validator(5));
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.UnknownValidator.selector, address(0)));
        queue.removing(address(0), 2);
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.BadThreshold.selector, 2, 3));
        queue.removing(_validator(0), 3);
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.BadThreshold.selector, 4, 2));
        queue.adding(STRANGER, 2);
        vm.expectRevert(abi.encodeWithSelector(IValidatorQueue.BadThreshold.selector, 3, 1));
        queue.settingThreshold(1);
        _deploy(16, 9);
        vm.expectRevert(IValidatorQueue.SetFull.selector);
        queue.adding(STRANGER, 9);
    }

    function testContentsAreRefusedBeforeAnybodyApproves() public {
        IValidatorQueue.Content memory content = queue.settingThreshold(2);
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.NothingChanges.selector));
        content = queue.settingThreshold(3);
        content.family = "dlog";
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.BadContent.selector));
        content = queue.closing();
        content.implementation = STRANGER;
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.BadContent.selector));
        content = queue.registering("dlog", address(0));
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.ZeroAddress.selector));
        content = queue.registering(0, STRANGER);
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.BadContent.selector));
        content = queue.registering("dlog", STRANGER);
        content.quorum = 2;
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.BadContent.selector));
        content = queue.closing();
        content.kind = IValidatorQueue.Kind.None;
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.BadContent.selector));
        content = queue.settingThreshold(3);
        (content.seats[1], content.seats[2]) = (content.seats[2], content.seats[1]);
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.SeatMoved.selector, _validator(2)));
        content = queue.settingThreshold(3);
        content.seats[9] = _validator(0);
        _expectRefused(content, abi.encodeWithSelector(IValidatorQueue.ExistingValidator.selector, _validator(0)));
    }

    /// @dev Whatever set is proposed, what is taken is a set: nobody twice, threshold in (n/2, n], nobody moved.
    function testFuzzOnlySetsAreTaken(uint256 seed, uint256 quorum) public {
        IValidatorQueue.Content memory content = queue.settingThreshold(3);
        quorum = content.quorum = bound(quorum, 0, 8);
        bool good = true;
        uint256 n = 0;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 who = (seed >> (8 * i)) % 8;
            content.seats[i] = who < 6 ? _validator(who) : address(0);
            if (who >= 6) continue;
            ++n;
            if (who < 3 && who != i) good = false;
            for (uint256 j = 0; j < i; ++j) {
                if (content.seats[j] == content.seats[i]) good = false;
            }
        }
        if (quorum <= n / 2 || quorum > n) good = false;
        vm.prank(_validator(0));
        try queue.propose(content) {
            assertTrue(good, "no set");
        } catch (bytes memory reason) {
            bool same = bytes4(reason) == IValidatorQueue.NothingChanges.selector;
            assertTrue(!good || same, "a set, and refused");
        }
    }

    function _expectRefused(IValidatorQueue.Content memory content, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(_validator(0));
        queue.propose(content);
        assertEq(queue.proposals(), 0, "nothing is queued");
    }
}
