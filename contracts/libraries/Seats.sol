// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What stands of a validator, and of the set, in one slot; from the lowest bit:
///
///     number plus one:8 | since:40 | closed:8 | n:8 | quorum:8 | last change:40 | version:16 | bloom:128
///
/// All but the first two say the same for every validator. `bloom` has two bits of each, chosen by its
/// address: who has not both is none.
type Seat is uint256;

using Seats for Seat global;

/// @title Reading a seat
/// @notice A word and not a struct: each reader needs two or three fields, and Solidity would take all of them apart.
library Seats {
    uint256 private constant SINCE_AT = 8;
    uint256 private constant CLOSED_AT = 48;
    uint256 private constant N_AT = 56;
    uint256 private constant QUORUM_AT = 64;
    uint256 private constant CHANGE_AT = 72;
    uint256 private constant VERSION_AT = 112;
    uint256 private constant BLOOM_AT = 128;
    uint256 private constant OWN_BITS = 48;

    /// @notice The part of a set that all its seats share. What does not fit is the caller's to refuse.
    function ofSet(uint256 n_, uint256 quorum_, uint256 lastChange_, uint256 version_, uint256 bloom_)
        internal
        pure
        returns (Seat)
    {
        return Seat.wrap(
            n_ << N_AT | quorum_ << QUORUM_AT | lastChange_ << CHANGE_AT | version_ << VERSION_AT | bloom_ << BLOOM_AT
        );
    }

    /// @notice The same with a validator's own part.
    function place(Seat self, uint256 number, uint256 since_) internal pure returns (Seat) {
        return Seat.wrap(Seat.unwrap(self) >> OWN_BITS << OWN_BITS | (number + 1) | since_ << SINCE_AT);
    }

    function asClosed(Seat self) internal pure returns (Seat) {
        return Seat.wrap(Seat.unwrap(self) | 1 << CLOSED_AT);
    }

    /// @notice The two bits that an address has in a set's `bloom`; the same one at times.
    function bloomBits(address node) internal pure returns (uint256) {
        return 1 << (uint160(node) & 0x7f) | 1 << ((uint160(node) >> 7) & 0x7f);
    }

    /// @notice Whether the address may be that of a validator; false for all but a few of the others.
    function mayHave(uint256 bloom_, address node) internal pure returns (bool may) {
        // Assembly, because Solidity would guard each shift; asked for every home of a batch. Memory-safe: touches none.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            may := and(and(shr(and(node, 0x7f), bloom_), shr(and(shr(7, node), 0x7f), bloom_)), 1)
        }
    }

    function numberPlusOne(Seat self) internal pure returns (uint256) {
        return uint8(Seat.unwrap(self));
    }

    /// @notice The seat as a bit; 0 for who has none.
    function bit(Seat self) internal pure returns (uint256) {
        return (1 << numberPlusOne(self)) >> 1;
    }

    function since(Seat self) internal pure returns (uint256) {
        return uint40(Seat.unwrap(self) >> SINCE_AT);
    }

    function closed(Seat self) internal pure returns (bool) {
        return (Seat.unwrap(self) >> CLOSED_AT) & 1 == 1;
    }

    function n(Seat self) internal pure returns (uint256) {
        return uint8(Seat.unwrap(self) >> N_AT);
    }

    function quorum(Seat self) internal pure returns (uint256) {
        return uint8(Seat.unwrap(self) >> QUORUM_AT);
    }

    function lastChange(Seat self) internal pure returns (uint256) {
        return uint40(Seat.unwrap(self) >> CHANGE_AT);
    }

    function version(Seat self) internal pure returns (uint256) {
        return uint16(Seat.unwrap(self) >> VERSION_AT);
    }

    function bloom(Seat self) internal pure returns (uint256) {
        return Seat.unwrap(self) >> BLOOM_AT;
    }
}
