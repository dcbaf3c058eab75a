// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../../interfaces/IKudosSteps.sol";
import {Assets} from "../../libraries/Assets.sol";
import {Tally} from "../../libraries/Tally.sol";
import {KudosLedgerHarness} from "../KudosLedgerHarness.sol";
import {PlainAssets} from "../PlainAssets.sol";
import {SymbolicBase} from "./SymbolicBase.sol";

/// @title What holds of the ledger, within bounds, for every vote, signature and sender (`make halmos`)
/// @dev Batches are small and their records fixed, but for what a check names as its arguments. A signature is a
/// symbol: halmos follows both ways, that it is the home's and that it is not. A path that reverts proves nothing and
/// is dropped, so each check says what holds when the call went through.
contract SymbolicLedger is SymbolicBase {
    // ------------------------------------------------------------------ the set

    function check_thresholdIsAboveHalf(uint8 size, uint256 m) public {
        for (uint256 n = 1; n < 6; ++n) {
            if (size != n) continue;
            KudosLedgerHarness made = _deploy(_seats(n), m);
            assert(2 * made.threshold() > n && made.threshold() <= n);
        }
    }

    /// @dev A set that the queue puts in place, of up to five: whatever threshold it says, a set stands only with one above
    /// half, and where it is refused the one before stays.
    function check_appliedThresholdIsAboveHalf(uint8 size, uint256 m) public {
        (address queue,,) = _ledger.satellites();
        for (uint256 n = 0; n < 6; ++n) {
            if (size != n) continue;
            address[16] memory list;
            for (uint256 i = 0; i < n; ++i) {
                list[2 * i] = address(FIRST_SEAT + uint160(i));
            }
            vm.prank(queue);
            try _ledger.applySet(list, m) {
                assert(2 * m > n && m <= n && _ledger.threshold() == m);
            } catch {
                assert((m <= n / 2 || m > n) && _ledger.threshold() == 2);
            }
        }
    }

    function check_nobodyElseChangesTheSet(address sender, address newcomer, uint256 m) public {
        (address queue,,) = _ledger.satellites();
        vm.assume(sender != queue);
        address[16] memory list;
        list[0] = newcomer;
        vm.prank(sender);
        try _ledger.applySet(list, m) {
            assert(false);
        } catch {
            assert(_ledger.threshold() == 2 && _ledger.setVersion() == 1);
        }
    }

    /// @dev Besides votes only the claims contract mints.
    function check_nobodyElseMints(address sender, address host, uint256 level, uint256 count) public {
        (, address claims,) = _ledger.satellites();
        vm.assume(sender != claims);
        vm.prank(sender);
        try _ledger.mint(host, level, count) {
            assert(false);
        } catch {
            (uint64 k1, uint64 k2, uint64 k3) = _ledger.kudos(host);
            assert(k1 == 0 && k2 == 0 && k3 == 0);
        }
    }

    // ------------------------------------------------------------------ the strict way

    function _place() private pure returns (IKudosSteps.Place memory) {
        return IKudosSteps.Place({home: HOME, host: HOST, seq: 7});
    }

    /// @dev REQUEST and REJECTED, each sent by its owner; the id of the latter.
    function _rejectedStep() private returns (bytes32) {
        bytes32 requestId = Assets.request(_ledger.domainSeparator(), _request(7, "commitment"));
        vm.prank(HOME);
        _ledger.submitRequest(_request(7, "commitment"));
        vm.prank(HOST);
        _ledger.submitRejected(requestId, HOME, 7, uint64(NOW - 50), 3);
        return Assets.rejected(_ledger.domainSeparator(), requestId, 3, NOW - 50);
    }

    /// @dev A validator's vote, alone or in a list of one.
    function _sayOnStep(uint256 seat, bytes32 id, uint8 reason, bool listed) private returns (bool done) {
        IKudosSteps.StepVote[] memory votes = new IKudosSteps.StepVote[](1);
        votes[0] = IKudosSteps.StepVote({place: _place(), id: id, reason: reason});
        bytes memory call = listed
            ? abi.encodeCall(_ledger.vote, (new IKudosLedger.BatchVote[](0), votes))
            : abi.encodeCall(_ledger.voteOnStep, (HOME, HOST, 7, id, reason));
        vm.prank(address(FIRST_SEAT + uint160(seat)));
        (done,) = address(_ledger).call(call);
    }

    /// @dev Three votes with any reasons: verified where two approve, refused where two refuse, and one K1 or none.
    function check_stepIsWhatTwoApprove(uint8[3] memory reasons) public {
        bytes32 id = _rejectedStep();
        uint256 ayes = 0;
        uint256 nays = 0;
        for (uint256 i = 0; i < 3; ++i) {
            vm.assume(_sayOnStep(i, id, reasons[i], i == 1));
            if (reasons[i] == 128) ++ayes;
            else if (reasons[i] < 144) ++nays;
        }
        (, IKudosSteps.State state,,) = _ledger.step(_place());
        assert((state == IKudosSteps.State.Verified) == (ayes >= 2));
        assert((state == IKudosSteps.State.Refused) == (nays >= 2));
        (uint64 k1, uint64 k2, uint64 k3) = _ledger.kudos(HOST);
        assert(k1 == (ayes >= 2 ? 1 : 0) && k2 == 0 && k3 == 0);
    }

    function check_noSecondVoteOnAStep(uint8[2] memory reasons, bool[2] memory listed) public {
        bytes32 id = _rejectedStep();
        vm.assume(_sayOnStep(0, id, reasons[0], listed[0]));
        assert(!_sayOnStep(0, id, reasons[1], listed[1]));
        (uint64 k1,,) = _ledger.kudos(HOST);
        assert(k1 == 0);
    }

    /// @dev Asked under any number and at any time after the second in which it was answered.
    function _askLater(uint32 seq, uint32 later) private returns (bool taken) {
        vm.assume(later != 0);
        _ledger.setTime(NOW + later);
        IKudosSteps.Request memory asset = _request(seq, "another");
        (asset.signedAt, asset.resultDeadline) = (uint64(NOW + later), uint64(NOW + later + 600));
        vm.prank(HOME);
        try _ledger.submitRequest(asset) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev The claim of what stands in a place keeps every REQUEST out of it for as long as nobody decides it.
    function check_openStepIsNotOverwritten(uint16 turns, uint32 later) public {
        _rejectedStep();
        assert(!_askLater(7 + uint32(turns) * 65_536, later));
        (IKudosSteps.Stage stage, IKudosSteps.State claim,,) = _ledger.step(_place());
        assert(stage == IKudosSteps.Stage.Rejected && claim == IKudosSteps.State.Claimed);
    }

    /// @dev What is decided can be overwritten, but not before 30 days are over.
    function check_stepIsKeptForThirtyDays(uint16 turns, uint32 later) public {
        bytes32 id = _rejectedStep();
        for (uint256 i = 0; i < 2; ++i) {
            assert(_sayOnStep(i, id, 128, i == 0));
        }
        assert(_askLater(7 + uint32(turns) * 65_536, later) == later > 30 days);
    }

    /// @dev A REQUEST is answered under its own number alone, whatever others lead to the same place; and no other is
    /// used up.
    function check_noStepUnderAnotherNumber(uint16 turns, uint64 signedAt, uint8 reason) public {
        vm.assume(turns != 0);
        bytes32 requestId = Assets.request(_ledger.domainSeparator(), _request(7, "commitment"));
        vm.prank(HOME);
        _ledger.submitRequest(_request(7, "commitment"));
        uint32 other = 7 + uint32(turns) * 65_536;
        vm.prank(HOST);
        try _ledger.submitRejected(requestId, HOME, other, signedAt, reason) {
            assert(false);
        } catch {
            assert(!_ledger.sequenceUsed(HOME, HOST, other));
        }
    }

    /// @dev An answered REQUEST is answered no second time, whenever that was signed, and stays what it is.
    function check_answeredOnce(uint64 signedAt, uint8 reason) public {
        bytes32 requestId = Assets.request(_ledger.domainSeparator(), _request(7, "commitment"));
        _rejectedStep();
        vm.startPrank(HOST);
        try _ledger.submitAccepted(requestId, HOME, 7, signedAt) {
            assert(false);
        } catch {
            try _ledger.submitRejected(requestId, HOME, 7, signedAt, reason) {
                assert(false);
            } catch {
                (IKudosSteps.Stage stage,,,) = _ledger.step(_place());
                assert(stage == IKudosSteps.Stage.Rejected);
            }
        }
        vm.stopPrank();
    }

    /// @dev The ways share their sequence numbers: what was answered the strict way settles in no batch.
    function check_answeredNumberSettlesInNoBatch(bytes32[2] memory signature) public {
        _rejectedStep();
        vm.prank(HOST);
        try _ledger.settle(HOST, _batch(1, 1, _group(HOME, 1, _confirmed(7, signature))), "") {
            assert(false);
        } catch {
            (IKudosSteps.Stage stage, IKudosSteps.State claim,,) = _ledger.step(_place());
            assert(stage == IKudosSteps.Stage.Rejected && claim == IKudosSteps.State.Claimed);
        }
    }

    // ------------------------------------------------------------------ settlement

    /// @dev Each record's fate hangs on its own signature alone: a claim and a used number where it is the home's,
    /// nothing where it is not, whatever its neighbour's is.
    function check_badRecordLeavesTheOtherAlone(bytes32[2] memory first, bytes32[2] memory second) public {
        bool firstHolds = _signedByHome(7, first);
        bool secondHolds = _signedByHome(8, second);
        bytes memory records = bytes.concat(_confirmed(7, first), _confirmed(8, second));
        vm.prank(HOST);
        try _ledger.settle(HOST, _batch(2, 2, _group(HOME, 2, records)), "") returns (bytes32 root) {
            assert(_claimsOf(root) == (firstHolds ? 1 : 0) + (secondHolds ? 2 : 0));
        } catch {
            assert(!firstHolds && !secondHolds);
        }
        assert(_ledger.sequenceUsed(HOME, HOST, 7) == firstHolds);
        assert(_ledger.sequenceUsed(HOME, HOST, 8) == secondHolds);
    }

    /// @dev Whether this is the signature of the CONFIRMED that `_confirmed` writes; ids made in the plainest way.
    function _signedByHome(uint32 seq, bytes32[2] memory signature) private view returns (bool) {
        bytes32 separator = _ledger.domainSeparator();
        bytes32 acceptanceId = PlainAssets.accepted(separator, Assets.request(separator, _request(seq, "commitment")), NOW - 59);
        bytes32 confirmedId = PlainAssets.confirmed(separator, acceptanceId, NOW - 58);
        uint256 vs = uint256(signature[1]);
        return ecrecover(confirmedId, uint8(27 + (vs >> 255)), signature[0], bytes32(vs << 1 >> 1)) == HOME;
    }

    /// @dev Whoever signed, in one batch or in two: the host's allowance of one is never exceeded, and the next epoch
    /// has an allowance of its own. The clock is no symbol: the solvers are poor at dividing by the epoch's length.
    function check_k1Cap(bool nextEpoch, bytes32[2] memory a, bytes32[2] memory b, bytes32[2] memory c) public {
        bytes memory both = bytes.concat(_group(HOME, 1, _rejected(1, a)), _group(OTHER_HOME, 1, _rejected(2, b)));
        uint256 first = Tally.count(_claimsOf(_settle(_batch(2, 0, both))));
        if (nextEpoch) _ledger.setTime((NOW / EPOCH + 1) * EPOCH);
        uint256 second = Tally.count(_claimsOf(_settle(_batch(1, 0, _group(OTHER_HOME, 1, _rejected(3, c))))));
        assert(first == K1_ALLOWANCE && second == (nextEpoch ? K1_ALLOWANCE : 0));
    }

    /// @dev A sequence number that was settled is never settled again, under whatever signature and content.
    function check_sequenceSettlesOnce(bytes32[2] memory first, bytes32[2] memory second) public {
        _settle(_batch(1, 1, _group(HOME, 1, _confirmed(7, first))));
        vm.prank(HOST);
        try _ledger.settle(HOST, _batch(1, 0, _group(HOME, 1, _rejected(7, second))), "") {
            assert(false);
        } catch {
            assert(_ledger.sequenceUsed(HOME, HOST, 7));
        }
    }

    // ------------------------------------------------------------------ votes

    /// @dev Three validators, any approvals and refusals: verified is what two approve, refused what two refuse, and
    /// the host's totals are the verified bits.
    function check_verifiedIsWhatTwoApprove(bytes32[4] memory signed, uint128[3] memory ayes, uint128[3] memory nays)
        public
    {
        bytes32 root = _settleTwo(signed);
        for (uint256 i = 0; i < 3; ++i) {
            _vote(i, root, ayes[i], nays[i]);
        }
        (,,, uint128 claims, uint128 verified, uint128 refused) = _ledger.batch(HOST, root);
        assert(verified == (_twoOf(ayes) & claims));
        assert(refused == (_twoOf(nays) & claims));
        assert(verified & refused == 0);
        (uint64 k1, uint64 k2, uint64 k3) = _ledger.kudos(HOST);
        assert(k1 == 0 && k2 == (verified & 1) + (verified >> 1) && k3 == 0);
    }

    /// @dev After one vote, of whatever kind, nothing is verified.
    function check_oneApprovalMintsNothing(bytes32[4] memory signed, uint8 seat, uint128 aye, uint128 nay) public {
        bytes32 root = _settleTwo(signed);
        for (uint256 i = 0; i < 3; ++i) {
            if (seat == i) _vote(i, root, aye, nay);
        }
        (,,,, uint128 verified,) = _ledger.batch(HOST, root);
        (uint64 k1, uint64 k2, uint64 k3) = _ledger.kudos(HOST);
        assert(verified == 0 && k1 == 0 && k2 == 0 && k3 == 0);
    }

    /// @dev A validator's second vote on a batch never goes through.
    function check_noSecondVote(bytes32[4] memory signed, uint128[2] memory ayes, uint128[2] memory nays) public {
        bytes32 root = _settleTwo(signed);
        _vote(0, root, ayes[0], nays[0]);
        vm.prank(_seats(1)[0]);
        try _ledger.vote(_votes(root, ayes[1], nays[1]), new IKudosSteps.StepVote[](0)) {
            assert(false);
        } catch {
            (bool voted,,,) = _ledger.ballot(HOST, root, _seats(1)[0]);
            assert(voted);
        }
    }

    /// @dev A validator that is the home of a record can say what it likes: with one other approval nothing is verified.
    function check_partyHasNoVote(bytes32[2] memory signature, uint128 aye, uint128 nay) public {
        address[] memory seats = _seats(3);
        seats[2] = HOME;
        _ledger = _deploy(seats, 2);
        bytes32 root = _settle(_batch(1, 1, _group(HOME, 1, _confirmed(7, signature))));
        vm.prank(HOME);
        _ledger.vote(_votes(root, aye, nay), new IKudosSteps.StepVote[](0));
        _vote(0, root, 1, 0);
        (,,, uint128 claims, uint128 verified, uint128 refused) = _ledger.batch(HOST, root);
        assert(claims == 1 && verified == 0 && refused == 0);
        _vote(1, root, 1, 0);
        (,,,, verified,) = _ledger.batch(HOST, root);
        assert(verified == 1);
    }

    function check_strangersHaveNoVote(bytes32[4] memory signed, address stranger, uint128 aye) public {
        vm.assume(stranger != address(FIRST_SEAT) && stranger != address(FIRST_SEAT + 1));
        vm.assume(stranger != address(FIRST_SEAT + 2));
        bytes32 root = _settleTwo(signed);
        vm.prank(stranger);
        try _ledger.vote(_votes(root, aye, 0), new IKudosSteps.StepVote[](0)) {
            assert(false);
        } catch {
            (bool voted,,,) = _ledger.ballot(HOST, root, stranger);
            assert(!voted);
        }
    }

    /// @dev What two votes have decided the third does not change, and no total falls.
    function check_decidedStaysDecided(bytes32[4] memory signed, uint128[3] memory ayes, uint128[3] memory nays)
        public
    {
        bytes32 root = _settleTwo(signed);
        _vote(0, root, ayes[0], nays[0]);
        _vote(1, root, ayes[1], nays[1]);
        (,,,, uint128 verified, uint128 refused) = _ledger.batch(HOST, root);
        (, uint64 k2,) = _ledger.kudos(HOST);
        _vote(2, root, ayes[2], nays[2]);
        (,,,, uint128 stillVerified, uint128 stillRefused) = _ledger.batch(HOST, root);
        (, uint64 k2After,) = _ledger.kudos(HOST);
        assert(verified & ~stillVerified == 0 && refused & ~stillRefused == 0 && k2After >= k2);
    }

    function _twoOf(uint128[3] memory masks) private pure returns (uint128) {
        return (masks[0] & masks[1]) | (masks[0] & masks[2]) | (masks[1] & masks[2]);
    }
}
