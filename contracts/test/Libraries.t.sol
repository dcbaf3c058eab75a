// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleTree} from "../libraries/MerkleTree.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {Sequences} from "../libraries/Sequences.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Tally} from "../libraries/Tally.sol";
import {TestBase} from "./Vm.sol";

contract LibrariesTest is TestBase {
    mapping(uint256 word => uint256 bits) private _words;
    mapping(uint256 seq => bool) private _plain;

    // ------------------------------------------------------------------ Tally

    function testFuzzCount(uint256 bits) public pure {
        uint256 naive = 0;
        for (uint256 i = 0; i < 256; ++i) {
            naive += (bits >> i) & 1;
        }
        assertEq(Tally.count(bits), naive, "count");
    }

    function testCountEdges() public pure {
        assertEq(Tally.count(0), 0, "none");
        assertEq(Tally.count(type(uint128).max), 128, "the lower half");
        assertEq(Tally.count(type(uint256).max), 256, "all");
    }

    function testFuzzAtLeast(uint256 quorum, uint256[] memory drawn) public pure {
        uint256 n = bound(drawn.length, 0, 16);
        uint256[] memory masks = new uint256[](n);
        for (uint256 i = 0; i < n && i < drawn.length; ++i) {
            masks[i] = drawn[i];
        }
        quorum = bound(quorum, 1, 17);
        uint256 reached = Tally.atLeast(quorum, masks);
        for (uint256 bit = 0; bit < 256; ++bit) {
            uint256 naive = 0;
            for (uint256 i = 0; i < n; ++i) {
                naive += (masks[i] >> bit) & 1;
            }
            assertEq((reached >> bit) & 1, naive >= quorum ? 1 : 0, "bit");
        }
    }

    // ------------------------------------------------------------------ MerkleTree

    function testFuzzClimbEndsInTheFold(uint256 n, uint256 index, bytes32 seed) public view {
        n = bound(n, 1, 128);
        index = bound(index, 0, n - 1);
        bytes32[] memory leaves = new bytes32[](1 << MerkleTree.depth(n));
        for (uint256 i = 0; i < n; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        bytes32 leaf = leaves[index];
        bytes32[] memory path = new bytes32[](MerkleTree.depth(n));
        bytes32[] memory level = leaves;
        for (uint256 i = 0; i < path.length; ++i) {
            path[i] = level[(index >> i) ^ 1];
            bytes32[] memory above = new bytes32[](level.length / 2);
            for (uint256 j = 0; j < above.length; ++j) {
                above[j] = keccak256(bytes.concat(level[2 * j], level[2 * j + 1]));
            }
            level = above;
        }
        bytes32 root = level[0];
        assertEq(MerkleTree.fold(leaves), root, "fold");
        assertEq(this.climb(leaf, index, path), root, "climb");
    }

    function climb(bytes32 leaf, uint256 index, bytes32[] calldata path) external pure returns (bytes32) {
        return MerkleTree.climb(leaf, index, path);
    }

    function testDepth() public pure {
        uint256[9] memory widths = [uint256(1), 2, 3, 4, 5, 8, 9, 127, 128];
        uint256[9] memory depths = [uint256(0), 1, 2, 2, 3, 3, 4, 7, 7];
        for (uint256 i = 0; i < 9; ++i) {
            assertEq(MerkleTree.depth(widths[i]), depths[i], "depth");
        }
    }

    // ------------------------------------------------------------------ Sequences

    function testFuzzSequencesRememberLikeASet(uint16[24] memory seqs) public {
        Sequences.Cursor memory cursor;
        Sequences.reset(cursor);
        for (uint256 i = 0; i < seqs.length; ++i) {
            bool used = Sequences.seek(cursor, _words, seqs[i]);
            assertTrue(used == _plain[seqs[i]], "as the set says");
            if (used) continue;
            Sequences.use(cursor, seqs[i]);
            _plain[seqs[i]] = true;
        }
        Sequences.flush(cursor, _words);
        for (uint256 i = 0; i < seqs.length; ++i) {
            assertTrue(Sequences.isUsed(_words, seqs[i]), "stored");
            uint256 next = uint256(seqs[i]) + 1;
            assertTrue(Sequences.isUsed(_words, next) == _plain[next], "and nothing besides");
        }
    }

    // ------------------------------------------------------------------ Signatures

    function testFuzzSignatures(uint256 key, bytes32 digest, bytes32 other) public view {
        key = bound(key, 1, type(uint128).max);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        bytes32 vs = bytes32(uint256(s) | uint256(v - 27) << 255);
        assertTrue(Signatures.isBy(vm.addr(key), digest, r, vs), "the signer's");
        assertTrue(this.isBy(vm.addr(key), digest, bytes.concat(r, vs)), "in bytes");
        assertTrue(!Signatures.isBy(vm.addr(key + 1), digest, r, vs), "nobody else's");
        assertTrue(!Signatures.isBy(vm.addr(key), digest, r, vs ^ bytes32(uint256(1) << 255)), "parity counts");
        assertTrue(other == digest || !Signatures.isBy(vm.addr(key), other, r, vs), "of this digest");
        assertTrue(!Signatures.isBy(address(0), digest, 0, 0), "zero signs nothing");
        assertTrue(!this.isBy(vm.addr(key), digest, bytes.concat(r, s, bytes1(v))), "65 bytes are another form");
    }

    function isBy(address signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signatures.isBy(signer, digest, signature);
    }

    // ------------------------------------------------------------------ Reasons

    /// @dev The JSON is the registry: every code here has its name there, and no skip code is missing here.
    function testReasonsAreThoseOfTheRegistry() public view {
        string memory json = vm.readFile("contracts/types/reasons.json");
        uint256[13] memory codes = [
            Reasons.SELF,
            Reasons.PARTY_IS_VALIDATOR,
            Reasons.SEQUENCE_USED,
            Reasons.BAD_SIGNATURE,
            Reasons.BAD_DEADLINE,
            Reasons.EXPIRED,
            Reasons.NOT_SETTLED,
            Reasons.BAD_OPENING,
            Reasons.BAD_SEAL,
            Reasons.CLAIMED_BEFORE,
            Reasons.NOT_A_CANARY,
            Reasons.BAD_ORDER,
            Reasons.NOT_AUTHORISED
        ];
        string[13] memory names = [
            "SELF",
            "PARTY_IS_VALIDATOR",
            "SEQUENCE_USED",
            "BAD_SIGNATURE",
            "BAD_DEADLINE",
            "EXPIRED",
            "NOT_SETTLED",
            "BAD_OPENING",
            "BAD_SEAL",
            "CLAIMED_BEFORE",
            "NOT_A_CANARY",
            "BAD_ORDER",
            "NOT_AUTHORISED"
        ];
        assertEq(vm.parseJsonKeys(json, ".skip").length, codes.length, "all of them");
        for (uint256 i = 0; i < codes.length; ++i) {
            string memory key = string.concat(".skip['", vm.toString(codes[i]), "'][0]");
            assertEq(bytes(vm.parseJsonString(json, key)), bytes(names[i]), names[i]);
        }
    }

    /// @dev A vote code's name tells which range it must lie in.
    function testVoteCodesLieInTheirRanges() public view {
        string memory json = vm.readFile("contracts/types/reasons.json");
        string[] memory codes = vm.parseJsonKeys(json, ".vote");
        assertTrue(codes.length > 2, "there are some");
        uint256 seen = 0;
        for (uint256 code = 0; code < 256; ++code) {
            string memory key = string.concat(".vote['", vm.toString(code), "']");
            if (!vm.keyExistsJson(json, key)) continue;
            bytes memory name = bytes(vm.parseJsonString(json, string.concat(key, "[0]")));
            assertTrue((name[0] == "R") == Reasons.isRefusal(code), "REFUSE_...");
            assertTrue((name[1] == "B") == Reasons.isAbstention(code), "ABSTAIN_...");
            assertTrue((name[1] == "P") == (code == Reasons.APPROVE), "APPROVE");
            ++seen;
        }
        assertEq(seen, codes.length, "all were looked at");
    }
}
