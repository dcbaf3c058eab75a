// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Domain} from "./Domain.sol";
import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Assets} from "./libraries/Assets.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {PackedBatch} from "./libraries/PackedBatch.sol";
import {Parties} from "./libraries/Parties.sol";
import {RecordFrame} from "./libraries/RecordFrame.sol";
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
        address[] seats;
        uint256 suspects;
        Request request;
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

    mapping(address host => mapping(address home => mapping(uint256 word => uint256 bits))) private _sequences;
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
        RecordFrame.open(separator, host);
        // The content is hashed only for a relayer: it is most of the batch's bytes.
        if (
            msg.sender != host
                && !Signatures.isBy(host, Assets.batch(separator, host, keccak256(packed)), hostSignature)
        ) revert NotTheHost();
        (uint256 n, uint256 confirmed) = PackedBatch.header(packed);
        (Work memory work, Sequences.Cursor memory cursor) = _begin(separator, host, n);
        uint256 border = _settleConfirmed(work, cursor, _sequences[host], packed, confirmed);
        uint256 end = _settleRejected(work, cursor, _sequences[host], packed, border, confirmed, n);
        if (end != packed.length) revert MalformedBatch(end);
        if (work.skippedBytes == 2 * n) revert NothingToSettle(uint8(work.skipped[1]));
        root = MerkleTree.fold(work.leaves);
        // No batch can stand here already: the root binds at least one record that was settled just now, and the
        // record's sequence number lets it settle only once.
        _storeBatch(host, root, uint128(work.claims), uint8(n), uint8(confirmed), uint64(work.time));
        emit BatchSettled(host, root, uint128(work.claims), _skipList(work), packed);
    }

    /// @inheritdoc IKudosLedger
    function sequenceUsed(address home, address host, uint32 seq) external view override returns (bool) {
        return Sequences.isUsed(_sequences[host][home], seq);
    }

    /// @inheritdoc IKudosLedger
    function epochSeconds() external view override returns (uint64) {
        return EPOCH_SECONDS;
    }

    /// @inheritdoc IKudosLedger
    function k1PerHostAndEpoch() external view override returns (uint64) {
        return K1_PER_HOST_AND_EPOCH;
    }

    /// @dev Both lie in the room that `RecordFrame.open` has taken: pointers that the compiler knows need no place on the
    /// stack, and what they point at costs half. Memory-safe: sets pointers only.
    function _begin(bytes32 separator, address host, uint256 n)
        private
        view
        returns (Work memory work, Sequences.Cursor memory cursor)
    {
        uint256 room = RecordFrame.ROOM_AT;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            cursor := room
            work := add(room, 0x80)
        }
        cursor.slot = 0;
        work.separator = separator;
        work.time = _time();
        work.request = RecordFrame.request();
        work.seats = _seatList();
        work.suspects = Parties.suspects(work.seats, host);
        work.leaves = new bytes32[](1 << MerkleTree.depth(n));
        work.claims = 0;
        work.skipped = new bytes(2 * n);
        work.skippedBytes = 0;
    }

    /// @dev Skips a whole group where its home and the host are not to be settled together, and says whether it did.
    function _skipsGroup(Work memory work, address home, uint256 index, uint256 end) private pure returns (bool) {
        uint256 reason = Parties.check(work.seats, home, work.request.host);
        if (reason == Reasons.NONE) return false;
        for (; index < end; ++index) {
            _skip(work, index, reason);
        }
        return true;
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

    /// @dev Settles the CONFIRMED records, or says for each why not and changes nothing. Gives where they end.
    function _settleConfirmed(
        Work memory work,
        Sequences.Cursor memory cursor,
        mapping(address home => mapping(uint256 word => uint256 bits)) storage sequences,
        bytes calldata packed,
        uint256 confirmed
    ) private returns (uint256 offset) {
        offset = PackedBatch.HEADER_BYTES;
        uint256 end = 0;
        // Indices stay at most 128, and `group` has checked that as many bytes as its records need are there.
        unchecked {
            for (uint256 index = 0; index < confirmed; ++index) {
                if (index == end) {
                    (address home, uint256 count) =
                        PackedBatch.group(packed, offset, confirmed - index, PackedBatch.CONFIRMED_BYTES);
                    offset += PackedBatch.GROUP_BYTES;
                    end += count;
                    RecordFrame.setHome(home);
                    if (Parties.isSuspect(work.suspects, home) && _skipsGroup(work, home, index, end)) {
                        offset += count * PackedBatch.CONFIRMED_BYTES;
                        index = end - 1;
                        continue;
                    }
                    Sequences.open(cursor, sequences[home]);
                }
                uint256 reason = _settleOneConfirmed(work, cursor, packed, offset, index);
                if (reason != Reasons.NONE) _skip(work, index, reason);
                offset += PackedBatch.CONFIRMED_BYTES;
            }
        }
        Sequences.flush(cursor);
    }

    function _settleOneConfirmed(
        Work memory work,
        Sequences.Cursor memory cursor,
        bytes calldata packed,
        uint256 offset,
        uint256 index
    ) private returns (uint256 reason) {
        uint256 numbers = PackedBatch.confirmedNumbers(packed, offset);
        uint256 deadline;
        (reason, deadline) = _checkTimes(work.time, numbers);
        if (reason != Reasons.NONE) return reason;
        if (!PackedBatch.isInOrder(numbers)) return Reasons.BAD_ORDER;
        uint256 seq = PackedBatch.sequence(numbers);
        if (Sequences.seek(cursor, seq)) return Reasons.SEQUENCE_USED;
        (bool holds, bytes32 resultId) = RecordFrame.confirmed(packed, offset, numbers);
        if (!holds) return Reasons.BAD_SIGNATURE;
        Sequences.use(cursor, seq);
        MerkleTree.put(work.leaves, index, resultId);
        // A result that is settled late is a fact, but no claim to K2.
        if (work.time <= deadline) work.claims |= 1 << index;
    }

    /// @dev Settles the REJECTED records, which start at `offset` with the one at `index`. Gives where they end.
    function _settleRejected(
        Work memory work,
        Sequences.Cursor memory cursor,
        mapping(address home => mapping(uint256 word => uint256 bits)) storage sequences,
        bytes calldata packed,
        uint256 offset,
        uint256 index,
        uint256 n
    ) private returns (uint256) {
        while (index < n) {
            (address home, uint256 count) = PackedBatch.group(packed, offset, n - index, PackedBatch.REJECTED_BYTES);
            offset += PackedBatch.GROUP_BYTES;
            uint256 end = index + count;
            RecordFrame.setHome(home);
            if (!_skipsGroup(work, home, index, end)) {
                Sequences.open(cursor, sequences[home]);
                _settleRejectedGroup(work, cursor, packed, offset, index, end);
            }
            index = end;
            offset += count * PackedBatch.REJECTED_BYTES;
        }
        Sequences.flush(cursor);
        return offset;
    }

    function _settleRejectedGroup(
        Work memory work,
        Sequences.Cursor memory cursor,
        bytes calldata packed,
        uint256 offset,
        uint256 index,
        uint256 end
    ) private {
        for (; index < end; ++index) {
            uint256 reason = _settleOneRejected(work, cursor, packed, offset, index);
            if (reason != Reasons.NONE) _skip(work, index, reason);
            offset += PackedBatch.REJECTED_BYTES;
        }
    }

    function _settleOneRejected(
        Work memory work,
        Sequences.Cursor memory cursor,
        bytes calldata packed,
        uint256 offset,
        uint256 index
    ) private returns (uint256 reason) {
        (uint256 numbers, bytes32 r, bytes32 vs) = PackedBatch.readRejected(packed, offset);
        (reason,) = _checkTimes(work.time, numbers);
        if (reason != Reasons.NONE) return reason;
        uint256 seq = PackedBatch.sequence(numbers);
        if (Sequences.seek(cursor, seq)) return Reasons.SEQUENCE_USED;

        PackedBatch.readRequest(packed, offset, numbers, work.request);
        bytes32 requestId = Assets.request(work.separator, work.request);
        if (!Signatures.isBy(work.request.home, requestId, r, vs)) return Reasons.BAD_SIGNATURE;
        Sequences.use(cursor, seq);
        uint256 rejectedAt = work.request.signedAt + PackedBatch.rejectedAfter(numbers);
        uint256 code = PackedBatch.rejectionReason(numbers);
        MerkleTree.put(work.leaves, index, Assets.rejected(work.separator, requestId, code, rejectedAt));
        if (_takeK1(work)) work.claims |= 1 << index;
    }

    /// @dev What chain time has to say about the REQUEST with these small fields, and its deadline.
    function _checkTimes(uint256 time, uint256 numbers) private pure returns (uint256 reason, uint256 deadline) {
        uint256 signedAt = PackedBatch.signedAt(numbers);
        uint256 lasts = PackedBatch.deadlineAfter(numbers);
        (uint256 longest, uint256 ahead, uint256 window) = (MAX_RESULT_SECONDS, MAX_SECONDS_AHEAD, SETTLEMENT_WINDOW);
        (uint256 badDeadline, uint256 expired) = (Reasons.BAD_DEADLINE, Reasons.EXPIRED);
        // Assembly, because Solidity would branch for each comparison. No sum overflows; memory-safe: it touches none.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            deadline := add(signedAt, lasts)
            reason := mul(expired, gt(time, add(deadline, window)))
            let badLength := or(iszero(lasts), gt(lasts, longest))
            if or(badLength, or(gt(signedAt, add(time, ahead)), gt(deadline, add(time, longest)))) {
                reason := badDeadline
            }
        }
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
