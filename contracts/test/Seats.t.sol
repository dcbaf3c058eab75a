// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {IKudosToken} from "../interfaces/IKudosToken.sol";
import {IValidatorSeats} from "../interfaces/IValidatorSeats.sol";
import {LedgerTest} from "./LedgerTest.sol";
import {Vm} from "./Vm.sol";

/// @title The set, the satellites, and the end of a ledger
contract SeatsTest is LedgerTest {
    // ------------------------------------------------------------------ the set

    function testFuzzTheSetIsWhatTheQueueSays(uint256 holes, uint256 m) public {
        ledger.setTime(NOW + 5);
        uint256 n = 0;
        seats = new address[](16);
        for (uint256 i = 0; i < 16; ++i) {
            if ((holes >> i) & 1 == 1) continue;
            // Who stays in its seat is among them.
            seats[i] = vm.addr(VALIDATOR_KEY + i);
            ++n;
        }
        m = bound(m, 0, 17);
        if (n == 0 || 2 * m <= n || m > n) {
            _expectBadSet(m);
            return;
        }
        _applySeats(m);
        assertEq(ledger.setVersion(), 2, "the second set");
        assertEq(ledger.threshold(), m, "threshold");
        assertEq(ledger.validators().length, n, "n");
        (address[16] memory holders, uint40[16] memory since) = ledger.seats();
        for (uint256 i = 0; i < 16; ++i) {
            assertEq(holders[i], seats[i], "in its seat");
            if (seats[i] == address(0)) continue;
            assertEq(since[i], i < 3 ? 0 : NOW + 5, "who stays keeps its time");
            _checkSeat(seats[i], i + 1, since[i], n, m);
        }
        _checkSeat(address(0xE0), 0, 0, n, m);
    }

    function _checkSeat(address node, uint256 plusOne, uint256 since, uint256 n, uint256 m) private view {
        (uint8 numberPlusOne, uint40 heldSince, uint40 lastChange, uint8 all, uint8 quorum) = ledger.seat(node);
        assertEq(numberPlusOne, plusOne, "number");
        assertEq(heldSince, since, "since");
        assertEq(lastChange, NOW + 5, "last change");
        assertEq(all, n, "n");
        assertEq(quorum, m, "m");
    }

    function testWhoMovesSitsThereFromNowOn() public {
        ledger.setTime(NOW + 5);
        (seats[0], seats[2]) = (seats[2], seats[0]);
        vm.recordLogs();
        _applySeats(2);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs[0].topics[0], IValidatorSeats.ValidatorSetChanged.selector, "told");
        assertEq(logs[0].topics[1], bytes32(uint256(2)), "version");
        (, uint40[16] memory since) = ledger.seats();
        assertEq(since[0], NOW + 5, "moved");
        assertEq(since[1], 0, "stayed");
        assertEq(since[2], NOW + 5, "moved");
    }

    function testFuzzNobodySitsTwice(uint256 first, uint256 second) public {
        first = bound(first, 0, 15);
        second = bound(second, 0, 15);
        vm.assume(first != second);
        seats = new address[](16);
        (seats[first], seats[second]) = (address(0xE0), address(0xE0));
        _expectBadSet(2);
    }

    function testFuzzOnlyTheQueueChangesTheSet(address sender) public {
        vm.assume(sender != _queue());
        address[16] memory list;
        list[0] = sender;
        vm.expectRevert(IValidatorSeats.NotTheSatellite.selector);
        vm.prank(sender);
        ledger.applySet(list, 1);
        vm.expectRevert(IValidatorSeats.NotTheSatellite.selector);
        vm.prank(sender);
        ledger.close();
    }

    function testWhoLeftHasNoSeat() public {
        address left = seats[1];
        delete seats[1];
        _applySeats(2);
        (uint8 plusOne,,,,) = ledger.seat(left);
        assertEq(plusOne, 0, "none");
        bytes32 root = _settle(_items(1, 0, 1, 0));
        seats[1] = left;
        vm.expectRevert(IValidatorSeats.NotAValidator.selector);
        _vote(1, root, 1, 0);
    }

    function _expectBadSet(uint256 m) private {
        address[16] memory list;
        for (uint256 i = 0; i < 16; ++i) {
            list[i] = seats[i];
        }
        address queue = _queue();
        vm.expectRevert(IValidatorSeats.BadValidatorSet.selector);
        vm.prank(queue);
        ledger.applySet(list, m);
    }

    // ------------------------------------------------------------------ parties in a batch

    function testTheEventTellsThePartiesOfABatch() public {
        Item[] memory items = _items(4, 2, 3, 0);
        for (uint256 i = 2; i < 4; ++i) {
            (items[i].homeKey, items[i].signerKey) = (VALIDATOR_KEY + 1, VALIDATOR_KEY + 1);
            items[i].request.home = seats[1];
        }
        vm.recordLogs();
        bytes32 root = _settle(items);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 2, "and no more");
        assertEq(logs[0].topics[0], IKudosLedger.ValidatorExcluded.selector, "excluded");
        assertEq(logs[0].topics[3], bytes32(uint256(uint160(seats[1]))), "that one");
        assertEq(logs[0].data, abi.encode(uint128(0xc)), "from its own records");
        _vote(1, root, 0x3f, 0);
        (, uint128 approve,, uint128 excluded) = ledger.ballot(host, root, seats[1]);
        assertEq(approve, 0x13, "without them, and without the second refusal, which is no claim");
        assertEq(excluded, 0xc, "those");
        _vote(0, root, 0x3f, 0);
        (, uint128 verified, uint128 refused) = _batchClaims(root);
        assertEq(verified, 0x13, "two of three");
        assertEq(refused, 0, "two are left for the others");
        _vote(2, root, 0, 0x3f);
        (, verified, refused) = _batchClaims(root);
        assertEq(refused, 0xc, "one refusal and the party make two: none of two is left");
    }

    // ------------------------------------------------------------------ satellites

    function testFuzzSatellitesAreBuiltInTheirOrder(bytes32 first, bytes32 second, bytes32 third) public {
        bytes[3] memory codes = [_code(first), _code(second), _code(third)];
        bytes32[3] memory hashes = [keccak256(codes[0]), keccak256(codes[1]), keccak256(codes[2])];
        _deployLedger(2, 0, hashes, address(0));
        (address queue, address claims, address beacon) = ledger.satellites();
        address[3] memory places = [queue, claims, beacon];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(IKudosLedger.WrongInitCode.selector);
            ledger.build(bytes.concat(codes[i], hex"00"));
            assertEq(ledger.build(codes[i]), places[i], "where it was to be");
            assertTrue(places[i].code.length != 0, "with code");
        }
        vm.expectRevert(IKudosLedger.WrongInitCode.selector);
        ledger.build(codes[2]);
    }

    function testASatelliteThatFailsIsNotBuilt() public {
        bytes memory failing = hex"60006000fd";
        bytes32[3] memory hashes;
        hashes[0] = keccak256(failing);
        _deployLedger(2, 0, hashes, address(0));
        vm.expectRevert(IKudosLedger.WrongInitCode.selector);
        ledger.build(failing);
    }

    /// @dev Init code that returns one byte of code, with data behind it that makes it another one.
    function _code(bytes32 salt) private pure returns (bytes memory) {
        return abi.encodePacked(hex"60016000f3", salt);
    }

    // ------------------------------------------------------------------ what the claims contract may

    function testFuzzMinting(uint256 level, uint256 count, address sender) public {
        level = bound(level, 0, 5);
        count = bound(count, 0, 1 << 33);
        vm.assume(sender != _claimsContract());
        vm.expectRevert(IValidatorSeats.NotTheSatellite.selector);
        vm.prank(sender);
        ledger.mint(host, level, count);
        address claims = _claimsContract();
        bool good = level > 0 && level < 4 && count <= 1 << 32;
        if (!good) {
            bytes memory unknown = abi.encodeWithSelector(IKudosToken.UnknownLevel.selector, level);
            vm.expectRevert(
                level == 0 || level > 3 ? unknown : abi.encodeWithSelector(IKudosLedger.BadParameter.selector)
            );
        }
        vm.prank(claims);
        ledger.mint(host, level, count);
        if (good) assertEq(ledger.balanceOf(host, level), count, "minted");
    }

    function testFuzzAdmission(uint64 cap, uint256 level) public {
        cap = uint64(bound(cap, 0, 2));
        bytes32[3] memory none;
        _deployLedger(2, cap, none, address(0));
        address home = vm.addr(HOME_KEY);
        level = bound(level, 1, 3);
        address claims = _claimsContract();
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(claims);
            bool admitted = ledger.admit(home, host, level);
            if (level == 1) assertTrue(admitted == (i == 0), "one K1");
            else assertTrue(admitted == (level == 3 || cap == 0 || i < cap), "K2 up to the cap, K3 without one");
        }
        (,,, uint64 k3) = ledger.pair(home, host);
        assertEq(k3, level == 3 && cap != 0 ? 3 : 0, "K3 is counted where K2 is");
        vm.expectRevert(IKudosLedger.BadParameter.selector);
        vm.prank(claims);
        ledger.admit(home, host, 4);
        vm.expectRevert(IValidatorSeats.NotTheSatellite.selector);
        ledger.admit(home, host, level);
    }

    function testOnlyTheClaimsContractRetires() public {
        bytes32 root = _settle(_items(1, 0, 1, 0));
        ledger.setTime(NOW + 8 days);
        vm.expectRevert(IValidatorSeats.NotTheSatellite.selector);
        ledger.retire(host, root, 0);
        IKudosSteps.Place memory place = IKudosSteps.Place({home: host, host: host, seq: 0});
        vm.expectRevert(IValidatorSeats.NotTheSatellite.selector);
        ledger.retireStep(place);
        vm.startPrank(_claimsContract());
        assertTrue(!ledger.retire(host, root, 1), "no such record");
        assertTrue(!ledger.retire(host, root, 300), "nor such a number");
        assertTrue(!ledger.retireStep(place), "nor such a migration");
        assertTrue(ledger.retire(host, root, 0), "this one");
        vm.stopPrank();
    }

    // ------------------------------------------------------------------ the next ledger

    function testKudosMoveToTheNextLedgerOnce() public {
        bytes32 root = _settle(_items(3, 1, 2, 0));
        _vote(0, root, 0xf, 0);
        _vote(1, root, 0xf, 0);
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(_claimsContract());
            ledger.mint(i == 2 ? host : seats[i], 3, 5 + i);
        }
        address before = address(ledger);
        vm.prank(_queue());
        ledger.close();
        _expectClosed();
        bytes32[3] memory none;
        _deployLedger(2, 0, none, before);
        assertEq(ledger.predecessor(), before, "after it");
        address[] memory nodes = new address[](4);
        (nodes[0], nodes[1], nodes[2], nodes[3]) = (seats[0], host, host, seats[1]);
        ledger.setTime(NOW + 7 days);
        vm.expectRevert(IKudosLedger.NothingToCarry.selector);
        ledger.carry(nodes);
        ledger.setTime(NOW + 7 days + 1);
        vm.prank(_claimsContract());
        ledger.mint(host, 3, 10);
        for (uint256 i = 0; i < 2; ++i) {
            ledger.carry(nodes);
            _assertKudos(seats[0], 0, 0, 5);
            // With what it has earned here already.
            _assertKudos(host, 1, 3, 17);
            _assertKudos(seats[1], 0, 0, 6);
        }
        vm.expectRevert(abi.encodeWithSelector(IKudosToken.TooManyBalances.selector, 100));
        ledger.carry(new address[](101));
    }

    function testNothingToCarryWithoutAPredecessor() public {
        vm.expectRevert(IKudosLedger.NothingToCarry.selector);
        ledger.carry(new address[](1));
    }

    function testFuzzNothingIsMintedAfterTheEnd(uint256 later) public {
        later = bound(later, 0, 14 days);
        address queue = _queue();
        vm.prank(queue);
        ledger.close();
        vm.expectRevert(IKudosLedger.Closed.selector);
        vm.prank(queue);
        ledger.close();
        ledger.setTime(NOW + later);
        address claims = _claimsContract();
        if (later > 7 days) vm.expectRevert(IKudosLedger.Closed.selector);
        vm.prank(claims);
        ledger.mint(host, 3, 1);
    }

    /// @dev A change of the set does not open a closed ledger again.
    function testClosedStaysClosed() public {
        vm.prank(_queue());
        ledger.close();
        seats.push(vm.addr(0xC99));
        _applySeats(3);
        _expectClosed();
    }

    /// @dev What the strict way claims after the end of settlement is never voted on.
    function testAStrictClaimAfterClosingCountsNothing() public {
        Item memory item = _item(false, 0, 0);
        vm.prank(_queue());
        ledger.close();
        ledger.setTime(NOW + 1);
        vm.prank(item.request.home);
        ledger.submitRequest(item.request);
        (IKudosSteps.Place memory place, bytes32 requestId) =
            (IKudosSteps.Place({home: item.request.home, host: host, seq: 0}), _requestId(item));
        vm.prank(host);
        ledger.submitRejected(requestId, place.home, 0, item.request.signedAt + 1, 3);
        (, bytes32 id) = _ids(item);
        IKudosSteps.StepVote[] memory votes = new IKudosSteps.StepVote[](1);
        votes[0] = IKudosSteps.StepVote({place: place, id: id, reason: 128});
        vm.expectRevert(IKudosLedger.Closed.selector);
        vm.prank(seats[0]);
        ledger.vote(new IKudosLedger.BatchVote[](0), votes);
    }

    function _expectClosed() private {
        bytes memory packed = _pack(_items(1, 0, 1, 100));
        vm.expectRevert(IKudosLedger.Closed.selector);
        vm.prank(host);
        ledger.settle(host, packed, UNSIGNED);
    }
}
