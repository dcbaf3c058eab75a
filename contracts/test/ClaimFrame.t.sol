// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {Assets} from "../libraries/Assets.sol";
import {ClaimFrame} from "../libraries/ClaimFrame.sol";
import {PlainAssets} from "./PlainAssets.sol";
import {TestBase} from "./Vm.sol";

/// @title What `ClaimFrame` reads and hashes, against the plainest way to do so
/// @dev Each call to this contract itself begins with a frame of its own.
contract ClaimFrameTest is TestBase {
    uint8 private constant SAME_HOME = 4;
    bytes32 private constant SEPARATOR = "separator";
    address private constant LEDGER = address(0x1ED6E2);

    // ------------------------------------------------------------------ result digests

    bytes32 private constant GOLDEN_0 = 0xec4bf774bdd9d00d1f25bfddf51d581ecfb7c05bf88c2d1e72e2051e90470b17;
    bytes32 private constant GOLDEN_1 = 0xd9228b4e4f2b5e373fdb0ceba195f74edb0bd7bc9b7d22006b3ea2aedc6f5472;
    bytes32 private constant GOLDEN_2 = 0x4dec75a9a22d6fb2b970fd2a5fdd149cbd719f8ad416012b80eeefd58ef47ee8;

    function puzzleDigests(bytes32[] calldata solutions) external view returns (bytes32[] memory digests) {
        ClaimFrame.open(SEPARATOR, LEDGER, address(0), 0);
        digests = new bytes32[](solutions.length);
        for (uint256 i = 0; i < solutions.length; ++i) {
            digests[i] = ClaimFrame.puzzleDigest(solutions[i]);
        }
    }

    /// @dev From node/task.py: result_digest(ResultDescriptor(0, sha256(digits + "\n"), sha256(""), ())).
    function testGoldenDigests() public view {
        bytes32[] memory solutions = new bytes32[](3);
        (solutions[1], solutions[2]) = (bytes32(uint256(0x123456789abcdef)), bytes32(type(uint256).max));
        bytes32[] memory digests = this.puzzleDigests(solutions);
        assertEq(digests[0], GOLDEN_0, "of 0");
        assertEq(digests[1], GOLDEN_1, "of a small number");
        assertEq(digests[2], GOLDEN_2, "of all bits");
    }

    function testFuzzDigestInThePlainestWay(bytes32[] memory solutions) public view {
        bytes32[] memory digests = this.puzzleDigests(solutions);
        for (uint256 i = 0; i < solutions.length; ++i) {
            assertEq(digests[i], PlainAssets.puzzleDigest(solutions[i]), "digest");
        }
    }

    // ------------------------------------------------------------------ ids

    function identified(bytes calldata packed, address host, bytes32 family)
        external
        view
        returns (bytes32 markHash, bytes32 requestId, bytes32 resultId)
    {
        ClaimFrame.open(SEPARATOR, LEDGER, host, packed.length);
        assertEq(ClaimFrame.next(packed, ClaimFrame.start(packed)), ClaimFrame.start(packed) + packed.length, "end");
        ClaimFrame.identify(family, ClaimFrame.load(ClaimFrame.LAST));
        markHash = ClaimFrame.load(ClaimFrame.MARK);
        (requestId, resultId) = (ClaimFrame.load(ClaimFrame.REQUEST_ID), ClaimFrame.load(ClaimFrame.RESULT_ID));
    }

    function testIdsOfEachForm() public view {
        IKudosSteps.Request memory request;
        (request.home, request.host) = (address(2), address(3));
        (request.processId, request.processName, request.seq) = ("process", "cc", 7);
        (request.cpuSeconds, request.memoryMiB, request.outputKiB) = (60, 512, 4096);
        (request.signedAt, request.resultDeadline) = (1_790_000_000, 1_790_000_600);
        for (uint8 form = 1; form <= 3; ++form) {
            _checkIds(request, form, [bytes32("task"), "parameters", "salt", "seal salt", "result"], 30);
        }
    }

    function testFuzzIdsAsPlainly(IKudosSteps.Request memory request, uint8 form, bytes32[5] memory x, uint24 after_)
        public
        view
    {
        request.signedAt = uint32(request.signedAt);
        request.resultDeadline = request.signedAt + uint24(request.resultDeadline);
        (request.cpuSeconds, request.memoryMiB) = (uint24(request.cpuSeconds), uint24(request.memoryMiB));
        _checkIds(request, uint8(bound(form, 1, 3)), x, after_);
    }

    /// @param x task, parameters, salt, the seal's salt and the result digest; with DRAWN the salt is the mark
    function _checkIds(IKudosSteps.Request memory r, uint8 form, bytes32[5] memory x, uint24 after_) private view {
        bytes32 family = form == ClaimFrame.DRAWN ? bytes32(0) : bytes32("family");
        bytes32 mark = form == ClaimFrame.DRAWN ? x[2] : Assets.mark(1, family, x[1], x[2]);
        r.commitment = Assets.commitment(block.chainid, LEDGER, r.home, r.host, r.seq, x[0], mark);
        bytes32 requestId = Assets.request(SEPARATOR, r);
        bytes32 seal = Assets.seal(x[4], x[3], r.host, requestId);
        bytes32 resultId = Assets.result(SEPARATOR, requestId, seal, r.signedAt + after_);
        bytes memory opening = form == ClaimFrame.DRAWN
            ? abi.encodePacked(x[0], x[2], x[3], x[4])
            : bytes.concat(form == ClaimFrame.PUZZLE ? bytes("f") : bytes.concat(family), abi.encodePacked(x));
        (bytes32 markHash, bytes32 foundRequest, bytes32 foundResult) =
            this.identified(bytes.concat(_head(r, form, after_), hex"00", opening), r.host, family);
        assertEq(markHash, mark, "mark");
        assertEq(foundRequest, requestId, "REQUEST");
        assertEq(foundResult, resultId, "RESULT");
    }

    function _head(IKudosSteps.Request memory r, uint8 form, uint24 after_) private pure returns (bytes memory) {
        bytes memory limits = abi.encodePacked(uint24(r.cpuSeconds), uint24(r.memoryMiB), r.outputKiB, after_);
        bytes memory times = abi.encodePacked(r.seq, uint32(r.signedAt), uint24(r.resultDeadline - r.signedAt));
        bytes memory home = form & SAME_HOME == 0 ? abi.encodePacked(r.home) : bytes("");
        return bytes.concat(bytes1(form), home, r.processId, r.processName, times, limits);
    }

    // ------------------------------------------------------------------ places

    /// @dev What was read of an item, relative to where it begins.
    function places(bytes calldata packed) external view returns (uint256 opening, uint256 end) {
        ClaimFrame.open(SEPARATOR, LEDGER, address(0), packed.length);
        uint256 start = ClaimFrame.start(packed);
        end = ClaimFrame.next(packed, start) - start;
        opening = ClaimFrame.number(ClaimFrame.OPENING_AT) - start;
    }

    /// @dev A node for every bit but the highest.
    function testEveryByteOfLevels() public view {
        for (uint256 levels = 0; levels < 256; ++levels) {
            uint256 place = levels == 0 ? 1 : 2;
            for (uint256 rest = levels; rest > 1; rest >>= 1) {
                place += 32 * (rest & 1);
            }
            bytes memory packed = new bytes(109 + place + 128);
            (packed[0], packed[109]) = (bytes1(uint8(ClaimFrame.DRAWN)), bytes1(uint8(levels)));
            (uint256 opening, uint256 end) = this.places(packed);
            assertEq(opening, 109 + place, "the opening");
            assertEq(end, packed.length, "the end");
        }
    }

    function testFuzzLengthsOfOpeningsAndWords(uint8 form, uint8 levels, uint16 length) public view {
        form = uint8([1, 2, 3, 9, 10][form % 5]);
        uint256 place = levels == 0 ? 1 : 2;
        for (uint256 rest = levels; rest > 1; rest >>= 1) {
            place += 32 * (rest & 1);
        }
        uint256 opening = 109 + place;
        uint256 openingEnd = opening + [uint256(161), 192, 128][form % 4 - 1];
        bytes memory packed = new bytes(form < 8 ? openingEnd : openingEnd + 10 + length);
        (packed[0], packed[109]) = (bytes1(form), bytes1(levels));
        for (uint256 i = 0; i < 2 && form > 8; ++i) {
            packed[openingEnd + 8 + i] = bytes2(length)[i];
        }
        (uint256 found, uint256 end) = this.places(packed);
        assertEq(found, opening, "the opening");
        assertEq(end, packed.length, "the end");
    }

    // ------------------------------------------------------------------ climbing

    /// @dev The RESULTs of items, and the roots that they lead to.
    function roots(bytes calldata packed) external view returns (bytes32[] memory leaves, bytes32[] memory found) {
        ClaimFrame.open(SEPARATOR, LEDGER, address(0), packed.length);
        (leaves, found) = (new bytes32[](16), new bytes32[](16));
        uint256 position = ClaimFrame.start(packed);
        for (uint256 i = 0; position < ClaimFrame.start(packed) + packed.length; ++i) {
            position = ClaimFrame.next(packed, position);
            ClaimFrame.identify(0, ClaimFrame.load(ClaimFrame.LAST));
            leaves[i] = ClaimFrame.load(ClaimFrame.RESULT_ID);
            if (ClaimFrame.number(ClaimFrame.LEVELS) != 0) found[i] = ClaimFrame.climb();
        }
    }

    /// @dev Eight neighbours, of which each carries only the siblings that the one before it had not.
    function testNeighboursShareSiblings() public view {
        uint8[16] memory levels;
        uint8[16] memory indices;
        bool[16] memory twins;
        for (uint8 i = 0; i < 8; ++i) {
            (levels[i], indices[i]) = (i == 0 ? 0xff : uint8(0x80 | (i ^ (i - 1))), 16 + i);
        }
        _checkRoots(levels, indices, twins, 8);
    }

    /// @dev One leaf in one place, twice in one tree and then in one less deep: the third climb is another.
    function testAnotherDepthDoesNotMeet() public view {
        uint8[16] memory levels;
        uint8[16] memory indices;
        bool[16] memory twins;
        for (uint8 i = 0; i < 3; ++i) {
            (levels[i], indices[i], twins[i]) = (i == 0 ? 0xff : i == 1 ? 0x81 : 0x40, 16, true);
        }
        _checkRoots(levels, indices, twins, 3);
    }

    /// @dev Few depths, indices and leaves, so that climbs meet in each way, rightly and wrongly.
    function testFuzzClimbsAsPlainly(uint256 drawn, uint256 deep) public view {
        uint8[16] memory levels;
        uint8[16] memory indices;
        bool[16] memory twins;
        for (uint256 i = 0; i < 16; ++i) {
            uint256 bits = drawn >> (16 * i);
            uint256 depth = (deep >> i) & 1 == 0 ? 2 + ((deep >> 16) % 6) : bits & 7;
            // A run of carried siblings from the leaf on, which is what neighbours have, or any others.
            uint256 carried = (bits >> 3) & 1 == 0 ? (1 << ((bits >> 4) & 7)) - 1 : (bits >> 4) & 127;
            levels[i] = uint8((1 << depth) | (carried & ((1 << depth) - 1)));
            indices[i] = uint8((bits >> 11) & 3) << uint8((deep >> 32) & 3);
            twins[i] = (bits >> 13) & 1 == 1;
            if ((bits >> 14) & 3 == 3) levels[i] = i % 5 == 0 ? 0 : levels[i];
        }
        _checkRoots(levels, indices, twins, 16);
    }

    /// @dev The nodes that items carry hang on level and index alone; twins have the leaf of the first item.
    function _checkRoots(uint8[16] memory levels, uint8[16] memory indices, bool[16] memory twins, uint256 n)
        private
        view
    {
        bytes memory packed = "";
        IKudosSteps.Request memory request;
        for (uint256 i = 0; i < n; ++i) {
            request.seq = twins[i] ? 0 : uint32(i);
            bytes memory place = levels[i] == 0 ? bytes(hex"00") : abi.encodePacked(levels[i], indices[i]);
            for (uint256 level = 0; levels[i] >> level > 1; ++level) {
                if ((levels[i] >> level) & 1 == 1) place = bytes.concat(place, _sibling(indices[i], level));
            }
            uint8 form = uint8(ClaimFrame.DRAWN) | (i == 0 ? 0 : SAME_HOME);
            packed = bytes.concat(packed, _head(request, form, 0), place, new bytes(128));
        }
        (bytes32[] memory leaves, bytes32[] memory found) = this.roots(packed);
        bytes32[7] memory path;
        for (uint256 i = 0; i < n; ++i) {
            uint256 depth = 0;
            for (; levels[i] >> depth > 1; ++depth) {
                if ((levels[i] >> depth) & 1 == 1) path[depth] = _sibling(indices[i], depth);
            }
            bytes32 root = levels[i] == 0 ? bytes32(0) : PlainAssets.climb(leaves[i], indices[i], path, depth);
            assertEq(found[i], root, "root");
        }
    }

    function _sibling(uint256 index, uint256 level) private pure returns (bytes32) {
        return keccak256(abi.encode(index >> level ^ 1, level));
    }

    // ------------------------------------------------------------------ the memory

    function openLate(uint256 words) external view {
        uint256[] memory taken = new uint256[](words);
        assertEq(taken.length, words, "taken");
        ClaimFrame.open(SEPARATOR, LEDGER, address(0), 0);
    }

    function testTheFrameComesFirst() public {
        this.openLate(2);
        vm.expectRevert();
        this.openLate(32);
    }
}
