// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Assets} from "./libraries/Assets.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {PackedBatch} from "./libraries/PackedBatch.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Sequences} from "./libraries/Sequences.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Voting} from "./Voting.sol";

/// @title The Kudos ledger
/// @notice Settlement of batches and claims for canaries; the votes on both are in `Voting`.
contract KudosLedger is Voting {
    /// @dev What one call of `settle` carries from record to record. The request is filled in anew for each.
    struct Settlement {
        bytes32 separator;
        uint256 time;
        Request request;
        Sequences.Cursor sequences;
        bytes32[] leaves;
        uint256 claims;
        bytes skipped;
        uint256 skippedBytes;
    }

    /// @dev K1 claims in the last epoch that saw one. The epoch is stored plus one, so that zero means never.
    struct K1Count {
        uint64 epochPlusOne;
        uint64 claims;
    }

    uint256 private constant MAX_RESULT_SECONDS = 7 days;
    uint256 private constant MAX_SECONDS_AHEAD = 5 minutes;
    uint256 private constant SETTLEMENT_WINDOW = 1 days;
    uint256 private constant CLAIM_WINDOW = 7 days;

    uint64 private immutable EPOCH_SECONDS;
    uint64 private immutable K1_PER_HOST_AND_EPOCH;
    uint256 private immutable DEPLOYED_CHAIN_ID;
    bytes32 private immutable DEPLOYED_SEPARATOR;

    mapping(address home => mapping(address host => mapping(uint256 word => uint256 bits))) private _sequences;
    mapping(address home => mapping(address host => uint256 epochPlusOne)) private _k1LastEpoch;
    mapping(address host => K1Count) private _k1Counts;

    constructor(address[] memory seats, uint256 quorum, uint64 epochLength, uint64 k1Allowance)
        Voting(seats, quorum)
    {
        if (epochLength == 0 || k1Allowance == 0) revert BadParameter();
        EPOCH_SECONDS = epochLength;
        K1_PER_HOST_AND_EPOCH = k1Allowance;
        DEPLOYED_CHAIN_ID = block.chainid;
        DEPLOYED_SEPARATOR = Assets.domain(block.chainid, address(this));
    }

    /// @inheritdoc IKudosLedger
    function settle(address host, bytes calldata packed, bytes calldata hostSignature)
        external
        override
        returns (bytes32 root)
    {
        bytes32 separator = domainSeparator();
        // The content is hashed only for a relayer: it is most of the batch's bytes.
        if (
            msg.sender != host
                && !Signatures.isBy(host, Assets.batch(separator, host, keccak256(packed)), hostSignature)
        ) revert NotTheHost();
        (uint256 n, uint256 confirmed) = PackedBatch.header(packed);
        Settlement memory work = _begin(separator, host, n);
        _settleGroups(work, packed, n, confirmed);
        if (work.skippedBytes == 2 * n) revert NothingToSettle(uint8(work.skipped[1]));
        root = MerkleTree.fold(work.leaves);
        // No batch can stand here already: the root binds at least one record that was settled just now, and the
        // record's sequence number lets it settle only once.
        _storeBatch(host, root, uint128(work.claims), uint8(n), uint8(confirmed), uint64(work.time));
        emit BatchSettled(host, root, uint128(work.claims), _skipList(work), packed);
    }

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

    /// @inheritdoc IKudosLedger
    function sequenceUsed(address home, address host, uint32 seq) external view override returns (bool) {
        return Sequences.isUsed(_sequences[home][host], seq);
    }

    /// @inheritdoc IKudosLedger
    function epochSeconds() external view override returns (uint64) {
        return EPOCH_SECONDS;
    }

    /// @inheritdoc IKudosLedger
    function k1PerHostAndEpoch() external view override returns (uint64) {
        return K1_PER_HOST_AND_EPOCH;
    }

    /// @inheritdoc IKudosLedger
    function domainSeparator() public view override returns (bytes32) {
        // A chain that splits in two gives one half another id; signatures must not hold on both.
        return block.chainid == DEPLOYED_CHAIN_ID ? DEPLOYED_SEPARATOR : Assets.domain(block.chainid, address(this));
    }

    /// @dev Every time that the contract compares with comes from here.
    function _time() internal view virtual returns (uint256) {
        return block.timestamp;
    }

    function _begin(bytes32 separator, address host, uint256 n) private view returns (Settlement memory work) {
        work.separator = separator;
        work.time = _time();
        work.request.host = host;
        work.leaves = new bytes32[](1 << MerkleTree.depth(n));
        work.skipped = new bytes(2 * n);
    }

    function _settleGroups(Settlement memory work, bytes calldata packed, uint256 n, uint256 confirmed) private {
        address[] memory seats = _seatList();
        bool hostHasSeat = _isAmong(seats, work.request.host);
        uint256 offset = PackedBatch.HEADER_BYTES;
        uint256 index = 0;
        while (index < n) {
            bool isConfirmed = index < confirmed;
            uint256 room = (isConfirmed ? confirmed : n) - index;
            uint256 size = isConfirmed ? PackedBatch.CONFIRMED_BYTES : PackedBatch.REJECTED_BYTES;
            (address home, uint256 count) = PackedBatch.group(packed, offset, room, size);
            offset += PackedBatch.GROUP_BYTES;
            work.request.home = home;
            if (home == work.request.host) _skipGroup(work, index, count, Reasons.SELF);
            else if (hostHasSeat || _isAmong(seats, home)) _skipGroup(work, index, count, Reasons.PARTY_IS_VALIDATOR);
            else if (isConfirmed) _settleConfirmed(work, packed, offset, index, count);
            else _settleRejected(work, packed, offset, index, count);
            index += count;
            offset += count * size;
        }
        if (offset != packed.length) revert MalformedBatch(offset);
    }

    function _isAmong(address[] memory seats, address node) private pure returns (bool) {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i] == node) return true;
        }
        return false;
    }

    function _skipGroup(Settlement memory work, uint256 index, uint256 count, uint256 reason) private pure {
        for (uint256 end = index + count; index < end; ++index) {
            _skip(work, index, reason);
        }
    }

    function _skip(Settlement memory work, uint256 index, uint256 reason) private pure {
        uint256 end = work.skippedBytes;
        work.skipped[end] = bytes1(uint8(index));
        work.skipped[end + 1] = bytes1(uint8(reason));
        work.skippedBytes = end + 2;
    }

    function _skipList(Settlement memory work) private pure returns (bytes memory list) {
        list = work.skipped;
        uint256 length = work.skippedBytes;
        // Memory-safe: shortens an array that was allocated at its full length.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(list, length)
        }
    }

    /// @dev Settles the CONFIRMED records of one group, which start at `offset`.
    function _settleConfirmed(
        Settlement memory work,
        bytes calldata packed,
        uint256 offset,
        uint256 index,
        uint256 count
    ) private {
        mapping(uint256 => uint256) storage words = _sequences[work.request.home][work.request.host];
        Sequences.reset(work.sequences);
        uint256 claims = 0;
        for (uint256 end = index + count; index < end;) {
            (uint256 reason, bytes32 resultId) = _checkConfirmed(work, words, packed, offset);
            if (reason == Reasons.NONE) {
                Sequences.use(work.sequences, work.request.seq);
                work.leaves[index] = resultId;
                // A result that is settled late is a fact, but no claim to K2.
                if (work.time <= work.request.resultDeadline) claims |= 1 << index;
            } else {
                _skip(work, index, reason);
            }
            unchecked {
                offset += PackedBatch.CONFIRMED_BYTES;
                ++index;
            }
        }
        work.claims |= claims;
        Sequences.flush(work.sequences, words);
    }

    function _checkConfirmed(
        Settlement memory work,
        mapping(uint256 => uint256) storage words,
        bytes calldata packed,
        uint256 offset
    ) private returns (uint256 reason, bytes32 resultId) {
        Request memory request = work.request;
        (uint256 numbers, bytes32 seal, bytes32 r, bytes32 vs) = PackedBatch.readConfirmed(packed, offset);
        PackedBatch.readRequest(packed, offset, numbers, request);
        reason = _checkTimes(work.time, request);
        if (reason != Reasons.NONE) return (reason, 0);
        uint256 acceptedAfter = PackedBatch.acceptedAfter(numbers);
        uint256 confirmedAfter = PackedBatch.confirmedAfter(numbers);
        uint256 resultAfter = PackedBatch.resultAfter(numbers);
        if (acceptedAfter > confirmedAfter) return (Reasons.BAD_ORDER, 0);
        if (confirmedAfter > resultAfter) return (Reasons.BAD_ORDER, 0);
        if (Sequences.seek(work.sequences, words, request.seq)) return (Reasons.SEQUENCE_USED, 0);

        bytes32 confirmedId;
        (confirmedId, resultId) = Assets.confirmedAndResult(
            work.separator, request, acceptedAfter, confirmedAfter, resultAfter, seal
        );
        // The home's one signature covers the acceptance, and through its id the request.
        if (!Signatures.isBy(request.home, confirmedId, r, vs)) return (Reasons.BAD_SIGNATURE, 0);
    }

    /// @dev Settles the REJECTED records of one group, which start at `offset`.
    function _settleRejected(
        Settlement memory work,
        bytes calldata packed,
        uint256 offset,
        uint256 index,
        uint256 count
    ) private {
        mapping(uint256 => uint256) storage words = _sequences[work.request.home][work.request.host];
        Sequences.reset(work.sequences);
        for (uint256 end = index + count; index < end; ++index) {
            (uint256 reason, bytes32 rejectedId) = _checkRejected(work, words, packed, offset);
            if (reason == Reasons.NONE) {
                Sequences.use(work.sequences, work.request.seq);
                work.leaves[index] = rejectedId;
                if (_takeK1(work)) work.claims |= 1 << index;
            } else {
                _skip(work, index, reason);
            }
            offset += PackedBatch.REJECTED_BYTES;
        }
        Sequences.flush(work.sequences, words);
    }

    function _checkRejected(
        Settlement memory work,
        mapping(uint256 => uint256) storage words,
        bytes calldata packed,
        uint256 offset
    ) private returns (uint256 reason, bytes32 rejectedId) {
        Request memory request = work.request;
        (uint256 numbers, bytes32 r, bytes32 vs) = PackedBatch.readRejected(packed, offset);
        PackedBatch.readRequest(packed, offset, numbers, request);
        reason = _checkTimes(work.time, request);
        if (reason != Reasons.NONE) return (reason, 0);
        if (Sequences.seek(work.sequences, words, request.seq)) return (Reasons.SEQUENCE_USED, 0);

        bytes32 requestId = Assets.request(work.separator, request);
        if (!Signatures.isBy(request.home, requestId, r, vs)) return (Reasons.BAD_SIGNATURE, 0);
        uint256 rejectedAt = request.signedAt + PackedBatch.rejectedAfter(numbers);
        rejectedId = Assets.rejected(work.separator, requestId, PackedBatch.rejectionReason(numbers), rejectedAt);
    }

    /// @dev What chain time has to say about a REQUEST.
    function _checkTimes(uint256 time, Request memory request) private pure returns (uint256) {
        uint256 signedAt = request.signedAt;
        uint256 deadline = request.resultDeadline;
        // Times of 32 bits and constants do not overflow, and a deadline is never before its request.
        unchecked {
            if (deadline == signedAt) return Reasons.BAD_DEADLINE;
            if (deadline - signedAt > MAX_RESULT_SECONDS) return Reasons.BAD_DEADLINE;
            if (signedAt > time + MAX_SECONDS_AHEAD) return Reasons.BAD_DEADLINE;
            if (deadline > time + MAX_RESULT_SECONDS) return Reasons.BAD_DEADLINE;
            if (time > deadline + SETTLEMENT_WINDOW) return Reasons.EXPIRED;
        }
        return Reasons.NONE;
    }

    /// @dev Takes the K1 claim of this home and epoch, if it and the host's allowance are still there.
    function _takeK1(Settlement memory work) private returns (bool) {
        uint64 epochPlusOne = uint64(work.time / EPOCH_SECONDS) + 1;
        address home = work.request.home;
        address host = work.request.host;
        if (_k1LastEpoch[home][host] == epochPlusOne) return false;
        K1Count memory count = _k1Counts[host];
        if (count.epochPlusOne != epochPlusOne) count = K1Count({epochPlusOne: epochPlusOne, claims: 0});
        if (count.claims >= K1_PER_HOST_AND_EPOCH) return false;
        ++count.claims;
        _k1LastEpoch[home][host] = epochPlusOne;
        _k1Counts[host] = count;
        return true;
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
