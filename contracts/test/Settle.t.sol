// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {createByName} from "./Creation.sol";
import {LedgerTest} from "./LedgerTest.sol";

contract SettleTest is LedgerTest {
    uint32 private constant LAST_SEQ = type(uint32).max;

    // ------------------------------------------------------------------ what is stored and said

    function testSettlesAMixedBatch() public {
        Item[] memory items = _items(5, 3, 8, 0);
        (bytes32 root, uint128 claims, bytes memory skipped, bytes memory packed) = _settleWatched(items);
        assertEq(root, _root(_leaves(items)), "root");
        assertEq(claims, 0xff, "claims");
        assertEq(skipped, "", "skipped");
        assertEq(packed, _pack(items), "the whole batch is in the log");
        (uint8 n, uint8 confirmed, uint64 settledAt, uint128 stored, uint128 verified, uint128 refused) =
            ledger.batch(host, root);
        assertEq(n, 8, "n");
        assertEq(confirmed, 5, "confirmed");
        assertEq(settledAt, NOW, "settledAt");
        assertEq(stored, claims, "claims stored");
        assertEq(verified | refused, 0, "nothing decided");
        for (uint256 i = 0; i < items.length; ++i) {
            assertTrue(ledger.sequenceUsed(items[i].request.home, host, uint32(i)), "sequence used");
        }
        _assertKudos(host, 0, 0, 0);
    }

    function testFuzzRootIsThatOfAPlainTree(uint256 confirmed, uint256 rejected, uint256 homes, uint32 seq) public {
        confirmed = bound(confirmed, 0, 20);
        rejected = bound(rejected, confirmed == 0 ? 1 : 0, 20);
        seq = uint32(bound(seq, 0, LAST_SEQ - 40));
        Item[] memory items = _items(confirmed, rejected, bound(homes, 1, 6), seq);
        (bytes32 root,, bytes memory skipped,) = _settleWatched(items);
        assertEq(root, _root(_leaves(items)), "root");
        assertEq(skipped, "", "skipped");
    }

    function testFullBatch() public {
        Item[] memory items = _items(128, 0, 8, 1000);
        (bytes32 root, uint128 claims,,) = _settleWatched(items);
        assertEq(claims, type(uint128).max, "claims");
        assertEq(root, _root(_leaves(items)), "root");
    }

    function testAnyoneSettlesWithTheHostsSignature() public {
        bytes memory packed = _pack(_items(1, 0, 1, 0));
        bytes32 digest = Assets.batch(ledger.domainSeparator(), host, keccak256(packed));
        ledger.settle(host, packed, _signature(HOST_KEY, digest));
        assertTrue(ledger.sequenceUsed(vm.addr(HOME_KEY), host, 0), "settled");
    }

    function testFuzzNobodyElseSettles(address sender, uint256 key, uint256 length) public {
        key = bound(key, 1, type(uint128).max);
        vm.assume(sender != host && key != HOST_KEY);
        bytes memory packed = _pack(_items(1, 0, 1, 0));
        bytes32 digest = Assets.batch(ledger.domainSeparator(), host, keccak256(packed));
        bytes memory signature = _signature(key, digest);
        _expectNotTheHost(sender, packed, signature);
        _expectNotTheHost(sender, packed, UNSIGNED);
        bytes memory own = _signature(HOST_KEY, digest);
        bytes memory cut = new bytes(bound(length, 0, 63));
        for (uint256 i = 0; i < cut.length; ++i) {
            cut[i] = own[i];
        }
        _expectNotTheHost(sender, packed, cut);
        _expectNotTheHost(sender, packed, bytes.concat(own, hex"00"));
        _expectNotTheHost(sender, packed, new bytes(64));
    }

    function testHostsSignatureBindsTheContent() public {
        bytes memory packed = _pack(_items(1, 0, 1, 0));
        bytes32 digest = Assets.batch(ledger.domainSeparator(), host, keccak256(packed));
        bytes memory signature = _signature(HOST_KEY, digest);
        _expectNotTheHost(address(1), _pack(_items(1, 0, 1, 1)), signature);
    }

    function _expectNotTheHost(address sender, bytes memory packed, bytes memory signature) private {
        vm.expectRevert(IKudosLedger.NotTheHost.selector);
        vm.prank(sender);
        ledger.settle(host, packed, signature);
    }

    /// @dev The production clock, which the harness replaces, is the block's.
    function testBlockTimeDecides() public {
        bytes32[3] memory none;
        bytes memory arguments = abi.encode(seats, 2, EPOCH, K1_ALLOWANCE, uint64(0), none, address(0));
        address plain = createByName(vm, "KudosLedger.sol:KudosLedger", arguments);
        vm.warp(NOW + 700);
        // Without the harness' clock; the changed chain id makes the code work out its new address' domain.
        vm.etch(address(ledger), plain.code);
        vm.chainId(block.chainid + 1);
        bytes memory packed = _pack(_items(1, 0, 1, 0));
        vm.prank(host);
        bytes32 root = ledger.settle(host, packed, UNSIGNED);
        (,, uint64 settledAt, uint128 claims,,) = ledger.batch(host, root);
        assertEq(settledAt, NOW + 700, "settledAt");
        assertEq(claims, 0, "late by the block's clock");
    }

    // ------------------------------------------------------------------ nothing twice, nothing of others

    function testReplayedBatchReverts() public {
        Item[] memory items = _items(3, 3, 6, 0);
        bytes memory packed = _pack(items);
        _settle(items);
        vm.expectRevert(
            abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.SEQUENCE_USED))
        );
        vm.prank(host);
        ledger.settle(host, packed, UNSIGNED);
    }

    function testReplayedItemIsSkipped() public {
        _settle(_items(1, 0, 1, 7));
        Item[] memory items = _items(3, 0, 1, 6);
        (bytes32 root, uint128 claims, bytes memory skipped,) = _settleWatched(items);
        assertEq(skipped, abi.encodePacked(uint8(1), uint8(Reasons.SEQUENCE_USED)), "skipped");
        assertEq(claims, 5, "claims");
        bytes32[] memory leaves = _leaves(items);
        leaves[1] = 0;
        assertEq(root, _root(leaves), "a skipped record's leaf is zero");
    }

    function testSequenceTwiceInOneBatch() public {
        Item[] memory items = _items(4, 0, 1, 0);
        items[2] = _item(true, 0, 0);
        items[2].seal = keccak256("another result");
        (, uint128 claims, bytes memory skipped,) = _settleWatched(items);
        assertEq(skipped, abi.encodePacked(uint8(2), uint8(Reasons.SEQUENCE_USED)), "skipped");
        assertEq(claims, 11, "claims");
    }

    function testRequestIsNotBothAcceptedAndRejected() public {
        Item[] memory items = _items(1, 1, 1, 0);
        items[1] = _item(false, 0, 0);
        (,, bytes memory skipped,) = _settleWatched(items);
        assertEq(skipped, abi.encodePacked(uint8(1), uint8(Reasons.SEQUENCE_USED)), "skipped");
    }

    function testFuzzSequencesInAnyOrderWithGaps(uint32[8] memory seqs) public {
        for (uint256 i = 0; i < seqs.length; ++i) {
            Item memory item = _item(true, 0, seqs[i]);
            bool repeated = false;
            for (uint256 j = 0; j < i; ++j) {
                if (seqs[j] == seqs[i]) repeated = true;
            }
            if (repeated) _expectSkip(item, Reasons.SEQUENCE_USED);
            else _settle(_one(item));
            assertTrue(ledger.sequenceUsed(item.request.home, host, seqs[i]), "used");
        }
    }

    function testSequencesAcrossWordsInOneBatch() public {
        uint32[6] memory seqs = [uint32(255), 256, 0, LAST_SEQ, 511, 257];
        Item[] memory items = new Item[](6);
        for (uint256 i = 0; i < 6; ++i) {
            items[i] = _item(true, 0, seqs[i]);
        }
        _settle(items);
        for (uint256 i = 0; i < 6; ++i) {
            assertTrue(ledger.sequenceUsed(vm.addr(HOME_KEY), host, seqs[i]), "used");
        }
        assertTrue(!ledger.sequenceUsed(vm.addr(HOME_KEY), host, 1), "a gap stays free");
        assertTrue(!ledger.sequenceUsed(vm.addr(HOME_KEY), host, 258), "a gap stays free");
    }

    function testSequencesOfPairsAreApart() public {
        _settle(_items(1, 0, 1, 5));
        Item memory other = _item(true, 1, 5);
        _settle(_one(other));
        assertTrue(!ledger.sequenceUsed(host, other.request.home, 5), "direction matters");
    }

    /// @dev A failed signature must not use the number up, or anybody could block a pair.
    function testBadSignatureLeavesTheSequenceFree() public {
        Item memory item = _item(true, 0, 9);
        item.signerKey = HOST_KEY;
        _expectSkip(item, Reasons.BAD_SIGNATURE);
        assertTrue(!ledger.sequenceUsed(item.request.home, host, 9), "free");
        item.signerKey = item.homeKey;
        _settle(_one(item));
    }

    function testAnotherHostCannotSettleACopy() public {
        bytes memory packed = _pack(_items(2, 0, 2, 0));
        address thief = vm.addr(0xD0);
        vm.expectRevert(
            abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.BAD_SIGNATURE))
        );
        vm.prank(thief);
        ledger.settle(thief, packed, UNSIGNED);
    }

    function testSignaturesOfAnotherChainDoNotHold() public {
        bytes memory packed = _pack(_items(1, 0, 1, 0));
        vm.chainId(block.chainid + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.BAD_SIGNATURE))
        );
        vm.prank(host);
        ledger.settle(host, packed, UNSIGNED);
    }

    // ------------------------------------------------------------------ poison

    function testPoisonInAFullBatchHarmsNobody() public {
        Item[] memory items = _items(96, 32, 32, 0);
        items[0].signerKey = 0xDEAD;
        items[17].request.resultDeadline = uint64(NOW - 2 days);
        items[17].request.signedAt = uint64(NOW - 3 days);
        items[95].confirmedAfter = 0;
        items[127].signerKey = 0xDEAD;
        (bytes32 root, uint128 claims, bytes memory skipped,) = _settleWatched(items);
        assertEq(
            skipped,
            abi.encodePacked(
                bytes2(uint16(0 << 8 | Reasons.BAD_SIGNATURE)),
                bytes2(uint16(17 << 8 | Reasons.EXPIRED)),
                bytes2(uint16(95 << 8 | Reasons.BAD_ORDER)),
                bytes2(uint16(127 << 8 | Reasons.BAD_SIGNATURE))
            ),
            "skipped"
        );
        uint128 bad = uint128(1 | 1 << 17 | 1 << 95 | 1 << 127);
        assertEq(claims & bad, 0, "no claim for poison");
        assertEq(claims & ((1 << 96) - 1), ~bad & ((1 << 96) - 1), "every good confirmed record claims");
        bytes32[] memory leaves = _leaves(items);
        (leaves[0], leaves[17], leaves[95], leaves[127]) = (0, 0, 0, 0);
        assertEq(root, _root(leaves), "root");
    }

    function testFuzzSpoiledSignatureIsSkipped(uint256 index, uint256 place, uint8 flip) public {
        Item[] memory items = _items(4, 4, 4, 0);
        bytes memory packed = _pack(items);
        index = bound(index, 0, 7);
        // Two records to a home: four confirmed in two groups, four rejected in two.
        uint256 offset = 3;
        for (uint256 i = 0; i <= index; ++i) {
            if (i % 2 == 0) offset += 21;
            if (i < index) offset += i < 4 ? 220 : 184;
        }
        offset += (index < 4 ? 128 : 96) + bound(place, 0, 63);
        vm.assume(flip != 0);
        packed[offset] = bytes1(uint8(packed[offset]) ^ flip);
        vm.prank(host);
        bytes32 root = ledger.settle(host, packed, UNSIGNED);
        bytes32[] memory leaves = _leaves(items);
        leaves[index] = 0;
        assertEq(root, _root(leaves), "only that record is skipped");
    }

    // ------------------------------------------------------------------ reasons

    function testSelf() public {
        Item memory item = _item(true, 0, 0);
        item.homeKey = item.signerKey = HOST_KEY;
        item.request.home = host;
        _expectSkip(item, Reasons.SELF);
        item.confirmed = false;
        _expectSkip(item, Reasons.SELF);
    }

    /// @dev ecrecover's answer to a bad signature must not pass as the signature of home zero.
    function testHomeZeroSignsNothing() public {
        Item memory item = _item(true, 0, 0);
        item.request.home = address(0);
        bytes memory packed = _pack(_one(item));
        for (uint256 i = 0; i < 64; ++i) {
            packed[3 + 21 + 128 + i] = 0;
        }
        vm.expectRevert(
            abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.BAD_SIGNATURE))
        );
        vm.prank(host);
        ledger.settle(host, packed, UNSIGNED);
    }

    function testFuzzDeadlineBounds(uint256 signedAt, uint256 allowed, bool confirmed) public {
        signedAt = bound(signedAt, NOW - 9 days, NOW + 600);
        allowed = bound(allowed, 0, 604_800 + 10);
        Item memory item = _item(confirmed, 0, 0);
        item.request.signedAt = uint64(signedAt);
        item.request.resultDeadline = uint64(signedAt + allowed);
        uint256 deadline = signedAt + allowed;
        if (allowed == 0 || allowed > 604_800 || signedAt > NOW + 300 || deadline > NOW + 7 days) {
            _expectSkip(item, Reasons.BAD_DEADLINE);
        } else if (NOW > deadline + 1 days) {
            _expectSkip(item, Reasons.EXPIRED);
        } else {
            _settle(_one(item));
        }
    }

    function testDeadlineEdges() public {
        Item memory item = _item(true, 0, 0);
        item.request.signedAt = uint64(NOW + 300);
        item.request.resultDeadline = uint64(NOW + 7 days);
        _settle(_one(item));
        item = _item(true, 0, 1);
        item.request.resultDeadline = item.request.signedAt + 1;
        ledger.setTime(item.request.resultDeadline + 1 days);
        _settle(_one(item));
        item.request.seq = 2;
        ledger.setTime(item.request.resultDeadline + 1 days + 1);
        _expectSkip(item, Reasons.EXPIRED);
    }

    function testFuzzOrder(uint16 acceptedAfter, uint16 confirmedAfter, uint24 resultAfter) public {
        Item memory item = _item(true, 0, 0);
        (item.acceptedAfter, item.confirmedAfter, item.resultAfter) = (acceptedAfter, confirmedAfter, resultAfter);
        if (acceptedAfter <= confirmedAfter && confirmedAfter <= resultAfter) _settle(_one(item));
        else _expectSkip(item, Reasons.BAD_ORDER);
    }

    function testFuzzLateResultClaimsNothing(uint256 late) public {
        late = bound(late, 0, 1 days);
        Item memory item = _item(true, 0, 0);
        ledger.setTime(item.request.resultDeadline + late);
        (, uint128 claims, bytes memory skipped,) = _settleWatched(_one(item));
        assertEq(skipped, "", "a late result is settled");
        assertEq(claims, late == 0 ? 1 : 0, "but earns nothing");
        assertTrue(ledger.sequenceUsed(item.request.home, host, 0), "and is used up");
    }

    // ------------------------------------------------------------------ K1

    function testK1OncePerPairAndEpoch() public {
        (, uint128 claims,,) = _settleWatched(_items(0, 4, 2, 0));
        assertEq(claims, 5, "the first rejection of each home");
        (, claims,,) = _settleWatched(_items(0, 2, 2, 10));
        assertEq(claims, 0, "not again in this epoch");
        _nextEpoch();
        (, claims,,) = _settleWatched(_shift(_items(0, 2, 2, 20), EPOCH));
        assertEq(claims, 3, "but in the next");
    }

    function testK1PerHostAndEpoch() public {
        (, uint128 claims,,) = _settleWatched(_items(0, 8, 8, 0));
        assertEq(claims, 7, "three of them");
        Item memory other = _item(false, 9, 0);
        (, claims,,) = _settleWatched(_one(other));
        assertEq(claims, 0, "over all batches");
        host = vm.addr(0xA1);
        (, claims,,) = _settleWatched(_items(0, 8, 8, 0));
        assertEq(claims, 7, "another host has its own allowance");
    }

    function testFuzzK1NeverAboveTheAllowance(uint8[12] memory homes, uint8[12] memory steps) public {
        uint256 time = NOW;
        uint256 epoch = 0;
        uint256 counted = 0;
        for (uint256 i = 0; i < homes.length; ++i) {
            time += uint256(steps[i]) * 10 minutes;
            ledger.setTime(time);
            if (time / EPOCH != epoch) (epoch, counted) = (time / EPOCH, 0);
            Item[] memory items = _shift(_one(_item(false, homes[i] % 8, uint32(i))), time - NOW);
            (, uint128 claims,,) = _settleWatched(items);
            counted += claims;
            assertTrue(counted <= K1_ALLOWANCE, "allowance");
        }
    }

    function _nextEpoch() private {
        ledger.setTime(NOW + EPOCH);
    }

    function _shift(Item[] memory items, uint256 by) private pure returns (Item[] memory) {
        for (uint256 i = 0; i < items.length; ++i) {
            items[i].request.signedAt += uint64(by);
            items[i].request.resultDeadline += uint64(by);
        }
        return items;
    }

    // ------------------------------------------------------------------ malformed

    function testMalformedHeads() public {
        bytes memory good = _pack(_items(2, 2, 4, 0));
        _expectMalformed("", 0);
        _expectMalformed(hex"0101", 2);
        _expectMalformed(_with(good, 0, 2), 0);
        _expectMalformed(_with(good, 1, 0), 1);
        _expectMalformed(_with(good, 1, 129), 1);
        _expectMalformed(_with(good, 2, 5), 2);
        _expectMalformed(_with(good, 3 + 20, 0), 3);
        _expectMalformed(_with(good, 3 + 20, 3), 3);
        // A group must not straddle the border between the kinds.
        _expectMalformed(_with(good, 3 + 21 + 220 + 20, 2), 3 + 21 + 220);
        _expectMalformed(bytes.concat(good, hex"00"), good.length);
        // One record more announced than there are.
        _expectMalformed(_with(good, 1, 5), good.length);
    }

    function testFuzzCutBatchIsMalformed(uint256 length) public {
        bytes memory good = _pack(_items(3, 2, 3, 0));
        length = bound(length, 0, good.length - 1);
        bytes memory cut = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            cut[i] = good[i];
        }
        vm.prank(host);
        (bool ok, bytes memory answer) =
            address(ledger).call(abi.encodeCall(IKudosLedger.settle, (host, cut, UNSIGNED)));
        assertTrue(!ok, "refused");
        assertEq(bytes32(bytes4(answer)), bytes32(IKudosLedger.MalformedBatch.selector), "as malformed");
    }

    /// @dev Whatever the bytes are, the contract answers with one of its own errors.
    function testFuzzNoiseIsAnsweredProperly(bytes memory noise, uint8 n, uint8 confirmed) public {
        if (noise.length > 3) {
            (noise[0], noise[1], noise[2]) = (bytes1(uint8(1)), bytes1(n % 4), bytes1(confirmed % 4));
        }
        vm.prank(host);
        (bool ok, bytes memory answer) =
            address(ledger).call(abi.encodeCall(IKudosLedger.settle, (host, noise, UNSIGNED)));
        assertTrue(!ok, "noise does not settle");
        bytes4 selector = bytes4(answer);
        assertTrue(
            selector == IKudosLedger.MalformedBatch.selector || selector == IKudosLedger.NothingToSettle.selector,
            "with an error of the interface"
        );
    }

    function _with(bytes memory packed, uint256 place, uint8 value) private pure returns (bytes memory changed) {
        changed = bytes.concat(packed);
        changed[place] = bytes1(value);
    }

    function _expectMalformed(bytes memory packed, uint256 offset) private {
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.MalformedBatch.selector, offset));
        vm.prank(host);
        ledger.settle(host, packed, UNSIGNED);
    }
}
