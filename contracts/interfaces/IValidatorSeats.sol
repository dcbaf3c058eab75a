// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who may vote
/// @notice Up to 16 validators, each in a numbered seat. Seat numbers are stable: who leaves leaves a hole, which a
/// newcomer may fill. A validator may vote on a claim if it took its seat before the claim was opened, and is no party
/// to it. So a change of the set never lets a newcomer decide on what is older than its seat; ballots of those who left
/// no longer count, and open claims are counted anew when they are next touched (by a vote or by `recount`).
///
/// The set is changed by the ledger's own `ValidatorQueue` alone: m of n approvals, a public queue, a delay.
interface IValidatorSeats {
    /// @notice The set as it stands from now on. The deployment's own set is version 1.
    /// @param seats by seat number; zero where a seat is empty
    event ValidatorSetChanged(uint256 indexed version, address[16] seats, uint256 threshold);

    /// @notice The list is empty, longer than 16, has a repeated address, a zero among the first validators, or the
    /// threshold is not in (n/2, n].
    error BadValidatorSet();
    /// @notice The sender or signer is not a registered validator.
    error NotAValidator();
    /// @notice Only the satellite whose affair this is may call it: the queue for the set and for `close`, the claims
    /// contract for `mint`, `admit`, `retire` and `retireStep`.
    error NotTheSatellite();

    /// @notice Puts a new set in place. Only the queue may. A validator that stays in its seat keeps its time there; who
    /// comes, or moves to another seat, sits there from now on.
    /// @param seats by seat number; zero leaves a seat empty
    /// @param quorum the new threshold, above half of the validators and at most all of them
    function applySet(address[16] calldata seats, uint256 quorum) external;

    /// @notice The registered validators in the order of their seats, at most 16.
    function validators() external view returns (address[] memory);

    /// @notice All seats with their holders (zero: empty) and since when each is held (0: from the beginning).
    function seats() external view returns (address[16] memory holders, uint40[16] memory since);

    /// @notice What is known of a node as a validator, and of the set, in one read of storage.
    /// @return seatPlusOne the node's seat number plus one; 0 if it is no validator
    /// @return since when it took the seat; its votes count on claims opened later than that
    /// @return lastChange when the set last changed; for claims opened later than that every seat counts
    /// @return n how many validators there are
    /// @return quorum how many approvals a claim needs
    function seat(address node)
        external
        view
        returns (uint8 seatPlusOne, uint40 since, uint40 lastChange, uint8 n, uint8 quorum);

    /// @notice How many approvals a claim needs; above half of the validators.
    function threshold() external view returns (uint256);

    /// @notice How many sets there have been, the present one included.
    function setVersion() external view returns (uint256);
}
