// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {StrictWay} from "./Ways.sol";

/// @title Places that migrations of the strict way use one after the other
/// @dev Numbers that are 65,536 apart share one, between the same two parties.
contract StepPlacesTest is StrictWay {
    uint32 private constant PLACES = 65_536;
    uint256 private constant KEPT = 30 days;

    /// @dev The same home's migration of another number, asked for at this time.
    function _at(uint256 time, bool confirmed, uint32 seq) private returns (Item memory item) {
        ledger.setTime(time);
        item = _item(confirmed, 0, seq);
        (item.request.signedAt, item.request.resultDeadline) = (uint64(time - 60), uint64(time + 600));
    }

    function _ask(Item memory item) private {
        vm.prank(item.request.home);
        ledger.submitRequest(item.request);
    }

    function _refused(uint256 reason) private {
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(reason)));
    }

    function _unknown(Item memory item) private pure returns (bytes memory) {
        IKudosSteps.Request memory r = item.request;
        return abi.encodeWithSelector(IKudosSteps.UnknownStep.selector, r.home, r.host, r.seq);
    }

    function _expectHolder(Item memory item, IKudosSteps.Stage stage, IKudosSteps.State state) private view {
        (IKudosSteps.Stage stands, IKudosSteps.State claim,,) = ledger.step(_place(item));
        assertTrue(stands == stage && claim == state, "who holds the place");
    }

    // ------------------------------------------------------------------ when a place is free

    /// @dev However far a migration has come, its place is taken until 30 days after its deadline or its end.
    function testFuzzAPlaceIsTakenForThirtyDays(bool confirmed, uint8 steps, uint256 later, uint16 turns) public {
        Item memory item = _item(confirmed, 0, 3);
        Call[] memory calls = _calls(item);
        uint256 taken = bound(steps, 1, calls.length);
        for (uint256 i = 0; i < taken; ++i) {
            vm.prank(calls[i].sender);
            (bool done,) = address(ledger).call(calls[i].data);
            assertTrue(done, "so far");
        }
        uint256 end = taken == calls.length ? NOW : item.request.resultDeadline;
        if (taken == calls.length) {
            _say(item, 0, REFUSE);
            _say(item, 1, REFUSE);
        }
        later = bound(later, 1, 2 * KEPT);
        Item memory next = _at(end + later, confirmed, 3 + uint32(bound(turns, 1, PLACES - 1)) * PLACES);
        if (later <= KEPT) _refused(Reasons.SEQUENCE_USED);
        _ask(next);
        if (later > KEPT) _expectHolder(next, IKudosSteps.Stage.Requested, IKudosSteps.State.None);
    }

    function testTheSecondOfTheThirtiethDay() public {
        Item memory item = _item(true, 0, 3);
        _ask(item);
        Item memory next = _at(item.request.resultDeadline + KEPT, true, 3 + PLACES);
        _refused(Reasons.SEQUENCE_USED);
        _ask(next);
        _ask(_at(item.request.resultDeadline + KEPT + 1, true, 3 + PLACES));
    }

    /// @dev An open claim keeps its place for as long as it takes; votes on it count, and then it can be forgotten.
    function testFuzzAnOpenClaimIsNeverOverwritten(bool confirmed, uint256 later, bool retired) public {
        Item memory item = _item(confirmed, 0, 3);
        _take(item);
        later = bound(later, 1, 3_000 days);
        Item memory next = _at(NOW + later, confirmed, 3 + PLACES);
        _refused(Reasons.SEQUENCE_USED);
        _ask(next);
        _expectState(item, IKudosSteps.State.Claimed);
        if (retired) {
            assertTrue(_retire(item) == later > 7 days, "made again elsewhere");
        } else {
            _say(item, 0, APPROVE);
            _say(item, 1, APPROVE);
            _expectState(item, IKudosSteps.State.Verified);
        }
        if (later <= KEPT) _refused(Reasons.SEQUENCE_USED);
        _ask(next);
    }

    /// @dev Three migrations in one place, each a whole one with a Kudos of its own.
    function testFuzzAPlaceIsUsedAgainAndAgain(bool[3] memory confirmed) public {
        (uint256 k1, uint256 k2) = (0, 0);
        for (uint32 i = 0; i < 3; ++i) {
            Item memory item = _at(NOW + i * (KEPT + 1), confirmed[i], 3 + i * PLACES);
            _take(item);
            _expectState(item, IKudosSteps.State.Claimed);
            (uint16 voters,,) = ledger.stepVotes(_place(item));
            assertEq(voters, 0, "no votes of those before");
            _say(item, 0, APPROVE);
            _say(item, 2, APPROVE);
            _expectState(item, IKudosSteps.State.Verified);
            if (confirmed[i]) ++k2;
            else ++k1;
        }
        _assertKudos(host, k1, k2, 0);
    }

    /// @dev Neither of another pair, nor of the same two with their parts exchanged.
    function testPlacesAreOfOnePair() public {
        _take(_item(true, 0, 3));
        _take(_item(true, 1, 3));
        _take(_item(true, 0, 4));
        Item memory item = _item(true, 0, 3);
        (item.request.home, item.request.host) = (host, item.request.home);
        _ask(item);
        _expectHolder(item, IKudosSteps.Stage.Requested, IKudosSteps.State.None);
    }

    /// @dev The very number again, when its place is free: what is recorded has no consequences.
    function testFuzzANumberEarnsOnce(bool confirmed, bool again) public {
        Item memory item = _item(confirmed, 0, 3);
        _take(item);
        _say(item, 0, APPROVE);
        _say(item, 1, APPROVE);
        Item memory next = _at(NOW + KEPT + 1, again, 3);
        Call[] memory calls = _calls(next);
        for (uint256 i = 0; i + 1 < calls.length; ++i) {
            vm.prank(calls[i].sender);
            (bool done,) = address(ledger).call(calls[i].data);
            assertTrue(done, "recorded");
        }
        vm.prank(calls[calls.length - 1].sender);
        (, bytes memory answer) = address(ledger).call(calls[calls.length - 1].data);
        uint8 used = uint8(Reasons.SEQUENCE_USED);
        assertEq(answer, abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, used), "its answer is not");
        _expectNoSay(item, 2, APPROVE, _unknown(item));
        _expectNoSay(next, 2, APPROVE, _unknown(next));
        _assertKudos(host, confirmed ? 0 : 1, confirmed ? 1 : 0, 0);
    }

    /// @dev A REQUEST of the first migration, signed once, cannot be sent again for the place: its times are over.
    function testAnOldRequestIsNotTakenAgain() public {
        Item memory item = _item(true, 0, 3);
        _ask(item);
        ledger.setTime(item.request.resultDeadline + KEPT + 1);
        _refused(Reasons.EXPIRED);
        _ask(item);
    }

    // ------------------------------------------------------------------ numbers that share a place

    /// @dev Whoever calls names the number; under another one of the same place nothing goes on, and none is used up.
    function testFuzzNoStepUnderAnotherNumber(bool confirmed, uint8 which, uint16 turns) public {
        Item memory item = _item(confirmed, 0, 3);
        Call[] memory calls = _calls(item);
        uint256 last = bound(which, 1, calls.length - 1);
        for (uint256 i = 0; i < last; ++i) {
            vm.prank(calls[i].sender);
            (bool done,) = address(ledger).call(calls[i].data);
            assertTrue(done, "so far");
        }
        uint32 other = 3 + uint32(bound(turns, 1, PLACES - 1)) * PLACES;
        bytes memory data = _withWord(calls[last].data, 2, other);
        vm.prank(calls[last].sender);
        (bool under, bytes memory answer) = address(ledger).call(data);
        assertTrue(!under, "not under this number");
        assertEq(
            answer,
            abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.OUT_OF_TURN)),
            "out of turn"
        );
        assertTrue(!ledger.sequenceUsed(item.request.home, host, other), "the other number is free");
        vm.prank(calls[last].sender);
        (bool taken,) = address(ledger).call(calls[last].data);
        assertTrue(taken, "under its own");
    }

    function _withWord(bytes memory data, uint256 word, uint256 value) private pure returns (bytes memory changed) {
        changed = bytes.concat(data);
        uint256 offset = 36 + 32 * word;
        // Memory-safe: writes within the copy.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(add(changed, offset), value)
        }
    }

    function _word(bytes memory data, uint256 word) private pure returns (uint256 value) {
        uint256 offset = 36 + 32 * word;
        // Memory-safe: reads only.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            value := mload(add(data, offset))
        }
    }

    /// @dev A bit that the type of a field does not have: nothing is taken, and nothing is said, as Solidity has it.
    function _expectDirty(Call memory call, uint256 field, uint256 bit) private {
        bytes memory data = _withWord(call.data, field, _word(call.data, field) | (1 << bit));
        vm.prank(call.sender);
        (bool taken, bytes memory answer) = address(ledger).call(data);
        assertTrue(!taken && answer.length == 0, "refused without a word");
        vm.prank(call.sender);
        (taken,) = address(ledger).call(call.data);
        assertTrue(taken, "and as it should be taken");
    }

    function testFuzzNoRequestWithDirtyFields(uint8 which, uint8 above) public {
        uint8[8] memory fields = [0, 1, 5, 6, 7, 8, 9, 10];
        uint256 field = fields[which % 8];
        uint256 width = field < 2 ? 160 : field < 9 ? 32 : 64;
        _expectDirty(_calls(_item(true, 0, 3))[0], field, bound(above, width, 255));
    }

    function testFuzzNoStepInADirtyPlace(uint8 field, uint8 above) public {
        Item memory item = _item(true, 0, 3);
        _ask(item);
        field %= 3;
        bytes[4] memory none;
        Call memory long = Call(host, _signedCalls(item, none)[1]);
        _expectDirty(long, field, bound(above, field < 2 ? 160 : 32, 255));
    }

    /// @dev Whose own asset it is says less: home, number and time follow the id.
    function testFuzzNothingDirtyIsSubmitted(uint8 field, uint8 above) public {
        Item memory item = _item(true, 0, 3);
        _ask(item);
        uint8[3] memory widths = [160, 32, 64];
        field %= 3;
        _expectDirty(_calls(item)[1], 1 + field, bound(above, widths[field], 255));
    }

    function testFuzzNoDirtyVoteOnAStep(uint8 field, uint8 above) public {
        Item memory item = _item(true, 0, 3);
        _take(item);
        uint8[5] memory widths = [160, 160, 32, 0, 8];
        field = field % 4 == 3 ? 4 : field % 4;
        _expectDirty(Call(seats[0], _voteCall(item, APPROVE)), field, bound(above, widths[field], 255));
    }

    function testFuzzNoVoteInADirtyPlace(uint8 field, uint8 above) public {
        Item memory item = _item(true, 0, 3);
        _take(item);
        (, IKudosSteps.StepVote[] memory votes) = _votesOn(item, APPROVE);
        bytes memory data = abi.encodeCall(ledger.vote, (new IKudosLedger.BatchVote[](0), votes));
        // Behind two offsets, two lengths.
        uint256 word = field % 3;
        _expectDirty(Call(seats[0], data), 4 + word, bound(above, word < 2 ? 160 : 32, 255));
    }

    function testFuzzNoVoteUnderAnotherNumber(bool confirmed, uint16 turns) public {
        Item memory item = _item(confirmed, 0, 3);
        _take(item);
        (, IKudosSteps.StepVote[] memory votes) = _votesOn(item, APPROVE);
        votes[0].place.seq = item.request.seq = 3 + uint32(bound(turns, 1, PLACES - 1)) * PLACES;
        vm.expectRevert(_unknown(item));
        vm.prank(seats[0]);
        ledger.vote(new IKudosLedger.BatchVote[](0), votes);
    }

    function testFuzzNoRecountUnderAnotherNumberOrOfAnotherAsset(uint16 turns, bytes32 other) public {
        Item memory item = _item(true, 0, 3);
        (, bytes32 id) = _ids(item);
        _expectNoRecount(item, id);
        _take(item);
        _say(item, 0, APPROVE);
        vm.assume(other != id);
        _expectNoRecount(item, other);
        ledger.setTime(NOW + 1);
        _applySeats(2);
        item.request.seq = 3 + uint32(bound(turns, 1, PLACES - 1)) * PLACES;
        _expectNoRecount(item, id);
    }

    function _expectNoRecount(Item memory item, bytes32 id) private {
        vm.expectRevert(_unknown(item));
        ledger.recountStep(_place(item), id);
    }

    /// @dev Of what was overwritten nothing can be found any more, and the views tell of who came after.
    function testTheEarlierMigrationIsForgotten() public {
        Item memory item = _item(true, 0, 3);
        _take(item);
        _say(item, 0, APPROVE);
        _say(item, 1, APPROVE);
        Item memory next = _at(NOW + KEPT + 1, true, 3 + PLACES);
        _take(next);
        _expectNoSay(item, 2, APPROVE, _unknown(item));
        (, bytes32 id) = _ids(item);
        _expectNoRecount(item, id);
        assertEq(ledger.stepPendingSince(_place(item)), NOW + KEPT + 1, "the later one's");
        _say(next, 2, APPROVE);
        (uint16 voters, uint16 approvals,) = ledger.stepVotes(_place(item));
        assertTrue(voters == 4 && approvals == 4, "its votes");
        _say(next, 0, APPROVE);
        _assertKudos(host, 0, 2, 0);
    }
}
