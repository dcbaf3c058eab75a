// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Puzzles that a newcomer asks the contract for
/// @notice A way to first Kudos without a home that trusts one: K3 of origin `open`, at most so many per host for life.
/// The family is `preimage`, the only one whose maker knows no trapdoor; the target comes from the host, its counter, and
/// the hash of the block after the asking, so that nobody can have worked ahead. Anybody may ask, validators too: the
/// contract checks the answer and nobody votes on it.
///
/// "For life" means in one ledger: the count starts anew in the next one, which takes the totals over. A closed ledger
/// still gives puzzles and mints what they earn until its totals are final.
interface IOpenPuzzles {
    /// @notice A host asked for a puzzle, whose target is fixed by the hash of this block.
    event PuzzleAsked(address indexed host, uint32 counter, uint8 difficulty, uint256 blockNumber);
    /// @notice A puzzle was solved, and K3 minted.
    event PuzzleSolved(address indexed host, uint32 counter, bytes32 parameters, bytes32 solution);

    /// @notice The puzzle would be easier than this, or so hard (more than 64) that nobody solves it.
    error BadDifficulty(uint8 floor);
    /// @notice The host has solved as many as it may.
    error PuzzlesUsedUp(uint32 most);
    /// @notice The host has no puzzle to solve, its block has not been made yet, or is out of reach: ask again.
    error NoPuzzle();
    /// @notice This does not solve the puzzle.
    error NotSolved();

    /// @notice Asks for a puzzle, in place of one that is not solved. It has to be solved within 256 blocks; who is too
    /// slow asks again and loses nothing but the work.
    /// @param difficulty so many leading zero bits the hash must have
    /// @param signature the host's of OpenPuzzle(host, counter, difficulty), counter as `puzzle` shows it; empty when the
    /// host sends the transaction
    function askPuzzle(address host, uint8 difficulty, bytes calldata signature) external;

    /// @notice Solves a host's puzzle. Anybody may send it: the target names the host.
    function solvePuzzle(address host, bytes32 solution) external;

    /// @notice How a host's puzzles stand.
    /// @return ready whether there is one that can be solved now
    /// @return parameters those of the family `preimage`, when it is ready
    /// @return counter how many it has asked for
    /// @return solved how many it has solved
    function puzzle(address host)
        external
        view
        returns (bool ready, bytes32 parameters, uint32 counter, uint32 solved);

    /// @notice The least difficulty, and how many a host may solve in this ledger.
    function puzzleLimits() external view returns (uint8 floor, uint32 most);
}
