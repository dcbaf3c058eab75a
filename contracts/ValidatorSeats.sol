// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Domain} from "./Domain.sol";
import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {IValidatorSeats} from "./interfaces/IValidatorSeats.sol";
import {Satellites} from "./libraries/Satellites.sol";
import {Seat, Seats} from "./libraries/Seats.sol";

/// @title The validators' seats, and the satellites that look after them
/// @notice What a vote and a batch must know of the set stands in one slot: the part that concerns the whole set is
/// written into every validator's slot at each change (at most 16), so that nobody has to walk a list to read it.
abstract contract ValidatorSeats is Domain {
    struct Holder {
        address node;
        uint40 since;
    }

    uint256 internal constant MAX_SEATS = 16;
    uint256 internal constant CLAIM_WINDOW = 7 days;

    address private immutable QUEUE;
    address private immutable CLAIMS;
    address private immutable BEACON;

    mapping(address validator => Seat) internal _validators;
    /// @dev The same for callers that are no validators.
    Seat internal _set;
    Holder[MAX_SEATS] private _seats;
    bytes32[3] private _satelliteHashes;
    uint256 private _built;
    uint64 internal _finalAt;

    /// @dev The queue changes the set, and closes the ledger.
    modifier onlyQueue() {
        if (msg.sender != QUEUE) revert NotTheSatellite();
        _;
    }

    /// @dev The claims contract mints what it has decided, and takes over claims that timed out.
    modifier onlyClaims() {
        if (msg.sender != CLAIMS) revert NotTheSatellite();
        _;
    }

    constructor(address[] memory first, uint256 quorum, bytes32[3] memory hashes) {
        if (first.length > MAX_SEATS) revert BadValidatorSet();
        // The seats that are not filled below are empty.
        // slither-disable-next-line uninitialized-local
        address[MAX_SEATS] memory list;
        for (uint256 i = 0; i < first.length; ++i) {
            if (first[i] == address(0)) revert BadValidatorSet();
            list[i] = first[i];
        }
        _replaceSet(list, quorum, 0);
        _satelliteHashes = hashes;
        QUEUE = Satellites.addressOf(address(this), 1);
        CLAIMS = Satellites.addressOf(address(this), 2);
        BEACON = Satellites.addressOf(address(this), 3);
    }

    /// @inheritdoc IValidatorSeats
    function applySet(address[16] calldata list, uint256 quorum) external override onlyQueue {
        _replaceSet(list, quorum, uint40(_time()));
    }

    /// @inheritdoc IKudosLedger
    function close() external override onlyQueue {
        if (_set.closed()) revert Closed();
        _set = _set.asClosed();
        for (uint256 i = 0; i < MAX_SEATS; ++i) {
            address node = _seats[i].node;
            if (node != address(0)) _validators[node] = _validators[node].asClosed();
        }
        _finalAt = uint64(_time() + CLAIM_WINDOW);
        emit LedgerClosed(_finalAt);
    }

    /// @inheritdoc IKudosLedger
    function build(bytes calldata initCode) external override returns (address satellite) {
        uint256 number = _built;
        if (number == Satellites.COUNT || keccak256(initCode) != _satelliteHashes[number]) revert WrongInitCode();
        _built = number + 1;
        satellite = Satellites.create(initCode);
        // No address of zero can be expected: whoever sends too little gas leaves no hole in the row.
        if (satellite == address(0)) revert WrongInitCode();
        emit SatelliteBuilt(number, satellite);
    }

    /// @inheritdoc IValidatorSeats
    function validators() external view override returns (address[] memory list) {
        list = new address[](_set.n());
        uint256 found = 0;
        for (uint256 i = 0; i < MAX_SEATS; ++i) {
            address node = _seats[i].node;
            if (node == address(0)) continue;
            list[found] = node;
            ++found;
        }
    }

    /// @inheritdoc IValidatorSeats
    function seats() external view override returns (address[16] memory holders, uint40[16] memory since) {
        for (uint256 i = 0; i < MAX_SEATS; ++i) {
            (holders[i], since[i]) = (_seats[i].node, _seats[i].since);
        }
    }

    /// @inheritdoc IValidatorSeats
    function seat(address node)
        external
        view
        override
        returns (uint8 seatPlusOne, uint40 since, uint40 lastChange, uint8 n, uint8 quorum)
    {
        Seat entry = _validators[node];
        if (entry.bit() == 0) entry = _set;
        return (
            uint8(entry.numberPlusOne()),
            uint40(entry.since()),
            uint40(entry.lastChange()),
            uint8(entry.n()),
            uint8(entry.quorum())
        );
    }

    /// @inheritdoc IValidatorSeats
    function threshold() external view override returns (uint256) {
        return _set.quorum();
    }

    /// @inheritdoc IValidatorSeats
    function setVersion() external view override returns (uint256) {
        return _set.version();
    }

    /// @inheritdoc IKudosLedger
    function claimWindow() external pure override returns (uint64) {
        return uint64(CLAIM_WINDOW);
    }

    /// @inheritdoc IKudosLedger
    function finalAt() external view override returns (uint64) {
        return _finalAt;
    }

    /// @inheritdoc IKudosLedger
    function satellites() external view override returns (address queue, address claims, address beacon) {
        return (QUEUE, CLAIMS, BEACON);
    }

    /// @dev After closing, what was open then can still be decided, but only until the totals become final.
    function _checkNotFinal(Seat entry) internal view {
        if (entry.closed() && _time() > _finalAt) revert Closed();
    }

    function _holder(uint256 number) internal view returns (address) {
        return _seats[number].node;
    }

    /// @dev The node's seat as a bit; 0 for who is no validator, which the bloom bits tell for most without a read.
    function _seatBit(uint256 bloom, address node) internal view returns (uint256) {
        return Seats.mayHave(bloom, node) ? _validators[node].bit() : 0;
    }

    /// @dev The seats whose votes count on a claim opened at that time, and how many they are. Without a change since
    /// then these are all: nobody can vote from an empty seat, and the mask need not be worked out.
    function _eligible(Seat entry, uint256 openedAt) internal view returns (uint256 mask, uint256 n) {
        if (entry.lastChange() < openedAt) return (type(uint16).max, entry.n());
        for (uint256 i = 0; i < MAX_SEATS; ++i) {
            Holder memory holder = _seats[i];
            if (holder.node == address(0) || holder.since >= openedAt) continue;
            mask |= 1 << i;
            ++n;
        }
    }

    /// @dev So many refusals make it impossible to reach the quorum. Where a change has left fewer seats than the quorum
    /// nobody has refused anything: the claim stays open, until it is made again.
    function _refusalsToEnd(Seat entry, uint256 n) internal pure returns (uint256) {
        uint256 quorum = entry.quorum();
        return n < quorum ? MAX_SEATS + 1 : n - quorum + 1;
    }

    /// @dev Takes everybody out first, so that a validator may move to another seat, and a repeated one is found.
    function _replaceSet(address[MAX_SEATS] memory list, uint256 quorum, uint40 time) private {
        (uint256 n, uint256 bloom) = (0, 0);
        for (uint256 i = 0; i < MAX_SEATS; ++i) {
            _validators[_seats[i].node] = Seat.wrap(0);
            if (list[i] == address(0)) continue;
            ++n;
            bloom |= Seats.bloomBits(list[i]);
        }
        uint256 version = _set.version() + 1;
        if (quorum <= n / 2 || quorum > n || version > type(uint16).max) revert BadValidatorSet();
        Seat set = Seats.ofSet(n, quorum, time, version, bloom);
        if (_set.closed()) set = set.asClosed();
        _set = set;
        for (uint256 i = 0; i < MAX_SEATS; ++i) {
            if (_seats[i].node != list[i]) _seats[i] = Holder({node: list[i], since: time});
            if (list[i] == address(0)) continue;
            if (_validators[list[i]].bit() != 0) revert BadValidatorSet();
            _validators[list[i]] = set.place(i, _seats[i].since);
        }
        emit ValidatorSetChanged(version, list, quorum);
    }
}
