// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {Assets} from "../libraries/Assets.sol";
import {MerkleTree} from "../libraries/MerkleTree.sol";
import {createByName} from "./Creation.sol";
import {GoldenVectors} from "./GoldenVectors.sol";
import {KudosLedgerHarness} from "./KudosLedgerHarness.sol";
import {PlainAssets} from "./PlainAssets.sol";
import {Vm} from "./Vm.sol";

/// @title The hashes and batches of the ledger itself
contract GoldenTest is GoldenVectors {
    function testDomain() public view {
        assertEq(Assets.domain(chainId, place), separator, "separator");
    }

    function testDigests() public view {
        uint256 compared = 0;
        for (uint256 i = 0; _has(_at(".cases", i)); ++i) {
            string memory item = _at(".cases", i);
            (bool onChain, bytes32 digest) = _digest(item);
            if (!onChain) continue;
            assertEq(digest, _word(item, ".digest"), item);
            ++compared;
        }
        assertTrue(compared > 6, "every type of asset that the contract hashes");
    }

    function testCommitments() public view {
        for (uint256 i = 0; _has(_at(".commitments", i)); ++i) {
            string memory item = _at(".commitments", i);
            bytes32 mark = Assets.mark(
                uint8(_number(item, ".kind")),
                _word(item, ".family"),
                _word(item, ".parameters"),
                _word(item, ".salt")
            );
            assertEq(mark, _word(item, ".markHash"), "markHash");
            bytes32 commitment = Assets.commitment(
                chainId,
                place,
                _address(item, ".home"),
                _address(item, ".host"),
                uint32(_number(item, ".seq")),
                _word(item, ".taskDigest"),
                mark
            );
            assertEq(commitment, _word(item, ".commitment"), "commitment");
        }
        assertTrue(_has(".commitments[0]"), "there are some");
    }

    function testSeals() public view {
        for (uint256 i = 0; _has(_at(".seals", i)); ++i) {
            string memory item = _at(".seals", i);
            bytes32 seal = Assets.seal(
                _word(item, ".resultDigest"), _word(item, ".salt"), _address(item, ".host"), _word(item, ".requestId")
            );
            assertEq(seal, _word(item, ".seal"), "seal");
        }
        assertTrue(_has(".seals[0]"), "there are some");
    }

    /// @dev Batches that Python packed and signed settle here, skip nothing, and get the root that Python computed.
    function testBatches() public {
        KudosLedgerHarness ledger = _ledgerAtTheVectorsAddress();
        for (uint256 i = 0; _has(_at(".batches", i)); ++i) {
            string memory item = _at(".batches", i);
            bytes memory packed = _bytes(item, ".batch");
            bytes memory signature = _bytes(item, ".hostSignature");
            vm.recordLogs();
            bytes32 root = ledger.settle(_address(item, ".host"), packed, signature);
            Vm.Log[] memory logs = vm.getRecordedLogs();
            (, bytes memory skipped,) = abi.decode(logs[0].data, (uint128, bytes, bytes));
            assertEq(skipped, "", "nothing is skipped");
            assertEq(root, _word(item, ".root"), "root");
            _checkLastPath(item, root);
        }
        assertTrue(_has(".batches[0]"), "there are some");
    }

    function climb(bytes32 leaf, uint256 index, bytes32[] calldata path) external pure returns (bytes32) {
        return MerkleTree.climb(leaf, index, path);
    }

    function _checkLastPath(string memory item, bytes32 root) private view {
        bytes32[] memory leaves = vm.parseJsonBytes32Array(json, string.concat(item, ".leaves"));
        bytes32[] memory path = vm.parseJsonBytes32Array(json, string.concat(item, ".lastPath"));
        assertEq(path.length, MerkleTree.depth(leaves.length), "depth");
        assertEq(this.climb(leaves[leaves.length - 1], leaves.length - 1, path), root, "path");
    }

    /// @dev The code is put where the vectors say. It was deployed for another chain id, so that it does not use the
    /// domain that it was built with but works out the one of its new place.
    function _ledgerAtTheVectorsAddress() private returns (KudosLedgerHarness ledger) {
        address[] memory seats = new address[](1);
        seats[0] = address(this);
        vm.chainId(chainId + 1);
        bytes32[3] memory noSatellites;
        bytes memory arguments =
            abi.encode(seats, 1, uint64(1 days), type(uint64).max, uint64(0), noSatellites, address(0));
        address built = createByName(vm, "KudosLedgerHarness.sol:KudosLedgerHarness", arguments);
        vm.chainId(chainId);
        vm.etch(place, built.code);
        ledger = KudosLedgerHarness(place);
        ledger.setTime(vm.parseJsonUint(json, ".timestamp"));
        assertEq(ledger.domainSeparator(), separator, "separator of its place");
    }

    function _digest(string memory item) private view returns (bool onChain, bytes32 digest) {
        bytes32 kind = keccak256(bytes(vm.parseJsonString(json, string.concat(item, ".type"))));
        string memory v = string.concat(item, ".values");
        if (kind == keccak256("Request")) return (true, Assets.request(separator, _request(v)));
        if (kind == keccak256("CanaryOpened")) return (true, _opened(v));
        if (kind == keccak256("Accepted")) {
            return (true, PlainAssets.accepted(separator, _word(v, ".requestId"), _number(v, ".signedAt")));
        }
        if (kind == keccak256("Rejected")) {
            bytes32 requestId = _word(v, ".requestId");
            return (true, Assets.rejected(separator, requestId, _number(v, ".reason"), _number(v, ".signedAt")));
        }
        if (kind == keccak256("Confirmed")) {
            return (true, PlainAssets.confirmed(separator, _word(v, ".acceptanceId"), _number(v, ".signedAt")));
        }
        if (kind == keccak256("Result")) {
            bytes32 requestId = _word(v, ".requestId");
            return (true, Assets.result(separator, requestId, _word(v, ".seal"), _number(v, ".signedAt")));
        }
        if (kind == keccak256("Batch")) {
            return (true, Assets.batch(separator, _address(v, ".host"), _word(v, ".content")));
        }
        if (kind == keccak256("Kudos") && _number(v, ".level") == 3) {
            bytes32 resultId = _word(v, ".assetId");
            return (true, Assets.canaryKudos(separator, resultId, _word(v, ".resultDigest"), _word(v, ".sealSalt")));
        }
        // Transport assets and the Kudos of K1 and K2 never reach the chain.
        return (false, 0);
    }

    function _opened(string memory v) private view returns (bytes32) {
        bytes32[4] memory content =
            [_word(v, ".taskDigest"), _word(v, ".family"), _word(v, ".parameters"), _word(v, ".salt")];
        (bytes32 requestId, bytes32 resultId) = (_word(v, ".requestId"), _word(v, ".resultId"));
        return Assets.canaryOpened(separator, requestId, resultId, content, _number(v, ".signedAt"));
    }

    function _request(string memory v) private view returns (IKudosSteps.Request memory request) {
        request.home = _address(v, ".home");
        request.host = _address(v, ".host");
        request.processId = _word(v, ".processId");
        request.processName = _word(v, ".processName");
        request.commitment = _word(v, ".commitment");
        request.cpuSeconds = uint32(_number(v, ".cpuSeconds"));
        request.memoryMiB = uint32(_number(v, ".memoryMiB"));
        request.outputKiB = uint32(_number(v, ".outputKiB"));
        request.seq = uint32(_number(v, ".seq"));
        request.resultDeadline = uint64(_number(v, ".resultDeadline"));
        request.signedAt = uint64(_number(v, ".signedAt"));
    }
}
