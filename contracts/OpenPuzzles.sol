// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClaimStore} from "./ClaimStore.sol";
import {IOpenPuzzles} from "./interfaces/IOpenPuzzles.sol";
import {ClaimAssets} from "./libraries/ClaimAssets.sol";
import {Puzzles} from "./libraries/Puzzles.sol";
import {Signatures} from "./libraries/Signatures.sol";

/// @title Puzzles that a newcomer asks the contract for
/// @notice Keeps one per host, and mints for each that is solved.
abstract contract OpenPuzzles is ClaimStore, IOpenPuzzles {
    /// @dev One slot. `blockNumber` is 0 when there is nothing to solve.
    struct Asked {
        uint64 blockNumber;
        uint32 counter;
        uint32 solved;
        uint8 difficulty;
    }

    uint8 private constant MAX_DIFFICULTY = 64;

    uint8 private immutable FLOOR;
    uint32 private immutable PER_HOST;

    mapping(address host => Asked) private _asked;

    /// @dev With a cap of 0 there are no open puzzles.
    constructor(uint8 floor, uint32 perHost) {
        if (floor == 0 || floor > MAX_DIFFICULTY) revert BadDifficulty(floor);
        (FLOOR, PER_HOST) = (floor, perHost);
    }

    /// @inheritdoc IOpenPuzzles
    function askPuzzle(address host, uint8 difficulty, bytes calldata signature) external override {
        Asked memory asked = _asked[host];
        if (msg.sender != host) {
            bytes32 digest = ClaimAssets.openPuzzle(_separator(), host, asked.counter, difficulty);
            if (!Signatures.isBy(host, digest, signature)) revert NotSigned();
        }
        if (difficulty < FLOOR || difficulty > MAX_DIFFICULTY) revert BadDifficulty(FLOOR);
        if (asked.solved >= PER_HOST) revert PuzzlesUsedUp(PER_HOST);
        ++asked.counter;
        asked.blockNumber = uint64(block.number) + 1;
        asked.difficulty = difficulty;
        _asked[host] = asked;
        emit PuzzleAsked(host, asked.counter, difficulty, asked.blockNumber);
    }

    /// @inheritdoc IOpenPuzzles
    function solvePuzzle(address host, bytes32 solution) external override {
        Asked memory asked = _asked[host];
        (bool ready, bytes32 parameters) = _parameters(host, asked);
        if (!ready) revert NoPuzzle();
        if (!Puzzles.preimage(parameters, solution)) revert NotSolved();
        asked.blockNumber = 0;
        ++asked.solved;
        _asked[host] = asked;
        emit PuzzleSolved(host, asked.counter, parameters, solution);
        LEDGER.mint(host, CANARY_LEVEL, 1);
    }

    /// @inheritdoc IOpenPuzzles
    function puzzle(address host)
        external
        view
        override
        returns (bool ready, bytes32 parameters, uint32 counter, uint32 solved)
    {
        Asked memory asked = _asked[host];
        (ready, parameters) = _parameters(host, asked);
        return (ready, parameters, asked.counter, asked.solved);
    }

    /// @inheritdoc IOpenPuzzles
    function puzzleLimits() external view override returns (uint8 floor, uint32 most) {
        return (FLOOR, PER_HOST);
    }

    /// @dev The hash of a block is zero before it is made, and again 256 blocks later. Block 0 is asked for nothing.
    function _parameters(address host, Asked memory asked) private view returns (bool ready, bytes32 parameters) {
        bytes32 entropy = blockhash(asked.blockNumber);
        if (asked.blockNumber == 0 || entropy == 0) return (false, bytes32(0));
        bytes32 challenge = keccak256(abi.encode(address(this), host, asked.counter, entropy));
        return (true, bytes32(uint256(challenge) >> 8 << 8 | asked.difficulty));
    }
}
