// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICanaryFamily} from "../interfaces/ICanaryFamily.sol";
import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IKudosClaims} from "../interfaces/IKudosClaims.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {ISecondClaims} from "../interfaces/ISecondClaims.sol";
import {Assets} from "../libraries/Assets.sol";
import {ClaimAssets} from "../libraries/ClaimAssets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {ClaimsTest} from "./ClaimsTest.sol";
import {Vm} from "./Vm.sol";

/// @title A family that says what it is told to
contract OddFamily is ICanaryFamily {
    error No();

    uint256 private immutable MOOD;

    constructor(uint256 mood) {
        MOOD = mood;
    }

    function verify(bytes32, bytes calldata) external view override returns (bool) {
        if (MOOD == 1) revert No();
        for (uint256 i = 0; MOOD == 2; ++i) {
            if (keccak256(abi.encode(i)) == 0) return true;
        }
        if (MOOD == 3) {
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                mstore(0, 2)
                return(0, 0x20)
            }
        }
        if (MOOD == 4) {
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return MOOD == 0;
    }
}

/// @title Claims for K3, in their packed form
contract CanaryTest is ClaimsTest {
    uint256 private constant RESULT_BYTES = 88;

    // ------------------------------------------------------------------ puzzles

    function testPuzzleIsMintedAtOnce() public {
        Canary memory canary = _puzzle(0, 7);
        _settleOne(canary);
        vm.recordLogs();
        _claim(_alone(canary));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 2, "one event of the claims, one of the mint");
        assertEq(logs[0].topics[0], IKudosClaims.CanariesClaimed.selector, "CanariesClaimed");
        assertEq(logs[0].topics[1], bytes32(uint256(uint160(host))), "its host");
        bytes memory entry = abi.encodePacked(uint8(1), canary.request.home, uint32(7), _opening(canary));
        assertEq(abi.decode(logs[0].data, (bytes)), entry, "all that the log does not have yet");
        assertEq(ledger.minted(host, 3), 1, "minted");
        assertTrue(claims.canaryClaimed(canary.request.home, host, 7), "marked");
        assertTrue(!claims.canaryClaimed(canary.request.home, host, 8), "its neighbour is not");
        _expectNothing(_alone(canary), Reasons.CLAIMED_BEFORE);
    }

    function testFuzzPuzzleInAnyPlace(uint256 n, uint256 index, uint32 seq) public {
        n = bound(n, 1, 20);
        index = bound(index, 0, n - 1);
        Canary[] memory canaries = new Canary[](n);
        for (uint256 i = 0; i < n; ++i) {
            canaries[i] = i == index ? _puzzle(1, seq) : _planted(0, uint32(i));
        }
        _settle(canaries);
        _claim(_item(canaries, index));
        assertEq(ledger.minted(host, 3), 1, "minted");
    }

    function testEveryFamily() public {
        Canary memory factor = _puzzle(0, 1);
        (factor.family, factor.familyName, factor.parameters) = (2, "factor", bytes32(uint256(91)));
        factor.last = bytes32(uint256(13));
        Canary memory preimage = _puzzle(0, 2);
        (preimage.family, preimage.familyName) = (3, "preimage");
        preimage.parameters = bytes32(uint256(1) << 8);
        _commit(factor);
        _commit(preimage);
        _settleOne(factor);
        _settleOne(preimage);
        _claim(bytes.concat(_alone(factor), _alone(preimage)));
        assertEq(ledger.minted(host, 3), 2, "minted");
    }

    function testFuzzWrongSolution(uint256 solution) public {
        Canary memory canary = _puzzle(0, 7);
        vm.assume(solution != K);
        canary.last = bytes32(solution);
        _settleOne(canary);
        _expectNothing(_alone(canary), Reasons.BAD_SOLUTION);
        assertTrue(!claims.canaryClaimed(canary.request.home, host, 7), "not marked");
    }

    function testUnknownFamily() public {
        Canary memory canary = _puzzle(0, 7);
        _settleOne(canary);
        canary.family = 4;
        _expectNothing(_alone(canary), Reasons.UNKNOWN_FAMILY);
        canary.family = 0;
        _expectNothing(_alone(canary), Reasons.UNKNOWN_FAMILY);
    }

    /// @dev A name or a mark of zeros is none, even where the home has committed to it.
    function testNoNameAndNoMark() public {
        Canary memory planted = _planted(0, 7);
        planted.familyName = 0;
        _commit(planted);
        _settleOne(planted);
        _expectNothing(_alone(planted), Reasons.UNKNOWN_FAMILY);
        Canary memory drawn = _drawn(0, 8);
        drawn.markHash = 0;
        _commit(drawn);
        _settleOne(drawn);
        _expectNothing(_alone(drawn), Reasons.UNKNOWN_FAMILY);
    }

    // ------------------------------------------------------------------ what an item says must be what was settled

    /// @dev Any byte but the form and the place; flags of the form lead elsewhere.
    function testFuzzAnyOtherByteIsAnotherResult(uint256 place, uint8 flip, bool puzzle) public {
        vm.assume(flip != 0);
        Canary memory canary = puzzle ? _puzzle(0, 7) : _planted(0, 7);
        _settleOne(canary);
        bytes memory packed = _alone(canary);
        place = bound(place, 1, packed.length - 1);
        // The place: one byte for the depth of the tree, one for the index. The family's number may be unknown.
        if (place >= 21 + RESULT_BYTES && place <= 23 + RESULT_BYTES) return;
        packed[place] = bytes1(uint8(packed[place]) ^ flip);
        _expectNothing(packed, Reasons.NOT_SETTLED);
    }

    function testFuzzIndexOutsideOfTheTree(uint8 index) public {
        Canary memory canary = _puzzle(0, 7);
        _settleOne(canary);
        if (index == 0) return;
        _expectNothing(_pack(canary, 0, abi.encodePacked(uint8(1), index), ""), Reasons.NOT_SETTLED);
    }

    function testIndexOfARejectedRecord() public {
        Canary memory canary = _puzzle(0, 7);
        ledger.settleBatch(host, _resultId(canary), 1, 0, uint64(NOW));
        _expectNothing(_alone(canary), Reasons.NOT_SETTLED);
    }

    function testOpeningBeforeTheResultIsSettled() public {
        Canary memory canary = _puzzle(0, 7);
        _expectNothing(_alone(canary), Reasons.NOT_SETTLED);
        _settleOne(canary);
        _claim(_alone(canary));
    }

    function testOrdinaryMarkIsNoCanary() public {
        Canary memory canary = _planted(0, 7);
        canary.markHash = keccak256(abi.encode(uint8(0), canary.familyName, canary.parameters, canary.salt));
        uint8 form = canary.form;
        canary.form = DRAWN;
        _commit(canary);
        canary.form = form;
        _settleOne(canary);
        _expectNothing(_alone(canary), Reasons.NOT_SETTLED);
    }

    function testAnotherHostCannotClaim() public {
        Canary memory canary = _puzzle(0, 7);
        _settleOne(canary);
        vm.expectRevert(abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(Reasons.NOT_SETTLED)));
        claims.claim(_alone(canary));
    }

    function testFuzzClaimWindow(uint256 later) public {
        Canary memory canary = _puzzle(0, 7);
        Canary memory planted = _planted(0, 8);
        _settleOne(canary);
        _settleOne(planted);
        later = bound(later, 0, 14 days);
        vm.warp(NOW + later);
        if (later > 7 days) {
            _expectNothing(_alone(canary), Reasons.EXPIRED);
            _expectNothing(_alone(planted), Reasons.EXPIRED);
        } else {
            _claim(_alone(canary));
            _claim(_alone(planted));
        }
    }

    function testFuzzLateResultEarnsNothing(uint256 late) public {
        Canary memory canary = _puzzle(0, 7);
        late = bound(late, 0, 1 days);
        vm.warp(NOW + late);
        _settleOne(canary);
        if (late > 600) _expectNothing(_alone(canary), Reasons.EXPIRED);
        else _claim(_alone(canary));
    }

    // ------------------------------------------------------------------ the strict way

    function _settleStep(Canary memory canary, IKudosSteps.Stage stage) private {
        IKudosSteps.Place memory place = IKudosSteps.Place(canary.request.home, host, canary.request.seq);
        ledger.settleStep(place, stage, _resultId(canary), uint32(block.timestamp));
    }

    function testStrictResult() public {
        Canary memory canary = _puzzle(0, 7);
        bytes memory packed = _pack(canary, 0, hex"00", "");
        _expectNothing(packed, Reasons.NOT_SETTLED);
        _settleStep(canary, IKudosSteps.Stage.Result);
        _claim(packed);
        assertEq(ledger.minted(host, 3), 1, "minted");
        // Nor a second time by a batch, if ever it came there.
        _settleOne(canary);
        _expectNothing(_alone(canary), Reasons.CLAIMED_BEFORE);
    }

    function testFuzzOnlyAResultOfTheSameIdCounts(uint8 stage, bool other) public {
        stage = uint8(bound(stage, 0, 6));
        Canary memory canary = _puzzle(0, 7);
        _settleStep(canary, IKudosSteps.Stage(stage));
        if (other) ++canary.request.memoryMiB;
        bytes memory packed = _pack(canary, 0, hex"00", "");
        if (other || (stage != 4 && stage != 5)) _expectNothing(packed, Reasons.NOT_SETTLED);
        else _claim(packed);
    }

    // ------------------------------------------------------------------ many items

    function _eight() private view returns (Canary[] memory canaries) {
        canaries = new Canary[](8);
        for (uint32 i = 0; i < 8; ++i) {
            canaries[i] = _puzzle(0, i);
        }
    }

    /// @dev Neighbours carry only the nodes that the one before them did not have.
    function _sharing(Canary[] memory canaries) private view returns (bytes memory packed) {
        bytes32[] memory leaves = _leaves(canaries);
        uint256 depth = _depth(leaves.length);
        for (uint256 i = 0; i < canaries.length; ++i) {
            uint256 levels = 1 << depth;
            bytes memory nodes = "";
            for (uint256 level = 0; level < depth; ++level) {
                if (i != 0 && (i - 1) >> level == i >> level) continue;
                levels |= 1 << level;
                nodes = bytes.concat(nodes, _node(leaves, level, (i >> level) ^ 1));
            }
            bytes memory place = bytes.concat(bytes1(uint8(levels)), bytes1(uint8(i)), nodes);
            packed = bytes.concat(packed, _pack(canaries[i], i == 0 ? 0 : SAME_HOME, place, ""));
        }
    }

    function testEightShareTheirNodes() public {
        Canary[] memory canaries = _eight();
        _settle(canaries);
        _claim(_sharing(canaries));
        assertEq(ledger.minted(host, 3), 8, "minted");
    }

    function testFuzzABadItemChangesNothingButItsEvent(uint8 bad, uint256 what) public {
        Canary[] memory canaries = _eight();
        _settle(canaries);
        bytes32 spoilt = keccak256(abi.encode(what));
        for (uint256 i = 0; i < 8; ++i) {
            if ((bad >> i) & 1 == 0) continue;
            // The tree was settled with the true ones; paths are made before.
            if (what % 3 == 0) canaries[i].salt = spoilt;
            if (what % 3 == 1) canaries[i].last = spoilt;
            if (what % 3 == 2) canaries[i].sealSalt = spoilt;
        }
        Canary[] memory honest = _eight();
        bytes memory packed = "";
        for (uint256 i = 0; i < 8; ++i) {
            packed = bytes.concat(packed, _pack(canaries[i], 0, _place(honest, i), ""));
        }
        if (bad == 255) return _expectNothing(packed, Reasons.NOT_SETTLED);
        vm.recordLogs();
        _claim(packed);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 skips = 0;
        for (uint256 i = 0; i < 8; ++i) {
            bool isBad = (bad >> i) & 1 == 1;
            assertEq(claims.canaryClaimed(canaries[i].request.home, host, uint32(i)), !isBad, "marked");
            if (!isBad) continue;
            assertEq(logs[skips].topics[0], IKudosClaims.ClaimSkipped.selector, "ClaimSkipped");
            assertEq(logs[skips].data, abi.encode(i, uint8(Reasons.NOT_SETTLED)), "the bad one");
            ++skips;
        }
        assertEq(logs.length, skips + 2, "one event for each, one for all, one mint");
        assertEq(ledger.minted(host, 3), 8 - skips, "minted");
    }

    /// @dev Those behind it need the nodes that an item carries, whatever is wrong with the item itself.
    function testFuzzASkippedItemStillHandsOnItsNodes(uint256 what) public {
        Canary[] memory canaries = _eight();
        _settle(canaries);
        bytes memory packed = _sharing(canaries);
        // The first one's family, RESULT or solution.
        uint256 opening = 21 + RESULT_BYTES + 2 + 3 * 32;
        uint256 place = [opening, 21, opening + 160][what % 3];
        packed[place] ^= 0x40;
        _claim(packed);
        assertEq(ledger.minted(host, 3), 7, "all but the first");
    }

    function testTwiceInOneCall() public {
        Canary memory canary = _puzzle(0, 7);
        Canary memory planted = _planted(0, 8);
        _settleOne(canary);
        _settleOne(planted);
        bytes memory both = bytes.concat(_alone(canary), _alone(planted));
        _claim(bytes.concat(both, both));
        assertEq(ledger.minted(host, 3), 1, "once");
    }

    function testFarSequenceNumbersAndManyHomes() public {
        bytes memory packed = "";
        for (uint256 i = 0; i < 6; ++i) {
            Canary memory canary = _puzzle(i % 2, uint32(i * 1_000_000_000 / 2));
            _settleOne(canary);
            packed = bytes.concat(packed, _alone(canary));
        }
        _claim(packed);
        assertEq(ledger.minted(host, 3), 6, "minted");
        for (uint256 i = 0; i < 6; ++i) {
            assertTrue(claims.canaryClaimed(vm.addr(HOME_KEY + i % 2), host, uint32(i * 1_000_000_000 / 2)), "marked");
        }
    }

    function testPairsAreCountedWhereTheLedgerDoes() public {
        _deploy(3, 2, 5);
        Canary memory canary = _puzzle(0, 7);
        _settleOne(canary);
        _claim(_alone(canary));
        assertEq(ledger.admitted(), 1, "counted");
        _deploy(3, 2, 0);
        canary = _puzzle(0, 7);
        _settleOne(canary);
        _claim(_alone(canary));
        assertEq(ledger.admitted(), 0, "not asked");
    }

    // ------------------------------------------------------------------ who says so

    function testSignedByTheHost() public {
        Canary memory canary = _puzzle(0, 7);
        _settleOne(canary);
        bytes memory packed = _alone(canary);
        bytes memory signature = _signature(HOST_KEY, ClaimAssets.claims(_separator(), host, keccak256(packed)));
        vm.expectRevert(IKudosClaims.NotSignedByHost.selector);
        claims.claimFor(vm.addr(1), packed, signature);
        vm.expectRevert(IKudosClaims.NotSignedByHost.selector);
        claims.claimFor(host, bytes.concat(packed, hex"00"), signature);
        claims.claimFor(host, packed, signature);
        assertEq(ledger.minted(host, 3), 1, "minted");
    }

    function _words(Canary memory canary, uint256 key, uint64 openedAt) private view returns (bytes memory) {
        bytes32[4] memory content = [canary.taskDigest, canary.familyName, canary.parameters, canary.salt];
        bytes32 id =
            Assets.canaryOpened(_separator(), _requestId(canary), _resultId(canary), content, openedAt);
        return abi.encodePacked(openedAt, uint16(64), _signature(key, id));
    }

    function testFuzzTheHomesWordsRideAlong(bool puzzle, uint64 openedAt) public {
        Canary memory canary = puzzle ? _puzzle(0, 7) : _planted(0, 7);
        _settleOne(canary);
        bytes memory words = _words(canary, canary.homeKey, openedAt);
        _expectNothing(_pack(canary, SIGNED, hex"0100", _words(canary, HOST_KEY, openedAt)), Reasons.BAD_SIGNATURE);
        vm.recordLogs();
        _claim(_pack(canary, SIGNED, hex"0100", words));
        bytes memory recorded = abi.decode(vm.getRecordedLogs()[0].data, (bytes));
        bytes memory head = abi.encodePacked(canary.form | SIGNED, canary.request.home, uint32(7));
        assertEq(recorded, bytes.concat(head, _opening(canary), words), "opening and words");
    }

    // ------------------------------------------------------------------ the form

    function _expectMalformed(bytes memory packed, uint256 offset) private {
        vm.expectRevert(abi.encodeWithSelector(IKudosClaims.MalformedClaims.selector, offset));
        vm.prank(host);
        claims.claim(packed);
    }

    function testFuzzCutShort(uint256 length) public {
        Canary memory canary = _puzzle(0, 7);
        _settleOne(canary);
        bytes memory packed = _alone(canary);
        length = bound(length, 1, packed.length - 1);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(packed, length)
        }
        _expectMalformed(packed, 0);
        bytes memory whole = _alone(canary);
        _expectMalformed(bytes.concat(whole, packed), whole.length);
    }

    function testFuzzForms(uint8 form) public {
        bool known = form < 16 && form & 3 != 0 && form & SAME_HOME == 0 && form != (DRAWN | SIGNED);
        bytes memory packed = new bytes(1_000);
        packed[0] = bytes1(form);
        vm.prank(host);
        (bool done, bytes memory answer) = address(claims).call(abi.encodeCall(claims.claim, (packed)));
        assertTrue(!done, "zeros are nothing");
        if (!known) assertEq(answer, abi.encodeWithSelector(IKudosClaims.MalformedClaims.selector, 0), "the form");
    }

    function testNothing() public {
        _expectNothing("", 0);
    }

    // ------------------------------------------------------------------ families

    function testOnlyTheQueueRegisters() public {
        OddFamily odd = new OddFamily(0);
        vm.expectRevert(IKudosClaims.NotTheQueue.selector);
        claims.register("odd", address(odd));
        vm.prank(queue);
        assertEq(claims.register("odd", address(odd)), 4, "the next number");
        (bytes32 name, address code) = claims.family(4);
        assertEq(name, "odd", "name");
        assertEq(code, address(odd), "contract");
        assertEq(claims.families(), 4, "how many");
        (name, code) = claims.family(5);
        assertTrue(name == 0 && code == address(0), "no fifth");
        (name,) = claims.family(0);
        assertTrue(name == 0, "none before the first");
    }

    function testBadFamilies() public {
        OddFamily odd = new OddFamily(0);
        bytes32[3] memory names = [bytes32("dlog"), bytes32(0), bytes32("codeless")];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(IKudosClaims.BadFamily.selector);
            vm.prank(queue);
            claims.register(names[i], i == 2 ? address(1) : address(odd));
        }
        for (uint256 i = 4; i < 256; ++i) {
            vm.prank(queue);
            claims.register(bytes32(i), address(odd));
        }
        vm.expectRevert(IKudosClaims.BadFamily.selector);
        vm.prank(queue);
        claims.register("one too many", address(odd));
    }

    function testTheStandardFamiliesAreShown() public view {
        string[3] memory names = ["dlog", "factor", "preimage"];
        for (uint8 i = 1; i <= 3; ++i) {
            (bytes32 name, address code) = claims.family(i);
            assertEq(name, bytes32(bytes(names[i - 1])), "name");
            assertTrue(code.code.length != 0, "code");
        }
        (, address dlog) = claims.family(1);
        assertTrue(ICanaryFamily(dlog).verify(_dlog(K, START, 20), abi.encode(K)), "it checks");
    }

    function testFuzzANewFamilyIsAsked(uint256 mood) public {
        mood = bound(mood, 0, 5);
        OddFamily odd = new OddFamily(mood);
        vm.prank(queue);
        claims.register("odd", address(odd));
        Canary memory canary = _puzzle(0, 7);
        (canary.family, canary.familyName) = (4, "odd");
        _commit(canary);
        Canary memory other = _puzzle(0, 8);
        _settleOne(canary);
        _settleOne(other);
        _claim(bytes.concat(_alone(canary), _alone(other)));
        assertEq(ledger.minted(host, 3), mood == 0 ? 2 : 1, "only true is true, and the next one is not harmed");
    }

    function testTooLittleGasIsNoAnswer() public {
        OddFamily odd = new OddFamily(0);
        vm.prank(queue);
        claims.register("odd", address(odd));
        Canary memory canary = _puzzle(0, 7);
        (canary.family, canary.familyName) = (4, "odd");
        _commit(canary);
        _settleOne(canary);
        bytes memory packed = _alone(canary);
        vm.prank(host);
        (bool done,) = address(claims).call{gas: 300_000}(abi.encodeCall(claims.claim, (packed)));
        assertTrue(!done, "reverted");
        _claim(packed);
    }

    // ------------------------------------------------------------------ drawn canaries

    function _makeBeacon(uint64 period) private {
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 commitment = beacon.hashSecret(seats[i], period, bytes32(i));
            vm.prank(seats[i]);
            beacon.commit(period, commitment);
        }
        vm.warp(uint256(period + 1) * PERIOD);
        beacon.reveal(seats[0], period, 0);
        beacon.reveal(seats[1], period, bytes32(uint256(1)));
        vm.warp(uint256(period + 1) * PERIOD + REVEAL);
        beacon.fix(period);
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256("block"));
        beacon.fix(period);
    }

    function testFuzzDrawn(uint32 seq) public {
        uint64 period = beacon.periodOf(block.timestamp) + 1;
        Canary[] memory canaries = new Canary[](12);
        vm.warp(uint256(period) * PERIOD - 100);
        for (uint32 i = 0; i < 12; ++i) {
            canaries[i] = _drawn(0, (seq >> 4) + i);
        }
        uint256 settledAt = uint256(period) * PERIOD + 10;
        bytes32 root = _root(_leaves(canaries));
        ledger.settleBatch(host, root, 12, 12, uint64(settledAt));
        _expectNothing(_item(canaries, 0), Reasons.NO_BEACON);
        _makeBeacon(period);
        (, bytes32 value) = beacon.beacon(period);
        for (uint256 i = 0; i < 12; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(value, _requestId(canaries[i]))));
            if (draw >= uint256(RATE) * 2 ** 240) {
                _expectNothing(_item(canaries, i), Reasons.NOT_DRAWN);
                continue;
            }
            _claim(_item(canaries, i));
            IClaimVotes.ClaimView memory claim = claims.kudosClaim(_kudosId(canaries[i]));
            assertEq(uint256(claim.origin), uint256(IClaimVotes.Origin.Drawn), "origin");
            assertEq(uint256(claim.standing), uint256(IClaimVotes.Standing.Open), "open to votes");
        }
    }

    function testConstants() public view {
        assertEq(claims.drawRate(), RATE, "rate");
        assertEq(claims.ledger(), address(ledger), "ledger");
        assertTrue(claims.decisions().code.length != 0, "decisions");
    }
}
