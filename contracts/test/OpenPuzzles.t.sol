// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IOpenPuzzles} from "../interfaces/IOpenPuzzles.sol";
import {ClaimAssets} from "../libraries/ClaimAssets.sol";
import {ClaimsTest} from "./ClaimsTest.sol";

/// @title Puzzles that a newcomer asks for
contract OpenPuzzlesTest is ClaimsTest {
    function _ask() private {
        vm.prank(host);
        claims.askPuzzle(host, FLOOR, "");
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256(abi.encode(block.number)));
    }

    function _solution(address of_) private view returns (bytes32) {
        (, bytes32 parameters,,) = claims.puzzle(of_);
        uint256 difficulty = uint8(uint256(parameters));
        uint256 x = 0;
        while (uint256(keccak256(abi.encode(parameters, x))) >> (256 - difficulty) != 0) ++x;
        return bytes32(x);
    }

    function testAskAndSolve() public {
        _ask();
        (bool ready, bytes32 parameters, uint32 counter, uint32 solved) = claims.puzzle(host);
        assertTrue(ready && counter == 1 && solved == 0, "ready");
        bytes32 challenge =
            keccak256(abi.encode(address(claims), host, uint32(1), keccak256(abi.encode(block.number))));
        assertEq(parameters, bytes32((uint256(challenge) & ~uint256(255)) | FLOOR), "host, counter, later block");
        claims.solvePuzzle(host, _solution(host));
        assertEq(ledger.minted(host, 3), 1, "minted");
        (ready,,, solved) = claims.puzzle(host);
        assertTrue(!ready && solved == 1, "used up");
        vm.expectRevert(IOpenPuzzles.NoPuzzle.selector);
        claims.solvePuzzle(host, 0);
    }

    function testFuzzOnlySolutionsSolve(bytes32 x) public {
        _ask();
        (, bytes32 parameters,,) = claims.puzzle(host);
        bool solves = uint256(keccak256(abi.encode(parameters, x))) >> (256 - FLOOR) == 0;
        if (!solves) vm.expectRevert(IOpenPuzzles.NotSolved.selector);
        claims.solvePuzzle(host, x);
        assertEq(ledger.minted(host, 3), solves ? 1 : 0, "minted");
    }

    function testNothingCanBeSolvedBeforeItsBlock() public {
        vm.prank(host);
        claims.askPuzzle(host, FLOOR, "");
        vm.expectRevert(IOpenPuzzles.NoPuzzle.selector);
        claims.solvePuzzle(host, 0);
        vm.roll(block.number + 1);
        vm.expectRevert(IOpenPuzzles.NoPuzzle.selector);
        claims.solvePuzzle(host, 0);
        vm.expectRevert(IOpenPuzzles.NoPuzzle.selector);
        claims.solvePuzzle(vm.addr(1), 0);
    }

    function testBlockTooOldIsAskedAgainWithoutLoss() public {
        _ask();
        bytes32 solution = _solution(host);
        vm.roll(block.number + 256);
        vm.expectRevert(IOpenPuzzles.NoPuzzle.selector);
        claims.solvePuzzle(host, solution);
        for (uint256 i = 0; i < PER_HOST; ++i) {
            _ask();
            claims.solvePuzzle(host, _solution(host));
        }
        assertEq(ledger.minted(host, 3), PER_HOST, "as many as without the lost one");
        vm.expectRevert(abi.encodeWithSelector(IOpenPuzzles.PuzzlesUsedUp.selector, PER_HOST));
        vm.prank(host);
        claims.askPuzzle(host, FLOOR, "");
    }

    function testFuzzDifficulty(uint8 difficulty) public {
        bool holds = difficulty >= FLOOR && difficulty <= 64;
        if (!holds) vm.expectRevert(abi.encodeWithSelector(IOpenPuzzles.BadDifficulty.selector, FLOOR));
        vm.prank(host);
        claims.askPuzzle(host, difficulty, "");
    }

    function testAskedByARelayer() public {
        bytes memory signature = _signature(HOST_KEY, ClaimAssets.openPuzzle(_separator(), host, 0, FLOOR));
        vm.expectRevert(IClaimVotes.NotSigned.selector);
        claims.askPuzzle(host, FLOOR + 1, signature);
        vm.expectRevert(IClaimVotes.NotSigned.selector);
        claims.askPuzzle(host, FLOOR, "");
        claims.askPuzzle(host, FLOOR, signature);
        // The counter has gone on: nobody can replace the puzzle with the same signature.
        vm.expectRevert(IClaimVotes.NotSigned.selector);
        claims.askPuzzle(host, FLOOR, signature);
    }

    function testLimits() public {
        (uint8 floor, uint32 most) = claims.puzzleLimits();
        assertTrue(floor == FLOOR && most == PER_HOST, "limits");
        bytes memory code = vm.getCode("KudosClaims.sol:KudosClaims");
        uint8[2] memory bad = [0, 65];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IOpenPuzzles.BadDifficulty.selector, bad[i]));
            ledger.create(bytes.concat(code, abi.encode(ROUND, RATE, bad[i], PER_HOST)));
        }
    }
}
