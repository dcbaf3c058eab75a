// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {ISecondClaims} from "../interfaces/ISecondClaims.sol";
import {Assets} from "../libraries/Assets.sol";
import {ClaimAssets} from "../libraries/ClaimAssets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {ClaimsTest} from "./ClaimsTest.sol";

/// @title K1 and K2 claimed again, and K2 on the home's word
contract SecondClaimsTest is ClaimsTest {
    bool private strict;

    function _record(Canary memory canary) private view returns (ISecondClaims.Record memory record) {
        record.request = canary.request;
        record.level = 2;
        record.seal = _seal(canary);
        record.answeredAt = canary.request.signedAt + canary.resultAfter;
        record.root = strict ? bytes32(0) : _resultId(canary);
        record.path = new bytes32[](0);
    }

    function _rejected(uint32 seq) private view returns (ISecondClaims.Record memory record) {
        record.request = _planted(0, seq).request;
        (record.level, record.rejection, record.answeredAt) = (1, 3, record.request.signedAt + 1);
        record.root = strict ? bytes32(0) : _assetId(record);
        record.path = new bytes32[](0);
    }

    function _assetId(ISecondClaims.Record memory record) private view returns (bytes32) {
        bytes32 requestId = Assets.request(_separator(), record.request);
        if (record.level == 2) return Assets.result(_separator(), requestId, record.seal, record.answeredAt);
        return Assets.rejected(_separator(), requestId, record.rejection, record.answeredAt);
    }

    function _settleRecord(ISecondClaims.Record memory record) private {
        bytes32 id = _assetId(record);
        bool late = block.timestamp > record.request.resultDeadline;
        if (!strict) return ledger.settleBatch(host, id, 1, record.level == 2 ? 1 : 0, uint64(block.timestamp));
        IKudosSteps.Stage stage = record.level == 1
            ? IKudosSteps.Stage.Rejected
            : late ? IKudosSteps.Stage.LateResult : IKudosSteps.Stage.Result;
        IKudosSteps.Place memory place = IKudosSteps.Place(record.request.home, host, record.request.seq);
        ledger.settleStep(place, stage, id, uint32(block.timestamp));
    }

    function _expect(uint256 reason) private {
        vm.expectRevert(abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(reason)));
    }

    function _votes(bytes32 kudosId, uint8[] memory reasons) private {
        for (uint256 i = 0; i < reasons.length; ++i) {
            if (reasons[i] == 0) continue;
            vm.prank(seats[i]);
            claims.vote(_ballot(kudosId, reasons[i]));
        }
    }

    // ------------------------------------------------------------------ again

    function testFuzzClaimAgain(uint256 later, bool isStrict, bool rejected) public {
        strict = isStrict;
        ISecondClaims.Record memory record = rejected ? _rejected(1) : _record(_planted(0, 1));
        _expect(strict ? Reasons.NOT_SETTLED : Reasons.NOT_TIMED_OUT);
        claims.claimAgain(record);
        _settleRecord(record);
        later = bound(later, 0, 14 days);
        vm.warp(NOW + later);
        if (later <= 7 days) {
            _expect(Reasons.NOT_TIMED_OUT);
            claims.claimAgain(record);
            return;
        }
        bytes32 kudosId = claims.claimAgain(record);
        assertEq(kudosId, ClaimAssets.kudos(_separator(), record.level, _assetId(record)), "id of its KUDOS");
        _expect(Reasons.NOT_TIMED_OUT);
        claims.claimAgain(record);
        _votes(kudosId, _three(APPROVE, APPROVE, 0));
        _assertStanding(kudosId, IClaimVotes.Standing.Verified);
        assertEq(ledger.minted(host, record.level), 1, "minted");
        vm.warp(block.timestamp + 8 days);
        _expect(Reasons.NOT_TIMED_OUT);
        claims.claimAgain(record);
    }

    function testAgainAndAgain() public {
        ISecondClaims.Record memory record = _record(_planted(0, 1));
        _settleRecord(record);
        for (uint256 i = 1; i < 4; ++i) {
            vm.warp(NOW + i * 8 days);
            bytes32 kudosId = claims.claimAgain(record);
            _votes(kudosId, _three(APPROVE, 0, 0));
            _assertStanding(kudosId, IClaimVotes.Standing.Open);
        }
        assertEq(ledger.minted(host, 2), 0, "nobody else voted");
    }

    function testRefusedWhenHopeless() public {
        ISecondClaims.Record memory record = _record(_planted(0, 1));
        _settleRecord(record);
        vm.warp(NOW + 8 days);
        bytes32 kudosId = claims.claimAgain(record);
        _votes(kudosId, _three(REFUSE, 0, 0));
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
        _votes(kudosId, _three(0, 0, OTHER_RESULT));
        _assertStanding(kudosId, IClaimVotes.Standing.Refused);
    }

    /// @dev Two of three have left: whatever the last one says is not the word of two, for or against.
    function testFuzzNothingIsDecidedBelowTheThreshold(bool approves) public {
        ISecondClaims.Record memory record = _record(_planted(0, 1));
        _settleRecord(record);
        vm.warp(NOW + 8 days);
        bytes32 kudosId = claims.claimAgain(record);
        ledger.setSeat(0, address(0));
        ledger.setSeat(1, vm.addr(VALIDATOR_KEY + 9));
        _votes(kudosId, _three(0, 0, approves ? APPROVE : REFUSE));
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
        ledger.setThreshold(1);
        claims.recountClaim(kudosId);
        _assertStanding(kudosId, approves ? IClaimVotes.Standing.Verified : IClaimVotes.Standing.Refused);
    }

    function testFuzzAnotherRecordWasNotSettled(uint256 what, bytes32 other) public {
        Canary[] memory canaries = new Canary[](4);
        for (uint32 i = 0; i < 4; ++i) {
            canaries[i] = _planted(0, i);
        }
        bytes32 root = _settle(canaries);
        vm.warp(NOW + 8 days);
        ISecondClaims.Record memory record = _record(canaries[1]);
        bytes32[] memory leaves = _leaves(canaries);
        (record.root, record.index, record.path) = (root, 1, new bytes32[](2));
        (record.path[0], record.path[1]) = (leaves[0], _node(leaves, 1, 1));
        what = what % 7;
        vm.assume(other != record.seal && other != record.request.processId && other != record.path[1]);
        if (what == 0) record.seal = other;
        if (what == 1) record.request.processId = other;
        if (what == 2) record.path[1] = other;
        // The lower bits lead to the root, the whole index to another claim.
        if (what == 3) record.index = 5;
        if (what == 4) record.index = 0;
        if (what == 5) record.level = 3;
        if (what == 6) record.path = new bytes32[](8);
        _expect(Reasons.NOT_SETTLED);
        claims.claimAgain(record);
    }

    function testDirectVotesOneByOne() public {
        ISecondClaims.Record memory record = _record(_planted(0, 1));
        _settleRecord(record);
        vm.warp(NOW + 8 days);
        bytes32 kudosId = claims.claimAgain(record);
        _votes(kudosId, _three(ABSTAIN, 0, 0));
        vm.expectRevert(
            abi.encodeWithSelector(IClaimVotes.VoteRefused.selector, kudosId, uint8(Reasons.VOTED_BEFORE))
        );
        vm.prank(seats[0]);
        claims.vote(_ballot(kudosId, APPROVE));
        vm.expectRevert(IClaimVotes.NotAValidator.selector);
        claims.vote(_ballot(kudosId, APPROVE));
    }

    function testRelayedVotes() public {
        ISecondClaims.Record memory record = _record(_planted(0, 1));
        _settleRecord(record);
        vm.warp(NOW + 8 days);
        bytes32 kudosId = claims.claimAgain(record);
        uint64[] memory openedAt = new uint64[](1);
        openedAt[0] = claims.kudosClaim(kudosId).openedAt;
        bytes32 content = keccak256(abi.encode(_ballot(kudosId, APPROVE), openedAt));
        bytes memory signature = _signature(VALIDATOR_KEY, ClaimAssets.votes(_separator(), content));
        vm.expectRevert(IClaimVotes.NotSigned.selector);
        claims.voteFor(seats[0], _ballot(kudosId, REFUSE), signature);
        claims.voteFor(seats[0], _ballot(kudosId, APPROVE), signature);
        assertEq(claims.kudosClaim(kudosId).approvals, 1, "counted");
    }

    // ------------------------------------------------------------------ receipts

    function _receipt(ISecondClaims.Record memory record, uint64 receivedAt, uint256 key)
        private
        view
        returns (bytes memory)
    {
        return _signature(key, ClaimAssets.receipt(_separator(), _assetId(record), receivedAt));
    }

    function testFuzzReceipt(uint256 settledAfter, uint256 receivedAt, bool isStrict) public {
        strict = isStrict;
        Canary memory canary = _planted(0, 1);
        ISecondClaims.Record memory record = _record(canary);
        settledAfter = bound(settledAfter, 0, 1_200);
        receivedAt = bound(receivedAt, record.answeredAt - 10, canary.request.resultDeadline + 10);
        vm.warp(NOW + settledAfter);
        _settleRecord(record);
        bytes memory signature = _receipt(record, uint64(receivedAt), HOME_KEY);
        bool holds = false;
        if (settledAfter <= 600) _expect(Reasons.NOT_LATE);
        else if (receivedAt < record.answeredAt) _expect(Reasons.BAD_ORDER);
        else if (receivedAt > canary.request.resultDeadline) _expect(Reasons.EXPIRED);
        else holds = true;
        bytes32 kudosId = claims.claimReceipted(record, uint64(receivedAt), signature);
        if (!holds) return;
        _votes(kudosId, _three(APPROVE, 0, APPROVE));
        assertEq(ledger.minted(host, 2), 1, "K2");
        _expect(Reasons.CLAIMED_BEFORE);
        claims.claimReceipted(record, uint64(receivedAt), signature);
    }

    function testReceiptAllowsK3() public {
        Canary memory canary = _puzzle(0, 1);
        vm.warp(NOW + 700);
        _settleOne(canary);
        _expectNothing(_alone(canary), Reasons.EXPIRED);
        ISecondClaims.Record memory record = _record(canary);
        claims.claimReceipted(record, uint64(NOW), _receipt(record, uint64(NOW), HOME_KEY));
        _claim(_alone(canary));
        assertEq(ledger.minted(host, 3), 1, "K3");
    }

    function testReceiptErrors() public {
        _deploy(3, 2, 5);
        Canary memory canary = _planted(0, 1);
        ISecondClaims.Record memory record = _record(canary);
        bytes memory signature = _receipt(record, uint64(NOW), HOME_KEY);
        _expect(Reasons.NOT_SETTLED);
        claims.claimReceipted(record, uint64(NOW), signature);
        vm.warp(NOW + 700);
        _settleRecord(record);
        _expect(Reasons.BAD_SIGNATURE);
        claims.claimReceipted(record, uint64(NOW), _receipt(record, uint64(NOW), HOST_KEY));
        ISecondClaims.Record memory refusal = _rejected(2);
        _expect(Reasons.NOT_SETTLED);
        claims.claimReceipted(refusal, uint64(NOW), signature);
        ledger.setRefuses(true);
        _expect(Reasons.OVER_CAP);
        claims.claimReceipted(record, uint64(NOW), signature);
        ledger.setRefuses(false);
        vm.warp(NOW + 700 + 7 days + 1);
        _expect(Reasons.EXPIRED);
        claims.claimReceipted(record, uint64(NOW), signature);
        vm.warp(NOW + 700 + 7 days);
        claims.claimReceipted(record, uint64(NOW), signature);
        assertEq(ledger.admitted(), 1, "counted once");
    }
}
