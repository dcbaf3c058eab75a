// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClaimStore} from "./ClaimStore.sol";
import {IKudosSteps} from "./interfaces/IKudosSteps.sol";
import {ISecondClaims} from "./interfaces/ISecondClaims.sol";
import {Assets} from "./libraries/Assets.sol";
import {ClaimAssets} from "./libraries/ClaimAssets.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Signatures} from "./libraries/Signatures.sol";

/// @title K1 and K2 that the ledger did not decide, and K2 on the home's word
/// @notice One asset has one Kudos of a level: the ledger retires its claim before one is opened here, and here it has
/// one slot. Rare enough to be plain rather than cheap.
abstract contract SecondClaims is ClaimStore, ISecondClaims {
    uint8 private constant REJECTED_LEVEL = 1;
    uint8 private constant RESULT_LEVEL = 2;

    /// @inheritdoc ISecondClaims
    function claimAgain(Record calldata record) external override returns (bytes32 kudosId) {
        bytes32 assetId = _assetId(record);
        kudosId = ClaimAssets.kudos(_separator(), record.level, assetId);
        // What was never claimed, is decided, or has not waited long enough is not retired.
        if (!_isKnown(kudosId)) _require(_retire(record, assetId), Reasons.NOT_TIMED_OUT);
        // Written after a call of the ledger, which calls nobody.
        // slither-disable-next-line reentrancy-no-eth
        _open2(kudosId, record, Reasons.NOT_TIMED_OUT);
        emit ClaimedAgain(kudosId, record.request.host, assetId, record.level);
    }

    /// @inheritdoc ISecondClaims
    function claimReceipted(Record calldata record, uint64 receivedAt, bytes calldata signature)
        external
        override
        returns (bytes32 kudosId)
    {
        _require(record.level == RESULT_LEVEL, Reasons.NOT_SETTLED);
        bytes32 resultId = _assetId(record);
        uint256 settledAt = _recordSettledAt(record, resultId);
        uint256 deadline = record.request.resultDeadline;
        _require(settledAt > deadline, Reasons.NOT_LATE);
        _require(receivedAt >= record.answeredAt, Reasons.BAD_ORDER);
        _require(receivedAt <= deadline && _time() <= settledAt + CLAIM_WINDOW, Reasons.EXPIRED);
        bytes32 receiptId = ClaimAssets.receipt(_separator(), resultId, receivedAt);
        _require(Signatures.isBy(record.request.home, receiptId, signature), Reasons.BAD_SIGNATURE);

        kudosId = ClaimAssets.kudos(_separator(), RESULT_LEVEL, resultId);
        _require(!_isKnown(kudosId), Reasons.CLAIMED_BEFORE);
        _open2(kudosId, record, Reasons.CLAIMED_BEFORE);
        emit Receipted(kudosId, record.request.host, resultId, receivedAt, signature);
        bool admitted = LEDGER.admit(record.request.home, record.request.host, RESULT_LEVEL);
        _require(admitted, Reasons.OVER_CAP);
    }

    function _open2(bytes32 kudosId, Record calldata record, uint256 otherwise) private {
        bool opened = _open(kudosId, record.request.home, record.request.host, record.level, Origin.None);
        _require(opened, otherwise);
    }

    /// @dev Makes the ledger give up its claim; false where it has none to give up.
    function _retire(Record calldata record, bytes32 assetId) private returns (bool) {
        // A closed ledger has votes for what is open until its end; here they would have to begin anew.
        if (LEDGER.finalAt() != 0) return false;
        if (record.root == 0) {
            IKudosSteps.Place memory place = _placeOf(record);
            (,, bytes20 fingerprint,) = LEDGER.step(place);
            _require(fingerprint == bytes20(Assets.fingerprint(assetId, place.seq)), Reasons.NOT_SETTLED);
            return LEDGER.retireStep(place);
        }
        _require(_leadsToRoot(record, assetId), Reasons.NOT_SETTLED);
        return LEDGER.retire(record.request.host, record.root, record.index);
    }

    function _recordSettledAt(Record calldata record, bytes32 resultId) private view returns (uint256) {
        if (record.root == 0) {
            uint256 time = _stepSettledAt(_placeOf(record), resultId);
            _require(time != 0, Reasons.NOT_SETTLED);
            return time;
        }
        (,, uint64 settledAt,,,) = LEDGER.batch(record.request.host, record.root);
        _require(settledAt != 0 && _leadsToRoot(record, resultId), Reasons.NOT_SETTLED);
        return settledAt;
    }

    function _assetId(Record calldata record) private view returns (bytes32) {
        bytes32 separator = _separator();
        bytes32 requestId = Assets.request(separator, record.request);
        if (record.level == RESULT_LEVEL) return Assets.result(separator, requestId, record.seal, record.answeredAt);
        _require(record.level == REJECTED_LEVEL, Reasons.NOT_SETTLED);
        return Assets.rejected(separator, requestId, record.rejection, record.answeredAt);
    }

    function _placeOf(Record calldata record) private pure returns (IKudosSteps.Place memory) {
        return IKudosSteps.Place({home: record.request.home, host: record.request.host, seq: record.request.seq});
    }

    /// @dev An index outside of the tree would lead to the root as well, by its lower bits, and stand for another claim.
    function _leadsToRoot(Record calldata record, bytes32 leaf) private pure returns (bool) {
        if (record.path.length > 7 || record.index >> record.path.length != 0) return false;
        return MerkleTree.climb(leaf, record.index, record.path) == record.root;
    }

    function _require(bool holds, uint256 reason) private pure {
        if (!holds) revert NothingToClaim(uint8(reason));
    }
}
