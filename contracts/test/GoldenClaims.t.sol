// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClaimFrame} from "../libraries/ClaimFrame.sol";
import {Puzzles} from "../libraries/Puzzles.sol";
import {GoldenVectors} from "./GoldenVectors.sol";

/// @title Claims of K3 that Python packed, unpacked here
contract GoldenClaimsTest is GoldenVectors {
    function testPackedClaims() public {
        vm.chainId(chainId);
        for (uint256 i = 0; _has(_at(".claims", i)); ++i) {
            string memory list = _at(".claims", i);
            bytes memory recorded = this.unpack(_bytes(list, ".packed"), list, _address(list, ".host"));
            assertEq(keccak256(recorded), keccak256(_bytes(list, ".recorded")), "as in the log");
        }
        assertTrue(_has(".claims[0].items[0]"), "there are some");
    }

    /// @dev Compares every item with what Python put in, and gives what the log has to hold of them all.
    function unpack(bytes calldata packed, string calldata list, address host) external view returns (bytes memory) {
        ClaimFrame.open(separator, place, host, packed.length);
        (uint256 position, uint256 end) = (ClaimFrame.start(packed), ClaimFrame.start(packed) + packed.length);
        string memory items = string.concat(list, ".items");
        for (uint256 i = 0; _has(_at(items, i)); ++i) {
            position = ClaimFrame.next(packed, position);
            _check(_at(items, i));
            ClaimFrame.record();
        }
        assertEq(position, end, "all of it");
        return ClaimFrame.recorded();
    }

    function _check(string memory expected) private view {
        assertEq(ClaimFrame.party(ClaimFrame.HOME), _address(expected, ".home"), "home");
        _identify();
        assertEq(ClaimFrame.load(ClaimFrame.MARK), _word(expected, ".markHash"), "mark");
        assertEq(ClaimFrame.load(ClaimFrame.REQUEST_ID), _word(expected, ".requestId"), "REQUEST");
        bytes32 resultId = ClaimFrame.load(ClaimFrame.RESULT_ID);
        assertEq(resultId, _word(expected, ".resultId"), "RESULT");
        bool isStrict = ClaimFrame.number(ClaimFrame.LEVELS) == 0;
        assertEq(isStrict ? resultId : ClaimFrame.climb(), _word(expected, ".root"), "root");
    }

    /// @dev As the form says.
    function _identify() private view {
        uint256 kind = ClaimFrame.number(ClaimFrame.FORM) & ClaimFrame.KIND;
        bytes32 last = ClaimFrame.load(ClaimFrame.LAST);
        if (kind == ClaimFrame.DRAWN) return ClaimFrame.identify(0, last);
        bytes32 family = ClaimFrame.word(ClaimFrame.number(ClaimFrame.OPENING_AT));
        if (kind == ClaimFrame.PUZZLE) {
            family = [Puzzles.DLOG, Puzzles.FACTOR, Puzzles.PREIMAGE][uint8(bytes1(family)) - 1];
            last = ClaimFrame.puzzleDigest(last);
        }
        ClaimFrame.identify(family, last);
    }
}
