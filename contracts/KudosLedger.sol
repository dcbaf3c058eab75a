// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Assets} from "./libraries/Assets.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Settlement} from "./Settlement.sol";
import {Voting} from "./Voting.sol";

/// @title The Kudos ledger
/// @notice Claims for canaries, on what `Settlement` has settled; `Voting` decides on all claims.
contract KudosLedger is Settlement {
    uint256 private constant CLAIM_WINDOW = 7 days;

    constructor(address[] memory seats, uint256 quorum, uint64 epochLength, uint64 k1Allowance)
        Settlement(epochLength, k1Allowance)
        Voting(seats, quorum)
    {}

    /// @inheritdoc IKudosLedger
    function claimCanaries(CanaryClaim[] calldata claims) external override {
        bytes32 separator = domainSeparator();
        uint256 firstReason = Reasons.NONE;
        uint256 claimed = 0;
        for (uint256 i = 0; i < claims.length; ++i) {
            uint256 reason = _claimCanary(separator, claims[i]);
            if (reason == Reasons.NONE) {
                ++claimed;
                continue;
            }
            if (firstReason == Reasons.NONE) firstReason = reason;
            emit CanarySkipped(i, uint8(reason));
        }
        if (claimed == 0) revert NothingToSettle(uint8(firstReason));
    }

    /// @dev Claims K3 for one item, or says why not.
    function _claimCanary(bytes32 separator, CanaryClaim calldata claim) private returns (uint256 reason) {
        bytes32 requestId = Assets.request(separator, claim.request);
        bytes32 resultId = Assets.result(separator, requestId, claim.seal, claim.resultSignedAt);
        // One RESULT has one Kudos: its seal can be opened by one digest and one salt only.
        bytes32 kudosId = Assets.canaryKudos(separator, resultId, claim.resultDigest, claim.sealSalt);
        address host = claim.request.host;
        if (msg.sender != host && !Signatures.isBy(host, kudosId, claim.hostSignature)) return Reasons.NOT_AUTHORISED;
        reason = _checkMembership(claim, resultId);
        if (reason != Reasons.NONE) return reason;
        reason = _checkOpening(claim);
        if (reason != Reasons.NONE) return reason;
        bytes32 openedId = Assets.canaryOpened(separator, requestId, resultId, claim);
        if (!Signatures.isBy(claim.request.home, openedId, claim.openingSignature)) return Reasons.BAD_SIGNATURE;
        bytes32 seal = Assets.seal(claim.resultDigest, claim.sealSalt, host, requestId);
        if (seal != claim.seal) return Reasons.BAD_SEAL;
        if (!_storeCanary(kudosId, host, uint40(_time()))) return Reasons.CLAIMED_BEFORE;
        _announceCanary(claim, requestId, resultId, kudosId);
    }

    /// @dev Whether the RESULT stands where the claim says, was in time, and is young enough to be claimed on.
    function _checkMembership(CanaryClaim calldata claim, bytes32 resultId) private view returns (uint256) {
        Batch storage settled = _batch(claim.request.host, claim.root);
        Head memory head = settled.head;
        // A path of another length could not end in the root either; refusing it here bounds the work.
        if (claim.index >= head.confirmed || claim.path.length != MerkleTree.depth(head.n)) return Reasons.NOT_SETTLED;
        if (MerkleTree.climb(resultId, claim.index, claim.path) != claim.root) return Reasons.NOT_SETTLED;
        if (_time() > head.settledAt + CLAIM_WINDOW) return Reasons.EXPIRED;
        // A late RESULT earns neither K2 nor K3.
        if ((head.claims >> claim.index) & 1 == 0) return Reasons.EXPIRED;
        return Reasons.NONE;
    }

    /// @dev Whether the opening is that of the request's commitment, and says that the home planted a canary.
    function _checkOpening(CanaryClaim calldata claim) private view returns (uint256) {
        if (_commitmentOf(claim, Assets.MARK_PLANTED) == claim.request.commitment) return Reasons.NONE;
        if (_commitmentOf(claim, Assets.MARK_ORDINARY) == claim.request.commitment) return Reasons.NOT_A_CANARY;
        return Reasons.BAD_OPENING;
    }

    function _commitmentOf(CanaryClaim calldata claim, uint8 kind) private view returns (bytes32) {
        return Assets.commitment(
            block.chainid,
            address(this),
            claim.request.home,
            claim.request.host,
            claim.request.seq,
            claim.taskDigest,
            Assets.mark(kind, claim.family, claim.parameters, claim.salt)
        );
    }

    function _announceCanary(CanaryClaim calldata claim, bytes32 requestId, bytes32 resultId, bytes32 kudosId)
        private
    {
        emit CanaryOpened(
            requestId,
            claim.request.home,
            resultId,
            claim.taskDigest,
            claim.family,
            claim.parameters,
            claim.salt,
            claim.openedAt,
            claim.openingSignature
        );
        emit CanaryClaimed(kudosId, claim.request.host, requestId, claim.resultDigest, claim.sealSalt);
    }
}
