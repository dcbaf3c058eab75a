// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {Reasons} from "./Reasons.sol";
import {Tally} from "./Tally.sol";

/// @title What up to 16 validators have said of one claim, in 48 bits
/// @notice Three planes of 16 bits, one per seat: the seat's bits of the planes, read together, are its word. Sixteen
/// masks of their own for each kind of word would not fit into the claim's slot.
library ClaimWords {
    uint256 private constant PLANE = 16;
    uint256 private constant ALL = 0xffff;

    // The words; 0 is silence.
    uint256 internal constant APPROVAL = 1;
    uint256 internal constant REFUSAL = 2;
    uint256 internal constant OTHER_RESULT = 3;
    uint256 internal constant NOT_REPEATABLE = 4;
    uint256 internal constant ABSTENTION = 5;

    /// @notice The word for a reason code; 0 where it is no vote.
    function fromReason(uint256 reason) internal pure returns (uint256) {
        if (reason == Reasons.APPROVE) return APPROVAL;
        if (reason == Reasons.REFUSE_RESULT) return OTHER_RESULT;
        if (reason == Reasons.ABSTAIN_NOT_REPEATABLE) return NOT_REPEATABLE;
        if (Reasons.isRefusal(reason)) return REFUSAL;
        return Reasons.isAbstention(reason) ? ABSTENTION : 0;
    }

    /// @notice Adds the word of a seat that was silent so far.
    function say(uint48 words, uint256 seat, uint256 word) internal pure returns (uint48) {
        uint256 bits = (word & 1) | (word & 2) << (PLANE - 1) | (word & 4) << (2 * PLANE - 2);
        return uint48(words | bits << seat);
    }

    /// @notice The seats that said this word.
    function saying(uint48 words, uint256 word) internal pure returns (uint256 mask) {
        mask = ALL;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 plane = uint256(words) >> (PLANE * i);
            mask &= (word >> i) & 1 == 1 ? plane : ~plane;
        }
    }

    /// @notice The seats that refused, for whatever reason.
    function refusing(uint48 words) internal pure returns (uint256) {
        return saying(words, REFUSAL) | saying(words, OTHER_RESULT);
    }

    /// @notice The seats that said anything.
    function voters(uint48 words) internal pure returns (uint256) {
        return (words | words >> PLANE | words >> (2 * PLANE)) & ALL;
    }

    /// @notice How a K1 or K2 stands.
    /// @param eligible the seats whose votes count; some may be empty, and then say nothing
    /// @param room how many validators may vote
    function judge(uint48 words, uint256 eligible, uint256 room, uint256 quorum)
        internal
        pure
        returns (IClaimVotes.Standing)
    {
        if (room < quorum) return IClaimVotes.Standing.Open;
        if (Tally.count(saying(words, APPROVAL) & eligible) >= quorum) return IClaimVotes.Standing.Verified;
        bool hopeless = Tally.count(refusing(words) & eligible) > room - quorum;
        return hopeless ? IClaimVotes.Standing.Refused : IClaimVotes.Standing.Open;
    }

    /// @notice The same for K3, which may also be void. The answer does not depend on the order of the votes: a refusal
    /// that `quorum` did not carry is final only when everybody has spoken.
    function judgeRuns(uint48 words, uint256 eligible, uint256 room, uint256 quorum)
        internal
        pure
        returns (IClaimVotes.Standing)
    {
        if (room < quorum) return IClaimVotes.Standing.Open;
        uint256 approvals = Tally.count(saying(words, APPROVAL) & eligible);
        uint256 refusals = Tally.count(refusing(words) & eligible);
        if (approvals >= quorum) return IClaimVotes.Standing.Verified;
        if (refusals >= quorum) return IClaimVotes.Standing.Refused;
        if (Tally.count(saying(words, NOT_REPEATABLE) & eligible) >= quorum) return IClaimVotes.Standing.Void;

        uint256 silent = room - Tally.count(voters(words) & eligible);
        bool differ = approvals != 0 && saying(words, OTHER_RESULT) & eligible != 0;
        bool undecidable = approvals + silent < quorum && refusals + silent < quorum;
        if (differ && undecidable) return IClaimVotes.Standing.Void;
        bool hopeless = silent == 0 && refusals > room - quorum;
        return hopeless ? IClaimVotes.Standing.Refused : IClaimVotes.Standing.Open;
    }
}
