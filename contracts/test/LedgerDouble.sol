// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {Assets} from "../libraries/Assets.sol";

/// @title What the claims contract and the beacon see of a ledger, set by hand
/// @notice Stands at the edge of their unit tests: who is seated, what is settled, what was minted.
// solhint-disable-next-line max-states-count
contract LedgerDouble {
    struct BatchHead {
        uint8 n;
        uint8 confirmed;
        uint64 settledAt;
    }

    struct StepHead {
        IKudosSteps.Stage stage;
        bytes20 fingerprint;
        uint32 time;
    }

    error NotTheClaims();

    event Minted(address host, uint256 level, uint256 count);

    address public queue;
    address public claims;
    address public beacon;
    uint64 public k2PerPairAndEpoch;
    uint64 public claimWindow = 7 days;
    uint64 public finalAt;
    uint256 public threshold;
    uint40 public lastChange;
    address[16] private _holders;
    uint40[16] private _since;
    bool public refuses;
    uint256 public admitted;

    mapping(address host => mapping(bytes32 root => BatchHead)) private _batches;
    mapping(bytes32 place => StepHead) private _steps;
    mapping(bytes32 claim => bool) private _retired;
    mapping(address host => mapping(uint256 level => uint256)) public minted;

    constructor(address[] memory seats_, uint256 quorum, uint64 k2Cap, address queue_) {
        for (uint256 i = 0; i < seats_.length; ++i) {
            _holders[i] = seats_[i];
        }
        (threshold, k2PerPairAndEpoch, queue) = (quorum, k2Cap, queue_);
    }

    /// @dev As the ledger does: the code's creator is the ledger.
    function create(bytes calldata initCode) external returns (address created) {
        bytes memory code = initCode;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
            if iszero(created) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    function know(address claims_, address beacon_) external {
        (claims, beacon) = (claims_, beacon_);
    }

    function setSeat(uint256 seatNumber, address holder) external {
        (_holders[seatNumber], _since[seatNumber]) = (holder, uint40(block.timestamp));
        lastChange = uint40(block.timestamp);
    }

    function setThreshold(uint256 quorum) external {
        (threshold, lastChange) = (quorum, uint40(block.timestamp));
    }

    function setRefuses(bool refuses_) external {
        refuses = refuses_;
    }

    function settleBatch(address host, bytes32 root, uint8 n, uint8 confirmed, uint64 settledAt) external {
        _batches[host][root] = BatchHead(n, confirmed, settledAt);
    }

    function settleStep(IKudosSteps.Place calldata place, IKudosSteps.Stage stage, bytes32 id, uint32 time) external {
        _steps[_keyOf(place)] = StepHead(stage, bytes20(Assets.fingerprint(id, place.seq)), time);
    }

    function mint(address host, uint256 level, uint256 count) external {
        if (msg.sender != claims) revert NotTheClaims();
        minted[host][level] += count;
        emit Minted(host, level, count);
    }

    function admit(address, address, uint256) external returns (bool) {
        if (msg.sender != claims) revert NotTheClaims();
        ++admitted;
        return !refuses;
    }

    function retire(address host, bytes32 root, uint256 index) external returns (bool) {
        BatchHead memory head = _batches[host][root];
        return _retire(keccak256(abi.encode(host, root, index)), index < head.n, head.settledAt);
    }

    function retireStep(IKudosSteps.Place calldata place) external returns (bool) {
        StepHead memory head = _steps[_keyOf(place)];
        return _retire(_keyOf(place), head.time != 0, head.time);
    }

    function satellites() external view returns (address, address, address) {
        return (queue, claims, beacon);
    }

    function batch(address host, bytes32 root)
        external
        view
        returns (uint8 n, uint8 confirmed, uint64 settledAt, uint128, uint128, uint128)
    {
        BatchHead memory head = _batches[host][root];
        return (head.n, head.confirmed, head.settledAt, 0, 0, 0);
    }

    function step(IKudosSteps.Place calldata place)
        external
        view
        returns (IKudosSteps.Stage, IKudosSteps.State, bytes20, uint32)
    {
        StepHead memory head = _steps[_keyOf(place)];
        return (head.stage, IKudosSteps.State.None, head.fingerprint, head.time);
    }

    function seats() external view returns (address[16] memory, uint40[16] memory) {
        return (_holders, _since);
    }

    function seat(address node) external view returns (uint8 seatPlusOne, uint40 since, uint40, uint8 n, uint8) {
        for (uint8 i = 0; i < 16; ++i) {
            if (_holders[i] != address(0)) ++n;
            if (_holders[i] == node && node != address(0)) (seatPlusOne, since) = (i + 1, _since[i]);
        }
        return (seatPlusOne, since, lastChange, n, uint8(threshold));
    }

    /// @dev Numbers 65,536 apart share a place, as in the ledger: which one is meant, the fingerprint says.
    function _keyOf(IKudosSteps.Place calldata place) private pure returns (bytes32) {
        return keccak256(abi.encode(place.home, place.host, place.seq % 65_536));
    }

    function _retire(bytes32 claim, bool known, uint256 since) private returns (bool) {
        if (msg.sender != claims) revert NotTheClaims();
        if (!known || _retired[claim] || block.timestamp <= since + claimWindow) return false;
        _retired[claim] = true;
        return true;
    }
}
