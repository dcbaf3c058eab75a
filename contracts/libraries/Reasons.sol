// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Reason codes that the contract itself gives or judges
/// @notice The registry is `contracts/types/reasons.json`; a test holds this file to it.
library Reasons {
    /// @notice Nothing stands against it.
    uint256 internal constant NONE = 0;

    /// @notice Skip codes: why an item of a batch or of a claim list changed nothing.
    uint256 internal constant SELF = 64;
    uint256 internal constant PARTY_IS_VALIDATOR = 65;
    uint256 internal constant SEQUENCE_USED = 66;
    uint256 internal constant BAD_SIGNATURE = 67;
    uint256 internal constant BAD_DEADLINE = 68;
    uint256 internal constant EXPIRED = 69;
    uint256 internal constant NOT_SETTLED = 70;
    uint256 internal constant BAD_OPENING = 71;
    uint256 internal constant BAD_SEAL = 72;
    uint256 internal constant CLAIMED_BEFORE = 73;
    uint256 internal constant NOT_A_CANARY = 74;
    uint256 internal constant BAD_ORDER = 75;
    uint256 internal constant NOT_AUTHORISED = 76;
    uint256 internal constant OUT_OF_TURN = 77;
    uint256 internal constant BAD_SOLUTION = 80;
    uint256 internal constant UNKNOWN_FAMILY = 81;
    uint256 internal constant NOT_DRAWN = 82;
    uint256 internal constant NO_BEACON = 83;
    uint256 internal constant UNKNOWN_CLAIM = 84;
    uint256 internal constant NOT_ELIGIBLE = 85;
    uint256 internal constant WRONG_ROUND = 86;
    uint256 internal constant VOTED_BEFORE = 87;
    uint256 internal constant NOT_A_VOTE = 88;
    uint256 internal constant NOT_TIMED_OUT = 89;
    uint256 internal constant NOT_LATE = 90;
    uint256 internal constant OVER_CAP = 91;

    /// @notice Vote codes come in three ranges; of the single codes within a range the contracts tell two
    /// apart, about runs that differ; the others are the validators' affair.
    uint256 internal constant APPROVE = 128;
    uint256 internal constant REFUSE_RESULT = 131;
    uint256 internal constant ABSTAIN_NOT_REPEATABLE = 147;
    uint256 internal constant FIRST_REFUSAL = 129;
    uint256 internal constant FIRST_ABSTENTION = 144;
    uint256 internal constant LAST_VOTE = 159;

    /// @notice Whether this code is a vote: approval, refusal or abstention.
    function isVote(uint256 code) internal pure returns (bool) {
        return code >= APPROVE && code <= LAST_VOTE;
    }

    /// @notice Whether a vote with this code refuses.
    function isRefusal(uint256 code) internal pure returns (bool) {
        return code >= FIRST_REFUSAL && code < FIRST_ABSTENTION;
    }

    /// @notice Whether a vote with this code abstains.
    function isAbstention(uint256 code) internal pure returns (bool) {
        return code >= FIRST_ABSTENTION && code <= LAST_VOTE;
    }
}
