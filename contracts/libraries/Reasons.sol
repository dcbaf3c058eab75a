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

    /// @notice Vote codes come in three ranges; the single codes within a range are the validators' affair.
    uint256 internal constant APPROVE = 128;
    uint256 internal constant FIRST_REFUSAL = 129;
    uint256 internal constant FIRST_ABSTENTION = 144;
    uint256 internal constant LAST_VOTE = 159;

    /// @notice Whether a vote with this code refuses.
    function isRefusal(uint256 code) internal pure returns (bool) {
        return code >= FIRST_REFUSAL && code < FIRST_ABSTENTION;
    }

    /// @notice Whether a vote with this code abstains.
    function isAbstention(uint256 code) internal pure returns (bool) {
        return code >= FIRST_ABSTENTION && code <= LAST_VOTE;
    }
}
