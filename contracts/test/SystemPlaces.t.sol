// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISecondClaims} from "../interfaces/ISecondClaims.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {SystemTest} from "./SystemTest.sol";

/// @title A place of the strict way, seen by the contract for claims
contract SystemPlacesTest is SystemTest {
    uint32 private constant PLACES = 65_536;

    function _dated(uint32 seq) private view returns (Canary memory c) {
        c = _puzzle(0, seq);
        (c.request.signedAt, c.request.resultDeadline) =
            (uint64(block.timestamp - 60), uint64(block.timestamp + 600));
        _commit(c);
    }

    function _expectNot(uint256 reason) private {
        vm.expectRevert(abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(reason)));
    }

    /// @dev A claim's number is a part of its RESULT; still none of them finds another number's.
    function testNoClaimUnderAnotherNumber() public mintsAddUp {
        Canary memory c = _dated(3);
        _walk(c);
        vm.warp(NOW + 700);
        _finish(c);
        Canary memory other = _dated(3 + PLACES);
        (other.request.signedAt, other.request.resultDeadline) = (c.request.signedAt, c.request.resultDeadline);
        _commit(other);
        ISecondClaims.Record memory record = _secondRecord(other, 0);
        bytes memory receipt = _receipt(other, uint64(NOW));
        _expectNot(Reasons.NOT_SETTLED);
        claims.claimReceipted(record, uint64(NOW), receipt);
        record = _secondRecord(c, 0);
        claims.claimReceipted(record, uint64(NOW), _receipt(c, uint64(NOW)));
        _expectNothing(_pack(other, 0, hex"00", ""), Reasons.NOT_SETTLED);
        _claim(_pack(c, 0, hex"00", ""));
        _assertKudos(host, 0, 0, 1);
    }

    /// @dev And a claim that timed out is made again under its own number only.
    function testNothingIsClaimedAgainUnderAnotherNumber() public mintsAddUp {
        Canary memory c = _dated(3);
        _strictly(c);
        vm.warp(NOW + WINDOW + 1);
        Canary memory other = _dated(3 + PLACES);
        ISecondClaims.Record memory record = _secondRecord(other, 0);
        _expectNot(Reasons.NOT_SETTLED);
        claims.claimAgain(record);
        bytes32 kudosId = claims.claimAgain(_secondRecord(c, 0));
        // What was made again does not need the place any more.
        vm.warp(NOW + 31 days);
        Canary memory next = _dated(3 + PLACES);
        _strictly(next);
        assertEq(claims.claimAgain(_secondRecord(c, 0)), kudosId, "again, without the ledger");
        _voteDirectly(0, kudosId, APPROVE);
        _voteDirectly(1, kudosId, APPROVE);
        _assertKudos(host, 0, 1, 0);
        _expectNothing(_pack(c, 0, hex"00", ""), Reasons.NOT_SETTLED);
        _claim(_pack(next, 0, hex"00", ""));
        _assertKudos(host, 0, 1, 1);
    }
}
