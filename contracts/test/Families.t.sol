// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Dlog} from "../families/Dlog.sol";
import {Factor} from "../families/Factor.sol";
import {Preimage} from "../families/Preimage.sol";
import {ICanaryFamily} from "../interfaces/ICanaryFamily.sol";
import {Puzzles} from "../libraries/Puzzles.sol";
import {TestBase} from "./Vm.sol";

/// @title The three families
contract FamiliesTest is TestBase {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    ICanaryFamily private dlog;
    ICanaryFamily private factor;
    ICanaryFamily private preimage;

    function setUp() public {
        (dlog, factor, preimage) = (new Dlog(), new Factor(), new Preimage());
    }

    function _dlog(uint256 k, uint256 start, uint256 bits) private pure returns (bytes32) {
        return bytes32(uint256(uint160(vm.addr(k))) << 96 | start << 8 | bits);
    }

    function _solves(ICanaryFamily family, bytes32 parameters, uint256 x) private view returns (bool) {
        return family.verify(parameters, abi.encode(x));
    }

    function testDlog() public view {
        bytes32 parameters = _dlog(1000, 990, 5);
        assertTrue(_solves(dlog, parameters, 1000), "the logarithm");
        assertTrue(!_solves(dlog, parameters, 1001), "its neighbour");
        assertTrue(!_solves(dlog, _dlog(1000, 1001, 5), 1000), "below the interval");
        assertTrue(!_solves(dlog, _dlog(1000, 968, 5), 1000), "at its end");
        assertTrue(_solves(dlog, _dlog(1000, 969, 5), 1000), "before its end");
    }

    function testFuzzDlog(uint88 start, uint8 bits, uint256 k, uint256 other) public view {
        k = bound(k, 1, ORDER - 1);
        bits = uint8(bound(bits, 0, 255));
        bool inside = k >= start && (k - start) >> bits == 0;
        bytes32 parameters = _dlog(k, start, bits);
        assertTrue(_solves(dlog, parameters, k) == inside, "in the interval and no further");
        if (other != k) assertTrue(!_solves(dlog, parameters, other), "only one solves it");
    }

    function testFuzzDlogInItsInterval(uint88 start, uint256 k, uint8 bits) public view {
        bits = uint8(bound(bits, 0, 250));
        k = uint256(start) + bound(k, 0, (1 << bits) - 1);
        vm.assume(k != 0);
        assertTrue(_solves(dlog, _dlog(k, start, bits), k), "solved");
    }

    function testDlogZeroAndBeyondTheOrder() public view {
        // No point, so no address: what recovery answers for it must not pass for one.
        assertTrue(!_solves(dlog, bytes32(uint256(20)), 0), "target 0, k 0");
        assertTrue(!_solves(dlog, bytes32(uint256(255)), ORDER), "target 0, k the order");
        bytes32 parameters = bytes32(uint256(uint160(vm.addr(5))) << 96 | 255);
        assertTrue(!_solves(dlog, parameters, 0), "k 0, in its interval");
        assertTrue(_solves(dlog, parameters, 5), "5");
        assertTrue(!_solves(dlog, parameters, ORDER + 5), "5 by another name");
    }

    function testFuzzTargetZeroHasNoLogarithm(uint96 interval, uint256 k) public view {
        assertTrue(!_solves(dlog, bytes32(uint256(interval)), k), "target 0");
    }

    function testFactor() public view {
        assertTrue(_solves(factor, bytes32(uint256(91)), 7), "7");
        assertTrue(_solves(factor, bytes32(uint256(91)), 13), "13");
        assertTrue(!_solves(factor, bytes32(uint256(91)), 1), "1");
        assertTrue(!_solves(factor, bytes32(uint256(91)), 91), "itself");
        assertTrue(!_solves(factor, bytes32(uint256(91)), 0), "0");
        assertTrue(!_solves(factor, bytes32(uint256(91)), 182), "a multiple");
        assertTrue(!_solves(factor, bytes32(uint256(0)), 2), "nothing has factors");
    }

    function testFuzzFactor(uint128 p, uint128 q, uint256 other) public view {
        uint256 n = uint256(p) * q;
        assertTrue(_solves(factor, bytes32(n), p) == (p > 1 && q > 1), "a proper factor");
        bool divides = other > 1 && other < n && n % other == 0;
        assertTrue(_solves(factor, bytes32(n), other) == divides, "any number");
    }

    function testPreimage() public view {
        bytes32 parameters = bytes32(uint256(keccak256("challenge")) >> 8 << 8 | 6);
        uint256 x = 0;
        while (uint256(keccak256(abi.encode(parameters, x))) >> 250 != 0) ++x;
        assertTrue(_solves(preimage, parameters, x), "six zero bits");
        assertTrue(_solves(preimage, bytes32(uint256(parameters) >> 8 << 8), 77), "no bits: anything does");
        assertTrue(!_solves(preimage, bytes32(uint256(parameters) | 255), x), "255 bits");
    }

    function testFuzzPreimage(bytes32 parameters, uint256 x) public view {
        uint256 difficulty = uint8(uint256(parameters));
        uint256 hash = uint256(keccak256(bytes.concat(parameters, bytes32(x))));
        bool below = difficulty == 0 || hash < 1 << (256 - difficulty);
        assertTrue(_solves(preimage, parameters, x) == below, "below the target");
    }

    function testFuzzSolutionsHave32Bytes(bytes calldata solution) public view {
        vm.assume(solution.length != 32);
        bytes32 anything = bytes32(0);
        assertTrue(!preimage.verify(anything, solution), "preimage");
        assertTrue(!factor.verify(bytes32(uint256(1) << 255), solution), "factor");
        assertTrue(!dlog.verify(_dlog(1, 0, 255), solution), "dlog");
    }

    function testNames() public pure {
        assertEq(Puzzles.DLOG, bytes32("dlog"), "dlog");
        assertEq(Puzzles.FACTOR, bytes32("factor"), "factor");
        assertEq(Puzzles.PREIMAGE, bytes32("preimage"), "preimage");
    }
}
