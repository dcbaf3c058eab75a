// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";

/// @title Reading the packed form of a batch
/// @notice The layout is drawn in `IKudosLedger`. Offsets count bytes from the start of the batch.
library PackedBatch {
    uint256 internal constant HEADER_BYTES = 3;
    uint256 internal constant GROUP_BYTES = 21;
    uint256 internal constant CONFIRMED_BYTES = 220;
    uint256 internal constant REJECTED_BYTES = 184;

    uint256 private constant FORM_VERSION = 1;
    uint256 private constant MAX_RECORDS = 128;

    // Where things stand within a record; `numbers` is the run of small fields at its end, in one word, left-aligned.
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
        uint256 head;
        bool malformed;
        // Assembly, because Solidity would branch three times for one answer. Memory-safe: touches no memory. Beyond the
        // end of the batch it reads what follows, and refuses then. Nothing overflows: offsets stay below the
        // calldata's length plus one group of 255 records.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            head := calldataload(add(batch.offset, offset))
            count := and(shr(88, head), 0xff)
            let end := add(add(offset, GROUP_BYTES), mul(count, size))
            malformed := or(or(iszero(count), gt(count, room)), gt(end, batch.length))
        }
        if (malformed) revert IKudosLedger.MalformedBatch(offset);
        home = address(uint160(head >> 96));
    }

    /// @notice Fills in a REQUEST from the record at `offset`, all but home and host.
    function readRequest(bytes calldata batch, uint256 offset, uint256 numbers, IKudosLedger.Request memory request)
        internal
        pure
    {
        // Process id, process name and commitment stand side by side in the record as in the struct, from its third
        // word on. Memory-safe: writes these three words of the struct.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            calldatacopy(add(request, 0x40), add(batch.offset, offset), 0x60)
        }
        uint256 start = signedAt(numbers);
        request.cpuSeconds = uint24(numbers >> 144);
        request.memoryMiB = uint24(numbers >> 120);
        request.outputKiB = uint32(numbers >> 88);
        request.seq = uint32(sequence(numbers));
        request.resultDeadline = uint64(start + deadlineAfter(numbers));
        request.signedAt = uint64(start);
    }

    /// @notice The run of small fields of a CONFIRMED record; what follows the record in the calldata is shifted away by
    /// its readers.
    function confirmedNumbers(bytes calldata batch, uint256 offset) internal pure returns (uint256 numbers) {
        // Assembly, because checked slices cost more than all the rest of the reading, and `group` has checked the
        // whole record. Memory-safe, like the next one: touches no memory.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            numbers := calldataload(add(add(batch.offset, offset), CONFIRMED_NUMBERS_AT))
        }
    }

    /// @notice What a REJECTED record holds besides the REQUEST.
    function readRejected(bytes calldata batch, uint256 offset)
        internal
        pure
        returns (uint256 numbers, bytes32 r, bytes32 vs)
    {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let start := add(batch.offset, offset)
            r := calldataload(add(start, REJECTED_SIGNATURE_AT))
            vs := calldataload(add(start, add(REJECTED_SIGNATURE_AT, 32)))
            numbers := calldataload(add(start, REJECTED_NUMBERS_AT))
        }
    }

    function signedAt(uint256 numbers) internal pure returns (uint256) {
        return uint32(numbers >> 192);
    }

    function sequence(uint256 numbers) internal pure returns (uint256) {
        return numbers >> 224;
    }

    function deadlineAfter(uint256 numbers) internal pure returns (uint256) {
        return uint24(numbers >> 168);
    }

    /// @notice Whether a CONFIRMED record was accepted, confirmed and finished in this order.
    function isInOrder(uint256 numbers) internal pure returns (bool inOrder) {
        // Assembly, because Solidity would branch between the two comparisons. Memory-safe: touches no memory.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let acceptedAfter := and(shr(72, numbers), 0xffff)
            let confirmedAfter := and(shr(56, numbers), 0xffff)
            let resultAfter := and(shr(32, numbers), 0xffffff)
            inOrder := iszero(or(gt(acceptedAfter, confirmedAfter), gt(confirmedAfter, resultAfter)))
        }
    }

    function rejectedAfter(uint256 numbers) internal pure returns (uint256) {
        return uint16(numbers >> 72);
    }

    function rejectionReason(uint256 numbers) internal pure returns (uint256) {
        return uint8(numbers >> 64);
    }
}
