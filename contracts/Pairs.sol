// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Sequences} from "./libraries/Sequences.sol";
import {ValidatorSeats} from "./ValidatorSeats.sol";

/// @title What is kept of a home and a host together
/// @notice The sequence numbers that are used up, and the claims of an epoch against their caps.
abstract contract Pairs is ValidatorSeats {
    uint256 internal constant K1 = 1;
    uint256 internal constant K2 = 2;
    uint256 internal constant K3 = 3;
    uint256 internal constant LANE_BITS = 64;

    uint64 private immutable EPOCH_SECONDS;
    uint64 private immutable K1_PER_HOST_AND_EPOCH;
    uint64 private immutable K2_PER_PAIR_AND_EPOCH;

    mapping(address host => mapping(address home => mapping(uint256 word => uint256 bits))) internal _sequences;
    /// @dev Claims in the last epoch that saw one, in lanes of 64 bits: the epoch plus one, so that zero means never,
    /// then the levels. Of a host alone only K1 is counted. No lane can run over: each claim adds one.
    mapping(address host => mapping(address home => uint256 lanes)) private _pairs;
    mapping(address host => uint256 lanes) private _hosts;

    constructor(uint64 epochLength, uint64 k1Allowance, uint64 k2Allowance) {
        if (epochLength == 0 || k1Allowance == 0) revert BadParameter();
        EPOCH_SECONDS = epochLength;
        K1_PER_HOST_AND_EPOCH = k1Allowance;
        K2_PER_PAIR_AND_EPOCH = k2Allowance;
    }

    /// @inheritdoc IKudosLedger
    function admit(address home, address host, uint256 level) external override onlyClaims returns (bool) {
        if (level < K1 || level > K3) revert BadParameter();
        return _admit(home, host, level);
    }

    /// @inheritdoc IKudosLedger
    function pair(address home, address host)
        external
        view
        override
        returns (uint64 epoch, uint64 k1, uint64 k2, uint64 k3)
    {
        uint256 lanes = _pairs[host][home];
        epoch = uint64(lanes);
        if (epoch != 0) --epoch;
        return (epoch, uint64(_lane(lanes, K1)), uint64(_lane(lanes, K2)), uint64(_lane(lanes, K3)));
    }

    /// @inheritdoc IKudosLedger
    function sequenceUsed(address home, address host, uint32 seq) external view override returns (bool) {
        return Sequences.isUsed(_sequences[host][home], seq);
    }

    /// @inheritdoc IKudosLedger
    function epochSeconds() external view override returns (uint64) {
        return EPOCH_SECONDS;
    }

    /// @inheritdoc IKudosLedger
    function k1PerHostAndEpoch() external view override returns (uint64) {
        return K1_PER_HOST_AND_EPOCH;
    }

    /// @inheritdoc IKudosLedger
    function k2PerPairAndEpoch() external view override returns (uint64) {
        return K2_PER_PAIR_AND_EPOCH;
    }

    /// @dev Counts a claim of this epoch, if its caps leave room. Without a cap on K2 only K1 is counted, and costs.
    function _admit(address home, address host, uint256 level) internal returns (bool) {
        if (level != K1 && _isUncapped()) return true;
        uint256 lanes = _inThisEpoch(_pairs[host][home]);
        uint256 counted = _lane(lanes, level);
        if (level == K2 && counted >= K2_PER_PAIR_AND_EPOCH) return false;
        if (level == K1) {
            uint256 ofHost = _inThisEpoch(_hosts[host]);
            if (counted != 0 || _lane(ofHost, K1) >= K1_PER_HOST_AND_EPOCH) return false;
            _hosts[host] = ofHost + (1 << LANE_BITS);
        }
        _pairs[host][home] = lanes + (1 << (LANE_BITS * level));
        return true;
    }

    /// @dev Asked apart in the hot loop, where `_admit` would cost more than the answer.
    function _isUncapped() internal view returns (bool) {
        return K2_PER_PAIR_AND_EPOCH == 0;
    }

    function _lane(uint256 lanes, uint256 number) internal pure returns (uint256) {
        unchecked {
            return uint64(lanes >> (LANE_BITS * number));
        }
    }

    function _inThisEpoch(uint256 lanes) private view returns (uint256) {
        uint256 epochPlusOne = _time() / EPOCH_SECONDS + 1;
        return uint64(lanes) == epochPlusOne ? lanes : epochPlusOne;
    }
}
