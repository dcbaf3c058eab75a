// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {LedgerTest} from "./LedgerTest.sol";

/// @title Bugs that others shipped, and those that this design invites, each by its name
/// @dev `docs/proofs.md` says where each comes from. Those of canaries and of hidden votes are in `CanaryBugs.t.sol`.
contract BugsTest is LedgerTest {
    // ------------------------------------------------------------------ quorums

    /// @dev kleros-v2 #2145: who commits again counts twice.
    function testKleros2145SecondVoteIsNotCounted() public {
        bytes32 root = _settle(_items(2, 0, 1, 0));
        _vote(0, root, 3, 0);
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(IKudosLedger.VotedBefore.selector);
            _vote(0, root, 3, 0);
        }
        _assertKudos(host, 0, 0, 0);
    }

    /// @dev BOINC #2138: more are asked, but one voice still decides. Here half of any set is not enough, even with the
    /// lowest threshold that the contract takes (`testFuzzBadValidatorSets` has those that it does not take).
    function testBoinc2138QuorumGrowsWithTheSet() public {
        for (uint256 n = 2; n < 17; ++n) {
            _deploy(n, n / 2 + 1);
            bytes32 root = _settle(_items(1, 0, 1, 0));
            for (uint256 i = 0; i < n / 2; ++i) {
                _vote(i, root, 1, 0);
            }
            _assertKudos(host, 0, 0, 0);
            _vote(n / 2, root, 1, 0);
            _assertKudos(host, 0, 1, 0);
        }
    }

    /// @dev BOINC #1005: an invalid result counts as a finished one.
    function testBoinc1005RefusedNeverCounts() public {
        bytes32 root = _settle(_items(1, 0, 1, 0));
        _vote(0, root, 0, 1);
        _vote(1, root, 0, 1);
        _vote(2, root, 1, 0);
        (, uint128 verified, uint128 refused) = _batchClaims(root);
        assertEq(verified, 0, "not verified");
        assertEq(refused, 1, "refused for good");
        _assertKudos(host, 0, 0, 0);
    }

    /// @dev erc-8004 #28: a validator turns its 100 into a 0.
    function testErc8004Issue28VotesAreAppendOnly() public {
        bytes32 root = _settle(_items(1, 0, 1, 0));
        _vote(0, root, 1, 0);
        _vote(1, root, 1, 0);
        vm.expectRevert(IKudosLedger.VotedBefore.selector);
        _vote(0, root, 0, 1);
        (, uint128 approve, uint128 refuse,) = ledger.ballot(host, root, seats[0]);
        assertEq(approve, 1, "the first word stands");
        assertEq(refuse, 0, "alone");
        _assertKudos(host, 0, 1, 0);
    }

    /// @dev Gridcoin-tasks #136: one vote without a quorum holds up everybody's reputation.
    function testGridcoin136StalledVoteHoldsUpNothingElse() public {
        bytes32 stalled = _settle(_items(1, 0, 1, 0));
        _vote(0, stalled, 1, 0);
        ledger.setTime(NOW + 1 hours);
        Item memory item = _item(true, 0, 20);
        uint64 later = 1 hours;
        item.request.signedAt += later;
        item.request.resultDeadline += later;
        bytes32 root = _settle(_one(item));
        _vote(1, root, 1, 0);
        _vote(2, root, 1, 0);
        _assertKudos(host, 0, 1, 0);
        // How long the others have been waiting can be read.
        assertEq(ledger.pendingSince(host, stalled), NOW, "since when");
        assertEq(ledger.pendingSince(host, root), 0, "nothing waits here");
        _vote(2, stalled, 1, 0);
        _assertKudos(host, 0, 2, 0);
    }

    // ------------------------------------------------------------------ settlement

    /// @dev At each end, in the middle, and beside a border between homes. Its fuzz twin, with fewer records, is
    /// `testFuzzSpoiledSignatureIsSkipped`.
    function testOnePoisonedItemIn128() public {
        uint8[5] memory places = [0, 15, 16, 64, 127];
        for (uint256 i = 0; i < places.length; ++i) {
            _poison(_items(128, 0, 8, uint32(i * 256)), places[i]);
        }
    }

    function _poison(Item[] memory items, uint8 place) private {
        items[place].signerKey = 0xDEAD;
        (bytes32 root, uint128 claims, bytes memory skipped,) = _settleWatched(items);
        assertEq(skipped, abi.encodePacked(place, uint8(Reasons.BAD_SIGNATURE)), "that one alone");
        assertEq(claims, type(uint128).max ^ (uint128(1) << place), "all others claim");
        bytes32[] memory leaves = _leaves(items);
        leaves[place] = 0;
        assertEq(root, _root(leaves), "root");
        for (uint256 i = 0; i < items.length; ++i) {
            bool used = ledger.sequenceUsed(items[i].request.home, host, items[i].request.seq);
            assertTrue(used == (i != place), "the poisoned number alone is not used up");
        }
    }

    /// @dev The last second counts for the host, whatever the block holds besides; the next one does not.
    function testExpiryAgainstSettlementInTheLastBlock() public {
        Item memory item = _item(true, 0, 0);
        uint256 last = item.request.resultDeadline + 1 days;
        ledger.setTime(last + 1);
        _expectSkip(item, Reasons.EXPIRED);
        ledger.setTime(last);
        _settle(_one(item));
        ledger.setTime(last + 1);
        _expectSkip(item, Reasons.EXPIRED);
        assertTrue(ledger.sequenceUsed(item.request.home, host, 0), "settled, and stays so");
    }

    function testFuzzSequenceNumbersOutOfOrderAndWithGaps(uint32 first, uint32 second) public {
        vm.assume(first != second);
        uint32 high = first > second ? first : second;
        uint32 low = first > second ? second : first;
        Item[] memory items = new Item[](2);
        (items[0], items[1]) = (_item(true, 0, high), _item(true, 0, low));
        _settle(_one(items[0]));
        (,, bytes memory skipped,) = _settleWatched(items);
        assertEq(skipped, abi.encodePacked(uint8(0), uint8(Reasons.SEQUENCE_USED)), "the high one was used");
        assertTrue(ledger.sequenceUsed(items[1].request.home, host, low), "the low one settles after it");
        if (high - low > 1) assertTrue(!ledger.sequenceUsed(items[1].request.home, host, low + 1), "gaps stay free");
    }

    function testHomeIsHost() public {
        Item memory item = _item(true, 0, 0);
        (item.homeKey, item.signerKey, item.request.home) = (HOST_KEY, HOST_KEY, host);
        _expectSkip(item, Reasons.SELF);
        Item memory good = _item(true, 1, 0);
        Item[] memory items = new Item[](2);
        (items[0], items[1]) = (item, good);
        (, uint128 claims,,) = _settleWatched(items);
        assertEq(claims, 2, "and harms nobody beside it");
        assertTrue(!ledger.sequenceUsed(host, host, 0), "nothing of it stays");
    }

    /// @dev Batches lie below their host: a root that another host shows is nothing there.
    function testCopiedBatchRoot() public {
        Item memory item = _item(true, 0, 7);
        bytes32 root = _settle(_one(item));
        host = vm.addr(0xA1);
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.UnknownBatch.selector, host, root));
        _vote(0, root, 1, 0);
        // And it gets none by showing the record: its home has not signed for this host.
        bytes memory copied = _pack(_one(item));
        vm.expectRevert(
            abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.BAD_SIGNATURE))
        );
        vm.prank(host);
        ledger.settle(host, copied, UNSIGNED);
    }
}
