// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchoredLedger} from "../anchored/AnchoredLedger.sol";
import {IAnchoredLedger} from "../interfaces/IAnchoredLedger.sol";
import {IValidatorQueue} from "../interfaces/IValidatorQueue.sol";
import {DenseTotals} from "../libraries/DenseTotals.sol";
import {AnchoredTest} from "./AnchoredTest.sol";
import {Vm} from "./Vm.sol";

contract AnchoredLedgerTest is AnchoredTest {
    // ------------------------------------------------------------------ what an anchor does

    function testAnchorCountsForItsHosts() public {
        Draft memory draft = _draft();
        draft.newHosts = _hosts(0, 10);
        draft.count = 12;
        draft.totals = bytes.concat(_word(0, 5 | uint256(4) << 224), _word(1, uint256(3) << 32));
        vm.recordLogs();
        IAnchoredLedger.Anchored memory anchored = _anchor(draft);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1, "one event");
        assertEq(logs[0].topics[0], IAnchoredLedger.AnchorAdded.selector, "AnchorAdded");
        assertEq(logs[0].topics[1], bytes32(0), "the first");
        bytes memory data =
            abi.encode(uint32(12), uint64(NOW), uint16(5), uint32(0), draft.newHosts, draft.totals);
        assertEq(logs[0].data, data, "in full");
        assertEq(anchors.anchoredTotal(_host(0)), 5, "host 0");
        assertEq(anchors.anchoredTotal(_host(7)), 4, "host 7");
        assertEq(anchors.anchoredTotal(_host(9)), 3, "host 9");
        assertEq(anchors.anchoredTotal(_host(1)), 0, "host 1");
        assertEq(anchors.anchoredTotal(address(this)), 0, "a stranger");
        assertEq(anchors.totalsWord(1), uint256(3) << 32, "word");
        (bool known, uint32 index) = anchors.indexOf(_host(9));
        assertTrue(known && index == 9, "dense");
        (known,) = anchors.indexOf(address(this));
        assertTrue(!known, "a stranger has none");
        (uint64 sequence, uint32 hosts) = anchors.next();
        assertTrue(sequence == 1 && hosts == 10, "next");
        (bool exists, bool disputed, uint16 open) = anchors.standing(anchored);
        assertTrue(exists && !disputed && open == 0, "stands");
        anchored.count = 13;
        (exists,,) = anchors.standing(anchored);
        assertTrue(!exists, "another does not");
    }

    function testTotalsAddUpOverAnchors() public {
        _anchor(_draft());
        _anchor(_draft());
        assertEq(anchors.anchoredTotal(_host(0)), 20, "twice ten");
        (uint64 sequence,) = anchors.next();
        assertEq(sequence, 2, "two");
    }

    function testConstants() public {
        (uint64 challengeSeconds, uint64 answerSeconds) = anchors.windows();
        assertTrue(challengeSeconds == CHALLENGE && answerSeconds == ANSWER, "windows");
        assertEq(anchors.ledger(), address(seats), "ledger");
        bytes32 here = anchors.domainSeparator();
        vm.chainId(block.chainid + 1);
        assertTrue(anchors.domainSeparator() != here, "another chain");
        for (uint256 i = 0; i < 5; ++i) {
            address ledger = i == 0 ? address(0x1234) : address(seats);
            uint64 challengeFor = i == 1 ? 0 : i == 2 ? 365 days + 1 : CHALLENGE;
            vm.expectRevert(IAnchoredLedger.BadParameter.selector);
            new AnchoredLedger(ledger, challengeFor, i == 3 ? 0 : i == 4 ? 365 days + 1 : ANSWER);
        }
    }

    // ------------------------------------------------------------------ who signs

    function testSignersAreValidatorsInOrderAndEnough() public {
        Draft memory draft = _draft();
        bytes32 digest = _digest(draft);
        bytes memory one = _signature(VALIDATOR_KEY, digest);
        bytes memory two = _signature(VALIDATOR_KEY + 1, digest);
        bytes memory stranger = _signature(VALIDATOR_KEY + 7, digest);
        _expectBadSigners(draft, "");
        _expectBadSigners(draft, bytes.concat(one, one));
        _expectBadSigners(draft, bytes.concat(two, one));
        _expectBadSigners(draft, bytes.concat(one, stranger));
        _expectBadSigners(draft, bytes.concat(one, two, hex"00"));
        _expectBadSigners(draft, bytes.concat(one, new bytes(64)));
        vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.TooFewSigners.selector, 1, 2));
        _send(draft, one);
        _send(draft, bytes.concat(one, two));
    }

    function testASignatureHoldsForOneAnchorOnly() public {
        Draft memory draft = _draft();
        bytes memory signatures = _signed(draft, 0, 1);
        _send(draft, signatures);
        vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.WrongSequence.selector, 1));
        _send(draft, signatures);
        draft = _draft();
        _expectBadSigners(draft, signatures);
    }

    function testFuzzSignaturesCoverEverything(uint256 what) public {
        Draft memory draft = _draft();
        bytes memory signatures = _signed(draft, 0, 1);
        what %= 4;
        if (what == 0) draft.root = keccak256("another");
        if (what == 1) (draft.count, draft.totals) = (11, _word(0, 11));
        if (what == 2) draft.newHosts = _hosts(1, 1);
        if (what == 3) draft.totals = _word(0, 9);
        _expectBadSigners(draft, signatures);
    }

    function testWhoLeftTheSetSignsNothing() public {
        IValidatorQueue queue = seats.QUEUE();
        IValidatorQueue.Content memory content = queue.rotating(vm.addr(VALIDATOR_KEY), vm.addr(VALIDATOR_KEY + 8));
        vm.prank(vm.addr(VALIDATOR_KEY));
        queue.propose(content);
        bytes32 contentHash = queue.hashContent(content);
        vm.prank(vm.addr(VALIDATOR_KEY + 1));
        queue.vote(1, contentHash, true);
        vm.warp(NOW + 1 days);
        queue.execute(1);
        Draft memory draft = _draft();
        _expectBadSigners(draft, _signed(draft, 0, 1));
        _send(draft, _signed(draft, 8, 1));
    }

    // ------------------------------------------------------------------ what is refused

    function testBadNumbersAndRoots() public {
        Draft memory draft = _draft();
        draft.sequence = 1;
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.WrongSequence.selector, 0));
        draft = _draft();
        draft.root = 0;
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.BadRoot.selector));
        draft = _draft();
        (draft.count, draft.totals) = (0, "");
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.BadCount.selector));
        (draft.count, draft.totals) = (2 ** 20 + 1, _word(0, 2 ** 20 + 1));
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.BadCount.selector));
        (draft.count, draft.totals) = (2 ** 20, _word(0, 2 ** 20));
        _anchor(draft);
    }

    function testHostsAreNamedOnce() public {
        Draft memory draft = _draft();
        draft.newHosts = new address[](1);
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.NotANewHost.selector, address(0)));
        draft.newHosts = _hosts(0, 2);
        draft.newHosts[1] = _host(0);
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.NotANewHost.selector, _host(0)));
    }

    function testMalformedTotals() public {
        Draft memory draft = _draft();
        draft.newHosts = _hosts(0, 9);
        draft.totals = bytes.concat(_word(0, 10), hex"00");
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.MalformedTotals.selector, 37));
        draft.totals = bytes.concat(_word(0, 5), _word(0, 5));
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.MalformedTotals.selector, 36));
        draft.totals = bytes.concat(_word(1, 5), _word(0, 5));
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.MalformedTotals.selector, 36));
        draft.totals = bytes.concat(_word(0, 0), _word(1, 10));
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.MalformedTotals.selector, 0));
        draft.totals = _word(1, uint256(10) << 32);
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.MalformedTotals.selector, 0));
        draft.totals = _word(2, 10);
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.MalformedTotals.selector, 0));
        draft.totals = _word(0, 9);
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.TotalsDoNotAddUp.selector, 9, 10));
        draft.totals = "";
        _expectRefused(draft, abi.encodeWithSelector(IAnchoredLedger.TotalsDoNotAddUp.selector, 0, 10));
    }

    function _expectBadSigners(Draft memory draft, bytes memory signatures) private {
        vm.expectRevert(IAnchoredLedger.BadSigners.selector);
        _send(draft, signatures);
    }

    function _expectRefused(Draft memory draft, bytes memory reason) private {
        bytes memory signatures = _signed(draft, 0, 1);
        vm.expectRevert(reason);
        _send(draft, signatures);
    }
}

contract DenseTotalsTest is AnchoredTest {
    mapping(uint256 word => uint256 lanes) private _words;

    function add(bytes calldata totals, uint256 hosts) external returns (uint256) {
        return DenseTotals.add(_words, totals, hosts);
    }

    /// @dev Against the plainest way: lane by lane.
    function testFuzzLanes(uint256 a, uint256 b, uint32 word) public {
        // Half of the runs so that nothing overflows; else some lane nearly always does.
        if (a % 2 == 0) (a, b) = (a & _half(), b & _half());
        if (a == 0 || b == 0) return;
        this.add(_word(word, a), type(uint256).max);
        bool overflows = false;
        uint256 sum = 0;
        for (uint256 i = 0; i < 8; ++i) {
            uint256 lane = uint256(uint32(a >> (32 * i))) + uint32(b >> (32 * i));
            if (lane > type(uint32).max) overflows = true;
            sum += uint32(b >> (32 * i));
        }
        if (overflows) {
            vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.TotalOverflow.selector, uint256(word)));
        }
        uint256 added = this.add(_word(word, b), type(uint256).max);
        if (overflows) return;
        assertEq(added, sum, "sum");
        for (uint256 i = 0; i < 8; ++i) {
            uint256 lane = uint256(uint32(a >> (32 * i))) + uint32(b >> (32 * i));
            assertEq(DenseTotals.counter(_words, uint256(word) * 8 + i), lane, "lane");
        }
    }

    /// @dev A lane can be touched if and only if its index is below the number of hosts.
    function testFuzzOnlyKnownHosts(uint32 word, uint256 lane, uint256 hosts) public {
        lane = bound(lane, 0, 7);
        word = uint32(bound(word, 0, 20));
        hosts = bound(hosts, 0, 170);
        bool known = uint256(word) * 8 + lane < hosts;
        if (!known) vm.expectRevert(abi.encodeWithSelector(IAnchoredLedger.MalformedTotals.selector, 0));
        this.add(_word(word, 1 << (32 * lane)), hosts);
    }

    function _half() private pure returns (uint256 mask) {
        for (uint256 i = 0; i < 8; ++i) {
            mask |= uint256(type(uint32).max >> 1) << (32 * i);
        }
    }
}
