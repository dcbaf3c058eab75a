// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IValidatorTests} from "../interfaces/IValidatorTests.sol";
import {Assets} from "../libraries/Assets.sol";
import {ClaimsTest} from "./ClaimsTest.sol";
import {Vm} from "./Vm.sol";

/// @title Claims that test the validators
contract ValidatorTestsTest is ClaimsTest {
    bytes32 private constant SALT = "nobody knew";
    bytes32 private constant TYPE = keccak256("ValidatorTest(bytes32 requestId,bytes32 salt)");

    /// @dev A canary whose result is no run's. The REQUEST says nothing of the result, so that its id is known before.
    function _test(uint32 seq, bytes32 salt) private view returns (Canary memory canary) {
        canary = _planted(0, seq);
        canary.last = keccak256(abi.encode(TYPE, _requestId(canary), salt));
    }

    function _opened(Canary memory canary) private returns (bytes32 kudosId) {
        _settleOne(canary);
        _claim(_alone(canary));
        return _kudosId(canary);
    }

    function _show(Canary memory canary, bytes32 salt) private {
        claims.openTest(_requestId(canary), _resultId(canary), canary.sealSalt, salt);
    }

    function _expectTooEarly(bytes32 kudosId) private {
        vm.expectRevert(abi.encodeWithSelector(IValidatorTests.TestTooEarly.selector, kudosId));
    }

    /// @param shown REQUEST, RESULT, the seal's salt, the test's
    function _expectNoTest(bytes32[4] memory shown) private {
        bytes32 digest = keccak256(abi.encode(TYPE, shown[0], shown[3]));
        bytes32 kudosId = Assets.canaryKudos(_separator(), shown[1], digest, shown[2]);
        vm.expectRevert(abi.encodeWithSelector(IValidatorTests.NotATest.selector, kudosId));
    }

    function _overRounds(bytes32 kudosId) private {
        uint256 end = (claims.roundOf(claims.kudosClaim(kudosId).openedAt) + 3) * ROUND;
        if (block.timestamp < end) vm.warp(end);
    }

    function testDigestIsOfItsType() public view {
        bytes32 id = keccak256("request");
        assertEq(claims.testDigest(id, SALT), keccak256(abi.encode(TYPE, id, SALT)), "digest");
    }

    /// @dev The refusals are counted as any others, one approval stays on record, and nothing but an event comes of
    /// the opening.
    function testARefusedTestIsShown() public {
        Canary memory canary = _test(1, SALT);
        bytes32 kudosId = _opened(canary);
        _voteOnCanary(kudosId, _three(OTHER_RESULT, APPROVE, OTHER_RESULT));
        _assertStanding(kudosId, IClaimVotes.Standing.Refused);
        _overRounds(kudosId);
        bytes32 before = keccak256(abi.encode(claims.kudosClaim(kudosId)));
        vm.recordLogs();
        vm.prank(address(0xD00F));
        _show(canary, SALT);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1, "one event");
        assertEq(logs[0].emitter, address(claims), "of the claims");
        assertEq(logs[0].topics[0], IValidatorTests.TestOpened.selector, "its kind");
        assertEq(logs[0].topics[1], kudosId, "claim");
        assertEq(logs[0].topics[2], _resultId(canary), "result");
        bytes32 data = keccak256(logs[0].data);
        assertEq(data, keccak256(abi.encode(_requestId(canary), canary.sealSalt, SALT)), "what proves it");
        assertEq(keccak256(abi.encode(claims.kudosClaim(kudosId))), before, "claim unchanged");
    }

    /// @dev The second refusal decides; the third validator's approval is committed, and it must not see the salt
    /// before its round of revealing is over.
    function testNobodySeesItBeforeTheRoundIsOver() public {
        Canary memory canary = _test(1, SALT);
        bytes32 kudosId = _opened(canary);
        _voteOnCanary(kudosId, _three(OTHER_RESULT, OTHER_RESULT, 0));
        _assertStanding(kudosId, IClaimVotes.Standing.Refused);
        uint256 end = (claims.roundOf(NOW) + 3) * ROUND;
        vm.warp(end - 1);
        _expectTooEarly(kudosId);
        _show(canary, SALT);
        vm.warp(end);
        _show(canary, SALT);
    }

    function testUndecidedIsShownWhenItHasTimedOut() public {
        Canary memory canary = _test(1, SALT);
        bytes32 kudosId = _opened(canary);
        _overRounds(kudosId);
        _expectTooEarly(kudosId);
        _show(canary, SALT);
        vm.warp(NOW + 7 days);
        _expectTooEarly(kudosId);
        _show(canary, SALT);
        vm.warp(NOW + 7 days + 1);
        _show(canary, SALT);
    }

    /// @dev Too many lazy validators: the ledger cannot take back what they approved, but everybody can see it.
    function testAnApprovedTestIsShownToo() public {
        Canary memory canary = _test(1, SALT);
        bytes32 kudosId = _opened(canary);
        _voteOnCanary(kudosId, _three(APPROVE, APPROVE, 0));
        _assertStanding(kudosId, IClaimVotes.Standing.Verified);
        _overRounds(kudosId);
        vm.recordLogs();
        _show(canary, SALT);
        assertEq(vm.getRecordedLogs()[0].topics[1], kudosId, "claim");
        assertEq(claims.kudosClaim(kudosId).approvals, 3, "they stay on record");
    }

    function testATestIsShownTwice() public {
        Canary memory canary = _test(1, SALT);
        bytes32 kudosId = _opened(canary);
        _voteOnCanary(kudosId, _three(OTHER_RESULT, OTHER_RESULT, 0));
        _overRounds(kudosId);
        _show(canary, SALT);
        _show(canary, SALT);
        _assertStanding(kudosId, IClaimVotes.Standing.Refused);
    }

    /// @dev Only the one salt, REQUEST, RESULT and seal that the claim was made of lead to it.
    function testFuzzOnlyWhatItWasMadeOf(uint256 which, bytes32 change) public {
        Canary memory canary = _test(1, SALT);
        bytes32 kudosId = _opened(canary);
        _voteOnCanary(kudosId, _three(OTHER_RESULT, OTHER_RESULT, 0));
        _overRounds(kudosId);
        bytes32[4] memory shown = [_requestId(canary), _resultId(canary), canary.sealSalt, SALT];
        which %= 4;
        bool same = shown[which] == change;
        shown[which] = change;
        if (!same) _expectNoTest(shown);
        claims.openTest(shown[0], shown[1], shown[2], shown[3]);
    }

    /// @dev A claim on a run's result stays one, whatever anybody shows.
    function testFuzzAnHonestClaimIsNoTest(bytes32 salt) public {
        Canary memory canary = _planted(0, 1);
        bytes32 kudosId = _opened(canary);
        _voteOnCanary(kudosId, _three(APPROVE, APPROVE, APPROVE));
        _overRounds(kudosId);
        _expectNoTest([_requestId(canary), _resultId(canary), canary.sealSalt, salt]);
        _show(canary, salt);
    }

    function testFuzzAnySaltMakesATest(bytes32 salt, uint32 seq, uint8[3] calldata reasons) public {
        Canary memory canary = _test(uint32(bound(seq, 0, type(uint32).max)), salt);
        bytes32 kudosId = _opened(canary);
        uint8[] memory votes = new uint8[](3);
        for (uint256 i = 0; i < 3; ++i) {
            votes[i] = [0, APPROVE, OTHER_RESULT, ABSTAIN][reasons[i] % 4];
        }
        _voteOnCanary(kudosId, votes);
        IClaimVotes.Standing standing = _standing(kudosId);
        _overRounds(kudosId);
        if (standing == IClaimVotes.Standing.Open) _expectTooEarly(kudosId);
        _show(canary, salt);
        vm.warp(NOW + 7 days + 1);
        _show(canary, salt);
        _assertStanding(kudosId, standing);
    }
}
