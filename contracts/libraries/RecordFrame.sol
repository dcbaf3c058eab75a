// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "./Assets.sol";

/// @title The hashes of a batch's records, in memory that is laid out once
/// @notice What does not change from record to record (types, separator, host, home) is written once per batch or
/// group; a record fills in the rest and hashes it where it lies. This is the inner loop of `settle`: abi.encode would
/// copy forty words per record, and take new memory, which gets dearer with the square of its size.
///
/// The frame stands at a fixed place in memory, which makes each of a record's fifty accesses cheaper by half:
///
///     0x400  Request's type | home | host | process id | process name | commitment | CPU | memory | output | seq |
///            deadline | signed at
///     0x580  Accepted's type | request id | signed at
///     0x5e0  Confirmed's type | acceptance id | signed at
///     0x640  Result's type | request id | seal | signed at
///     0x6c0  30 zero bytes, 0x1901 | separator | struct hash
///     0x720  digest | v | r | s, as the precompile for `ecrecover` wants them
///     0x7a0  room for what the caller carries from record to record
library RecordFrame {
    uint256 private constant REQUEST_AT = 0x400;
    uint256 private constant REQUEST_HOME_AT = 0x420;
    uint256 private constant END = 0xa20;

    /// @notice Where the caller's twenty words begin.
    uint256 internal constant ROOM_AT = 0x7a0;

    /// @notice Lays out the frame for the records of `host`. Comes before anything else takes memory.
    function open(bytes32 separator, address host) internal pure {
        (bytes32 requestType, bytes32 acceptedType, bytes32 confirmedType, bytes32 resultType) =
            (Assets.REQUEST_TYPE, Assets.ACCEPTED_TYPE, Assets.CONFIRMED_TYPE, Assets.RESULT_TYPE);
        // Memory-safe: takes all free memory up to the end of the frame, and refuses where something else has taken a
        // part of the frame already. Nothing is read before it is written.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            if gt(mload(0x40), REQUEST_AT) { revert(0, 0) }
            mstore(0x40, END)
            mstore(REQUEST_AT, requestType)
            mstore(0x440, shr(96, shl(96, host)))
            mstore(0x580, acceptedType)
            mstore(0x5e0, confirmedType)
            mstore(0x640, resultType)
            mstore(0x6c0, 0x1901)
            mstore(0x6e0, separator)
        }
    }

    /// @notice The frame's REQUEST: a struct in memory has one word per field, as its EIP-712 encoding has.
    function request() internal pure returns (IKudosLedger.Request memory fields) {
        // Memory-safe: touches no memory.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            fields := REQUEST_HOME_AT
        }
    }

    /// @notice Writes the home that the next records are from.
    function setHome(address home) internal pure {
        // Memory-safe: writes to the frame.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(REQUEST_HOME_AT, shr(96, shl(96, home)))
        }
    }

    /// @notice Fills in the CONFIRMED record at `offset` of the batch, and hashes it.
    /// @param numbers the record's run of small fields, whose times the caller has checked
    /// @return holds whether the home has signed CONFIRMED: its one signature covers the acceptance, and through the
    /// acceptance's id the request
    /// @return resultId the leaf
    function confirmed(bytes calldata batch, uint256 offset, uint256 numbers)
        internal
        view
        returns (bool holds, bytes32 resultId)
    {
        // Memory-safe: writes to the frame and to the scratch space.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let start := add(batch.offset, offset)
            calldatacopy(0x460, start, 0x60)
            mstore(0x4c0, and(shr(144, numbers), 0xffffff))
            mstore(0x4e0, and(shr(120, numbers), 0xffffff))
            mstore(0x500, and(shr(88, numbers), 0xffffffff))
            mstore(0x520, shr(224, numbers))
            mstore(0x560, and(shr(192, numbers), 0xffffffff))
            mstore(0x540, add(mload(0x560), and(shr(168, numbers), 0xffffff)))
            mstore(0x700, keccak256(0x400, 0x180))
            mstore(0x5a0, keccak256(0x6de, 66))

            mstore(0x5c0, add(mload(0x560), and(shr(72, numbers), 0xffff)))
            mstore(0x700, keccak256(0x580, 0x60))
            mstore(0x600, keccak256(0x6de, 66))
            mstore(0x620, add(mload(0x560), and(shr(56, numbers), 0xffff)))
            mstore(0x700, keccak256(0x5e0, 0x60))
            mstore(0x720, keccak256(0x6de, 66))

            let vs := calldataload(add(start, 160))
            mstore(0x740, add(27, shr(255, vs)))
            mstore(0x760, calldataload(add(start, 128)))
            mstore(0x780, shr(1, shl(1, vs)))
            // The precompile answers a bad signature with nothing. What then stays in the scratch space is no address,
            // so that not even the zero address can have signed.
            mstore(0, not(0))
            if iszero(staticcall(gas(), 1, 0x720, 0x80, 0, 0x20)) { revert(0, 0) }
            holds := eq(mload(0), mload(REQUEST_HOME_AT))

            mstore(0x660, mload(0x5a0))
            mstore(0x680, calldataload(add(start, 96)))
            mstore(0x6a0, add(mload(0x560), and(shr(32, numbers), 0xffffff)))
            mstore(0x700, keccak256(0x640, 0x80))
            resultId := keccak256(0x6de, 66)
        }
    }
}
