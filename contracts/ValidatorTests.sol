// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClaimStore} from "./ClaimStore.sol";
import {IValidatorTests} from "./interfaces/IValidatorTests.sol";
import {Assets} from "./libraries/Assets.sol";
import {ClaimFacts} from "./libraries/ClaimFacts.sol";

/// @title Claims that test the validators
/// @notice Only says what they were: no claim, vote or total changes.
abstract contract ValidatorTests is ClaimStore, IValidatorTests {
    bytes32 private constant TEST_TYPE = keccak256("ValidatorTest(bytes32 requestId,bytes32 salt)");

    /// @dev From the round of the opening: commitments in the next, revealed in the one after, and then it is over.
    uint64 private constant ROUNDS = 3;

    /// @inheritdoc IValidatorTests
    function openTest(bytes32 requestId, bytes32 resultId, bytes32 sealSalt, bytes32 salt) external override {
        bytes32 digest = testDigest(requestId, salt);
        bytes32 kudosId = Assets.canaryKudos(_separator(), resultId, digest, sealSalt);
        if (!_isKnown(kudosId)) revert NotATest(kudosId);
        Claim memory claim = _claims[kudosId];
        bool undecided = ClaimFacts.standing(claim.facts) == Standing.Open && !_hasTimedOut(kudosId);
        if (undecided || roundOf(_time()) < roundOf(claim.openedAt) + ROUNDS) revert TestTooEarly(kudosId);
        emit TestOpened(kudosId, resultId, requestId, sealSalt, salt);
    }

    /// @inheritdoc IValidatorTests
    function testDigest(bytes32 requestId, bytes32 salt) public pure override returns (bytes32) {
        return keccak256(abi.encode(TEST_TYPE, requestId, salt));
    }
}
