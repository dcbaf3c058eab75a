// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The validation registry of ERC-8004 (Trustless Agents)
/// @notice Its functions and events as they are in the registry's own repository, erc-8004/erc-8004-contracts on GitHub,
/// at commit b9e466c250744a7e06b13dff9d3c2844ed64f825 of 15 August 2026 (getVersion "2.0.0"; the contract itself was
/// last changed by 27caef926f8529491256da5b86804cf827d44b93 of 24 January 2026). The standard is a draft: whoever moves
/// the pin compares names, types and order, which a test holds this file to. What has to do with upgrading and owning
/// that contract is no part of the standard, and left out.
interface IERC8004Validation {
    /// @notice An agent asks a validator to look at something.
    event ValidationRequest(
        address indexed validatorAddress, uint256 indexed agentId, string requestURI, bytes32 indexed requestHash
    );

    /// @notice A validator answers, from 0 to 100.
    event ValidationResponse(
        address indexed validatorAddress,
        uint256 indexed agentId,
        bytes32 indexed requestHash,
        uint8 response,
        string responseURI,
        bytes32 responseHash,
        string tag
    );

    /// @notice An agent's owner asks a validator to look at something.
    function validationRequest(
        address validatorAddress,
        uint256 agentId,
        string calldata requestURI,
        bytes32 requestHash
    ) external;

    /// @notice The validator that was asked answers.
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external;

    /// @notice The registry of agents that agent ids belong to.
    function getIdentityRegistry() external view returns (address);

    /// @notice What became of a request.
    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (
            address validatorAddress,
            uint256 agentId,
            uint8 response,
            bytes32 responseHash,
            string memory tag,
            uint256 lastUpdate
        );

    /// @notice How many answers an agent got from these validators under this tag, and their average.
    function getSummary(uint256 agentId, address[] calldata validatorAddresses, string calldata tag)
        external
        view
        returns (uint64 count, uint8 avgResponse);

    /// @notice Every request about an agent.
    function getAgentValidations(uint256 agentId) external view returns (bytes32[] memory);

    /// @notice Every request to a validator.
    function getValidatorRequests(address validatorAddress) external view returns (bytes32[] memory);

    /// @notice The version of the registry's interface.
    function getVersion() external pure returns (string memory);
}
