// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {MerkleTree} from "../libraries/MerkleTree.sol";
import {PackedBatch} from "../libraries/PackedBatch.sol";
import {Parties} from "../libraries/Parties.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {RecordFrame} from "../libraries/RecordFrame.sol";
import {Sequences} from "../libraries/Sequences.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Tally} from "../libraries/Tally.sol";
import {PlainAssets} from "./PlainAssets.sol";
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
        Sequences.open(cursor, _words);
        for (uint256 i = 0; i < seqs.length; ++i) {
            bool used = Sequences.seek(cursor, seqs[i]);
            assertTrue(used == _plain[seqs[i]], "as the set says");
            if (used) continue;
            Sequences.use(cursor, seqs[i]);
            _plain[seqs[i]] = true;
        }
        Sequences.flush(cursor);
        for (uint256 i = 0; i < seqs.length; ++i) {
            assertTrue(Sequences.isUsed(_words, seqs[i]), "stored");
            uint256 next = uint256(seqs[i]) + 1;
            assertTrue(Sequences.isUsed(_words, next) == _plain[next], "and nothing besides");
        }
    }

    // ------------------------------------------------------------------ RecordFrame, PackedBatch, Parties

    /// @dev The frame's hashes against the plain ones; the home's signature holds for these and for nothing else.
    function testFuzzFrameHashesAsPlainly(IKudosLedger.Request memory request, bytes32 seal, uint256 key, uint56 afters)
        public
        view
    {
        key = bound(key, 1, type(uint128).max);
        request.home = vm.addr(key);
        request.signedAt = uint32(request.signedAt);
        request.resultDeadline = request.signedAt + uint24(request.resultDeadline);
        (request.cpuSeconds, request.memoryMiB) = (uint24(request.cpuSeconds), uint24(request.memoryMiB));
        bytes32 separator = keccak256(abi.encode(seal));
        bytes32 requestId = Assets.request(separator, request);
        bytes32 signed = PlainAssets.accepted(separator, requestId, request.signedAt + uint16(afters >> 40));
        signed = PlainAssets.confirmed(separator, signed, request.signedAt + uint16(afters >> 24));
        bytes memory record = _record(request, seal, key, signed, afters);
        (bool holds, bytes32 resultId) = this.frame(record, separator, request.host, request.home);
        assertEq(resultId, Assets.result(separator, requestId, seal, request.signedAt + uint24(afters)), "leaf");
        assertTrue(holds, "signed");
        (holds,) = this.frame(record, separator, request.host, vm.addr(key + 1));
        assertTrue(!holds, "by this home only");
        record[uint256(seal) % 96] ^= 0x01;
        (holds,) = this.frame(record, separator, request.host, request.home);
        assertTrue(!holds, "of this request only");
    }

    function _record(IKudosLedger.Request memory r, bytes32 seal, uint256 key, bytes32 signed, uint56 afters)
        private
        pure
        returns (bytes memory)
    {
        (uint8 v, bytes32 sigR, bytes32 sigS) = vm.sign(key, signed);
        bytes memory words = abi.encodePacked(
            r.processId, r.processName, r.commitment, seal, sigR, bytes32(uint256(sigS) | uint256(v - 27) << 255)
        );
        bytes memory limits = abi.encodePacked(uint24(r.cpuSeconds), uint24(r.memoryMiB), r.outputKiB);
        return abi.encodePacked(words, r.seq, uint32(r.signedAt), uint24(r.resultDeadline - r.signedAt), limits, afters);
    }

    function frame(bytes calldata record, bytes32 separator, address host, address home)
        external
        view
        returns (bool holds, bytes32 resultId)
    {
        RecordFrame.open(separator, host);
        RecordFrame.setHome(home);
        return RecordFrame.confirmed(record, 0, PackedBatch.confirmedNumbers(record, 0));
    }

    /// @dev A signature of nothing is not the zero address's.
    function testNobodySignsForTheZeroAddress() public view {
        (bool holds,) = this.frame(new bytes(PackedBatch.CONFIRMED_BYTES), "separator", address(1), address(0));
        assertTrue(!holds, "no signature");
    }

    function testFuzzOrderOfTimes(uint16 accepted, uint16 confirmed, uint24 result) public pure {
        uint256 numbers = uint256(accepted) << 72 | uint256(confirmed) << 56 | uint256(result) << 32;
        assertTrue(PackedBatch.isInOrder(numbers) == (accepted <= confirmed && confirmed <= result), "order");
    }

    /// @dev Whoever passes as no suspect would have passed the check.
    function testFuzzOnlySuspectsAreRefused(address[5] memory drawn, uint256 home, address host) public pure {
        address[] memory seats = new address[](5);
        for (uint256 i = 0; i < 5; ++i) {
            seats[i] = drawn[i];
        }
        address node = home % 7 < 5 ? drawn[home % 7] : home % 7 == 5 ? host : address(uint160(home >> 8));
        bool refused = Parties.check(seats, node, host) != Reasons.NONE;
        bool expected = node == host;
        for (uint256 i = 0; i < 5; ++i) {
            expected = expected || seats[i] == node || seats[i] == host;
        }
        assertTrue(refused == expected, "refused");
        assertTrue(!refused || Parties.isSuspect(Parties.suspects(seats, host), node), "and suspected before");
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
