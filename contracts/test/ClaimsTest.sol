// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "../interfaces/IBeacon.sol";
import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IKudosClaims} from "../interfaces/IKudosClaims.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {ISecondClaims} from "../interfaces/ISecondClaims.sol";
import {Assets} from "../libraries/Assets.sol";
import {LedgerDouble} from "./LedgerDouble.sol";
import {PlainAssets} from "./PlainAssets.sol";
import {TestBase} from "./Vm.sol";

/// @title Migrations that are canaries, and claims on them, over a ledger set by hand
abstract contract ClaimsTest is TestBase {
    /// @dev A canary as home and host know it together. `family` is the number of a puzzle's, or 0.
    struct Canary {
        IKudosLedger.Request request;
        uint8 form;
        uint8 family;
        bytes32 familyName;
        bytes32 taskDigest;
        bytes32 parameters;
        bytes32 salt;
        bytes32 markHash;
        bytes32 sealSalt;
        bytes32 last;
        uint24 resultAfter;
        uint256 homeKey;
    }

    uint8 internal constant PUZZLE = 1;
    uint8 internal constant PLANTED = 2;
    uint8 internal constant DRAWN = 3;
    uint8 internal constant SAME_HOME = 4;
    uint8 internal constant SIGNED = 8;
    uint8 internal constant APPROVE = 128;
    uint8 internal constant REFUSE = 129;
    uint8 internal constant OTHER_RESULT = 131;
    uint8 internal constant ABSTAIN = 145;
    uint8 internal constant NOT_REPEATABLE = 147;

    uint256 internal constant NOW = 1_790_000_000;
    uint64 internal constant ROUND = 1 hours;
    uint64 internal constant PERIOD = 1 days;
    uint64 internal constant REVEAL = 2 hours;
    uint16 internal constant RATE = 6_554;
    uint8 internal constant FLOOR = 8;
    uint32 internal constant PER_HOST = 3;
    uint256 internal constant HOST_KEY = 0xA000;
    uint256 internal constant HOME_KEY = 0xB000;
    uint256 internal constant VALIDATOR_KEY = 0xC000;
    /// @dev A discrete logarithm, and the start of its interval of 2^20.
    uint256 internal constant K = 0x123456789abcdef;
    uint256 internal constant START = 0x123456789a00000;

    LedgerDouble internal ledger;
    IKudosClaims internal claims;
    IBeacon internal beacon;
    address internal host;
    address internal queue = address(0xCAFE);
    address[] internal seats;

    function setUp() public virtual {
        vm.warp(NOW);
        vm.roll(1_000);
        host = vm.addr(HOST_KEY);
        _deploy(3, 2, 0);
    }

    function _deploy(uint256 n, uint256 m, uint64 k2Cap) internal virtual {
        delete seats;
        for (uint256 i = 0; i < n; ++i) {
            seats.push(vm.addr(VALIDATOR_KEY + i));
        }
        ledger = new LedgerDouble(seats, m, k2Cap, queue);
        beacon = IBeacon(ledger.create(bytes.concat(vm.getCode("Beacon.sol:Beacon"), abi.encode(PERIOD, REVEAL))));
        ledger.know(address(0), address(beacon));
        bytes memory arguments = abi.encode(ROUND, RATE, FLOOR, PER_HOST);
        claims = IKudosClaims(
            ledger.create(bytes.concat(vm.getCode("KudosClaims.sol:KudosClaims"), arguments))
        );
        ledger.know(address(claims), address(beacon));
    }

    // ------------------------------------------------------------------ migrations

    function _puzzle(uint256 home, uint32 seq) internal view returns (Canary memory canary) {
        canary = _canary(home, seq);
        (canary.form, canary.family, canary.familyName) = (PUZZLE, 1, "dlog");
        canary.parameters = _dlog(K, START, 20);
        canary.last = bytes32(K);
        _commit(canary);
    }

    function _planted(uint256 home, uint32 seq) internal view returns (Canary memory canary) {
        canary = _canary(home, seq);
        (canary.form, canary.familyName, canary.parameters) = (PLANTED, "replay", "parameters");
        canary.last = keccak256(abi.encode("result", home, seq));
        _commit(canary);
    }

    function _drawn(uint256 home, uint32 seq) internal view returns (Canary memory canary) {
        canary = _canary(home, seq);
        canary.form = DRAWN;
        canary.markHash = keccak256(abi.encode("mark", home, seq));
        canary.last = keccak256(abi.encode("result", home, seq));
        _commit(canary);
    }

    function _dlog(uint256 k, uint256 start, uint256 bits) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(vm.addr(k))) << 96 | start << 8 | bits);
    }

    /// @dev Fills in the commitment that covers what the canary says.
    function _commit(Canary memory canary) internal view {
        if (canary.form != DRAWN) {
            canary.markHash = keccak256(abi.encode(uint8(1), canary.familyName, canary.parameters, canary.salt));
        }
        IKudosLedger.Request memory r = canary.request;
        r.commitment = Assets.commitment(
            block.chainid, address(ledger), r.home, r.host, r.seq, canary.taskDigest, canary.markHash
        );
    }

    function _separator() internal view returns (bytes32) {
        return Assets.domain(block.chainid, address(ledger));
    }

    function _digest(Canary memory canary) internal pure returns (bytes32) {
        return canary.form == PUZZLE ? PlainAssets.puzzleDigest(canary.last) : canary.last;
    }

    function _requestId(Canary memory canary) internal view returns (bytes32) {
        return Assets.request(_separator(), canary.request);
    }

    function _seal(Canary memory canary) internal view returns (bytes32) {
        return Assets.seal(_digest(canary), canary.sealSalt, canary.request.host, _requestId(canary));
    }

    function _resultId(Canary memory canary) internal view returns (bytes32) {
        uint256 resultAt = canary.request.signedAt + canary.resultAfter;
        return Assets.result(_separator(), _requestId(canary), _seal(canary), resultAt);
    }

    function _kudosId(Canary memory canary) internal view returns (bytes32) {
        return Assets.canaryKudos(_separator(), _resultId(canary), _digest(canary), canary.sealSalt);
    }

    /// @dev Settles the canaries in one batch.
    function _settle(Canary[] memory canaries) internal virtual returns (bytes32 root) {
        root = _root(_leaves(canaries));
        ledger.settleBatch(host, root, uint8(canaries.length), uint8(canaries.length), uint64(block.timestamp));
    }

    function _settleOne(Canary memory canary) internal returns (bytes32 root) {
        return _settle(_list(canary));
    }

    function _list(Canary memory canary) internal pure returns (Canary[] memory canaries) {
        canaries = new Canary[](1);
        canaries[0] = canary;
    }

    // ------------------------------------------------------------------ packed claims

    /// @dev An item with the nodes of `levels` below its highest bit; `place` = 0 for the strict way.
    function _pack(Canary memory c, uint8 flags, bytes memory place, bytes memory words)
        internal
        pure
        returns (bytes memory)
    {
        IKudosLedger.Request memory r = c.request;
        bytes memory result = abi.encodePacked(
            r.processId,
            r.processName,
            r.seq,
            uint32(r.signedAt),
            uint24(r.resultDeadline - r.signedAt),
            uint24(r.cpuSeconds),
            uint24(r.memoryMiB),
            r.outputKiB,
            c.resultAfter
        );
        bytes memory home = flags & SAME_HOME == 0 ? abi.encodePacked(r.home) : bytes("");
        return bytes.concat(bytes1(c.form | flags), home, result, place, _opening(c), words);
    }

    function _opening(Canary memory c) internal pure returns (bytes memory) {
        if (c.form == DRAWN) return abi.encodePacked(c.taskDigest, c.markHash, c.sealSalt, c.last);
        bytes memory family = c.form == PUZZLE ? abi.encodePacked(c.family) : abi.encodePacked(c.familyName);
        return abi.encodePacked(family, c.taskDigest, c.parameters, c.salt, c.sealSalt, c.last);
    }

    /// @dev An item that carries its whole path.
    function _item(Canary[] memory canaries, uint256 index) internal view returns (bytes memory) {
        return _pack(canaries[index], 0, _place(canaries, index), "");
    }

    function _place(Canary[] memory canaries, uint256 index) internal view returns (bytes memory place) {
        bytes32[] memory leaves = _leaves(canaries);
        uint256 depth = _depth(leaves.length);
        place = abi.encodePacked(uint8((2 << depth) - 1), uint8(index));
        for (uint256 level = 0; level < depth; ++level) {
            place = abi.encodePacked(place, _node(leaves, level, (index >> level) ^ 1));
        }
    }

    /// @dev An item alone in its batch.
    function _alone(Canary memory canary) internal pure returns (bytes memory) {
        return _pack(canary, 0, hex"0100", "");
    }

    function _claim(bytes memory packed) internal {
        vm.prank(host);
        claims.claim(packed);
    }

    function _expectNothing(bytes memory packed, uint256 reason) internal {
        vm.expectRevert(abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(reason)));
        vm.prank(host);
        claims.claim(packed);
    }

    function _openPlanted(uint32 seq) internal returns (bytes32 kudosId) {
        Canary memory canary = _planted(0, seq);
        _settleOne(canary);
        _claim(_alone(canary));
        return _kudosId(canary);
    }

    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    // ------------------------------------------------------------------ votes

    function _standing(bytes32 kudosId) internal view returns (IClaimVotes.Standing) {
        return claims.kudosClaim(kudosId).standing;
    }

    function _assertStanding(bytes32 kudosId, IClaimVotes.Standing standing) internal view {
        assertEq(uint256(_standing(kudosId)), uint256(standing), "standing");
    }

    function _ballot(bytes32 kudosId, uint8 reason) internal pure returns (IClaimVotes.Vote[] memory votes) {
        votes = new IClaimVotes.Vote[](1);
        votes[0] = IClaimVotes.Vote({kudosId: kudosId, reason: reason});
    }

    function _commitVotes(uint256 seat, IClaimVotes.Vote[] memory votes) internal returns (uint64 round) {
        round = claims.roundOf(block.timestamp);
        bytes32 commitment = claims.hashVotes(seats[seat], round, votes, bytes32(seat));
        vm.prank(seats[seat]);
        claims.commitVotes(round, commitment);
    }

    function _reveal(uint256 seat, uint64 round, IClaimVotes.Vote[] memory votes) internal {
        claims.revealVotes(seats[seat], round, votes, bytes32(seat));
    }

    /// @dev All vote by these reasons (0: not at all) on a K3 that was opened just now.
    function _voteOnCanary(bytes32 kudosId, uint8[] memory reasons) internal {
        vm.warp(block.timestamp + ROUND);
        uint64 round = claims.roundOf(block.timestamp);
        for (uint256 i = 0; i < reasons.length; ++i) {
            if (reasons[i] != 0) _commitVotes(i, _ballot(kudosId, reasons[i]));
        }
        vm.warp(block.timestamp + ROUND);
        for (uint256 i = 0; i < reasons.length; ++i) {
            if (reasons[i] != 0) _reveal(i, round, _ballot(kudosId, reasons[i]));
        }
    }

    function _three(uint8 a, uint8 b, uint8 c) internal pure returns (uint8[] memory reasons) {
        reasons = new uint8[](3);
        (reasons[0], reasons[1], reasons[2]) = (a, b, c);
    }

    // ------------------------------------------------------------------ trees, in the plainest way

    function _leaves(Canary[] memory canaries) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](canaries.length);
        for (uint256 i = 0; i < canaries.length; ++i) {
            leaves[i] = _resultId(canaries[i]);
        }
    }

    function _depth(uint256 n) internal pure returns (uint256 levels) {
        for (uint256 width = 1; width < n; width *= 2) {
            ++levels;
        }
    }

    function _node(bytes32[] memory leaves, uint256 level, uint256 index) internal pure returns (bytes32) {
        if (level == 0) return index < leaves.length ? leaves[index] : bytes32(0);
        bytes32 left = _node(leaves, level - 1, 2 * index);
        return keccak256(abi.encodePacked(left, _node(leaves, level - 1, 2 * index + 1)));
    }

    function _root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return _node(leaves, _depth(leaves.length), 0);
    }

    function _canary(uint256 home, uint32 seq) private view returns (Canary memory canary) {
        canary.homeKey = HOME_KEY + home;
        canary.request = IKudosSteps.Request({
            home: vm.addr(canary.homeKey),
            host: host,
            processId: keccak256(abi.encode("process", home, seq)),
            processName: "cc",
            commitment: 0,
            cpuSeconds: 60,
            memoryMiB: 512,
            outputKiB: 4096,
            seq: seq,
            resultDeadline: uint64(block.timestamp + 600),
            signedAt: uint64(block.timestamp - 60)
        });
        canary.taskDigest = keccak256(abi.encode("task", home, seq));
        canary.salt = keccak256(abi.encode("salt", home, seq));
        canary.sealSalt = keccak256(abi.encode("seal", home, seq));
        canary.resultAfter = 30;
    }

    function assertEq(bool left, bool right, string memory what) internal pure {
        assertEq(left ? 1 : 0, right ? 1 : 0, what);
    }
}
