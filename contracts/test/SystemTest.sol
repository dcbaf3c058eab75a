// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {KudosLedger} from "../KudosLedger.sol";
import {IBeacon} from "../interfaces/IBeacon.sol";
import {IERC1155} from "../interfaces/IERC1155.sol";
import {IKudosClaims} from "../interfaces/IKudosClaims.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {ISecondClaims} from "../interfaces/ISecondClaims.sol";
import {IValidatorQueue} from "../interfaces/IValidatorQueue.sol";
import {Assets} from "../libraries/Assets.sol";
import {ClaimAssets} from "../libraries/ClaimAssets.sol";
import {ClaimsTest} from "./ClaimsTest.sol";
import {createByName} from "./Creation.sol";
import {LedgerDouble} from "./LedgerDouble.sol";
import {PlainAssets} from "./PlainAssets.sol";
import {Vm} from "./Vm.sol";

/// @title The whole system as it is deployed: the ledger and the three satellites that it has built
/// @dev `ledger` stands at the real one's address, for what `ClaimsTest` works out from that; everything that is called
/// is `core`.
abstract contract SystemTest is ClaimsTest {
    uint64 internal constant DELAY = 3 days;
    uint64 internal constant EPOCH = 1 days;
    uint64 internal constant K1_ALLOWANCE = 3;
    uint64 internal constant WINDOW = 7 days;

    KudosLedger internal core;
    IValidatorQueue internal gov;

    /// @dev Whatever a test does: what was minted by the log is what everybody's balances and totals are.
    modifier mintsAddUp() {
        vm.recordLogs();
        _;
        _checkMints(vm.getRecordedLogs());
    }

    function _deploy(uint256 n, uint256 m, uint64 k2Cap) internal override {
        delete seats;
        for (uint256 i = 0; i < n; ++i) {
            seats.push(vm.addr(VALIDATOR_KEY + i));
        }
        _deploySystem(m, k2Cap, address(0));
    }

    /// @dev With `seats` as they are; all satellites are built.
    function _deploySystem(uint256 m, uint64 k2Cap, address before) internal {
        bytes[3] memory codes = _satelliteCodes();
        bytes32[3] memory hashes = [keccak256(codes[0]), keccak256(codes[1]), keccak256(codes[2])];
        bytes memory arguments = abi.encode(seats, m, EPOCH, K1_ALLOWANCE, k2Cap, hashes, before);
        core = KudosLedger(createByName(vm, "KudosLedger.sol:KudosLedger", arguments));
        ledger = LedgerDouble(address(core));
        for (uint256 i = 0; i < 3; ++i) {
            core.build(codes[i]);
        }
        (address first, address second, address third) = core.satellites();
        (gov, claims, beacon) = (IValidatorQueue(first), IKudosClaims(second), IBeacon(third));
        queue = first;
    }

    function _satelliteCodes() internal view returns (bytes[3] memory) {
        return [
            bytes.concat(vm.getCode("ValidatorQueue.sol:ValidatorQueue"), abi.encode(DELAY)),
            bytes.concat(vm.getCode("KudosClaims.sol:KudosClaims"), abi.encode(ROUND, RATE, FLOOR, PER_HOST)),
            bytes.concat(vm.getCode("Beacon.sol:Beacon"), abi.encode(PERIOD, REVEAL))
        ];
    }

    // ------------------------------------------------------------------ settling

    function _settle(Canary[] memory canaries) internal override returns (bytes32 root) {
        bytes memory packed = abi.encodePacked(uint8(1), uint8(canaries.length), uint8(canaries.length));
        for (uint256 i = 0; i < canaries.length; ++i) {
            packed = abi.encodePacked(packed, canaries[i].request.home, uint8(1), _recordOf(canaries[i]));
        }
        vm.prank(host);
        return core.settle(host, packed, "");
    }

    function _recordOf(Canary memory c) private view returns (bytes memory) {
        IKudosLedger.Request memory r = c.request;
        bytes32 acceptanceId = PlainAssets.accepted(_separator(), _requestId(c), r.signedAt + 1);
        bytes32 confirmedId = PlainAssets.confirmed(_separator(), acceptanceId, r.signedAt + 2);
        bytes memory signature = _signature(c.homeKey, confirmedId);
        bytes memory head = abi.encodePacked(r.processId, r.processName, r.commitment, _seal(c), signature);
        return abi.encodePacked(head, _numbersOf(r), uint16(1), uint16(2), c.resultAfter);
    }

    function _numbersOf(IKudosLedger.Request memory r) internal pure returns (bytes memory) {
        uint24 lasts = uint24(r.resultDeadline - r.signedAt);
        return abi.encodePacked(
            r.seq, uint32(r.signedAt), lasts, uint24(r.cpuSeconds), uint24(r.memoryMiB), r.outputKiB
        );
    }

    /// @dev A batch of one REJECTED.
    function _settleRejected(Canary memory c) internal returns (bytes32 root) {
        IKudosLedger.Request memory r = c.request;
        bytes memory head = abi.encodePacked(uint8(1), uint8(1), uint8(0), r.home, uint8(1));
        bytes memory words = abi.encodePacked(r.processId, r.processName, r.commitment);
        bytes memory signature = _signature(c.homeKey, _requestId(c));
        bytes memory packed =
            abi.encodePacked(head, words, signature, _numbersOf(r), uint16(1), uint8(3));
        vm.prank(host);
        return core.settle(host, packed, "");
    }

    /// @dev REQUEST, ACCEPTED and CONFIRMED, each by its owner.
    function _walk(Canary memory c) internal {
        bytes32 requestId = _requestId(c);
        uint64 start = c.request.signedAt;
        vm.prank(c.request.home);
        core.submitRequest(c.request);
        vm.prank(host);
        core.submitAccepted(requestId, c.request.home, c.request.seq, start + 1);
        vm.prank(c.request.home);
        core.submitConfirmed(requestId, host, c.request.seq, start + 2, start + 1);
    }

    function _finish(Canary memory c) internal {
        (bytes32 requestId, bytes32 seal) = (_requestId(c), _seal(c));
        vm.prank(host);
        core.submitResult(requestId, c.request.home, c.request.seq, c.request.signedAt + c.resultAfter, seal);
    }

    function _strictly(Canary memory c) internal {
        _walk(c);
        _finish(c);
    }

    function _place(Canary memory c) internal pure returns (IKudosSteps.Place memory) {
        return IKudosSteps.Place({home: c.request.home, host: c.request.host, seq: c.request.seq});
    }

    // ------------------------------------------------------------------ votes in the ledger

    function _voteBatch(uint256 seat, bytes32 root, uint128 approve) internal {
        IKudosLedger.BatchVote[] memory votes = new IKudosLedger.BatchVote[](1);
        votes[0] = IKudosLedger.BatchVote({host: host, root: root, approve: approve, refuse: 0, reasons: ""});
        vm.prank(seats[seat]);
        core.vote(votes, new IKudosSteps.StepVote[](0));
    }

    function _voteStep(uint256 seat, Canary memory c) internal {
        IKudosSteps.StepVote[] memory votes = new IKudosSteps.StepVote[](1);
        votes[0] = IKudosSteps.StepVote({place: _place(c), id: _resultId(c), reason: APPROVE});
        vm.prank(seats[seat]);
        core.vote(new IKudosLedger.BatchVote[](0), votes);
    }

    // ------------------------------------------------------------------ second claims

    function _secondRecord(Canary memory c, bytes32 root) internal view returns (ISecondClaims.Record memory record) {
        (record.request, record.level, record.seal) = (c.request, 2, _seal(c));
        (record.answeredAt, record.root) = (c.request.signedAt + c.resultAfter, root);
        record.path = new bytes32[](0);
    }

    function _rejectedRecord(Canary memory c, bytes32 root) internal pure returns (ISecondClaims.Record memory record) {
        (record.request, record.level, record.rejection) = (c.request, 1, 3);
        (record.answeredAt, record.root) = (c.request.signedAt + 1, root);
        record.path = new bytes32[](0);
    }

    function _receipt(Canary memory c, uint64 receivedAt) internal view returns (bytes memory) {
        return _signature(c.homeKey, ClaimAssets.receipt(_separator(), _resultId(c), receivedAt));
    }

    function _voteDirectly(uint256 seat, bytes32 kudosId, uint8 reason) internal {
        vm.prank(seats[seat]);
        claims.vote(_ballot(kudosId, reason));
    }

    // ------------------------------------------------------------------ governance

    /// @dev Proposed by the first, approved by as many more as it takes, waited for, executed by a stranger.
    function _govern(IValidatorQueue.Content memory content) internal {
        vm.prank(seats[0]);
        uint256 proposal = gov.propose(content);
        bytes32 contentHash = gov.hashContent(content);
        uint256 quorum = core.threshold();
        for (uint256 i = 1; i < quorum; ++i) {
            vm.prank(seats[i]);
            gov.vote(proposal, contentHash, true);
        }
        vm.warp(block.timestamp + DELAY);
        gov.execute(proposal);
    }

    // ------------------------------------------------------------------ what must be true

    function _assertKudos(address node, uint256 k1, uint256 k2, uint256 k3) internal view {
        uint256[3] memory expected = [k1, k2, k3];
        (uint64 has1, uint64 has2, uint64 has3) = core.kudos(node);
        uint256[3] memory has = [uint256(has1), has2, has3];
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(has[i], expected[i], "total");
            assertEq(core.balanceOf(node, i + 1), expected[i], "balance");
        }
    }

    /// @dev Walks the log of a test: for each mint, all mints of the same node and level in the same ledger make up
    /// its balance there. So nothing was counted that the log does not say, and no mint is missing.
    function _checkMints(Vm.Log[] memory logs) private view {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IERC1155.TransferSingle.selector) continue;
            address node = address(uint160(uint256(logs[i].topics[3])));
            (uint256 level,) = abi.decode(logs[i].data, (uint256, uint256));
            uint256 minted = 0;
            for (uint256 j = 0; j < logs.length; ++j) {
                minted += _mintedBy(logs[j], logs[i].emitter, node, level);
            }
            assertEq(KudosLedger(logs[i].emitter).balanceOf(node, level), minted, "mints make the balance");
        }
    }

    function _mintedBy(Vm.Log memory log, address emitter, address node, uint256 level) private pure returns (uint256) {
        bool same = log.emitter == emitter && log.topics[0] == IERC1155.TransferSingle.selector
            && log.topics[3] == bytes32(uint256(uint160(node)));
        if (!same) return 0;
        (uint256 id, uint256 count) = abi.decode(log.data, (uint256, uint256));
        return id == level ? count : 0;
    }

    /// @dev The id that a KUDOS of this record has.
    function _secondId(ISecondClaims.Record memory record) internal view returns (bytes32) {
        bytes32 requestId = Assets.request(_separator(), record.request);
        bytes32 assetId = record.level == 2
            ? Assets.result(_separator(), requestId, record.seal, record.answeredAt)
            : Assets.rejected(_separator(), requestId, record.rejection, record.answeredAt);
        return ClaimAssets.kudos(_separator(), record.level, assetId);
    }
}
