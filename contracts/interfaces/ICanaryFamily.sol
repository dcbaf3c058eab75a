// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A family of puzzles whose answers a contract can check
/// @notice What the claims contract asks. A family holds no state and has one view function, so that a new one needs
/// nothing but the validators' registration. It is asked by a static call with at most 400,000 gas; a revert, another
/// answer than true, or running out of that gas all mean "not solved".
///
/// The puzzle is an ordinary task to the host: its standard output is the solution as 64 lower-case hexadecimal digits
/// and a newline, its exit status 0, with nothing on standard error and no files.
interface ICanaryFamily {
    /// @notice Whether `solution` (32 bytes) answers the puzzle with these parameters.
    function verify(bytes32 parameters, bytes calldata solution) external view returns (bool);
}
