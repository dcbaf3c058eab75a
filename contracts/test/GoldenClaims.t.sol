// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {PackedClaims} from "../libraries/PackedClaims.sol";
import {PuzzleResult} from "../libraries/PuzzleResult.sol";
import {Puzzles} from "../libraries/Puzzles.sol";
import {GoldenVectors} from "./GoldenVectors.sol";

/// @title Claims of K3 that Python packed, unpacked here
contract GoldenClaimsTest is GoldenVectors {
    function testPackedClaims() public view {
        for (uint256 i = 0; _has(_at(".claims", i)); ++i) {
            string memory list = _at(".claims", i);
            bytes memory packed = _bytes(list, ".packed");
            bytes memory recorded = this.unpack(packed, list);
            assertEq(keccak256(recorded), keccak256(_bytes(list, ".recorded")), "as in the log");
        }
        assertTrue(_has(".claims[0].items[0]"), "there are some");
    }

    /// @dev Compares every item with what Python put in, and gives what the log has to hold of them all.
    function unpack(bytes calldata packed, string calldata list) external view returns (bytes memory recorded) {
        PackedClaims.Item memory item;
        recorded = new bytes(packed.length);
        (uint256 offset, uint256 length) = (0, 0);
        string memory items = string.concat(list, ".items");
        for (uint256 i = 0; _has(_at(items, i)); ++i) {
            offset = PackedClaims.next(packed, offset, item);
            _check(packed, item, _at(items, i), _address(list, ".host"));
            length = PackedClaims.record(packed, item, recorded, length);
        }
        assertEq(offset, packed.length, "all of it");
        // Memory-safe: the list only gets shorter.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(recorded, length)
        }
    }

    function _check(bytes calldata packed, PackedClaims.Item memory item, string memory expected, address host)
        private
        view
    {
        assertEq(item.home, _address(expected, ".home"), "home");
        IKudosLedger.Request memory request;
        uint256 signedAt = PackedClaims.readRequest(packed, item, request);
        (bytes32 taskDigest, bytes32 markHash, bytes32 result) = _read(packed, item);
        assertEq(markHash, _word(expected, ".markHash"), "mark");
        request.host = host;
        request.commitment =
            Assets.commitment(chainId, place, item.home, host, request.seq, taskDigest, markHash);
        bytes32 requestId = Assets.request(separator, request);
        assertEq(requestId, _word(expected, ".requestId"), "REQUEST");
        (bytes32 sealSalt,) = PackedClaims.readSeal(packed, item);
        bytes32 seal = Assets.seal(result, sealSalt, host, requestId);
        bytes32 resultId = Assets.result(separator, requestId, seal, signedAt);
        assertEq(resultId, _word(expected, ".resultId"), "RESULT");
        bool isStrict = item.levels == 0;
        assertEq(isStrict ? resultId : PackedClaims.climb(item, resultId), _word(expected, ".root"), "root");
    }

    /// @dev What a form says of task, mark and result.
    function _read(bytes calldata packed, PackedClaims.Item memory item)
        private
        view
        returns (bytes32 taskDigest, bytes32 markHash, bytes32 result)
    {
        bytes32 parameters;
        bytes32 salt;
        (taskDigest, parameters, salt) = PackedClaims.readMark(packed, item);
        (, result) = PackedClaims.readSeal(packed, item);
        uint256 form = item.form & PackedClaims.KIND;
        if (form == PackedClaims.DRAWN) return (parameters, salt, result);
        bytes32 family = PackedClaims.word(packed, item.openingAt);
        if (form == PackedClaims.PUZZLE) {
            result = PuzzleResult.digest(result);
            family = [Puzzles.DLOG, Puzzles.FACTOR, Puzzles.PREIMAGE][uint8(bytes1(family)) - 1];
        }
        return (taskDigest, Assets.mark(1, family, parameters, salt), result);
    }
}
