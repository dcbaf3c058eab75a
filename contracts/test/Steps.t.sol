// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {IValidatorSeats} from "../interfaces/IValidatorSeats.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {Vm} from "./Vm.sol";
import {Wallet} from "./Wallets.sol";
import {StrictWay} from "./Ways.sol";

/// @title What only the strict way has: an order of steps, and what they say; and both ways beside one another
contract StepsTest is StrictWay {
    function testEveryStepSaysItsAsset() public {
        Item memory item = _item(true, 0, 3);
        vm.recordLogs();
        _take(item);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 4, "one each, without signatures");
        bytes32 requestId = _requestId(item);
        bytes32[4] memory kinds = [
            IKudosSteps.Requested.selector,
            IKudosSteps.Accepted.selector,
            IKudosSteps.Confirmed.selector,
            IKudosSteps.Resulted.selector
        ];
        uint64 start = item.request.signedAt;
        bytes[4] memory contents = [
            abi.encode(item.request), abi.encode(start + 1), abi.encode(start + 2), abi.encode(item.seal, start + 30, true)
        ];
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(logs[i].topics[0], kinds[i], "kind");
            assertEq(logs[i].topics[1], requestId, "of this request");
            assertEq(logs[i].data, contents[i], "content");
        }
        (IKudosSteps.Stage stage,, bytes20 fingerprint, uint32 time) = ledger.step(_place(item));
        assertTrue(stage == IKudosSteps.Stage.Result, "stage");
        (, bytes32 resultId) = _ids(item);
        uint160 last = uint160(uint256(keccak256(abi.encode(resultId, uint256(3)))));
        assertEq(bytes32(fingerprint), bytes32(bytes20(last)), "result");
        assertEq(time, NOW, "settled");
    }

    /// @dev Any call in any order: only the next step of the very asset is taken. Who asks or answers a second time
    /// learns that the number is used, whoever comes out of turn that it did.
    function testFuzzOnlyTheNextStepIsTaken(uint8[10] memory order) public {
        Call[] memory calls = _calls(_item(true, 0, 3));
        uint256 done = 0;
        for (uint256 i = 0; i < order.length; ++i) {
            uint256 next = order[i] % 4;
            vm.prank(calls[next].sender);
            (bool taken, bytes memory answer) = address(ledger).call(calls[next].data);
            assertTrue(taken == (next == done), "in turn");
            if (taken) {
                ++done;
                continue;
            }
            uint256 reason = next < 2 && done > next ? Reasons.SEQUENCE_USED : Reasons.OUT_OF_TURN;
            assertEq(
                answer, abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(reason)), "for this"
            );
        }
    }

    function testFuzzAStepIsOfTheRecordedAsset(bytes32 other, uint256 which) public {
        Item memory item = _item(true, 0, 3);
        Call[] memory calls = _calls(item);
        which = bound(which, 1, 3);
        for (uint256 i = 0; i < which; ++i) {
            vm.prank(calls[i].sender);
            (bool taken,) = address(ledger).call(calls[i].data);
            assertTrue(taken, "so far");
        }
        vm.assume(other != _requestId(item));
        uint64 start = item.request.signedAt;
        bytes memory data = which == 1
            ? abi.encodeCall(ledger.submitAccepted, (other, item.request.home, 3, start + 1))
            : which == 2
                ? abi.encodeCall(ledger.submitConfirmed, (other, host, 3, start + 2, start + 1))
                : abi.encodeCall(ledger.submitResult, (other, item.request.home, 3, start + 30, item.seal));
        _expectRefusal(calls[which].sender, data, Reasons.OUT_OF_TURN);
    }

    function testFuzzOnlyTheOwnerSendsWithoutSignature(address sender, uint256 which) public {
        Item memory item = _item(true, 0, 3);
        Call[] memory calls = _calls(item);
        which = bound(which, 0, 3);
        for (uint256 i = 0; i < which; ++i) {
            vm.prank(calls[i].sender);
            (bool taken,) = address(ledger).call(calls[i].data);
            assertTrue(taken, "so far");
        }
        vm.assume(sender != calls[which].sender);
        bytes[4] memory none;
        _expectRefusal(
            sender,
            _signedCalls(item, none)[which],
            which % 2 == 0 ? Reasons.BAD_SIGNATURE : Reasons.NOT_AUTHORISED
        );
        // Where the sender is a party by sending, it is one of a migration that nobody asked for.
        _expectRefusal(sender, calls[which].data, which == 0 ? Reasons.BAD_SIGNATURE : Reasons.OUT_OF_TURN);
    }

    function _expectRefusal(address sender, bytes memory data, uint256 reason) private {
        vm.prank(sender);
        (bool done, bytes memory answer) = address(ledger).call(data);
        assertTrue(!done, "refused");
        assertEq(answer, abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(reason)), "for this");
    }

    /// @dev Both forms, without a signature, by the owner: the same is stored and the same is said.
    function testFuzzBothFormsSayTheSame(bool confirmed, uint32 seq, uint8 rejection) public {
        Item memory item = _item(confirmed, 0, seq);
        item.rejection = rejection;
        bytes[4] memory none;
        Call[] memory calls = _calls(item);
        bytes[] memory forms = _signedCalls(item, none);
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256 before = vm.snapshotState();
            (bool shortTaken, bytes memory short) = _watch(calls[i].sender, calls[i].data, item);
            assertTrue(vm.revertToState(before), "back");
            (bool taken, bytes memory long) = _watch(calls[i].sender, forms[i], item);
            assertTrue(taken == shortTaken, "both or neither");
            assertEq(short, long, "the same");
        }
    }

    /// @dev Sends it; what stands in the migration's slot then, and what was logged.
    function _watch(address sender, bytes memory data, Item memory item) private returns (bool taken, bytes memory) {
        vm.recordLogs();
        vm.prank(sender);
        (taken,) = address(ledger).call(data);
        (IKudosSteps.Stage stage, IKudosSteps.State state, bytes20 fingerprint, uint32 time) =
            ledger.step(_place(item));
        bool used = ledger.sequenceUsed(item.request.home, host, item.request.seq);
        return (taken, abi.encode(stage, state, fingerprint, time, used, vm.getRecordedLogs()));
    }

    /// @dev Both forms of a vote, on the one claim: the same is stored and the same is said.
    function testFuzzBothFormsOfAVoteSayTheSame(bool confirmed, uint8 first, uint8 second) public {
        Item memory item = _item(confirmed, 0, 3);
        _take(item);
        uint8[2] memory reasons = [first, second];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory short = _voteCall(item, reasons[i]);
            (IKudosLedger.BatchVote[] memory none, IKudosSteps.StepVote[] memory votes) = _votesOn(item, reasons[i]);
            uint256 before = vm.snapshotState();
            (bool shortTaken, bytes memory said) = _watch(seats[i], short, item);
            assertTrue(vm.revertToState(before), "back");
            (bool taken, bytes memory also) = _watch(seats[i], abi.encodeCall(ledger.vote, (none, votes)), item);
            assertTrue(taken == shortTaken, "both or neither");
            assertEq(said, also, "the same");
        }
        (uint64 k1, uint64 k2,) = ledger.kudos(host);
        assertEq(k1 + k2, first == APPROVE && second == APPROVE ? 1 : 0, "two approvals");
    }

    function testFuzzOnlyAValidatorVotesOnAStep(address sender) public {
        Item memory item = _item(true, 0, 3);
        _take(item);
        for (uint256 i = 0; i < seats.length; ++i) {
            vm.assume(sender != seats[i]);
        }
        bytes memory call = _voteCall(item, APPROVE);
        vm.prank(sender);
        (bool done, bytes memory answer) = address(ledger).call(call);
        assertTrue(!done, "no vote");
        assertEq(answer, abi.encodeWithSelector(IValidatorSeats.NotAValidator.selector), "for this");
    }

    /// @dev Both parties may be contracts here, where one signature is looked at at a time.
    function testAHomeThatIsAWalletSigns() public {
        Item memory item = _item(true, 0, 3);
        item.request.home = address(new Wallet());
        bytes32 requestId = _requestId(item);
        bytes memory signature = Wallet(item.request.home).signatureOf(item.request.home, requestId);
        vm.recordLogs();
        ledger.request(item.request, signature);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs[0].topics[0], IKudosSteps.Signed.selector, "kept");
        assertEq(logs[0].topics[1], requestId, "of this asset");
        assertEq(logs[0].data, abi.encode(signature), "in full");
    }

    function testASigningTimeMustFit() public {
        Item memory item = _item(true, 0, 3);
        Call[] memory calls = _calls(item);
        vm.prank(calls[0].sender);
        ledger.submitRequest(item.request);
        bytes32 requestId = _requestId(item);
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.BAD_ORDER)));
        vm.prank(host);
        ledger.submitAccepted(requestId, item.request.home, 3, uint64(1 << 48));
        vm.prank(host);
        ledger.submitAccepted(requestId, item.request.home, 3, type(uint48).max);
    }

    function testTooLateForTheNextStep() public {
        Item memory item = _item(true, 0, 3);
        Call[] memory calls = _calls(item);
        vm.prank(calls[0].sender);
        ledger.submitRequest(item.request);
        ledger.setTime(item.request.resultDeadline + 1 days + 1);
        vm.prank(calls[1].sender);
        (, bytes memory answer) = address(ledger).call(calls[1].data);
        assertEq(
            answer, abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.EXPIRED)), "expired"
        );
    }

    /// @dev What is settled in the second of its deadline earns K2; a second later it is a fact and nothing else.
    function testFuzzAResultIsInTimeUpToItsDeadline(uint32 late) public {
        Item memory item = _item(true, 0, 3);
        Call[] memory calls = _calls(item);
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(calls[i].sender);
            (bool taken,) = address(ledger).call(calls[i].data);
            assertTrue(taken, "so far");
        }
        // Either side of the border half of the time.
        late = uint32(bound(late, 0, 3));
        ledger.setTime(item.request.resultDeadline + late - 1);
        vm.recordLogs();
        vm.prank(calls[3].sender);
        (bool done,) = address(ledger).call(calls[3].data);
        assertTrue(done, "a fact");
        (IKudosSteps.Stage stage,,,) = ledger.step(_place(item));
        assertTrue(stage == (late > 1 ? IKudosSteps.Stage.LateResult : IKudosSteps.Stage.Result), "stage");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(
            logs[logs.length - 1].data, abi.encode(item.seal, item.request.signedAt + 30, late <= 1), "claimed"
        );
    }

    // ------------------------------------------------------------------ votes

    function testAVoteIsOnOneAsset() public {
        Item memory item = _item(true, 0, 3);
        _take(item);
        (, IKudosSteps.StepVote[] memory votes) = _votesOn(item, APPROVE);
        votes[0].id = keccak256("the result of another block");
        vm.expectRevert(
            abi.encodeWithSelector(IKudosSteps.UnknownStep.selector, item.request.home, host, uint32(3))
        );
        vm.prank(seats[0]);
        ledger.vote(new IKudosLedger.BatchVote[](0), votes);
    }

    function testFuzzAReasonThatIsNoVote(uint8 reason) public {
        vm.assume(reason < 128 || reason > 159);
        Item memory item = _item(true, 0, 3);
        _take(item);
        _expectNoSay(item, 0, reason, abi.encodeWithSelector(IKudosLedger.ContradictoryVote.selector));
    }

    function testFuzzTheMasksAreTheVotes(uint8[3] memory words) public {
        Item memory item = _item(true, 0, 3);
        uint16 ayes = 0;
        uint16 nays = 0;
        uint8[3] memory codes = [APPROVE, REFUSE, ABSTAIN];
        (uint16 voters, uint16 approvals, uint16 refusals) = ledger.stepVotes(_place(item));
        assertEq(voters | approvals | refusals, 0, "none before there is a claim");
        _take(item);
        for (uint256 i = 0; i < 3; ++i) {
            _say(item, i, codes[words[i] % 3]);
            if (words[i] % 3 == 0) ayes |= uint16(1 << i);
            if (words[i] % 3 == 1) nays |= uint16(1 << i);
        }
        (voters, approvals, refusals) = ledger.stepVotes(_place(item));
        assertEq(voters, 7, "all");
        assertEq(approvals, ayes, "ayes");
        assertEq(refusals, nays, "nays");
    }

    // ------------------------------------------------------------------ two ways at once

    function testFuzzAnAnswerInOneWayIsAnswered(bool batchFirst, bool accepted) public {
        Item memory item = _item(accepted, 0, 3);
        Call[] memory calls = _calls(item);
        vm.prank(calls[0].sender);
        ledger.submitRequest(item.request);
        if (batchFirst) {
            _settle(_one(item));
            vm.prank(calls[1].sender);
            (bool taken, bytes memory answer) = address(ledger).call(calls[1].data);
            if (accepted) {
                assertTrue(taken, "an ACCEPTED uses no number");
                for (uint256 i = 2; i < calls.length; ++i) {
                    vm.prank(calls[i].sender);
                    (taken, answer) = address(ledger).call(calls[i].data);
                    if (i + 1 < calls.length) assertTrue(taken, "recorded");
                }
            }
            assertTrue(!taken, "answered in a batch");
            assertEq(
                answer,
                abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.SEQUENCE_USED)),
                "used"
            );
        } else {
            vm.prank(calls[1].sender);
            (bool taken,) = address(ledger).call(calls[1].data);
            assertTrue(taken, "answered by itself");
            for (uint256 i = 2; i < calls.length; ++i) {
                vm.prank(calls[i].sender);
                (taken,) = address(ledger).call(calls[i].data);
                assertTrue(taken, "finished by itself");
            }
            _expectSkip(item, Reasons.SEQUENCE_USED);
        }
    }
}
