// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";

/// @title The small facts of a claim, in 16 bits
/// @notice level:2 | standing:3 | drawn:1 | the home's seat plus one:5 | the host's seat plus one:5, from the lowest.
library ClaimFacts {
    uint256 private constant STANDING_AT = 2;
    uint256 private constant DRAWN_AT = 5;
    uint256 private constant HOME_AT = 6;
    uint256 private constant HOST_AT = 11;
    uint256 private constant SEAT_BITS = 31;

    /// @notice The facts of a new claim; a seat plus one is 0 for a party that is no validator.
    function open(uint256 ofLevel, IClaimVotes.Origin from, uint256 homeSeatPlusOne, uint256 hostSeatPlusOne)
        internal
        pure
        returns (uint16)
    {
        uint256 drawn = from == IClaimVotes.Origin.Drawn ? 1 : 0;
        uint256 facts = ofLevel | uint256(IClaimVotes.Standing.Open) << STANDING_AT | drawn << DRAWN_AT;
        return uint16(facts | homeSeatPlusOne << HOME_AT | hostSeatPlusOne << HOST_AT);
    }

    function decide(uint16 facts, IClaimVotes.Standing outcome) internal pure returns (uint16) {
        return uint16((facts & ~(uint256(7) << STANDING_AT)) | uint256(outcome) << STANDING_AT);
    }

    function level(uint16 facts) internal pure returns (uint256) {
        return facts & 3;
    }

    function standing(uint16 facts) internal pure returns (IClaimVotes.Standing) {
        return IClaimVotes.Standing((facts >> STANDING_AT) & 7);
    }

    function origin(uint16 facts) internal pure returns (IClaimVotes.Origin) {
        if (level(facts) != 3) return IClaimVotes.Origin.None;
        return (facts >> DRAWN_AT) & 1 == 1 ? IClaimVotes.Origin.Drawn : IClaimVotes.Origin.Planted;
    }

    /// @notice The seats of the parties, as a mask.
    function parties(uint16 facts) internal pure returns (uint256) {
        uint256 home = (facts >> HOME_AT) & SEAT_BITS;
        uint256 host = (facts >> HOST_AT) & SEAT_BITS;
        // A seat plus one of 0 moves the bit into place 0, which is cut off.
        return (1 << home | 1 << host) >> 1;
    }
}
