// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IERC8004Validation} from "../interfaces/IERC8004Validation.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";

/// @title A Kudos ledger as a validation source of ERC-8004
/// @notice Reads only; it holds nothing, and nobody can write through it. What the standard's words mean here:
///
///     agentId            the node's address as a number. An agent of an ERC-8004 identity registry shows that it is a
///                        node by naming the node as its agentWallet (getAgentWallet), which that registry has signed
///                        for; `getIdentityRegistry` is this contract, where an id owns itself
///     validator          the ledger's address: not one validator answers but m of n
///     requestHash        the id of a KUDOS asset that was claimed one by one (K3, and K1 or K2 claimed again)
///     response           100 verified, 0 refused or without result, and 0 with no responseHash and no tag while pending
///     responseHash       the request's own hash, once there is an answer
///     tag                "K1", "K2" or "K3"
///     lastUpdate         when the KUDOS was claimed: when it was decided is in the log only
///     count, average     how many records are verified, and 100 if any: there are no negative records to average in
///
/// K1 and K2 that were settled in batches are counted in the summaries, but have no id that the chain could look up:
/// `batchStatus` answers for those, as far as the ledger knows: a claim that timed out there, and was made again in the
/// claims contract, stays refused in the batch; its id has the answer. Lists of a node's validations grow without bound and are read from the log.
contract KudosValidationRegistry is IERC8004Validation {
    uint8 private constant VERIFIED = 100;
    uint256 private constant MAX_VALIDATORS = 64;

    IKudosLedger private immutable LEDGER;
    IClaimVotes private immutable CLAIMS;

    /// @notice This is no ledger, or its claims contract has not been built yet.
    error NotALedger(address account);
    /// @notice Kudos are claimed and voted on in the ledger and its claims contract, not through this one.
    error ReadOnly();
    /// @notice No Kudos with this id was claimed one by one.
    error UnknownRequest(bytes32 requestHash);
    /// @notice An agent id is a node's address; this number is none.
    error NotANode(uint256 agentId);
    /// @notice Such lists have no bound. Read the events of ledger and claims contract, or an index of them.
    error ReadTheLog();
    /// @notice A summary is given for so many validators at most; the ledger itself is the only one there is.
    error TooManyValidators(uint256 most);
    /// @notice The tag is none of "K1", "K2", "K3" and "" (all three).
    error UnknownTag();

    constructor(IKudosLedger ledger) {
        if (address(ledger).code.length == 0) revert NotALedger(address(ledger));
        (, address claims,) = ledger.satellites();
        if (claims.code.length == 0) revert NotALedger(address(ledger));
        LEDGER = ledger;
        CLAIMS = IClaimVotes(claims);
    }

    /// @inheritdoc IERC8004Validation
    function validationRequest(address, uint256, string calldata, bytes32) external pure override {
        revert ReadOnly();
    }

    /// @inheritdoc IERC8004Validation
    function validationResponse(bytes32, uint8, string calldata, bytes32, string calldata) external pure override {
        revert ReadOnly();
    }

    /// @inheritdoc IERC8004Validation
    function getIdentityRegistry() external view override returns (address) {
        return address(this);
    }

    /// @inheritdoc IERC8004Validation
    function getValidationStatus(bytes32 requestHash)
        external
        view
        override
        returns (
            address validatorAddress,
            uint256 agentId,
            uint8 response,
            bytes32 responseHash,
            string memory tag,
            uint256 lastUpdate
        )
    {
        IClaimVotes.ClaimView memory claim = CLAIMS.kudosClaim(requestHash);
        if (claim.standing == IClaimVotes.Standing.None) revert UnknownRequest(requestHash);
        validatorAddress = address(LEDGER);
        agentId = uint160(claim.host);
        lastUpdate = claim.openedAt;
        if (claim.standing == IClaimVotes.Standing.Open) return (validatorAddress, agentId, 0, 0, "", lastUpdate);
        response = claim.standing == IClaimVotes.Standing.Verified ? VERIFIED : 0;
        return (validatorAddress, agentId, response, requestHash, _tagOf(claim.level), lastUpdate);
    }

    /// @inheritdoc IERC8004Validation
    function getSummary(uint256 agentId, address[] calldata validatorAddresses, string calldata tag)
        external
        view
        override
        returns (uint64 count, uint8 avgResponse)
    {
        if (!_isAsked(validatorAddresses)) return (0, 0);
        (uint64 k1, uint64 k2, uint64 k3) = LEDGER.kudos(_nodeOf(agentId));
        bytes32 asked = keccak256(bytes(tag));
        if (asked == keccak256("")) count = k1 + k2 + k3;
        else if (asked == keccak256("K1")) count = k1;
        else if (asked == keccak256("K2")) count = k2;
        else if (asked == keccak256("K3")) count = k3;
        else revert UnknownTag();
        return (count, count == 0 ? 0 : VERIFIED);
    }

    /// @notice The same answer for one record of a batch, which has no id of its own to be asked by.
    /// @return decided false while the validators have not decided, and where nothing was claimed; true with response 0
    /// also where the claim timed out and was made again, see `getValidationStatus`
    function batchStatus(address host, bytes32 root, uint8 index)
        external
        view
        returns (bool decided, uint8 response, string memory tag)
    {
        (uint8 n, uint8 confirmed,, uint128 claims, uint128 verified, uint128 refused) = LEDGER.batch(host, root);
        if (index >= n) revert UnknownRequest(root);
        uint128 bit = uint128(1) << index;
        if (claims & bit == 0 || (verified | refused) & bit == 0) return (false, 0, "");
        return (true, verified & bit != 0 ? VERIFIED : 0, _tagOf(index < confirmed ? 2 : 1));
    }

    /// @notice An agent's wallet, as an ERC-8004 identity registry gives it: here the id is the wallet.
    function getAgentWallet(uint256 agentId) external pure returns (address) {
        return _nodeOf(agentId);
    }

    /// @notice The owner of an id: the node itself, which nobody can transfer.
    function ownerOf(uint256 agentId) external pure returns (address) {
        return _nodeOf(agentId);
    }

    /// @inheritdoc IERC8004Validation
    function getAgentValidations(uint256) external pure override returns (bytes32[] memory) {
        revert ReadTheLog();
    }

    /// @inheritdoc IERC8004Validation
    function getValidatorRequests(address) external pure override returns (bytes32[] memory) {
        revert ReadTheLog();
    }

    /// @inheritdoc IERC8004Validation
    function getVersion() external pure override returns (string memory) {
        return "2.0.0";
    }

    /// @dev An empty list means all validators, as in the standard.
    function _isAsked(address[] calldata validatorAddresses) private view returns (bool) {
        if (validatorAddresses.length > MAX_VALIDATORS) revert TooManyValidators(MAX_VALIDATORS);
        for (uint256 i = 0; i < validatorAddresses.length; ++i) {
            if (validatorAddresses[i] == address(LEDGER)) return true;
        }
        return validatorAddresses.length == 0;
    }

    function _nodeOf(uint256 agentId) private pure returns (address) {
        if (agentId == 0 || agentId > type(uint160).max) revert NotANode(agentId);
        return address(uint160(agentId));
    }

    function _tagOf(uint256 level) private pure returns (string memory) {
        if (level == 1) return "K1";
        return level == 2 ? "K2" : "K3";
    }
}
