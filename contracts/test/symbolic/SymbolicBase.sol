// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../../interfaces/IKudosSteps.sol";
import {KudosLedgerHarness} from "../KudosLedgerHarness.sol";
import {TestBase} from "../Vm.sol";

/// @title A ledger of three validators, and batches whose signatures are symbols
abstract contract SymbolicBase is TestBase {
    uint256 internal constant NOW = 1_790_000_000;
    uint64 internal constant EPOCH = 1 days;
    uint64 internal constant K1_ALLOWANCE = 1;
    address internal constant HOST = address(0xA0);
    address internal constant HOME = address(0xB0);
    address internal constant OTHER_HOME = address(0xB1);
    uint160 internal constant FIRST_SEAT = 0xC0;
    uint128 internal constant BOTH = 3;

    KudosLedgerHarness internal _ledger;

    function setUp() public {
        _ledger = _deploy(_seats(3), 2);
        _ledger.setTime(NOW);
    }

    function _deploy(address[] memory seats, uint256 m) internal returns (KudosLedgerHarness) {
        bytes32[3] memory noSatellites;
        return new KudosLedgerHarness(seats, m, EPOCH, K1_ALLOWANCE, 0, noSatellites, address(0));
    }

    function _seats(uint256 n) internal pure returns (address[] memory seats) {
        seats = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            seats[i] = address(FIRST_SEAT + uint160(i));
        }
    }

    // ------------------------------------------------------------------ building

    function _settleTwo(bytes32[4] memory signed) internal returns (bytes32) {
        bytes memory first = _confirmed(7, [signed[0], signed[1]]);
        bytes memory second = _confirmed(8, [signed[2], signed[3]]);
        bytes32 root = _settle(_batch(2, 2, _group(HOME, 2, bytes.concat(first, second))));
        // Only where both signatures hold: fewer paths, and the fewer claims of the others are the same code.
        vm.assume(_claimsOf(root) == BOTH);
        return root;
    }

    function _settle(bytes memory packed) internal returns (bytes32) {
        vm.prank(HOST);
        return _ledger.settle(HOST, packed, "");
    }

    function _claimsOf(bytes32 root) internal view returns (uint256 claims) {
        (,,, claims,,) = _ledger.batch(HOST, root);
    }

    function _batch(uint8 n, uint8 confirmed, bytes memory groups) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(1), n, confirmed, groups);
    }

    function _group(address home, uint8 count, bytes memory records) internal pure returns (bytes memory) {
        return abi.encodePacked(home, count, records);
    }

    function _confirmed(uint32 seq, bytes32[2] memory signature) internal pure returns (bytes memory) {
        return _confirmedWith(seq, signature, "commitment", "seal");
    }

    function _confirmedWith(uint32 seq, bytes32[2] memory signature, bytes32 commitment, bytes32 seal)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory head = abi.encodePacked(bytes32("process"), bytes32("cc"), commitment, seal);
        return abi.encodePacked(head, signature, _numbers(seq), uint16(1), uint16(2), uint24(30));
    }

    /// @dev The REQUEST that both kinds of record write.
    function _request(uint32 seq, bytes32 commitment) internal pure returns (IKudosSteps.Request memory) {
        return IKudosSteps.Request({
            home: HOME,
            host: HOST,
            processId: "process",
            processName: "cc",
            commitment: commitment,
            cpuSeconds: 60,
            memoryMiB: 512,
            outputKiB: 4096,
            seq: seq,
            resultDeadline: uint64(NOW + 540),
            signedAt: uint64(NOW - 60)
        });
    }

    function _rejected(uint32 seq, bytes32[2] memory signature) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(bytes32("process"), bytes32("cc"), bytes32("commitment"));
        return abi.encodePacked(head, signature, _numbers(seq), uint16(1), uint8(3));
    }

    function _numbers(uint32 seq) internal pure returns (bytes memory) {
        return abi.encodePacked(seq, uint32(NOW - 60), uint24(600), uint24(60), uint24(512), uint32(4096));
    }

    function _vote(uint256 seat, bytes32 root, uint128 approve, uint128 refuse) internal {
        vm.prank(address(FIRST_SEAT + uint160(seat)));
        _ledger.vote(_votes(root, approve, refuse), new IKudosSteps.StepVote[](0));
    }

    function _votes(bytes32 root, uint128 approve, uint128 refuse)
        internal
        pure
        returns (IKudosLedger.BatchVote[] memory votes)
    {
        votes = new IKudosLedger.BatchVote[](1);
        votes[0] = IKudosLedger.BatchVote({host: HOST, root: root, approve: approve, refuse: refuse, reasons: ""});
    }
}
