// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../../interfaces/IKudosLedger.sol";
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
            KudosLedgerHarness made = new KudosLedgerHarness(_seats(n), m, EPOCH, K1_ALLOWANCE);
            assert(2 * made.threshold() > n && made.threshold() <= n);
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

    /// @dev Whatever the clock says and whoever signed, one home gives one K1 in an epoch, and the host's allowance
    /// of one is never exceeded.
    function check_k1Cap(uint32 later, bytes32[2] memory a, bytes32[2] memory b, bytes32[2] memory c) public {
        _ledger.setTime(NOW + later % 500);
        bytes memory records = bytes.concat(
            _group(HOME, 2, bytes.concat(_rejected(1, a), _rejected(2, b))), _group(OTHER_HOME, 1, _rejected(1, c))
        );
        uint256 claims = _claimsOf(_settle(_batch(3, 0, records)));
        assert(Tally.count(claims) <= K1_ALLOWANCE);
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
        try _ledger.vote(_votes(root, ayes[1], nays[1]), new IKudosLedger.CanaryVote[](0)) {
            assert(false);
        } catch {
            (bool voted,,) = _ledger.ballot(HOST, root, _seats(1)[0]);
            assert(voted);
        }
    }

    function check_strangersHaveNoVote(bytes32[4] memory signed, address stranger, uint128 aye) public {
        vm.assume(stranger != address(FIRST_SEAT) && stranger != address(FIRST_SEAT + 1));
        vm.assume(stranger != address(FIRST_SEAT + 2));
        bytes32 root = _settleTwo(signed);
        vm.prank(stranger);
        try _ledger.vote(_votes(root, aye, 0), new IKudosLedger.CanaryVote[](0)) {
            assert(false);
        } catch {
            (bool voted,,) = _ledger.ballot(HOST, root, stranger);
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
