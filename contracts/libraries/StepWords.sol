// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "../interfaces/IKudosSteps.sol";

/// @notice What is stored of a migration that comes the strict way, in one slot; from the lowest bit:
///
///     fingerprint:160 | stage:8 | claim:8 | time:32 | signed at:48, or, once finished, voters:16 approvals:16 refusals:16
///
/// `time` is the result deadline until there is a RESULT or REJECTED, then the block time of that. Like the packed form
/// of a batch it holds until the year 2106.
type StepWord is uint256;

using StepWords for StepWord global;

/// @title Reading and writing a migration's slot
/// @notice A word and not a struct: most readers need two fields of it.
library StepWords {
    uint256 private constant STAGE_AT = 160;
    uint256 private constant CLAIM_AT = 168;
    uint256 private constant TIME_AT = 176;
    uint256 private constant VOTES_AT = 208;
    uint256 private constant APPROVALS_AT = 224;
    uint256 private constant REFUSALS_AT = 240;

    /// @notice A slot without votes.
    /// @param votesOrTime when the latest asset was signed, below 2^48; 0 for a migration that is finished
    function make(uint160 id, IKudosSteps.Stage stage_, IKudosSteps.State claim_, uint256 time_, uint256 votesOrTime)
        internal
        pure
        returns (StepWord)
    {
        return StepWord.wrap(
            id | uint256(stage_) << STAGE_AT | uint256(claim_) << CLAIM_AT | uint256(uint32(time_)) << TIME_AT
                | votesOrTime << VOTES_AT
        );
    }

    function withClaim(StepWord self, IKudosSteps.State state) internal pure returns (StepWord) {
        return StepWord.wrap(StepWord.unwrap(self) & ~(uint256(0xff) << CLAIM_AT) | uint256(state) << CLAIM_AT);
    }

    /// @notice With the word of one more voter, whose seat is `bit`.
    function withVote(StepWord self, uint256 bit, bool approves, bool refuses) internal pure returns (StepWord) {
        uint256 also = approves ? APPROVALS_AT : refuses ? REFUSALS_AT : VOTES_AT;
        return StepWord.wrap(StepWord.unwrap(self) | bit << VOTES_AT | bit << also);
    }

    /// @notice Whether the migration stands at this stage with this asset. One comparison: the stage lies above the
    /// fingerprint.
    function stands(StepWord self, IKudosSteps.Stage stage_, uint160 id) internal pure returns (bool) {
        return (StepWord.unwrap(self) ^ (uint256(stage_) << STAGE_AT | id)) << (256 - CLAIM_AT) == 0;
    }

    function fingerprint(StepWord self) internal pure returns (uint160) {
        return uint160(StepWord.unwrap(self));
    }

    function stage(StepWord self) internal pure returns (IKudosSteps.Stage) {
        return IKudosSteps.Stage(uint8(StepWord.unwrap(self) >> STAGE_AT));
    }

    function claim(StepWord self) internal pure returns (IKudosSteps.State) {
        return IKudosSteps.State(uint8(StepWord.unwrap(self) >> CLAIM_AT));
    }

    function isRejected(StepWord self) internal pure returns (bool) {
        return uint8(StepWord.unwrap(self) >> STAGE_AT) == uint8(IKudosSteps.Stage.Rejected);
    }

    /// @notice Whether a claim stands here, open or decided.
    function hasClaim(StepWord self) internal pure returns (bool) {
        return uint8(StepWord.unwrap(self) >> CLAIM_AT) != uint8(IKudosSteps.State.None);
    }

    /// @notice Whether a claim stands here that nobody has decided.
    function isOpen(StepWord self) internal pure returns (bool) {
        return uint8(StepWord.unwrap(self) >> CLAIM_AT) == uint8(IKudosSteps.State.Claimed);
    }

    /// @notice Whether the place cannot be taken yet: the claim is open, or the time of what stands here is not so long ago.
    /// An empty place has the time 0, which is.
    function isKept(StepWord self, uint256 now_, uint256 kept) internal pure returns (bool) {
        unchecked {
            return now_ <= time(self) + kept || isOpen(self);
        }
    }

    function time(StepWord self) internal pure returns (uint256) {
        return uint32(StepWord.unwrap(self) >> TIME_AT);
    }

    function signedAt(StepWord self) internal pure returns (uint256) {
        return StepWord.unwrap(self) >> VOTES_AT;
    }

    function voters(StepWord self) internal pure returns (uint256) {
        return uint16(StepWord.unwrap(self) >> VOTES_AT);
    }

    function approvals(StepWord self) internal pure returns (uint256) {
        return uint16(StepWord.unwrap(self) >> APPROVALS_AT);
    }

    function refusals(StepWord self) internal pure returns (uint256) {
        return StepWord.unwrap(self) >> REFUSALS_AT;
    }
}
