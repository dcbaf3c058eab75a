// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {IValidatorSeats} from "../interfaces/IValidatorSeats.sol";
import {Assets} from "../libraries/Assets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {BatchWay, SignedWay, StrictWay, Way} from "./Ways.sol";

/// @title The rules of settlement and of voting, over every way in
abstract contract RulesTest is Way {
    bytes private constant VOTED_BEFORE = abi.encodeWithSelector(IKudosLedger.VotedBefore.selector);

    // ------------------------------------------------------------------ a migration's life

    function testFuzzAMigrationEarnsItsLevel(bool confirmed, uint32 seq, uint256 first, uint256 second) public {
        Item memory item = _item(confirmed, 0, seq);
        _take(item);
        assertTrue(ledger.sequenceUsed(item.request.home, host, seq), "the number is used");
        _expectState(item, IKudosSteps.State.Claimed);
        assertEq(_waitsSince(item), NOW, "since it was opened");
        first = bound(first, 0, 2);
        _say(item, first, APPROVE);
        _assertKudos(host, 0, 0, 0);
        _say(item, (first + bound(second, 1, 2)) % 3, APPROVE);
        _expectState(item, IKudosSteps.State.Verified);
        _assertKudos(host, confirmed ? 0 : 1, confirmed ? 1 : 0, 0);
    }

    function testFuzzAnyBallots(uint256 n, uint256 m, uint256 words, bool confirmed) public {
        n = bound(n, 1, 16);
        m = bound(m, n / 2 + 1, n);
        _deploy(n, m);
        Item memory item = _item(confirmed, 0, 3);
        _take(item);
        uint256 ayes = 0;
        uint256 nays = 0;
        for (uint256 i = 0; i < n; ++i) {
            uint256 word = (words >> (2 * i)) & 3;
            if (word == 3) continue;
            _say(item, i, word == 0 ? APPROVE : word == 1 ? REFUSE : ABSTAIN);
            if (word == 0) ++ayes;
            if (word == 1) ++nays;
        }
        if (ayes >= m) _expectState(item, IKudosSteps.State.Verified);
        else if (nays > n - m) _expectState(item, IKudosSteps.State.Refused);
        else _expectState(item, IKudosSteps.State.Claimed);
        uint256 earned = ayes >= m ? 1 : 0;
        _assertKudos(host, confirmed ? 0 : earned, confirmed ? earned : 0, 0);
    }

    /// @dev Quick parties sign all in one second, which is in order.
    function testFuzzAllInOneSecond(bool confirmed) public {
        Item memory item = _item(confirmed, 0, 3);
        (item.acceptedAfter, item.confirmedAfter, item.resultAfter) = (0, 0, 0);
        _take(item);
        _expectState(item, IKudosSteps.State.Claimed);
    }

    // ------------------------------------------------------------------ nothing twice

    function testFuzzNothingSettlesTwice(bool first, bool second, uint32 seq) public {
        _take(_item(first, 0, seq));
        Item memory again = _item(second, 0, seq);
        assertEq(_try(again), Reasons.SEQUENCE_USED, "the same request");
        again.seal = keccak256("another result");
        again.request.processId = keccak256("another process");
        assertEq(_try(again), Reasons.SEQUENCE_USED, "another one of the same number");
    }

    function testFuzzSequenceNumbersInAnyOrder(uint32[5] memory seqs) public {
        for (uint256 i = 0; i < seqs.length; ++i) {
            bool used = false;
            for (uint256 j = 0; j < i; ++j) {
                used = used || seqs[j] == seqs[i];
                // Who shares a place the strict way waits for it: StepPlaces.t.sol.
                vm.assume(seqs[j] == seqs[i] || uint16(seqs[j]) != uint16(seqs[i]));
            }
            assertEq(_try(_item(true, 0, seqs[i])), used ? Reasons.SEQUENCE_USED : 0, "once each");
        }
        assertEq(_try(_item(true, 1, seqs[0])), 0, "another pair has its own");
    }

    function testFuzzAVoteCountsOnce(uint8 first, uint8 second) public {
        uint8[3] memory words = [APPROVE, REFUSE, ABSTAIN];
        Item memory item = _item(true, 0, 7);
        _take(item);
        _say(item, 0, words[first % 3]);
        _expectNoSay(item, 0, words[second % 3], VOTED_BEFORE);
        _say(item, 1, APPROVE);
        _expectState(item, first % 3 == 0 ? IKudosSteps.State.Verified : IKudosSteps.State.Claimed);
    }

    // ------------------------------------------------------------------ whose asset it is

    function testFuzzAHomeMustHaveSigned(uint256 key, bool confirmed) public {
        Item memory item = _item(confirmed, 0, 9);
        item.signerKey = bound(key, 1, type(uint128).max);
        vm.assume(item.signerKey != item.homeKey);
        assertEq(_try(item), Reasons.BAD_SIGNATURE, "somebody else");
        assertTrue(!ledger.sequenceUsed(item.request.home, host, 9), "the number stays free");
        item.signerKey = item.homeKey;
        _take(item);
    }

    function testFuzzHomeIsNotHost(bool confirmed, uint32 seq) public {
        Item memory item = _item(confirmed, 0, seq);
        (item.homeKey, item.signerKey, item.request.home) = (HOST_KEY, HOST_KEY, host);
        assertEq(_try(item), Reasons.SELF, "self");
        assertTrue(!ledger.sequenceUsed(host, host, seq), "nothing stays");
    }

    // ------------------------------------------------------------------ times

    function testFuzzDeadlines(uint256 signedAt, uint256 allowed, bool confirmed) public {
        signedAt = bound(signedAt, NOW - 9 days, NOW + 600);
        allowed = bound(allowed, 0, 604_800 + 10);
        uint256 deadline = signedAt + allowed;
        Item memory item = _item(confirmed, 0, 0);
        (item.request.signedAt, item.request.resultDeadline) = (uint64(signedAt), uint64(deadline));
        uint256 reason = 0;
        if (NOW > deadline + 1 days) reason = Reasons.EXPIRED;
        if (allowed == 0 || allowed > 604_800 || signedAt > NOW + 300 || deadline > NOW + 7 days) {
            reason = Reasons.BAD_DEADLINE;
        }
        assertEq(_try(item), reason, "as the bounds say");
    }

    function testFuzzALateResultEarnsNothing(uint256 late) public {
        late = bound(late, 0, 1 days);
        Item memory item = _item(true, 0, 0);
        ledger.setTime(item.request.resultDeadline + late);
        _take(item);
        _expectState(item, late == 0 ? IKudosSteps.State.Claimed : IKudosSteps.State.None);
    }

    function testExpiryAgainstSettlementInTheLastBlock() public {
        Item memory item = _item(true, 0, 0);
        uint256 last = item.request.resultDeadline + 1 days;
        ledger.setTime(last + 1);
        assertEq(_try(item), Reasons.EXPIRED, "one second too late");
        ledger.setTime(last);
        _take(item);
    }

    function testFuzzOrder(uint16 acceptedAfter, uint16 confirmedAfter, uint24 resultAfter) public {
        Item memory item = _item(true, 0, 0);
        (item.acceptedAfter, item.confirmedAfter, item.resultAfter) = (acceptedAfter, confirmedAfter, resultAfter);
        bool good = acceptedAfter <= confirmedAfter && confirmedAfter <= resultAfter;
        assertEq(_try(item), good ? 0 : Reasons.BAD_ORDER, "order");
    }

    // ------------------------------------------------------------------ caps

    function testFuzzK1Caps(uint8[8] memory homes) public {
        uint256 claimed = 0;
        for (uint256 i = 0; i < homes.length; ++i) {
            bool before = false;
            for (uint256 j = 0; j < i; ++j) {
                before = before || homes[j] % 6 == homes[i] % 6;
            }
            Item memory item = _item(false, homes[i] % 6, uint32(i));
            _take(item);
            bool open = !before && claimed < K1_ALLOWANCE;
            if (open) ++claimed;
            _expectState(item, open ? IKudosSteps.State.Claimed : IKudosSteps.State.None);
            (uint64 epoch, uint64 k1,,) = ledger.pair(item.request.home, host);
            if (open) assertEq(epoch, NOW / EPOCH, "this epoch");
            assertTrue(k1 <= 1, "one of a pair");
        }
    }

    function testFuzzK2Cap(uint64 cap, uint8 tries) public {
        cap = uint64(bound(cap, 0, 4));
        tries = uint8(bound(tries, 1, 6));
        bytes32[3] memory none;
        _deployLedger(2, cap, none, address(0));
        for (uint32 i = 0; i < tries; ++i) {
            Item memory item = _item(true, 0, i);
            _take(item);
            bool open = cap == 0 || i < cap;
            _expectState(item, open ? IKudosSteps.State.Claimed : IKudosSteps.State.None);
        }
        (uint64 epoch,, uint64 k2,) = ledger.pair(vm.addr(HOME_KEY), host);
        assertEq(k2, cap < tries ? cap : tries, "counted up to the cap, and without one not at all");
        assertEq(epoch, cap == 0 ? 0 : NOW / EPOCH, "of this epoch");
        ledger.setTime(NOW + EPOCH);
        Item memory later = _item(true, 0, 100);
        later.request.signedAt += uint64(EPOCH);
        later.request.resultDeadline += uint64(EPOCH);
        _take(later);
        _expectState(later, IKudosSteps.State.Claimed);
    }

    // ------------------------------------------------------------------ parties

    /// @dev Four validators, two needed: without the party three are left, of whom two refusals end it.
    function testFuzzAPartyDoesNotVote(bool asHost, uint256 number, bool confirmed) public {
        _deploy(4, 2 + 1);
        Item memory item = _withParty(asHost, number = bound(number, 0, 3), confirmed);
        _take(item);
        (address party, uint256 others) = (seats[number], (number + 1) % 4);
        if (_partyIsToldApart()) {
            bytes memory refused = abi.encodeWithSelector(IKudosSteps.NotEligible.selector, party);
            _expectNoSay(item, number, APPROVE, refused);
        } else {
            _say(item, number, APPROVE);
        }
        _say(item, others, APPROVE);
        _say(item, (number + 2) % 4, APPROVE);
        _expectState(item, IKudosSteps.State.Claimed);
        _say(item, (number + 3) % 4, APPROVE);
        _expectState(item, IKudosSteps.State.Verified);
    }

    function testFuzzAPartyCountsAgainstReachingTheQuorum(bool asHost, uint256 number, bool confirmed) public {
        _deploy(4, 3);
        Item memory item = _withParty(asHost, number = bound(number, 0, 3), confirmed);
        _take(item);
        _expectState(item, IKudosSteps.State.Claimed);
        // Of three eligible ones three are needed: one refusal ends it.
        _say(item, (number + 1) % 4, REFUSE);
        _expectState(item, IKudosSteps.State.Refused);
        _say(item, (number + 2) % 4, APPROVE);
        _expectState(item, IKudosSteps.State.Refused);
        _assertKudos(host, 0, 0, 0);
    }

    function testAPartyThatWasNoValidatorThenDoesNotVoteEither() public {
        Item memory item = _item(true, 0, 0);
        _take(item);
        seats[2] = item.request.home;
        ledger.setTime(NOW + 1);
        _applySeats(2);
        bytes memory refused = abi.encodeWithSelector(IKudosSteps.NotEligible.selector, seats[2]);
        _expectNoSay(item, 2, APPROVE, refused);
    }

    function _withParty(bool asHost, uint256 number, bool confirmed) private returns (Item memory item) {
        if (asHost) host = seats[number];
        item = _item(confirmed, 0, 0);
        if (asHost) return item;
        (item.homeKey, item.signerKey, item.request.home) =
            (VALIDATOR_KEY + number, VALIDATOR_KEY + number, seats[number]);
    }

    /// @dev A ballot on a batch says nothing of records that its validator is party to; a single vote is refused.
    function _partyIsToldApart() internal pure virtual returns (bool) {
        return true;
    }

    // ------------------------------------------------------------------ the set changes

    function testANewValidatorHasNoSayOnWhatIsOlder() public {
        Item memory item = _item(true, 0, 0);
        _take(item);
        seats.push(vm.addr(0xC99));
        _applySeats(3);
        // In the very second of the opening, too.
        bytes memory refused = abi.encodeWithSelector(IKudosSteps.NotEligible.selector, seats[3]);
        _expectNoSay(item, 3, APPROVE, refused);
        ledger.setTime(NOW + 1);
        Item memory later = _item(true, 0, 1);
        _take(later);
        for (uint256 i = 1; i < 4; ++i) {
            _say(later, i, APPROVE);
        }
        _expectState(later, IKudosSteps.State.Verified);
    }

    /// @dev Lido's ConsensusLost: who is removed takes its vote along, and comes back without it.
    function testFuzzARemovedValidatorsVoteDoesNotCount(uint256 number, bool back) public {
        number = bound(number, 0, 2);
        Item memory item = _item(true, 0, 0);
        _take(item);
        _say(item, number, APPROVE);
        address removed = seats[number];
        seats[number] = address(0);
        ledger.setTime(NOW + 10);
        _applySeats(2);
        if (back) {
            seats[number] = removed;
            _applySeats(2);
            bytes memory refused = abi.encodeWithSelector(IKudosSteps.NotEligible.selector, removed);
            _expectNoSay(item, number, APPROVE, refused);
        }
        _say(item, (number + 1) % 3, APPROVE);
        _expectState(item, IKudosSteps.State.Claimed);
        _say(item, (number + 2) % 3, APPROVE);
        _expectState(item, IKudosSteps.State.Verified);
    }

    function testFuzzARecountDecidesByTheNewThreshold(bool approve, bool confirmed) public {
        Item memory item = _item(confirmed, 0, 0);
        _deploy(5, 4);
        item = _item(confirmed, 0, 0);
        _take(item);
        for (uint256 i = 0; i < 2; ++i) {
            _say(item, i, approve ? APPROVE : REFUSE);
        }
        assertTrue(_recount(item) == 0, "counted anew");
        _expectState(item, approve ? IKudosSteps.State.Claimed : IKudosSteps.State.Refused);
        if (!approve) return;
        // Two leave: of three remaining two decide.
        delete seats[3];
        delete seats[4];
        ledger.setTime(NOW + 10);
        _applySeats(2);
        assertTrue(_recount(item) == 0, "counted anew");
        _expectState(item, IKudosSteps.State.Verified);
        _assertKudos(host, confirmed ? 0 : 1, confirmed ? 1 : 0, 0);
    }

    function testNothingToCountAnew() public {
        assertTrue(_recount(_item(true, 0, 0)) != 0, "there is no such claim");
    }

    /// @dev A change that leaves too few who may vote refuses nothing: the claim waits until it is made again.
    function testTooFewEligibleOnesLeaveItOpen() public {
        Item memory item = _item(true, 0, 0);
        _take(item);
        _say(item, 0, APPROVE);
        (seats[1], seats[2]) = (vm.addr(0xC98), vm.addr(0xC99));
        ledger.setTime(NOW + 10);
        _applySeats(2);
        assertTrue(_recount(item) == 0, "counted anew");
        _expectState(item, IKudosSteps.State.Claimed);
        ledger.setTime(NOW + 7 days + 1);
        assertTrue(_retire(item), "and can be made again");
    }

    // ------------------------------------------------------------------ what timed out

    function testFuzzRetiredOnceAndOnlyWhenOld(uint256 age) public {
        age = bound(age, 0, 14 days);
        Item memory item = _item(true, 0, 0);
        _take(item);
        ledger.setTime(NOW + age);
        assertTrue(_retire(item) == (age > 7 days), "only when it is old");
        assertTrue(!_retire(item), "and once");
        _expectState(item, age > 7 days ? IKudosSteps.State.Refused : IKudosSteps.State.Claimed);
        _say(item, 0, APPROVE);
        _say(item, 1, APPROVE);
        _assertKudos(host, 0, age > 7 days ? 0 : 1, 0);
    }

    function testWhatIsDecidedIsNotRetired() public {
        Item memory item = _item(true, 0, 0);
        _take(item);
        _say(item, 0, APPROVE);
        _say(item, 1, APPROVE);
        ledger.setTime(NOW + 30 days);
        assertTrue(!_retire(item), "verified stays verified");
        _expectState(item, IKudosSteps.State.Verified);
    }

    // ------------------------------------------------------------------ votes in a letter

    function testFuzzVotesBySignature(address relayer, uint256 key) public {
        Item memory item = _item(true, 0, 0);
        _take(item);
        (IKudosLedger.BatchVote[] memory batchVotes, IKudosSteps.StepVote[] memory stepVotes) =
            _votesOn(item, APPROVE);
        bytes32 content = keccak256(abi.encode(batchVotes, stepVotes));
        bytes32 digest = Assets.votes(ledger.domainSeparator(), content);
        key = bound(key, 1, type(uint128).max);
        vm.assume(key != VALIDATOR_KEY);
        vm.startPrank(relayer);
        vm.expectRevert(IKudosLedger.NotSigned.selector);
        ledger.voteFor(seats[0], batchVotes, stepVotes, _signature(key, digest));
        bytes memory signature = _signature(VALIDATOR_KEY, digest);
        ledger.voteFor(seats[0], batchVotes, stepVotes, signature);
        vm.expectRevert(IKudosLedger.VotedBefore.selector);
        ledger.voteFor(seats[0], batchVotes, stepVotes, signature);
        vm.stopPrank();
        _say(item, 1, APPROVE);
        _expectState(item, IKudosSteps.State.Verified);
    }

    function testFuzzStrangersHaveNoVote(uint256 key) public {
        Item memory item = _item(true, 0, 0);
        _take(item);
        key = bound(key, 0x100000, type(uint128).max);
        seats.push(vm.addr(key));
        _expectNoSay(item, 3, APPROVE, abi.encodeWithSelector(IValidatorSeats.NotAValidator.selector));
    }

    // ------------------------------------------------------------------ the end of a ledger

    function testFuzzAfterClosingVotesCountUntilTheEnd(uint256 later) public {
        later = bound(later, 0, 14 days);
        Item memory item = _item(true, 0, 0);
        _take(item);
        _say(item, 0, APPROVE);
        vm.prank(_queue());
        ledger.close();
        assertEq(ledger.finalAt(), NOW + 7 days, "a claim's time");
        ledger.setTime(NOW + later);
        if (later > 7 days) {
            _expectNoSay(item, 1, APPROVE, abi.encodeWithSelector(IKudosLedger.Closed.selector));
            assertTrue(_recount(item) == IKudosLedger.Closed.selector, "nor counted anew");
        } else {
            _say(item, 1, APPROVE);
        }
        _assertKudos(host, 0, later > 7 days ? 0 : 1, 0);
    }
}

// solhint-disable-next-line no-empty-blocks
contract RulesStrictTest is RulesTest, StrictWay {}

// solhint-disable-next-line no-empty-blocks
contract RulesSignedTest is RulesTest, SignedWay {}

contract RulesBatchTest is RulesTest, BatchWay {
    function _partyIsToldApart() internal pure override returns (bool) {
        return false;
    }
}
