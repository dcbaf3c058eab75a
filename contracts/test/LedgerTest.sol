// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {Assets} from "../libraries/Assets.sol";
import {createByName} from "./Creation.sol";
import {KudosLedgerHarness} from "./KudosLedgerHarness.sol";
import {PlainAssets} from "./PlainAssets.sol";
import {TestBase, Vm} from "./Vm.sol";

/// @title Nodes, validators and a builder of batches
abstract contract LedgerTest is TestBase {
    /// @dev A migration as the parties know it; `_pack` signs it and writes it in the packed form.
    struct Item {
        bool confirmed;
        uint256 homeKey;
        uint256 signerKey;
        IKudosSteps.Request request;
        bytes32 seal;
        uint16 acceptedAfter;
        uint16 confirmedAfter;
        uint24 resultAfter;
        uint8 rejection;
    }

    uint256 internal constant NOW = 1_790_000_000;
    uint64 internal constant EPOCH = 1 days;
    uint64 internal constant K1_ALLOWANCE = 3;
    uint256 internal constant HOST_KEY = 0xA000;
    uint256 internal constant HOME_KEY = 0xB000;
    uint256 internal constant VALIDATOR_KEY = 0xC000;
    bytes internal constant UNSIGNED = "";

    KudosLedgerHarness internal ledger;
    address internal host;
    address[] internal seats;

    function setUp() public virtual {
        host = vm.addr(HOST_KEY);
        _deploy(3, 2);
    }

    function _deploy(uint256 n, uint256 m) internal {
        delete seats;
        for (uint256 i = 0; i < n; ++i) {
            seats.push(vm.addr(VALIDATOR_KEY + i));
        }
        bytes32[3] memory noSatellites;
        _deployLedger(m, 0, noSatellites, address(0));
    }

    /// @dev With `seats` as they are.
    function _deployLedger(uint256 m, uint64 k2Allowance, bytes32[3] memory hashes, address before) internal {
        bytes memory arguments = abi.encode(seats, m, EPOCH, K1_ALLOWANCE, k2Allowance, hashes, before);
        ledger = KudosLedgerHarness(createByName(vm, "KudosLedgerHarness.sol:KudosLedgerHarness", arguments));
        ledger.setTime(NOW);
    }

    // ------------------------------------------------------------------ the set

    /// @dev Puts `seats` into place, as the queue would; zeros are empty seats.
    function _applySeats(uint256 m) internal {
        address[16] memory list;
        for (uint256 i = 0; i < seats.length; ++i) {
            list[i] = seats[i];
        }
        vm.prank(_queue());
        ledger.applySet(list, m);
    }

    function _queue() internal view returns (address queue) {
        (queue,,) = ledger.satellites();
    }

    function _claimsContract() internal view returns (address claims) {
        (, claims,) = ledger.satellites();
    }

    // ------------------------------------------------------------------ migrations

    /// @dev A migration that settles, from home number `home`.
    function _item(bool confirmed, uint256 home, uint32 seq) internal view returns (Item memory item) {
        item.confirmed = confirmed;
        item.homeKey = item.signerKey = HOME_KEY + home;
        item.request = IKudosSteps.Request({
            home: vm.addr(item.homeKey),
            host: host,
            processId: keccak256(abi.encode("process", home, seq)),
            processName: "cc",
            commitment: keccak256(abi.encode("commitment", home, seq)),
            cpuSeconds: 60,
            memoryMiB: 512,
            outputKiB: 4096,
            seq: seq,
            resultDeadline: uint64(NOW + 600),
            signedAt: uint64(NOW - 60)
        });
        item.seal = keccak256(abi.encode("seal", home, seq));
        (item.acceptedAfter, item.confirmedAfter, item.resultAfter) = (1, 2, 30);
        item.rejection = 3;
    }

    /// @dev `confirmed` confirmed items, then `rejected` rejected ones, of `homes` homes in turn, numbered from `seq`.
    function _items(uint256 confirmed, uint256 rejected, uint256 homes, uint32 seq)
        internal
        view
        returns (Item[] memory items)
    {
        items = new Item[](confirmed + rejected);
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = _item(i < confirmed, i * homes / items.length, seq + uint32(i));
        }
    }

    function _one(Item memory item) internal pure returns (Item[] memory items) {
        items = new Item[](1);
        items[0] = item;
    }

    function _requestId(Item memory item) internal view returns (bytes32) {
        return Assets.request(ledger.domainSeparator(), item.request);
    }

    /// @dev The asset that the home has signed, and the leaf.
    function _ids(Item memory item) internal view returns (bytes32 signed, bytes32 leaf) {
        bytes32 separator = ledger.domainSeparator();
        bytes32 requestId = _requestId(item);
        uint256 start = item.request.signedAt;
        if (!item.confirmed) {
            return (requestId, Assets.rejected(separator, requestId, item.rejection, start + item.acceptedAfter));
        }
        bytes32 acceptanceId = PlainAssets.accepted(separator, requestId, start + item.acceptedAfter);
        signed = PlainAssets.confirmed(separator, acceptanceId, start + item.confirmedAfter);
        leaf = Assets.result(separator, requestId, item.seal, start + item.resultAfter);
    }

    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    function _record(Item memory item) internal view returns (bytes memory) {
        IKudosSteps.Request memory request = item.request;
        (bytes32 signed,) = _ids(item);
        bytes memory head = abi.encodePacked(request.processId, request.processName, request.commitment);
        bytes memory numbers = abi.encodePacked(
            request.seq,
            uint32(request.signedAt),
            uint24(request.resultDeadline - request.signedAt),
            uint24(request.cpuSeconds),
            uint24(request.memoryMiB),
            request.outputKiB,
            item.acceptedAfter
        );
        bytes memory signature = _signature(item.signerKey, signed);
        if (!item.confirmed) return abi.encodePacked(head, signature, numbers, item.rejection);
        return abi.encodePacked(head, item.seal, signature, numbers, item.confirmedAfter, item.resultAfter);
    }

    /// @dev Neighbours of one home and one kind become a group.
    function _pack(Item[] memory items) internal view returns (bytes memory packed) {
        uint256 confirmed = 0;
        for (uint256 i = 0; i < items.length;) {
            uint256 end = i;
            bytes memory records = "";
            while (end < items.length && _sameGroup(items[i], items[end])) {
                records = bytes.concat(records, _record(items[end]));
                if (items[end].confirmed) ++confirmed;
                ++end;
            }
            packed = abi.encodePacked(packed, items[i].request.home, uint8(end - i), records);
            i = end;
        }
        packed = abi.encodePacked(uint8(1), uint8(items.length), uint8(confirmed), packed);
    }

    function _sameGroup(Item memory a, Item memory b) private pure returns (bool) {
        return a.request.home == b.request.home && a.confirmed == b.confirmed;
    }

    function _settle(Item[] memory items) internal returns (bytes32 root) {
        bytes memory packed = _pack(items);
        vm.prank(host);
        return ledger.settle(host, packed, UNSIGNED);
    }

    /// @dev Settles one item that must be refused for this reason.
    function _expectSkip(Item memory item, uint256 reason) internal {
        bytes memory packed = _pack(_one(item));
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(reason)));
        vm.prank(host);
        ledger.settle(host, packed, UNSIGNED);
    }

    /// @dev Settles and says what the event says.
    function _settleWatched(Item[] memory items)
        internal
        returns (bytes32 root, uint128 claims, bytes memory skipped, bytes memory packed)
    {
        vm.recordLogs();
        root = _settle(items);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1, "one event");
        assertEq(logs[0].topics[0], IKudosLedger.BatchSettled.selector, "BatchSettled");
        assertEq(logs[0].topics[1], bytes32(uint256(uint160(host))), "its host");
        assertEq(logs[0].topics[2], root, "its root");
        (claims, skipped, packed) = abi.decode(logs[0].data, (uint128, bytes, bytes));
    }

    // ------------------------------------------------------------------ trees, in the plainest way

    function _leaves(Item[] memory items) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            (, leaves[i]) = _ids(items[i]);
        }
    }

    function _depth(uint256 n) internal pure returns (uint256 levels) {
        for (uint256 width = 1; width < n; width *= 2) {
            ++levels;
        }
    }

    /// @dev The node that stands `level` levels above the leaves at `index`.
    function _node(bytes32[] memory leaves, uint256 level, uint256 index) internal pure returns (bytes32) {
        if (level == 0) return index < leaves.length ? leaves[index] : bytes32(0);
        bytes32 left = _node(leaves, level - 1, 2 * index);
        return keccak256(abi.encodePacked(left, _node(leaves, level - 1, 2 * index + 1)));
    }

    function _root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return _node(leaves, _depth(leaves.length), 0);
    }

    function _path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory path) {
        path = new bytes32[](_depth(leaves.length));
        for (uint256 level = 0; level < path.length; ++level) {
            path[level] = _node(leaves, level, (index >> level) ^ 1);
        }
    }

    // ------------------------------------------------------------------ votes

    function _vote(uint256 seat, bytes32 root, uint128 approve, uint128 refuse) internal {
        _voteWithReasons(seat, root, approve, refuse, "");
    }

    function _voteWithReasons(uint256 seat, bytes32 root, uint128 approve, uint128 refuse, bytes memory reasons)
        internal
    {
        IKudosLedger.BatchVote[] memory votes = new IKudosLedger.BatchVote[](1);
        votes[0] =
            IKudosLedger.BatchVote({host: host, root: root, approve: approve, refuse: refuse, reasons: reasons});
        vm.prank(seats[seat]);
        ledger.vote(votes, new IKudosSteps.StepVote[](0));
    }

    function _assertKudos(address node, uint256 k1, uint256 k2, uint256 k3) internal view {
        (uint64 has1, uint64 has2, uint64 has3) = ledger.kudos(node);
        assertEq(has1, k1, "k1");
        assertEq(has2, k2, "k2");
        assertEq(has3, k3, "k3");
    }

    function _batchClaims(bytes32 root) internal view returns (uint128 claims, uint128 verified, uint128 refused) {
        (,,, claims, verified, refused) = ledger.batch(host, root);
    }
}
