// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The result digest of a solved puzzle
/// @notice A puzzle's result is known from its solution: exit status 0, the solution in 64 lower-case hexadecimal digits
/// and a newline on standard output, nothing else. So its descriptor is known to the letter (`encode_result` of
/// node/task.py): canonical JSON with the SHA-256 of standard error (of nothing) and of standard output.
library PuzzleResult {
    /// @dev The lower half of every 128, 64, 32, 16 and 8 bits.
    uint256 private constant HALVES_64 = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
    uint256 private constant HALVES_32 = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant HALVES_16 = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
    uint256 private constant HALVES_8 = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant HALVES_4 = 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
    uint256 private constant ONES = 0x0101010101010101010101010101010101010101010101010101010101010101;
    uint256 private constant SIXES = 0x0606060606060606060606060606060606060606060606060606060606060606;
    /// @dev The digit 0, 32 times.
    uint256 private constant ZEROS = 0x3030303030303030303030303030303030303030303030303030303030303030;

    // The descriptor up to the digest of standard output, word by word, and what follows that.
    bytes32 private constant HEAD_0 = "{\"exit_status\":0,\"outputs\":[],\"s";
    bytes32 private constant HEAD_1 = "tderr\":\"e3b0c44298fc1c149afbf4c8";
    bytes32 private constant HEAD_2 = "996fb92427ae41e4649b934ca495991b";
    bytes32 private constant HEAD_3 = "7852b855\",\"stdout\":\"";
    bytes32 private constant TAIL = "\",\"version\":1}";

    /// @notice Writes the descriptor, 194 bytes, without the digits of standard output, which stand 116 bytes behind
    /// its beginning. The memory must be the caller's, up to 212 bytes behind it.
    function layOut(uint256 position) internal pure {
        (bytes32 head0, bytes32 head1, bytes32 head2, bytes32 head3, bytes32 tail) =
            (HEAD_0, HEAD_1, HEAD_2, HEAD_3, TAIL);
        // Memory-safe: the memory is the caller's.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(position, head0)
            mstore(add(position, 32), head1)
            mstore(add(position, 64), head2)
            mstore(add(position, 96), head3)
            mstore(add(position, 180), tail)
        }
    }

    /// @notice 32 bytes as 64 lower-case hexadecimal digits, 32 from either half.
    function hexDigits(bytes32 word) internal pure returns (bytes32 high, bytes32 low) {
        // Halves are moved apart until each nibble has a byte of its own; then all become digits at once. A nibble
        // above 9 carries into the upper half when 6 is added, and its digit is 39 further on: "a" is 97, while 48 + 10
        // is 58. Assembly, because the compiler makes a function call of each shift; and written out for either half, as a
        // function of both would be called four times for each claim. Memory-safe: touches none.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            high := shr(128, word)
            high := and(or(high, shl(64, high)), HALVES_64)
            high := and(or(high, shl(32, high)), HALVES_32)
            high := and(or(high, shl(16, high)), HALVES_16)
            high := and(or(high, shl(8, high)), HALVES_8)
            high := and(or(high, shl(4, high)), HALVES_4)
            high := add(add(high, ZEROS), mul(39, and(shr(4, add(high, SIXES)), ONES)))
            low := shr(128, shl(128, word))
            low := and(or(low, shl(64, low)), HALVES_64)
            low := and(or(low, shl(32, low)), HALVES_32)
            low := and(or(low, shl(16, low)), HALVES_16)
            low := and(or(low, shl(8, low)), HALVES_8)
            low := and(or(low, shl(4, low)), HALVES_4)
            low := add(add(low, ZEROS), mul(39, and(shr(4, add(low, SIXES)), ONES)))
        }
    }
}
