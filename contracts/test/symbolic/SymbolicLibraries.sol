// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../../interfaces/IKudosLedger.sol";
import {Assets} from "../../libraries/Assets.sol";
import {MerkleTree} from "../../libraries/MerkleTree.sol";
import {PackedBatch} from "../../libraries/PackedBatch.sol";
import {RecordFrame} from "../../libraries/RecordFrame.sol";
import {Sequences} from "../../libraries/Sequences.sol";
import {Tally} from "../../libraries/Tally.sol";
import {PlainAssets} from "../PlainAssets.sol";
import {TestBase} from "../Vm.sol";

/// @title What holds of the libraries for every input, shown by halmos (`make halmos`)
/// @dev Arguments of a `check_` function are symbols: one run stands for all values. keccak256 is taken to be free of
/// collisions.
contract SymbolicLibraries is TestBase {
    struct Opening {
        address home;
        address host;
        uint32 seq;
        bytes32 taskDigest;
        uint8 kind;
        bytes32 family;
        bytes32 parameters;
        bytes32 salt;
    }

    bytes32 private constant SEPARATOR = keccak256("any domain");

    mapping(uint256 word => uint256 bits) private _words;

    // ------------------------------------------------------------------ commitments and seals

    function check_commitmentOpensInOneWayOnly(Opening memory a, Opening memory b) public view {
        vm.assume(_commitment(a) == _commitment(b));
        assert(a.home == b.home && a.host == b.host && a.seq == b.seq && a.taskDigest == b.taskDigest);
        assert(a.kind == b.kind && a.family == b.family && a.parameters == b.parameters && a.salt == b.salt);
    }

    function _commitment(Opening memory opening) private view returns (bytes32) {
        return Assets.commitment(
            block.chainid,
            address(this),
            opening.home,
            opening.host,
            opening.seq,
            opening.taskDigest,
            Assets.mark(opening.kind, opening.family, opening.parameters, opening.salt)
        );
    }

    function check_commitmentOfAnotherLedgerIsAnother(uint256 chainId, address place, Opening memory a) public view {
        vm.assume(chainId != block.chainid || place != address(this));
        bytes32 mark = Assets.mark(a.kind, a.family, a.parameters, a.salt);
        bytes32 other = Assets.commitment(chainId, place, a.home, a.host, a.seq, a.taskDigest, mark);
        assert(other != _commitment(a));
    }

    function check_sealOpensInOneWayOnly(bytes32[4] memory a, bytes32[4] memory b) public pure {
        (address hostOfA, address hostOfB) = (address(uint160(uint256(a[2]))), address(uint160(uint256(b[2]))));
        vm.assume(Assets.seal(a[0], a[1], hostOfA, a[3]) == Assets.seal(b[0], b[1], hostOfB, b[3]));
        assert(a[0] == b[0] && a[1] == b[1] && hostOfA == hostOfB && a[3] == b[3]);
    }

    // ------------------------------------------------------------------ counting

    /// @dev Any five masks, any quorum of up to five, any bit.
    function check_atLeastIsTheCount(uint256[5] memory drawn, uint256 n, uint256 quorum, uint8 bit) public pure {
        n = _oneToFive(n);
        quorum = _oneToFive(quorum);
        uint256[] memory masks = new uint256[](n);
        uint256 naive = 0;
        for (uint256 i = 0; i < n; ++i) {
            masks[i] = drawn[i];
            naive += (drawn[i] >> bit) & 1;
        }
        assert((Tally.atLeast(quorum, masks) >> bit) & 1 == (naive >= quorum ? 1 : 0));
    }

    /// @dev A number on every path, where a symbol would make arrays of unknown length.
    function _oneToFive(uint256 symbol) private pure returns (uint256 number) {
        for (number = 1; number < 5; ++number) {
            if (symbol == number) return number;
        }
    }

    /// @dev As wide as a mask of seats. A symbol of 256 bits is too much for the solvers; the fuzz test has those.
    function check_countIsTheNaiveCount(uint16 bits) public pure {
        uint256 naive = 0;
        for (uint256 i = 0; i < 16; ++i) {
            naive += (bits >> i) & 1;
        }
        assert(Tally.count(bits) == naive && Tally.count16(bits) == naive);
        assert(Tally.count(uint256(bits) << 120) == naive);
    }

    // ------------------------------------------------------------------ sequence numbers

    function check_usedNumberStaysUsed(uint32 first, uint32 second, uint256 before) public {
        _words[uint256(first) >> 8] = before;
        _use(first);
        assert(Sequences.isUsed(_words, first));
        _use(second);
        assert(Sequences.isUsed(_words, first) && Sequences.isUsed(_words, second));
    }

    function check_useChangesNoOtherNumber(uint32 used, uint32 other, uint256 before) public {
        vm.assume(used != other);
        _words[uint256(other) >> 8] = before;
        bool was = Sequences.isUsed(_words, other);
        _use(used);
        assert(Sequences.isUsed(_words, other) == was);
    }

    /// @dev Two numbers in one go, as in a batch, are as two goes.
    function check_cursorIsAsTwoUses(uint32 first, uint32 second, uint32 asked) public {
        Sequences.Cursor memory cursor;
        Sequences.open(cursor, _words);
        Sequences.seek(cursor, first);
        Sequences.use(cursor, first);
        bool again = Sequences.seek(cursor, second);
        assert(again == (first == second));
        Sequences.use(cursor, second);
        Sequences.flush(cursor);
        assert(Sequences.isUsed(_words, asked) == (asked == first || asked == second));
    }

    function _use(uint256 seq) private {
        Sequences.Cursor memory cursor;
        Sequences.open(cursor, _words);
        Sequences.seek(cursor, seq);
        Sequences.use(cursor, seq);
        Sequences.flush(cursor);
    }

    // ------------------------------------------------------------------ trees

    function check_climbEndsInTheFoldOfTwo(bytes32[2] memory drawn) public view {
        bytes32[] memory path = new bytes32[](1);
        for (uint256 index = 0; index < 2; ++index) {
            bytes32[] memory leaves = new bytes32[](2);
            (leaves[0], leaves[1]) = (drawn[0], drawn[1]);
            path[0] = drawn[index ^ 1];
            assert(this.climb(drawn[index], index, path) == MerkleTree.fold(leaves));
        }
    }

    function check_climbEndsInTheFoldOfFour(bytes32[4] memory drawn) public view {
        bytes32[] memory path = new bytes32[](2);
        for (uint256 index = 0; index < 4; ++index) {
            bytes32[] memory leaves = new bytes32[](4);
            for (uint256 i = 0; i < 4; ++i) {
                leaves[i] = drawn[i];
            }
            path[0] = drawn[index ^ 1];
            uint256 pair = index < 2 ? 2 : 0;
            path[1] = keccak256(abi.encodePacked(drawn[pair], drawn[pair + 1]));
            assert(this.climb(drawn[index], index, path) == MerkleTree.fold(leaves));
        }
    }

    /// @dev At one place under one root there is one leaf, whatever paths are shown.
    function check_rootBindsTheLeaf(bytes32[3] memory a, bytes32[3] memory b, uint8 index) public view {
        uint256 place = _oneToFive(uint256(index) + 1) - 1;
        vm.assume(place < 4);
        bytes32[] memory pathOfA = new bytes32[](2);
        bytes32[] memory pathOfB = new bytes32[](2);
        (pathOfA[0], pathOfA[1], pathOfB[0], pathOfB[1]) = (a[1], a[2], b[1], b[2]);
        vm.assume(this.climb(a[0], place, pathOfA) == this.climb(b[0], place, pathOfB));
        assert(a[0] == b[0]);
    }

    function climb(bytes32 leaf, uint256 index, bytes32[] calldata path) external pure returns (bytes32) {
        return MerkleTree.climb(leaf, index, path);
    }

    // ------------------------------------------------------------------ the packed form

    /// @dev A CONFIRMED record is hashed and checked as the plainest code would, whatever stands in and around it.
    function check_confirmedIsHashedAsWritten(bytes32[6] memory words, uint224 numbers, bytes32 around, address home)
        public
        view
    {
        vm.assume(home != address(0));
        bytes memory batch = abi.encodePacked(around, words, numbers, around);
        (bool holds, bytes32 resultId) = this.confirmed(batch, 32, home);
        IKudosLedger.Request memory request = _request(words, numbers, home);
        bytes32 requestId = Assets.request(SEPARATOR, request);
        uint256 start = request.signedAt;
        assert(resultId == Assets.result(SEPARATOR, requestId, words[3], start + uint24(numbers)));
        bytes32 acceptanceId = PlainAssets.accepted(SEPARATOR, requestId, start + uint16(numbers >> 40));
        bytes32 confirmedId = PlainAssets.confirmed(SEPARATOR, acceptanceId, start + uint16(numbers >> 24));
        uint256 vs = uint256(words[5]);
        address signer = ecrecover(confirmedId, uint8(27 + (vs >> 255)), words[4], bytes32(vs << 1 >> 1));
        assert(holds == (signer == home));
    }

    function check_orderIsThatOfTheTimes(uint224 numbers) public pure {
        bool plain = uint16(numbers >> 40) <= uint16(numbers >> 24) && uint16(numbers >> 24) <= uint24(numbers);
        assert(PackedBatch.isInOrder(uint256(numbers) << 32) == plain);
    }

    function confirmed(bytes calldata batch, uint256 offset, address home)
        external
        view
        returns (bool holds, bytes32 resultId)
    {
        RecordFrame.open(SEPARATOR, address(0xA0));
        RecordFrame.setHome(home);
        return RecordFrame.confirmed(batch, offset, PackedBatch.confirmedNumbers(batch, offset));
    }

    function _request(bytes32[6] memory words, uint224 numbers, address home)
        private
        pure
        returns (IKudosLedger.Request memory request)
    {
        (request.home, request.host) = (home, address(0xA0));
        (request.processId, request.processName, request.commitment) = (words[0], words[1], words[2]);
        request.seq = uint32(numbers >> 192);
        request.signedAt = uint32(numbers >> 160);
        request.resultDeadline = request.signedAt + uint24(numbers >> 136);
        request.cpuSeconds = uint24(numbers >> 112);
        request.memoryMiB = uint24(numbers >> 88);
        request.outputKiB = uint32(numbers >> 56);
    }

    function check_rejectedFieldsAreRead(bytes32[5] memory words, uint192 numbers, bytes32 around) public view {
        bytes memory batch = abi.encodePacked(around, words, numbers, around);
        (IKudosLedger.Request memory request, bytes32[2] memory own, uint256[2] memory rest) =
            this.readRejected(batch, 32);
        bytes32[6] memory wider = [words[0], words[1], words[2], 0, 0, 0];
        IKudosLedger.Request memory plain = _request(wider, uint224(numbers) << 32, address(0));
        plain.host = address(0);
        assert(keccak256(abi.encode(request)) == keccak256(abi.encode(plain)));
        assert(own[0] == words[3] && own[1] == words[4]);
        assert(rest[0] == uint16(numbers >> 8));
        assert(rest[1] == uint8(numbers));
    }

    function readRejected(bytes calldata batch, uint256 offset)
        external
        pure
        returns (IKudosLedger.Request memory request, bytes32[2] memory own, uint256[2] memory rest)
    {
        uint256 numbers;
        (numbers, own[0], own[1]) = PackedBatch.readRejected(batch, offset);
        PackedBatch.readRequest(batch, offset, numbers, request);
        rest[0] = PackedBatch.rejectedAfter(numbers);
        rest[1] = PackedBatch.rejectionReason(numbers);
    }
}
