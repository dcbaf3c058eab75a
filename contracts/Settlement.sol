// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Domain} from "./Domain.sol";
import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Assets} from "./libraries/Assets.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {PackedBatch} from "./libraries/PackedBatch.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Sequences} from "./libraries/Sequences.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Voting} from "./Voting.sol";

/// @title Settlement of batches
/// @notice Checks the records of a batch, uses up their sequence numbers, and opens the claims for K2 and K1.
abstract contract Settlement is Domain, Voting {
    /// @dev What one call of `settle` carries from record to record. The request is filled in anew for each.
    struct Work {
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

    uint64 private immutable EPOCH_SECONDS;
    uint64 private immutable K1_PER_HOST_AND_EPOCH;

    mapping(address home => mapping(address host => mapping(uint256 word => uint256 bits))) private _sequences;
    mapping(address home => mapping(address host => uint256 epochPlusOne)) private _k1LastEpoch;
    mapping(address host => K1Count) private _k1Counts;

    constructor(uint64 epochLength, uint64 k1Allowance) {
        if (epochLength == 0 || k1Allowance == 0) revert BadParameter();
        EPOCH_SECONDS = epochLength;
        K1_PER_HOST_AND_EPOCH = k1Allowance;
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
        Work memory work = _begin(separator, host, n);
        _settleGroups(work, packed, n, confirmed);
        if (work.skippedBytes == 2 * n) revert NothingToSettle(uint8(work.skipped[1]));
        root = MerkleTree.fold(work.leaves);
        // No batch can stand here already: the root binds at least one record that was settled just now, and the
        // record's sequence number lets it settle only once.
        _storeBatch(host, root, uint128(work.claims), uint8(n), uint8(confirmed), uint64(work.time));
        emit BatchSettled(host, root, uint128(work.claims), _skipList(work), packed);
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

    function _begin(bytes32 separator, address host, uint256 n) private view returns (Work memory work) {
        work.separator = separator;
        work.time = _time();
        work.request.host = host;
        work.leaves = new bytes32[](1 << MerkleTree.depth(n));
        work.skipped = new bytes(2 * n);
    }

    function _settleGroups(Work memory work, bytes calldata packed, uint256 n, uint256 confirmed) private {
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
            // `group` has checked that so much is there.
            unchecked {
                index += count;
                offset += count * size;
            }
        }
        if (offset != packed.length) revert MalformedBatch(offset);
    }

    function _isAmong(address[] memory seats, address node) private pure returns (bool) {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i] == node) return true;
        }
        return false;
    }

    function _skipGroup(Work memory work, uint256 index, uint256 count, uint256 reason) private pure {
        for (uint256 end = index + count; index < end; ++index) {
            _skip(work, index, reason);
        }
    }

    function _skip(Work memory work, uint256 index, uint256 reason) private pure {
        uint256 end = work.skippedBytes;
        work.skipped[end] = bytes1(uint8(index));
        work.skipped[end + 1] = bytes1(uint8(reason));
        work.skippedBytes = end + 2;
    }

    function _skipList(Work memory work) private pure returns (bytes memory list) {
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
        Work memory work,
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
        Work memory work,
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
        Work memory work,
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
        Work memory work,
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
    function _takeK1(Work memory work) private returns (bool) {
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
}
