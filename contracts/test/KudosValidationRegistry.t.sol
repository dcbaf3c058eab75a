// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {KudosValidationRegistry} from "../adapters/KudosValidationRegistry.sol";
import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IERC8004Validation} from "../interfaces/IERC8004Validation.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {TestBase} from "./Vm.sol";

/// @title A ledger and its claims contract in one, with the answers set by hand
contract AnswersDouble {
    mapping(bytes32 kudosId => IClaimVotes.ClaimView) private _claims;
    address private _claimsAt = address(this);

    function set(bytes32 kudosId, IClaimVotes.Standing standing, uint8 level, address host) external {
        _claims[kudosId].standing = standing;
        _claims[kudosId].level = level;
        _claims[kudosId].host = host;
        _claims[kudosId].openedAt = 1234;
    }

    function kudosClaim(bytes32 kudosId) external view returns (IClaimVotes.ClaimView memory) {
        return _claims[kudosId];
    }

    function know(address claims) external {
        _claimsAt = claims;
    }

    function satellites() external view returns (address queue, address claims, address beacon) {
        return (address(0), _claimsAt, address(0));
    }

    function kudos(address node) external pure returns (uint64 k1, uint64 k2, uint64 k3) {
        return node == address(0x5742) ? (uint64(0), uint64(0), uint64(0)) : (uint64(3), uint64(20), uint64(100));
    }

    /// @dev Records 0 to 3: verified, refused, open, without a claim; the first two are K2.
    function batch(address, bytes32)
        external
        pure
        returns (uint8 n, uint8 confirmed, uint64 settledAt, uint128 claims, uint128 verified, uint128 refused)
    {
        return (4, 1, 1234, 7, 1, 2);
    }
}

contract KudosValidationRegistryTest is TestBase {
    address internal constant NODE = address(0xA000);
    address internal constant STRANGER = address(0x5742);

    AnswersDouble internal ledger;
    KudosValidationRegistry internal registry;

    function setUp() public {
        ledger = new AnswersDouble();
        registry = new KudosValidationRegistry(IKudosLedger(address(ledger)));
    }

    /// @dev The selectors and topics as computed from the ABI file of the pinned revision, not from our interface.
    function testSelectorsAreThoseOfThePinnedRevision() public pure {
        _isSelector(IERC8004Validation.validationRequest.selector, "validationRequest(address,uint256,string,bytes32)");
        _isSelector(
            IERC8004Validation.validationResponse.selector, "validationResponse(bytes32,uint8,string,bytes32,string)"
        );
        _isSelector(IERC8004Validation.getIdentityRegistry.selector, "getIdentityRegistry()");
        _isSelector(IERC8004Validation.getValidationStatus.selector, "getValidationStatus(bytes32)");
        _isSelector(IERC8004Validation.getSummary.selector, "getSummary(uint256,address[],string)");
        _isSelector(IERC8004Validation.getAgentValidations.selector, "getAgentValidations(uint256)");
        _isSelector(IERC8004Validation.getValidatorRequests.selector, "getValidatorRequests(address)");
        _isSelector(IERC8004Validation.getVersion.selector, "getVersion()");
        bytes32 asked = keccak256("ValidationRequest(address,uint256,string,bytes32)");
        assertEq(IERC8004Validation.ValidationRequest.selector, asked, "ValidationRequest");
        bytes32 answered = keccak256("ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,string)");
        assertEq(IERC8004Validation.ValidationResponse.selector, answered, "ValidationResponse");
        assertEq(bytes32(type(IERC8004Validation).interfaceId), bytes32(bytes4(0x04af2bee)), "interface id");
    }

    function testFuzzStatus(bytes32 kudosId, uint256 standing, uint256 level) public {
        standing = bound(standing, 1, 4);
        level = bound(level, 1, 3);
        ledger.set(kudosId, IClaimVotes.Standing(standing), uint8(level), NODE);
        (address by, uint256 agentId, uint8 response, bytes32 responseHash, string memory tag, uint256 lastUpdate) =
            registry.getValidationStatus(kudosId);
        assertEq(by, address(ledger), "validator");
        assertEq(agentId, uint160(NODE), "agent");
        assertEq(response, standing == 2 ? 100 : 0, "response");
        assertEq(lastUpdate, 1234, "time");
        bool open = standing == 1;
        assertEq(responseHash, open ? bytes32(0) : kudosId, "an answer has a hash");
        bytes memory expected = open ? bytes("") : abi.encodePacked("K", bytes1(uint8(48 + level)));
        assertEq(bytes(tag), expected, "tag");
    }

    function testUnknownRequests() public {
        vm.expectRevert(abi.encodeWithSelector(KudosValidationRegistry.UnknownRequest.selector, bytes32("what")));
        registry.getValidationStatus("what");
        vm.expectRevert(abi.encodeWithSelector(KudosValidationRegistry.UnknownRequest.selector, bytes32("root")));
        registry.batchStatus(NODE, "root", 4);
    }

    function testSummaries() public view {
        _assertSummary(NODE, "", 123, 100);
        _assertSummary(NODE, "K1", 3, 100);
        _assertSummary(NODE, "K2", 20, 100);
        _assertSummary(NODE, "K3", 100, 100);
        _assertSummary(STRANGER, "", 0, 0);
        address[] memory asked = new address[](2);
        (uint64 count, uint8 average) = registry.getSummary(uint160(NODE), asked, "");
        assertTrue(count == 0 && average == 0, "others have not validated it");
        asked[1] = address(ledger);
        (count,) = registry.getSummary(uint160(NODE), asked, "");
        assertEq(count, 123, "the ledger has");
    }

    function testSummariesAreBounded() public {
        address[] memory asked = new address[](65);
        vm.expectRevert(abi.encodeWithSelector(KudosValidationRegistry.TooManyValidators.selector, 64));
        registry.getSummary(uint160(NODE), asked, "");
        vm.expectRevert(KudosValidationRegistry.UnknownTag.selector);
        registry.getSummary(uint160(NODE), new address[](0), "K4");
    }

    function testFuzzAgentIdsAreNodes(uint256 agentId) public {
        bool isNode = agentId != 0 && agentId <= type(uint160).max;
        if (!isNode) vm.expectRevert(abi.encodeWithSelector(KudosValidationRegistry.NotANode.selector, agentId));
        address wallet = registry.getAgentWallet(agentId);
        if (isNode) assertEq(wallet, address(uint160(agentId)), "wallet");
        agentId = uint160(agentId);
        if (agentId == 0) return;
        assertEq(registry.getAgentWallet(agentId), address(uint160(agentId)), "wallet");
        assertEq(registry.ownerOf(agentId), address(uint160(agentId)), "owner");
    }

    function testBatchStatus() public view {
        _assertRecord(0, true, 100, "K2");
        _assertRecord(1, true, 0, "K1");
        _assertRecord(2, false, 0, "");
        _assertRecord(3, false, 0, "");
    }

    function testNothingIsWrittenAndNothingUnboundedRead() public {
        vm.expectRevert(KudosValidationRegistry.ReadOnly.selector);
        registry.validationRequest(NODE, 1, "", 0);
        vm.expectRevert(KudosValidationRegistry.ReadOnly.selector);
        registry.validationResponse(0, 100, "", 0, "");
        vm.expectRevert(KudosValidationRegistry.ReadTheLog.selector);
        registry.getAgentValidations(1);
        vm.expectRevert(KudosValidationRegistry.ReadTheLog.selector);
        registry.getValidatorRequests(NODE);
        assertEq(registry.getIdentityRegistry(), address(registry), "its own registry");
        assertEq(bytes(registry.getVersion()), "2.0.0", "version");
    }

    function testNoLedger() public {
        vm.expectRevert(abi.encodeWithSelector(KudosValidationRegistry.NotALedger.selector, NODE));
        new KudosValidationRegistry(IKudosLedger(NODE));
        AnswersDouble unbuilt = new AnswersDouble();
        unbuilt.know(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(KudosValidationRegistry.NotALedger.selector, address(unbuilt)));
        new KudosValidationRegistry(IKudosLedger(address(unbuilt)));
    }

    function _isSelector(bytes4 selector, string memory signature) private pure {
        assertEq(bytes32(selector), bytes32(bytes4(keccak256(bytes(signature)))), signature);
    }

    function _assertSummary(address node, string memory tag, uint256 count, uint256 average) private view {
        (uint64 found, uint8 mean) = registry.getSummary(uint160(node), new address[](0), tag);
        assertEq(found, count, tag);
        assertEq(mean, average, tag);
    }

    function _assertRecord(uint8 index, bool decided, uint256 response, string memory tag) private view {
        (bool isDecided, uint8 answer, string memory name) = registry.batchStatus(NODE, "root", index);
        assertTrue(isDecided == decided, "decided");
        assertEq(answer, response, "response");
        assertEq(bytes(name), bytes(tag), "tag");
    }
}
