// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchoredLedger} from "../anchored/AnchoredLedger.sol";
import {IAnchoredLedger} from "../interfaces/IAnchoredLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {Assets} from "../libraries/Assets.sol";
import {SeatsDouble} from "./SeatsDouble.sol";
import {TestBase} from "./Vm.sol";

/// @title Validators that anchor, and a builder of migrations and trees
abstract contract AnchoredTest is TestBase {
    /// @dev What the validators sign and one of them sends.
    struct Draft {
        uint64 sequence;
        bytes32 root;
        uint32 count;
        address[] newHosts;
        bytes totals;
    }

    uint64 internal constant CHALLENGE = 30 days;
    uint64 internal constant ANSWER = 3 days;
    uint256 internal constant NOW = 1_790_000_000;
    uint256 internal constant VALIDATOR_KEY = 0xC000;
    uint256 internal constant HOME_KEY = 0xB000;

    SeatsDouble internal seats;
    AnchoredLedger internal anchors;

    function setUp() public virtual {
        vm.warp(NOW);
        address[] memory holders = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            holders[i] = vm.addr(VALIDATOR_KEY + i);
        }
        seats = new SeatsDouble(holders, 2, 1 days);
        anchors = new AnchoredLedger(address(seats), CHALLENGE, ANSWER);
    }

    function _host(uint256 i) internal pure returns (address) {
        return vm.addr(0xA000 + i);
    }

    function _hosts(uint256 from, uint256 count) internal pure returns (address[] memory hosts) {
        hosts = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            hosts[i] = _host(from + i);
        }
    }

    function _word(uint32 word, uint256 lanes) internal pure returns (bytes memory) {
        return abi.encodePacked(word, lanes);
    }

    // ------------------------------------------------------------------ anchors

    /// @dev Ten leaves of the one host, as the next anchor.
    function _draft() internal view returns (Draft memory draft) {
        (uint64 sequence, uint32 hosts) = anchors.next();
        draft.sequence = sequence;
        draft.root = keccak256("root");
        draft.count = 10;
        if (hosts == 0) draft.newHosts = _hosts(0, 1);
        draft.totals = _word(0, 10);
    }

    function _digest(Draft memory draft) internal view returns (bytes32) {
        bytes32 kind = keccak256("Anchor(uint64 sequence,bytes32 root,uint32 count,address[] newHosts,bytes totals)");
        bytes memory hosts = "";
        for (uint256 i = 0; i < draft.newHosts.length; ++i) {
            hosts = bytes.concat(hosts, abi.encode(draft.newHosts[i]));
        }
        bytes32 structHash = keccak256(
            abi.encode(kind, draft.sequence, draft.root, draft.count, keccak256(hosts), keccak256(draft.totals))
        );
        return Assets.digest(Assets.domain(block.chainid, address(anchors)), structHash);
    }

    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    function _signed(Draft memory draft, uint256 a, uint256 b) internal view returns (bytes memory) {
        bytes32 digest = _digest(draft);
        return bytes.concat(_signature(VALIDATOR_KEY + a, digest), _signature(VALIDATOR_KEY + b, digest));
    }

    function _send(Draft memory draft, bytes memory signatures) internal {
        anchors.anchor(draft.sequence, draft.root, draft.count, draft.newHosts, draft.totals, signatures);
    }

    function _anchor(Draft memory draft) internal returns (IAnchoredLedger.Anchored memory) {
        _send(draft, _signed(draft, 0, 2));
        return IAnchoredLedger.Anchored({
            sequence: draft.sequence,
            root: draft.root,
            count: draft.count,
            anchoredAt: uint64(block.timestamp)
        });
    }

    /// @dev Anchors these leaves for the first host.
    function _anchorLeaves(bytes32[] memory leaves) internal returns (IAnchoredLedger.Anchored memory) {
        Draft memory draft = _draft();
        draft.root = _node(leaves, _depth(leaves.length), 0);
        draft.count = uint32(leaves.length);
        draft.totals = _word(0, leaves.length);
        return _anchor(draft);
    }

    // ------------------------------------------------------------------ migrations

    /// @dev A sound migration, number `seq` of the first home and host.
    function _migration(uint32 seq) internal view returns (IAnchoredLedger.Migration memory migration) {
        migration.request = IKudosSteps.Request({
            home: vm.addr(HOME_KEY),
            host: _host(0),
            processId: keccak256(abi.encode("process", seq)),
            processName: "cc",
            commitment: keccak256(abi.encode("commitment", seq)),
            cpuSeconds: 60,
            memoryMiB: 512,
            outputKiB: 4096,
            seq: seq,
            resultDeadline: uint64(NOW + 600),
            signedAt: uint64(NOW - 60)
        });
        migration.seal = keccak256(abi.encode("seal", seq));
        (migration.acceptedAt, migration.confirmedAt, migration.resultAt) =
            (uint64(NOW - 59), uint64(NOW - 58), uint64(NOW - 30));
        _sign(migration, HOME_KEY);
    }

    function _sign(IAnchoredLedger.Migration memory migration, uint256 key) internal view {
        bytes32 separator = Assets.domain(block.chainid, address(anchors));
        bytes32 requestId = Assets.request(separator, migration.request);
        bytes32 acceptanceId = Assets.accepted(separator, requestId, migration.acceptedAt);
        bytes memory signature = _signature(key, Assets.confirmed(separator, acceptanceId, migration.confirmedAt));
        (migration.homeR, migration.homeVs) = abi.decode(signature, (bytes32, bytes32));
    }

    function _resultId(IAnchoredLedger.Migration memory migration) internal view returns (bytes32) {
        bytes32 separator = Assets.domain(block.chainid, address(anchors));
        bytes32 requestId = Assets.request(separator, migration.request);
        return Assets.result(separator, requestId, migration.seal, migration.resultAt);
    }

    /// @dev The ids of `count` sound migrations, numbered from 0.
    function _leaves(uint32 count) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint32 i = 0; i < count; ++i) {
            leaves[i] = _resultId(_migration(i));
        }
    }

    // ------------------------------------------------------------------ trees, in the plainest way

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

    function _path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory path) {
        path = new bytes32[](_depth(leaves.length));
        for (uint256 level = 0; level < path.length; ++level) {
            path[level] = _node(leaves, level, (index >> level) ^ 1);
        }
    }
}
