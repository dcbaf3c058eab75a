// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Assets} from "./libraries/Assets.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {PackedBatch} from "./libraries/PackedBatch.sol";
import {RecordFrame} from "./libraries/RecordFrame.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Seat, Seats} from "./libraries/Seats.sol";
import {Sequences} from "./libraries/Sequences.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Times} from "./libraries/Times.sol";
import {Voting} from "./Voting.sol";

/// @title Settlement of batches
/// @notice Checks the records of a batch, uses up their sequence numbers, and opens the claims for K2 and K1.
abstract contract Settlement is Voting {
    /// @dev What one call of `settle` carries from record to record. The request is filled in anew for each.
    struct Work {
        bytes32 separator;
        uint256 time;
        uint256 bloom;
        uint256 excluded;
        uint128[MAX_SEATS] parties;
        Request request;
        bytes32[] leaves;
        uint256 claims;
        bytes skipped;
        uint256 skippedBytes;
    }

    /// @inheritdoc IKudosLedger
    function settle(address host, bytes calldata packed, bytes calldata hostSignature)
        external
        override
        returns (bytes32 root)
    {
        bytes32 separator = domainSeparator();
        RecordFrame.open(separator, host);
        Seat set = _set;
        if (set.closed()) revert Closed();
        // The content is hashed only for a relayer: it is most of the batch's bytes.
        if (
            msg.sender != host
                && !Signatures.isBy(host, Assets.batch(separator, host, keccak256(packed)), hostSignature)
        ) revert NotTheHost();
        (uint256 n, uint256 confirmed) = PackedBatch.header(packed);
        (Work memory work, Sequences.Cursor memory cursor) = _begin(separator, set.bloom(), host, n);
        uint256 border = _settleConfirmed(work, cursor, _sequences[host], packed, confirmed);
        uint256 end = _settleRejected(work, cursor, _sequences[host], packed, border, confirmed, n);
        if (end != packed.length) revert MalformedBatch(end);
        if (work.skippedBytes == 2 * n) revert NothingToSettle(uint8(work.skipped[1]));
        root = MerkleTree.fold(work.leaves);
        // No batch can stand here already: the root binds at least one record that was settled just now, and the
        // record's sequence number lets it settle only once.
        _storeBatch(work, host, root, n, confirmed);
        emit BatchSettled(host, root, uint128(work.claims), _skipList(work), packed);
    }

    /// @dev Both lie in the room that `RecordFrame.open` has taken: pointers that the compiler knows need no place on the
    /// stack, and what they point at costs half. Nothing has written to that room, so that what begins as zero is not set.
    /// Memory-safe: sets pointers only.
    function _begin(bytes32 separator, uint256 bloom, address host, uint256 n)
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
        work.separator = separator;
        work.time = _time();
        work.request = RecordFrame.request();
        // With the host's own bits in it one question finds both kinds of homes that need a closer look.
        work.bloom = bloom | Seats.bloomBits(host);
        work.leaves = new bytes32[](1 << MerkleTree.depth(n));
        work.skipped = new bytes(2 * n);
        _exclude(work, host, (1 << n) - 1);
    }

    /// @dev Keeps a validator from voting on records that it is a party to.
    function _exclude(Work memory work, address node, uint256 records) private view {
        uint256 seatBit = _seatBit(work.bloom, node);
        if (seatBit == 0) return;
        // Taken only now: few batches have a validator in them.
        if (work.excluded == 0) work.parties = _noParties();
        work.excluded |= seatBit;
        uint256 number = 0;
        while (seatBit >> number != 1) ++number;
        work.parties[number] |= uint128(records);
    }

    function _noParties() private pure returns (uint128[MAX_SEATS] memory) {
        // Zeros are what is meant.
        // slither-disable-next-line uninitialized-local
        uint128[MAX_SEATS] memory none;
        return none;
    }

    function _storeBatch(Work memory work, address host, bytes32 root, uint256 n, uint256 confirmed) private {
        Batch storage target = _batch(host, root);
        uint256 excluded = work.excluded;
        target.head = Head({
            claims: uint128(work.claims),
            n: uint8(n),
            confirmed: uint8(confirmed),
            settledAt: uint40(work.time),
            voters: 0,
            approvers: 0,
            excluded: uint16(excluded),
            outcome: Outcome.Open
        });
        for (uint256 i = 0; excluded >> i != 0; ++i) {
            if ((excluded >> i) & 1 == 0) continue;
            target.excluded[i] = work.parties[i];
            emit ValidatorExcluded(host, root, _holder(i), work.parties[i]);
        }
    }

    /// @dev Looks closer at a home that is the host itself, and then skips its whole group and says so, or that may be a
    /// validator.
    function _skipsGroup(Work memory work, address home, uint256 index, uint256 end) private view returns (bool) {
        if (home != work.request.host) {
            _exclude(work, home, (1 << end) - (1 << index));
            return false;
        }
        for (; index < end; ++index) {
            _skip(work, index, Reasons.SELF);
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
                    if (Seats.mayHave(work.bloom, home) && _skipsGroup(work, home, index, end)) {
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
        (reason, deadline) =
            Times.check(work.time, PackedBatch.signedAt(numbers), PackedBatch.deadlineAfter(numbers));
        if (reason != Reasons.NONE) return reason;
        if (!PackedBatch.isInOrder(numbers)) return Reasons.BAD_ORDER;
        uint256 seq = PackedBatch.sequence(numbers);
        if (Sequences.seek(cursor, seq)) return Reasons.SEQUENCE_USED;
        (bool holds, bytes32 resultId) = RecordFrame.confirmed(packed, offset, numbers);
        if (!holds) return Reasons.BAD_SIGNATURE;
        Sequences.use(cursor, seq);
        MerkleTree.put(work.leaves, index, resultId);
        // A result that is settled late is a fact, but no claim to K2.
        if (work.time > deadline) return Reasons.NONE;
        if (_isUncapped() || _admit(work.request.home, work.request.host, K2)) work.claims |= 1 << index;
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
            if (!Seats.mayHave(work.bloom, home) || !_skipsGroup(work, home, index, end)) {
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
        (reason,) = Times.check(work.time, PackedBatch.signedAt(numbers), PackedBatch.deadlineAfter(numbers));
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
        if (_admit(work.request.home, work.request.host, K1)) work.claims |= 1 << index;
    }
}
