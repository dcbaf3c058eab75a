// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";

/// @title Reading the packed form of a batch
/// @notice The layout is drawn in `IKudosLedger`. Offsets count bytes from the start of the batch.
/// Arithmetic on them is unchecked in the readers of a record: they lie within the calldata, `group` has seen to it.
library PackedBatch {
    uint256 internal constant HEADER_BYTES = 3;
    uint256 internal constant GROUP_BYTES = 21;
    uint256 internal constant CONFIRMED_BYTES = 220;
    uint256 internal constant REJECTED_BYTES = 184;

    uint256 private constant FORM_VERSION = 1;
    uint256 private constant MAX_RECORDS = 128;

    // Where things stand within a record; `numbers` is the run of small fields at its end, in one word, left-aligned.
    uint256 private constant SEAL_AT = 96;
    uint256 private constant CONFIRMED_SIGNATURE_AT = 128;
    uint256 private constant CONFIRMED_NUMBERS_AT = 192;
    uint256 private constant REJECTED_SIGNATURE_AT = 96;
    uint256 private constant REJECTED_NUMBERS_AT = 160;

    /// @notice Reads and checks the first three bytes.
    function header(bytes calldata batch) internal pure returns (uint256 n, uint256 confirmed) {
        if (batch.length < HEADER_BYTES) revert IKudosLedger.MalformedBatch(batch.length);
        if (uint8(batch[0]) != FORM_VERSION) revert IKudosLedger.MalformedBatch(0);
        n = uint8(batch[1]);
        if (n == 0 || n > MAX_RECORDS) revert IKudosLedger.MalformedBatch(1);
        confirmed = uint8(batch[2]);
        if (confirmed > n) revert IKudosLedger.MalformedBatch(2);
    }

    /// @notice Reads the head of a group, and checks that all its records lie within the batch.
    /// @param room how many records may still follow before the kind of record changes or the batch ends
    /// @param size the bytes of one record of this kind
    function group(bytes calldata batch, uint256 offset, uint256 room, uint256 size)
        internal
        pure
        returns (address home, uint256 count)
    {
        if (offset + GROUP_BYTES > batch.length) revert IKudosLedger.MalformedBatch(offset);
        home = address(bytes20(word(batch, offset)));
        count = uint8(batch[offset + 20]);
        if (count == 0 || count > room || offset + GROUP_BYTES + count * size > batch.length) {
            revert IKudosLedger.MalformedBatch(offset);
        }
    }

    /// @notice Fills in a REQUEST from the record at `offset`, all but home and host.
    function readRequest(bytes calldata batch, uint256 offset, uint256 numbers, IKudosLedger.Request memory request)
        internal
        pure
    {
        unchecked {
            request.processId = word(batch, offset);
            request.processName = word(batch, offset + 32);
            request.commitment = word(batch, offset + 64);
            uint64 signedAt = uint32(numbers >> 192);
            request.cpuSeconds = uint24(numbers >> 144);
            request.memoryMiB = uint24(numbers >> 120);
            request.outputKiB = uint32(numbers >> 88);
            request.seq = uint32(numbers >> 224);
            request.resultDeadline = signedAt + uint24(numbers >> 168);
            request.signedAt = signedAt;
        }
    }

    /// @notice What a CONFIRMED record holds besides the REQUEST.
    function readConfirmed(bytes calldata batch, uint256 offset)
        internal
        pure
        returns (uint256 numbers, bytes32 seal, bytes32 r, bytes32 vs)
    {
        unchecked {
            numbers = uint256(word(batch, offset + CONFIRMED_NUMBERS_AT));
            seal = word(batch, offset + SEAL_AT);
            r = word(batch, offset + CONFIRMED_SIGNATURE_AT);
            vs = word(batch, offset + CONFIRMED_SIGNATURE_AT + 32);
        }
    }

    /// @notice What a REJECTED record holds besides the REQUEST.
    function readRejected(bytes calldata batch, uint256 offset)
        internal
        pure
        returns (uint256 numbers, bytes32 r, bytes32 vs)
    {
        unchecked {
            numbers = uint256(word(batch, offset + REJECTED_NUMBERS_AT));
            r = word(batch, offset + REJECTED_SIGNATURE_AT);
            vs = word(batch, offset + REJECTED_SIGNATURE_AT + 32);
        }
    }

    function acceptedAfter(uint256 numbers) internal pure returns (uint256) {
        return uint16(numbers >> 72);
    }

    function confirmedAfter(uint256 numbers) internal pure returns (uint256) {
        return uint16(numbers >> 56);
    }

    function resultAfter(uint256 numbers) internal pure returns (uint256) {
        return uint24(numbers >> 32);
    }

    function rejectedAfter(uint256 numbers) internal pure returns (uint256) {
        return uint16(numbers >> 72);
    }

    function rejectionReason(uint256 numbers) internal pure returns (uint256) {
        return uint8(numbers >> 64);
    }

    /// @notice The 32 bytes at `offset`; beyond the end of the batch they are whatever follows in the calldata.
    function word(bytes calldata batch, uint256 offset) internal pure returns (bytes32 value) {
        // Assembly, because a checked slice for every word costs more than the rest of the reading. `group` has
        // checked the whole record; the run of numbers is the last of it, and its readers shift the surplus away.
        // Memory-safe: touches no memory.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            value := calldataload(add(batch.offset, offset))
        }
    }
}
