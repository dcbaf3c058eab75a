// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {ISecondClaims} from "../interfaces/ISecondClaims.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {SystemTest} from "./SystemTest.sol";

/// @title All forms of claims over the real ledger, each to its end
contract SystemClaimsTest is SystemTest {
    // ------------------------------------------------------------------ deployment

    function testTheLedgerBuildsItsSatellites() public {
        assertEq(gov.ledger(), address(core), "the queue's ledger");
        assertEq(claims.ledger(), address(core), "the claims' ledger");
        assertTrue(claims.decisions().code.length != 0, "code for decisions");
        assertEq(beacon.periodSeconds(), PERIOD, "the beacon's period");
        bytes[3] memory codes = _satelliteCodes();
        vm.expectRevert(IKudosLedger.WrongInitCode.selector);
        core.build(codes[0]);
    }

    // ------------------------------------------------------------------ K3

    function testFuzzAPuzzleIsMintedAtOnce(uint256 n, uint256 index, bool strict) public mintsAddUp {
        n = strict ? 1 : bound(n, 1, 9);
        index = bound(index, 0, n - 1);
        Canary[] memory canaries = new Canary[](n);
        for (uint32 i = 0; i < n; ++i) {
            canaries[i] = _puzzle(i % 3, i);
        }
        if (strict) {
            _strictly(canaries[0]);
        } else {
            _settle(canaries);
        }
        bytes memory place = strict ? bytes(hex"00") : _place(canaries, index);
        bytes memory packed = _pack(canaries[index], 0, place, "");
        _claim(packed);
        _assertKudos(host, 0, 0, 1);
        _expectNothing(packed, Reasons.CLAIMED_BEFORE);
    }

    function testEveryFormInOneCall() public mintsAddUp {
        Canary[] memory canaries = new Canary[](4);
        (canaries[0], canaries[1], canaries[2], canaries[3]) =
            (_puzzle(0, 0), _planted(0, 1), _planted(1, 2), _drawn(1, 3));
        _settle(canaries);
        bytes memory first = _pack(canaries[0], 0, _place(canaries, 0), "");
        bytes memory second = _pack(canaries[1], SAME_HOME, _place(canaries, 1), "");
        bytes memory third = _pack(canaries[2], 0, _place(canaries, 2), "");
        bytes memory fourth = _pack(canaries[3], SAME_HOME, _place(canaries, 3), "");
        _claim(bytes.concat(first, second, third, fourth));
        _assertKudos(host, 0, 0, 1);
        _assertStanding(_kudosId(canaries[1]), IClaimVotes.Standing.Open);
        _assertStanding(_kudosId(canaries[2]), IClaimVotes.Standing.Open);
        _assertStanding(_kudosId(canaries[3]), IClaimVotes.Standing.None);
    }

    function testFuzzPlantedIsVotedInTheDark(uint8[3] memory picks) public mintsAddUp {
        uint8[4] memory menu = [APPROVE, REFUSE, ABSTAIN, 0];
        bytes32 kudosId = _openPlanted(1);
        uint8[] memory words = new uint8[](3);
        uint256 approvals = 0;
        for (uint256 i = 0; i < 3; ++i) {
            words[i] = menu[picks[i] % 4];
            if (words[i] == APPROVE) ++approvals;
        }
        _voteOnCanary(kudosId, words);
        _assertKudos(host, 0, 0, approvals > 1 ? 1 : 0);
    }

    // ------------------------------------------------------------------ drawn

    function _secret(uint256 seat) private pure returns (bytes32) {
        return keccak256(abi.encode("secret", seat));
    }

    /// @dev Validators' secrets for the next period, in which the test then stands.
    function _enterPeriod() private returns (uint64 period) {
        period = beacon.periodOf(block.timestamp) + 1;
        for (uint256 i = 0; i < 3; ++i) {
            bytes32 commitment = beacon.hashSecret(seats[i], period, _secret(i));
            vm.prank(seats[i]);
            beacon.commit(period, commitment);
        }
        vm.warp(uint256(period) * PERIOD + 1 hours);
    }

    function _leavePeriod(uint64 period, uint256 reveals) private {
        vm.warp(uint256(period + 1) * PERIOD);
        for (uint256 i = 0; i < reveals; ++i) {
            beacon.reveal(seats[i], period, _secret(i));
        }
        vm.warp(block.timestamp + REVEAL);
        beacon.fix(period);
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256("block"));
        if (reveals > 1) beacon.fix(period);
    }

    function testDrawnByTheValidatorsBeacon() public mintsAddUp {
        uint64 period = _enterPeriod();
        Canary[] memory canaries = new Canary[](64);
        for (uint32 i = 0; i < 64; ++i) {
            canaries[i] = _drawn(0, i);
        }
        _settle(canaries);
        _expectNothing(_item(canaries, 0), Reasons.NO_BEACON);
        _leavePeriod(period, 3);
        (, bytes32 value) = beacon.beacon(period);
        uint256 drawn = 0;
        for (uint256 i = 0; i < 64; ++i) {
            uint256 number = uint256(keccak256(abi.encode(value, _requestId(canaries[i]))));
            if (number >> 240 >= RATE) {
                _expectNothing(_item(canaries, i), Reasons.NOT_DRAWN);
                continue;
            }
            _claim(_item(canaries, i));
            ++drawn;
            if (drawn == 1) _voteOnCanary(_kudosId(canaries[i]), _three(APPROVE, APPROVE, ABSTAIN));
        }
        assertTrue(drawn != 0, "one of ten is drawn");
        _assertKudos(host, 0, 0, 1);
    }

    function testNothingIsDrawnWithoutABeacon() public {
        uint64 period = _enterPeriod();
        Canary memory canary = _drawn(0, 1);
        _settleOne(canary);
        _leavePeriod(period, 1);
        _expectNothing(_alone(canary), Reasons.NO_BEACON);
    }

    // ------------------------------------------------------------------ again, and late

    function testFuzzClaimedAgainAndNeverTwice(bool rejected, bool strict) public mintsAddUp {
        Canary memory canary = _planted(0, 1);
        bytes32 root = 0;
        if (rejected && strict) _rejectStep(canary);
        else if (strict) _strictly(canary);
        else root = rejected ? _settleRejected(canary) : _settleOne(canary);
        ISecondClaims.Record memory record =
            rejected ? _rejectedRecord(canary, root) : _secondRecord(canary, root);
        vm.warp(NOW + WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(Reasons.NOT_TIMED_OUT))
        );
        claims.claimAgain(record);
        vm.warp(NOW + WINDOW + 1);
        bytes32 kudosId = claims.claimAgain(record);
        assertEq(kudosId, _secondId(record), "the id of its KUDOS");
        // In the ledger it is over: votes there are recorded and change nothing.
        for (uint256 i = 0; i < 3; ++i) {
            if (!strict) _voteBatch(i, root, 1);
            else if (!rejected) _voteStep(i, canary);
        }
        _assertKudos(host, 0, 0, 0);
        _voteDirectly(0, kudosId, APPROVE);
        _voteDirectly(2, kudosId, APPROVE);
        _assertKudos(host, rejected ? 1 : 0, rejected ? 0 : 1, 0);
        vm.warp(block.timestamp + WINDOW + 1);
        vm.expectRevert(
            abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(Reasons.NOT_TIMED_OUT))
        );
        claims.claimAgain(record);
    }

    function _rejectStep(Canary memory canary) private {
        bytes32 requestId = _requestId(canary);
        vm.prank(canary.request.home);
        core.submitRequest(canary.request);
        vm.prank(host);
        core.submitRejected(requestId, canary.request.home, canary.request.seq, canary.request.signedAt + 1, 3);
    }

    /// @dev What the ledger has verified is not given up for a second claim.
    function testVerifiedIsNotClaimedAgain() public mintsAddUp {
        Canary memory canary = _planted(0, 1);
        bytes32 root = _settleOne(canary);
        _voteBatch(0, root, 1);
        _voteBatch(1, root, 1);
        vm.warp(NOW + WINDOW + 1);
        vm.expectRevert(
            abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(Reasons.NOT_TIMED_OUT))
        );
        claims.claimAgain(_secondRecord(canary, root));
        _assertKudos(host, 0, 1, 0);
    }

    function testFuzzAReceiptForALateResult(uint256 late, bool strict) public mintsAddUp {
        late = bound(late, 1, 1 days);
        Canary memory canary = _puzzle(0, 1);
        if (strict) _walk(canary);
        vm.warp(canary.request.resultDeadline + late);
        bytes32 root = 0;
        if (strict) _finish(canary);
        else root = _settleOne(canary);
        bytes memory packed = _pack(canary, 0, strict ? bytes(hex"00") : bytes(hex"0100"), "");
        _expectNothing(packed, Reasons.EXPIRED);
        bytes memory receipt = _receipt(canary, uint64(NOW));
        bytes32 kudosId = claims.claimReceipted(_secondRecord(canary, root), uint64(NOW), receipt);
        _voteDirectly(0, kudosId, APPROVE);
        _voteDirectly(1, kudosId, APPROVE);
        _claim(packed);
        _assertKudos(host, 0, 1, 1);
    }

    /// @dev The cap of the ledger holds for receipts as well.
    function testReceiptsAreUnderTheCap() public mintsAddUp {
        _deploy(3, 2, 1);
        Canary memory canary = _planted(0, 1);
        Canary memory other = _planted(0, 2);
        vm.warp(canary.request.resultDeadline + 1);
        (bytes32 root, bytes32 otherRoot) = (_settleOne(canary), _settleOne(other));
        claims.claimReceipted(_secondRecord(canary, root), uint64(NOW), _receipt(canary, uint64(NOW)));
        bytes memory receipt = _receipt(other, uint64(NOW));
        vm.expectRevert(abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(Reasons.OVER_CAP)));
        claims.claimReceipted(_secondRecord(other, otherRoot), uint64(NOW), receipt);
    }

    // ------------------------------------------------------------------ open puzzles

    function testAnOpenPuzzleForANewcomer() public mintsAddUp {
        // Counted here: a compiler may take the block's number for the same throughout a call.
        uint256 blockNumber = block.number;
        for (uint256 round = 0; round < PER_HOST; ++round) {
            vm.prank(host);
            claims.askPuzzle(host, FLOOR, "");
            blockNumber += 2;
            vm.roll(blockNumber);
            vm.setBlockhash(blockNumber - 1, keccak256(abi.encode(round)));
            (, bytes32 parameters,,) = claims.puzzle(host);
            uint256 x = 0;
            while (uint256(keccak256(abi.encode(parameters, x))) >> (256 - FLOOR) != 0) ++x;
            claims.solvePuzzle(host, bytes32(x));
        }
        _assertKudos(host, 0, 0, PER_HOST);
    }

    // ------------------------------------------------------------------ parties

    /// @dev A validator's own migration: neither in the ledger nor in the claims has it a say, and the two others do.
    function testFuzzAValidatorThatIsHome(uint256 number) public mintsAddUp {
        number = bound(number, 0, 2);
        Canary memory canary = _planted(0, 1);
        canary.homeKey = VALIDATOR_KEY + number;
        canary.request.home = seats[number];
        _commit(canary);
        bytes32 root = _settleOne(canary);
        _claim(_alone(canary));
        bytes32 kudosId = _kudosId(canary);
        for (uint256 i = 0; i < 3; ++i) {
            _voteBatch(i, root, 1);
        }
        _assertKudos(host, 0, 1, 0);
        _voteOnCanary(kudosId, _three(APPROVE, APPROVE, APPROVE));
        assertEq(claims.kudosClaim(kudosId).approvals, 7 ^ (1 << number), "two words");
        _assertKudos(host, 0, 1, 1);
    }
}
