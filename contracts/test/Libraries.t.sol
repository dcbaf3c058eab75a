// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {Assets} from "../libraries/Assets.sol";
import {MerkleTree} from "../libraries/MerkleTree.sol";
import {PackedBatch} from "../libraries/PackedBatch.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {RecordFrame} from "../libraries/RecordFrame.sol";
import {Satellites} from "../libraries/Satellites.sol";
import {Seat, Seats} from "../libraries/Seats.sol";
import {Sequences} from "../libraries/Sequences.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {StepWord, StepWords} from "../libraries/StepWords.sol";
import {Tally} from "../libraries/Tally.sol";
import {PlainAssets} from "./PlainAssets.sol";
import {TestBase} from "./Vm.sol";

contract LibrariesTest is TestBase {
    mapping(uint256 word => uint256 bits) private _words;
    mapping(uint256 word => uint256 bits) private _otherWords;
    mapping(uint256 seq => bool) private _plain;

    // ------------------------------------------------------------------ Tally

    function testFuzzCount(uint256 bits) public pure {
        uint256 naive = 0;
        for (uint256 i = 0; i < 256; ++i) {
            naive += (bits >> i) & 1;
        }
        assertEq(Tally.count(bits), naive, "count");
        uint256 of16 = 0;
        for (uint256 i = 0; i < 16; ++i) {
            of16 += (bits >> i) & 1;
        }
        assertEq(Tally.count16(uint16(bits)), of16, "count of 16");
    }

    function testCountEdges() public pure {
        assertEq(Tally.count(0), 0, "none");
        assertEq(Tally.count(type(uint128).max), 128, "the lower half");
        assertEq(Tally.count(type(uint256).max), 256, "all");
        assertEq(Tally.count16(type(uint16).max), 16, "all 16");
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

    /// @dev The numbers of two bitmaps by turns, where the cursor takes the unwritten word of one along to the other. The
    /// set has those of the second one from 2^16 on.
    function testFuzzOneCursorForTwoBitmaps(uint16[12] memory seqs, uint256 turns) public {
        Sequences.Cursor memory cursor;
        for (uint256 i = 0; i < seqs.length; ++i) {
            bool second = (turns >> i) & 1 == 1;
            Sequences.open(cursor, second ? _otherWords : _words);
            if ((turns >> (32 + i)) & 1 == 1) continue;
            uint256 key = uint256(seqs[i]) + (second ? 1 << 16 : 0);
            assertTrue(Sequences.seek(cursor, seqs[i]) == _plain[key], "as the set says");
            Sequences.use(cursor, seqs[i]);
            _plain[key] = true;
        }
        Sequences.flush(cursor);
        for (uint256 i = 0; i < seqs.length; ++i) {
            assertTrue(Sequences.isUsed(_words, seqs[i]) == _plain[seqs[i]], "the first");
            bool other = Sequences.isUsed(_otherWords, seqs[i]);
            assertTrue(other == _plain[uint256(seqs[i]) + (1 << 16)], "the second");
        }
    }

    // ------------------------------------------------------------------ RecordFrame, PackedBatch

    /// @dev The frame's hashes against the plain ones; the home's signature holds for these and for nothing else.
    function testFuzzFrameHashesAsPlainly(IKudosSteps.Request memory request, bytes32 seal, uint256 key, uint56 afters)
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

    function _record(IKudosSteps.Request memory r, bytes32 seal, uint256 key, bytes32 signed, uint56 afters)
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

    // ------------------------------------------------------------------ words of several fields

    function testFuzzSeats(
        uint8 n,
        uint8 quorum,
        uint40 change,
        uint16 version,
        uint128 bloom,
        uint8 number,
        uint40 since
    ) public pure {
        number = number % 16;
        Seat set = Seats.ofSet(n, quorum, change, version, bloom);
        assertEq(set.bit(), 0, "the set has no seat");
        assertTrue(!set.closed() && set.asClosed().closed(), "closed once it is");
        Seat seat = set.asClosed().place(number, since);
        // Placing it anew replaces the place and nothing else.
        seat = seat.place(number ^ 1, ~since).place(number, since);
        assertEq(seat.numberPlusOne(), number + 1, "number");
        assertEq(seat.bit(), 1 << number, "bit");
        assertEq(seat.since(), since, "since");
        assertTrue(seat.closed(), "closed");
        assertEq(seat.n(), n, "n");
        assertEq(seat.quorum(), quorum, "quorum");
        assertEq(seat.lastChange(), change, "last change");
        assertEq(seat.version(), version, "version");
        assertEq(seat.bloom(), bloom, "bloom");
    }

    /// @dev Nobody who is in the bloom is overlooked, and without both bits nobody is suspected.
    function testFuzzBloom(address[4] memory members, address other) public pure {
        uint256 bloom = 0;
        for (uint256 i = 0; i < 4; ++i) {
            bloom |= Seats.bloomBits(members[i]);
        }
        for (uint256 i = 0; i < 4; ++i) {
            assertTrue(Seats.mayHave(bloom, members[i]), "a member");
        }
        assertTrue(bloom <= type(uint128).max, "fits");
        assertTrue(Seats.mayHave(bloom, other) == (bloom | Seats.bloomBits(other) == bloom), "both bits");
    }

    function testFuzzSteps(uint160 id, uint8 stage, uint8 claim, uint32 time, uint48 signedAt, uint8 number) public pure {
        IKudosSteps.Stage reached = IKudosSteps.Stage(stage % 7);
        IKudosSteps.State state = IKudosSteps.State(claim % 4);
        StepWord step = StepWords.make(id, reached, state, time, signedAt);
        assertEq(step.signedAt(), signedAt, "signed at");
        step = StepWords.make(id, reached, IKudosSteps.State.Refused, time, 0).withClaim(state);
        uint256 bit = 1 << (number % 16);
        step = step.withVote(bit, true, false).withVote(1, false, true).withVote(2, false, false);
        assertEq(step.fingerprint(), id, "fingerprint");
        assertTrue(step.stage() == reached && step.claim() == state, "stage and claim");
        assertEq(step.time(), time, "time");
        assertEq(step.voters(), bit | 3, "voters");
        assertEq(step.approvals(), bit, "approvals");
        assertEq(step.refusals(), 1, "refusals");
    }

    function testFuzzWhatAStepIs(uint160 id, uint160 other, uint8 stage, uint8 claim, uint96 rest) public pure {
        IKudosSteps.State state = IKudosSteps.State(claim % 4);
        StepWord step = StepWords.make(id, IKudosSteps.Stage(stage % 7), state, uint32(rest), rest >> 48);
        assertTrue(step.hasClaim() == (claim % 4 != 0) && step.isOpen() == (claim % 4 == 1), "its claim");
        for (uint8 i = 0; i < 7; ++i) {
            assertTrue(step.stands(IKudosSteps.Stage(i), id) == (i == stage % 7), "at its stage");
        }
        assertTrue(other == id || !step.stands(IKudosSteps.Stage(stage % 7), other), "with this asset alone");
    }

    /// @dev As CREATE works it out.
    function testSatellitesAddresses() public {
        SatelliteMaker maker = new SatelliteMaker();
        for (uint8 number = 1; number < 5; ++number) {
            assertEq(maker.make(), Satellites.addressOf(address(maker), number), "the next one");
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
        assertTrue(!Signatures.isBy(address(1), digest, 0, 0), "what is no signature is nobody's");
        assertTrue(!this.isBy(vm.addr(key), digest, bytes.concat(r, s, bytes1(v))), "65 bytes are another form");
    }

    function isBy(address signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signatures.isBy(signer, digest, signature);
    }

    // ------------------------------------------------------------------ Reasons

    /// @dev The JSON is the registry: every code here has its name there, and no skip code is missing here.
    function testReasonsAreThoseOfTheRegistry() public view {
        string memory json = vm.readFile("contracts/types/reasons.json");
        uint256[26] memory codes = _skipCodes();
        string[26] memory names = _skipNames();
        assertEq(vm.parseJsonKeys(json, ".skip").length, codes.length, "all of them");
        for (uint256 i = 0; i < codes.length; ++i) {
            string memory key = string.concat(".skip['", vm.toString(codes[i]), "'][0]");
            assertEq(bytes(vm.parseJsonString(json, key)), bytes(names[i]), names[i]);
        }
    }

    function _skipCodes() private pure returns (uint256[26] memory) {
        return [
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
            Reasons.NOT_AUTHORISED,
            Reasons.OUT_OF_TURN,
            Reasons.BAD_SOLUTION,
            Reasons.UNKNOWN_FAMILY,
            Reasons.NOT_DRAWN,
            Reasons.NO_BEACON,
            Reasons.UNKNOWN_CLAIM,
            Reasons.NOT_ELIGIBLE,
            Reasons.WRONG_ROUND,
            Reasons.VOTED_BEFORE,
            Reasons.NOT_A_VOTE,
            Reasons.NOT_TIMED_OUT,
            Reasons.NOT_LATE,
            Reasons.OVER_CAP
        ];
    }

    function _skipNames() private pure returns (string[26] memory) {
        return [
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
            "NOT_AUTHORISED",
            "OUT_OF_TURN",
            "BAD_SOLUTION",
            "UNKNOWN_FAMILY",
            "NOT_DRAWN",
            "NO_BEACON",
            "UNKNOWN_CLAIM",
            "NOT_ELIGIBLE",
            "WRONG_ROUND",
            "VOTED_BEFORE",
            "NOT_A_VOTE",
            "NOT_TIMED_OUT",
            "NOT_LATE",
            "OVER_CAP"
        ];
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
            bool votes = code == Reasons.APPROVE || Reasons.isRefusal(code) || Reasons.isAbstention(code);
            assertTrue(votes == Reasons.isVote(code), "a vote");
            assertTrue((name[1] == "P") == (code == Reasons.APPROVE), "APPROVE");
            ++seen;
        }
        assertEq(seen, codes.length, "all were looked at");
    }
}

/// @title Creates contracts that hold nothing
contract SatelliteMaker {
    function make() external returns (address) {
        return this.create(hex"00");
    }

    function create(bytes calldata initCode) external returns (address) {
        return Satellites.create(initCode);
    }
}
