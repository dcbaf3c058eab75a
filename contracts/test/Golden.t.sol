// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {MerkleTree} from "../libraries/MerkleTree.sol";
import {KudosLedgerHarness} from "./KudosLedgerHarness.sol";
import {PlainAssets} from "./PlainAssets.sol";
import {TestBase, Vm} from "./Vm.sol";

/// @title The vectors that Python is tested against too
contract GoldenTest is TestBase {
    string private _json;
    uint256 private _chainId;
    address private _contract;
    bytes32 private _separator;

    function setUp() public {
        _json = vm.readFile("contracts/test/golden/vectors.json");
        _chainId = vm.parseJsonUint(_json, ".domain.chainId");
        _contract = vm.parseJsonAddress(_json, ".domain.verifyingContract");
        _separator = vm.parseJsonBytes32(_json, ".domain.separator");
    }

    function testDomain() public view {
        assertEq(Assets.domain(_chainId, _contract), _separator, "separator");
    }

    function testDigests() public view {
        uint256 compared = 0;
        for (uint256 i = 0; _has(_place(".cases", i)); ++i) {
            string memory place = _place(".cases", i);
            (bool onChain, bytes32 digest) = _digest(place);
            if (!onChain) continue;
            assertEq(digest, _word(place, ".digest"), place);
            ++compared;
        }
        assertTrue(compared > 6, "every type of asset that the contract hashes");
    }

    function testCommitments() public view {
        for (uint256 i = 0; _has(_place(".commitments", i)); ++i) {
            string memory place = _place(".commitments", i);
            bytes32 mark = Assets.mark(
                uint8(_number(place, ".kind")),
                _word(place, ".family"),
                _word(place, ".parameters"),
                _word(place, ".salt")
            );
            assertEq(mark, _word(place, ".markHash"), "markHash");
            bytes32 commitment = Assets.commitment(
                _chainId,
                _contract,
                _address(place, ".home"),
                _address(place, ".host"),
                uint32(_number(place, ".seq")),
                _word(place, ".taskDigest"),
                mark
            );
            assertEq(commitment, _word(place, ".commitment"), "commitment");
        }
        assertTrue(_has(".commitments[0]"), "there are some");
    }

    function testSeals() public view {
        for (uint256 i = 0; _has(_place(".seals", i)); ++i) {
            string memory place = _place(".seals", i);
            bytes32 seal = Assets.seal(
                _word(place, ".resultDigest"), _word(place, ".salt"), _address(place, ".host"), _word(place, ".requestId")
            );
            assertEq(seal, _word(place, ".seal"), "seal");
        }
        assertTrue(_has(".seals[0]"), "there are some");
    }

    /// @dev Batches that Python packed and signed settle here, skip nothing, and get the root that Python computed.
    function testBatches() public {
        KudosLedgerHarness ledger = _ledgerAtTheVectorsAddress();
        for (uint256 i = 0; _has(_place(".batches", i)); ++i) {
            string memory place = _place(".batches", i);
            bytes memory packed = vm.parseJsonBytes(_json, string.concat(place, ".batch"));
            bytes memory signature = vm.parseJsonBytes(_json, string.concat(place, ".hostSignature"));
            vm.recordLogs();
            bytes32 root = ledger.settle(_address(place, ".host"), packed, signature);
            Vm.Log[] memory logs = vm.getRecordedLogs();
            (, bytes memory skipped,) = abi.decode(logs[0].data, (uint128, bytes, bytes));
            assertEq(skipped, "", "nothing is skipped");
            assertEq(root, _word(place, ".root"), "root");
            _checkLastPath(place, root);
        }
        assertTrue(_has(".batches[0]"), "there are some");
    }

    function climb(bytes32 leaf, uint256 index, bytes32[] calldata path) external pure returns (bytes32) {
        return MerkleTree.climb(leaf, index, path);
    }

    function _checkLastPath(string memory place, bytes32 root) private view {
        bytes32[] memory leaves = vm.parseJsonBytes32Array(_json, string.concat(place, ".leaves"));
        bytes32[] memory path = vm.parseJsonBytes32Array(_json, string.concat(place, ".lastPath"));
        assertEq(path.length, MerkleTree.depth(leaves.length), "depth");
        assertEq(this.climb(leaves[leaves.length - 1], leaves.length - 1, path), root, "path");
    }

    /// @dev The code is put where the vectors say. It was deployed for another chain id, so that it does not use the
    /// domain that it was built with but works out the one of its new place.
    function _ledgerAtTheVectorsAddress() private returns (KudosLedgerHarness ledger) {
        address[] memory seats = new address[](1);
        seats[0] = address(this);
        vm.chainId(_chainId + 1);
        bytes memory arguments = abi.encode(seats, 1, uint64(1 days), type(uint64).max);
        address built = vm.deployCode("KudosLedgerHarness.sol:KudosLedgerHarness", arguments);
        vm.chainId(_chainId);
        vm.etch(_contract, built.code);
        ledger = KudosLedgerHarness(_contract);
        ledger.setTime(vm.parseJsonUint(_json, ".timestamp"));
        assertEq(ledger.domainSeparator(), _separator, "separator of its place");
    }

    function _digest(string memory place) private view returns (bool onChain, bytes32 digest) {
        bytes32 kind = keccak256(bytes(vm.parseJsonString(_json, string.concat(place, ".type"))));
        string memory v = string.concat(place, ".values");
        bytes32 separator = _separator;
        if (kind == keccak256("Request")) return (true, Assets.request(separator, _request(v)));
        if (kind == keccak256("CanaryOpened")) return (true, this.opened(v, _opening(v)));
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

    /// @dev External, because the library reads the claim from calldata.
    function opened(string calldata v, IKudosLedger.CanaryClaim calldata claim) external view returns (bytes32) {
        return Assets.canaryOpened(_separator, _word(v, ".requestId"), _word(v, ".resultId"), claim);
    }

    function _opening(string memory v) private view returns (IKudosLedger.CanaryClaim memory claim) {
        claim.taskDigest = _word(v, ".taskDigest");
        claim.family = _word(v, ".family");
        claim.parameters = _word(v, ".parameters");
        claim.salt = _word(v, ".salt");
        claim.openedAt = uint64(_number(v, ".signedAt"));
    }

    function _request(string memory v) private view returns (IKudosLedger.Request memory request) {
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

    function _place(string memory list, uint256 i) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(i), "]");
    }

    function _has(string memory place) private view returns (bool) {
        return vm.keyExistsJson(_json, place);
    }

    function _word(string memory place, string memory field) private view returns (bytes32) {
        return vm.parseJsonBytes32(_json, string.concat(place, field));
    }

    function _number(string memory place, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(_json, string.concat(place, field));
    }

    function _address(string memory place, string memory field) private view returns (address) {
        return vm.parseJsonAddress(_json, string.concat(place, field));
    }
}
