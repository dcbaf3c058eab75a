// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {KudosClaims} from "../../KudosClaims.sol";
import {IClaimVotes} from "../../interfaces/IClaimVotes.sol";
import {IKudosClaims} from "../../interfaces/IKudosClaims.sol";
import {IKudosSteps} from "../../interfaces/IKudosSteps.sol";
import {ISecondClaims} from "../../interfaces/ISecondClaims.sol";
import {Assets} from "../../libraries/Assets.sol";
import {ClaimAssets} from "../../libraries/ClaimAssets.sol";
import {LedgerDouble} from "../LedgerDouble.sol";
import {TestBase} from "../Vm.sol";

/// @title What holds of single claims for every vote, opening and signature (`make halmos`)
/// @dev Over a ledger set by hand, of which one batch holds one RESULT: its root is the RESULT's id, and the path to it is
/// empty. What the real ledger does with `mint` is in `SymbolicLedger`.
contract SymbolicCanary is TestBase {
    uint256 private constant NOW = 1_790_000_000;
    uint64 private constant ROUND = 1 hours;
    address private constant HOST = address(0xA0);
    address private constant HOME = address(0xB0);
    uint160 private constant FIRST_SEAT = 0xC0;
    bytes32 private constant TASK = "task";
    bytes32 private constant FAMILY = "replay";
    bytes32 private constant PARAMETERS = "parameters";
    bytes32 private constant SALT = "salt";
    bytes32 private constant ANSWER = "answer";
    bytes32 private constant SEAL_SALT = "seal salt";
    uint8 private constant APPROVE = 128;

    LedgerDouble private _ledger;
    IKudosClaims private _claims;

    function setUp() public {
        vm.warp(NOW);
        address[] memory seats = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            seats[i] = address(FIRST_SEAT + uint160(i));
        }
        _ledger = new LedgerDouble(seats, 2, 0, address(0xCAFE));
        bytes memory arguments = abi.encode(ROUND, uint16(6_554), uint8(8), uint32(3));
        _claims = IKudosClaims(_ledger.create(bytes.concat(type(KudosClaims).creationCode, arguments)));
        _ledger.know(address(_claims), address(0xBEAC));
    }

    // ------------------------------------------------------------------ votes

    /// @dev Three direct votes with any reasons: verified where two approve, refused where two refuse, and one K2 or none.
    function check_secondClaimIsWhatTwoApprove(uint8[3] memory reasons) public {
        bytes32 kudosId = _claimedAgain();
        uint256 ayes = 0;
        uint256 nays = 0;
        for (uint256 i = 0; i < 3; ++i) {
            _vote(i, kudosId, reasons[i]);
            if (reasons[i] == APPROVE) ++ayes;
            else if (reasons[i] < 144) ++nays;
        }
        IClaimVotes.Standing standing = _claims.kudosClaim(kudosId).standing;
        assert((standing == IClaimVotes.Standing.Verified) == (ayes >= 2));
        assert((standing == IClaimVotes.Standing.Refused) == (nays >= 2));
        assert(_ledger.minted(HOST, 2) == (ayes >= 2 ? 1 : 0));
    }

    function check_noSecondDirectVote(uint8[2] memory reasons) public {
        bytes32 kudosId = _claimedAgain();
        _vote(1, kudosId, reasons[0]);
        vm.prank(address(FIRST_SEAT + 1));
        try _claims.vote(_ballot(kudosId, reasons[1])) {
            assert(false);
        } catch {
            assert(_ledger.minted(HOST, 2) == 0);
        }
    }

    function check_strangersHaveNoDirectVote(address stranger, uint8 reason) public {
        vm.assume(uint160(stranger) < FIRST_SEAT || uint160(stranger) > FIRST_SEAT + 2);
        bytes32 kudosId = _claimedAgain();
        vm.prank(stranger);
        try _claims.vote(_ballot(kudosId, reason)) {
            assert(false);
        } catch {
            assert(_claims.kudosClaim(kudosId).voters == 0);
        }
    }

    /// @dev K3 is never voted in the open.
    function check_canariesAreNotVotedDirectly(uint8 seat, uint8 reason) public {
        bytes32 kudosId = _claimedCanary();
        for (uint256 i = 0; i < 3; ++i) {
            if (seat != i) continue;
            vm.prank(address(FIRST_SEAT + uint160(i)));
            try _claims.vote(_ballot(kudosId, reason)) {
                assert(false);
            } catch {
                assert(_claims.kudosClaim(kudosId).voters == 0);
            }
        }
    }

    /// @dev What is revealed is what was committed to, under its own salt, and counts for one approval or none.
    function check_aVoteRevealsInOneWayOnly(uint8[2] memory reasons, bytes32[2] memory salts) public {
        bytes32 kudosId = _claimedCanary();
        vm.warp(NOW + ROUND);
        uint64 round = _claims.roundOf(NOW + ROUND);
        address validator = address(FIRST_SEAT);
        bytes32 commitment = _claims.hashVotes(validator, round, _ballot(kudosId, reasons[0]), salts[0]);
        vm.prank(validator);
        _claims.commitVotes(round, commitment);
        vm.warp(NOW + 2 * ROUND);
        _claims.revealVotes(validator, round, _ballot(kudosId, reasons[1]), salts[1]);
        assert(reasons[0] == reasons[1] && salts[0] == salts[1]);
        assert(_claims.kudosClaim(kudosId).approvals == (reasons[0] == APPROVE ? 1 : 0));
        assert(_ledger.minted(HOST, 3) == 0);
    }

    /// @dev Three committed votes with any reasons: verified where two approve, refused where two refuse, one K3 or none.
    function check_canaryIsWhatTwoApprove(uint8[3] memory reasons) public {
        bytes32 kudosId = _claimedCanary();
        uint64 round = _claims.roundOf(NOW + ROUND);
        vm.warp(NOW + ROUND);
        for (uint256 i = 0; i < 3; ++i) {
            address validator = address(FIRST_SEAT + uint160(i));
            bytes32 commitment = _claims.hashVotes(validator, round, _ballot(kudosId, reasons[i]), SALT);
            vm.prank(validator);
            _claims.commitVotes(round, commitment);
        }
        vm.warp(NOW + 2 * ROUND);
        uint256 ayes = 0;
        uint256 nays = 0;
        for (uint256 i = 0; i < 3; ++i) {
            _claims.revealVotes(address(FIRST_SEAT + uint160(i)), round, _ballot(kudosId, reasons[i]), SALT);
            if (reasons[i] == APPROVE) ++ayes;
            else if (reasons[i] > APPROVE && reasons[i] < 144) ++nays;
        }
        IClaimVotes.Standing standing = _claims.kudosClaim(kudosId).standing;
        assert((standing == IClaimVotes.Standing.Verified) == (ayes >= 2));
        assert((standing == IClaimVotes.Standing.Refused) == (nays >= 2));
        assert(_ledger.minted(HOST, 3) == (ayes >= 2 ? 1 : 0));
    }

    // ------------------------------------------------------------------ openings

    /// @dev Whatever a host shows, it can open only the mark that its request committed to.
    function check_onlyTheCommittedMarkOpens(bytes32[4] memory hidden, bytes32[4] memory shown) public {
        _settle(_canary(1, hidden));
        _claim(shown, [SEAL_SALT, ANSWER]);
        assert(shown[0] == hidden[0] && shown[1] == hidden[1] && shown[2] == hidden[2] && shown[3] == hidden[3]);
    }

    /// @dev A result that was sealed is the one that is shown, or there is no claim.
    function check_onlyTheSealedResultOpens(bytes32[2] memory shown) public {
        _settle(_canary(1, _mark()));
        _claim(_mark(), shown);
        assert(shown[0] == SEAL_SALT && shown[1] == ANSWER);
    }

    /// @dev A request that committed to "no canary" never becomes one.
    function check_ordinaryMarkNeverEarnsK3(bytes32[4] memory hidden, bytes32[4] memory shown) public {
        _settle(_canary(0, hidden));
        bytes memory packed = _packed(shown, [SEAL_SALT, ANSWER]);
        vm.prank(HOST);
        try _claims.claim(packed) {
            assert(false);
        } catch {
            assert(!_claims.canaryClaimed(HOME, HOST, 7));
        }
    }

    /// @dev One RESULT has one K3 claim while that is open, whatever is shown the second time.
    function check_noSecondClaim(bytes32[4] memory shown, bytes32[2] memory sealed_) public {
        _claimedCanary();
        vm.prank(HOST);
        try _claims.claim(_packed(shown, sealed_)) {
            assert(false);
        } catch {
            assert(_claims.canaryClaimed(HOME, HOST, 7));
        }
    }

    // ------------------------------------------------------------------ building

    function _mark() private pure returns (bytes32[4] memory) {
        return [TASK, FAMILY, PARAMETERS, SALT];
    }

    function _canary(uint8 kind, bytes32[4] memory hidden) private view returns (IKudosSteps.Request memory request) {
        bytes32 mark = keccak256(abi.encode(kind, hidden[1], hidden[2], hidden[3]));
        request = IKudosSteps.Request({
            home: HOME,
            host: HOST,
            processId: "process",
            processName: "cc",
            commitment: 0,
            cpuSeconds: 60,
            memoryMiB: 512,
            outputKiB: 4096,
            seq: 7,
            resultDeadline: uint64(NOW + 540),
            signedAt: uint64(NOW - 60)
        });
        request.commitment = Assets.commitment(block.chainid, address(_ledger), HOME, HOST, 7, hidden[0], mark);
    }

    function _separator() private view returns (bytes32) {
        return Assets.domain(block.chainid, address(_ledger));
    }

    function _settle(IKudosSteps.Request memory request) private returns (bytes32 resultId, bytes32 seal) {
        bytes32 requestId = Assets.request(_separator(), request);
        seal = Assets.seal(ANSWER, SEAL_SALT, HOST, requestId);
        resultId = Assets.result(_separator(), requestId, seal, NOW - 30);
        _ledger.settleBatch(HOST, resultId, 1, 1, uint64(NOW));
    }

    function _packed(bytes32[4] memory shown, bytes32[2] memory sealed_) private pure returns (bytes memory) {
        bytes memory numbers =
            abi.encodePacked(uint32(7), uint32(NOW - 60), uint24(600), uint24(60), uint24(512), uint32(4096), uint24(30));
        bytes memory head = abi.encodePacked(uint8(2), HOME, bytes32("process"), bytes32("cc"), numbers, hex"0100");
        return abi.encodePacked(head, shown[1], shown[0], shown[2], shown[3], sealed_);
    }

    function _claim(bytes32[4] memory shown, bytes32[2] memory sealed_) private {
        bytes memory packed = _packed(shown, sealed_);
        vm.prank(HOST);
        _claims.claim(packed);
    }

    function _claimedCanary() private returns (bytes32) {
        (bytes32 resultId,) = _settle(_canary(1, _mark()));
        _claim(_mark(), [SEAL_SALT, ANSWER]);
        return Assets.canaryKudos(_separator(), resultId, ANSWER, SEAL_SALT);
    }

    /// @dev A K2 that waited longer than the window.
    function _claimedAgain() private returns (bytes32) {
        ISecondClaims.Record memory record;
        record.request = _canary(1, _mark());
        bytes32 resultId;
        (resultId, record.seal) = _settle(record.request);
        (record.level, record.answeredAt, record.root) = (2, uint64(NOW - 30), resultId);
        record.path = new bytes32[](0);
        vm.warp(NOW + 7 days + 1);
        bytes32 kudosId = _claims.claimAgain(record);
        assert(kudosId == ClaimAssets.kudos(_separator(), 2, resultId));
        return kudosId;
    }

    function _ballot(bytes32 kudosId, uint8 reason) private pure returns (IClaimVotes.Vote[] memory votes) {
        votes = new IClaimVotes.Vote[](1);
        votes[0] = IClaimVotes.Vote({kudosId: kudosId, reason: reason});
    }

    function _vote(uint256 seat, bytes32 kudosId, uint8 reason) private {
        vm.prank(address(FIRST_SEAT + uint160(seat)));
        _claims.vote(_ballot(kudosId, reason));
    }
}
