// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CanaryClaims} from "./CanaryClaims.sol";
import {ClaimDecisions} from "./ClaimDecisions.sol";
import {ClaimStore} from "./ClaimStore.sol";
import {IClaimVotes} from "./interfaces/IClaimVotes.sol";
import {IKudosClaims} from "./interfaces/IKudosClaims.sol";
import {ISecondClaims} from "./interfaces/ISecondClaims.sol";
import {OpenPuzzles} from "./OpenPuzzles.sol";
import {Satellite} from "./Satellite.sol";
import {ValidatorTests} from "./ValidatorTests.sol";

/// @title Kudos that are claimed one by one
/// @notice `CanaryClaims` takes K3, `OpenPuzzles` gives newcomers a start, `ValidatorTests` says which claims tested the
/// validators; what they decide is in `ClaimDecisions`.
contract KudosClaims is CanaryClaims, OpenPuzzles, ValidatorTests {
    address private immutable DECISIONS;

    /// @notice The first three families come with it.
    /// @param roundLength the round of committed votes, in seconds
    /// @param rate how many of 65,536 RESULTs are drawn
    /// @param puzzleFloor the least difficulty of an open puzzle
    /// @param puzzlesPerHost how many of them a host may solve in its life
    constructor(uint64 roundLength, uint16 rate, uint8 puzzleFloor, uint32 puzzlesPerHost)
        Satellite(msg.sender)
        ClaimStore(roundLength)
        CanaryClaims(rate)
        OpenPuzzles(puzzleFloor, puzzlesPerHost)
    {
        DECISIONS = address(new ClaimDecisions(msg.sender, roundLength));
    }

    /// @inheritdoc IClaimVotes
    function vote(Vote[] calldata) external override {
        _decide();
    }

    /// @inheritdoc IClaimVotes
    function voteFor(address, Vote[] calldata, bytes calldata) external override {
        _decide();
    }

    /// @inheritdoc IClaimVotes
    function commitVotes(uint64, bytes32) external override {
        _decide();
    }

    /// @inheritdoc IClaimVotes
    function commitVotesFor(address, uint64, bytes32, bytes calldata) external override {
        _decide();
    }

    /// @inheritdoc IClaimVotes
    function revealVotes(address, uint64, Vote[] calldata, bytes32) external override {
        _decide();
    }

    /// @inheritdoc IClaimVotes
    function recountClaim(bytes32) external override {
        _decide();
    }

    /// @inheritdoc ISecondClaims
    function claimAgain(Record calldata) external override returns (bytes32) {
        _decide();
    }

    /// @inheritdoc ISecondClaims
    function claimReceipted(Record calldata, uint64, bytes calldata) external override returns (bytes32) {
        _decide();
    }

    /// @inheritdoc IKudosClaims
    function decisions() external view override returns (address) {
        return DECISIONS;
    }

    /// @dev Answers the call with the code of `ClaimDecisions`, on this contract's storage. The address is fixed at
    /// creation; no caller can choose it.
    function _decide() private {
        address code = DECISIONS;
        // Assembly, because the call is passed on as it came, and the answer too. It ends here either way, so that what
        // lies in memory matters no more.
        // solhint-disable-next-line no-inline-assembly
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
