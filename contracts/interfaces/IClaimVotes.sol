// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Votes on Kudos that are claimed one by one
/// @notice A claim has the id of its KUDOS asset. Who is seated since before it was opened, and is neither its home nor
/// its host, is eligible and may vote once. With m the ledger's threshold and e the number of the eligible, a claim is
///
///   Verified  with m approvals;
///   Refused   when more than e - m refuse; K3 only when m do, or when all the eligible have voted;
///   Void      (K3 only) when m say that the task does not repeat, or when runs differ: some approve, some had another
///             result, and neither side can reach m any more. Nobody gains, nobody loses.
///
/// All three are final. While e is below m nothing is decided. A claim that is open after the window can be made again.
/// When the set of validators changes, votes of those who left no longer count, at the next vote or `recountClaim`.
///
/// K1 and K2 are voted directly. K3 votes are first committed, then revealed, in rounds of `commitSeconds`:
///
///     round r: claims are opened | round r + 1: one commitment per validator | from round r + 2: reveals
///
/// A validator has one commitment per round, for all claims that were opened in the round before. So it has one opening,
/// chosen while nobody's votes were known. It names chain, contract, validator and round: a copied one opens nothing. It is
/// void when its seat has changed hands since. Nobody has to open it: who guessed without running the task, and sees
/// from others' reveals that it guessed wrong, may keep silent. The log shows the commitment that was never opened.
interface IClaimVotes {
    /// @notice How a claim stands.
    enum Standing {
        None,
        Open,
        Verified,
        Refused,
        Void
    }

    /// @notice Where a K3 comes from; None for K1 and K2.
    enum Origin {
        None,
        Planted,
        Drawn,
        Open
    }

    /// @notice One validator's word: APPROVE (128), a refusal (129..143) or an abstention (144..159).
    struct Vote {
        bytes32 kudosId;
        uint8 reason;
    }

    /// @notice A claim as it stands; masks have a bit for each seat, and votes of seats that no longer count in them.
    struct ClaimView {
        Standing standing;
        uint8 level;
        Origin origin;
        address host;
        uint64 openedAt;
        uint16 approvals;
        uint16 refusals;
        uint16 voters;
        uint16 parties;
    }

    /// @notice A validator committed to its votes on the claims of the round before.
    event VotesCommitted(address indexed validator, uint64 indexed round, bytes32 commitment);
    /// @notice A validator revealed its votes.
    event VotesRevealed(address indexed validator, uint64 indexed round);
    /// @notice A validator voted.
    event ClaimVoted(address indexed validator, bytes32 indexed kudosId, uint8 reason);
    /// @notice A revealed vote changed nothing.
    event VoteSkipped(address indexed validator, bytes32 indexed kudosId, uint8 reason);
    /// @notice A claim became final: Verified, Refused or Void.
    event ClaimDecided(bytes32 indexed kudosId, address indexed host, uint8 level, Standing standing);

    /// @notice The length of a round is 0, above two days, or above a third of the claim window.
    error BadRound();
    /// @notice Not a registered validator.
    error NotAValidator();
    /// @notice The signature is not the validator's.
    error NotSigned();
    /// @notice The vote cannot be taken; skip code of reasons.json.
    error VoteRefused(bytes32 kudosId, uint8 reason);
    /// @notice Commitments are now made for another round.
    error WrongRound(uint64 open);
    /// @notice This validator committed in this round before; a commitment is never replaced.
    error CommittedBefore();
    /// @notice There is no such commitment, its time has not come, it was opened before, or its seat has changed hands. Zero
    /// stands for none, and cannot be committed to.
    error NothingToReveal();

    /// @notice The sender's direct votes on K1 and K2 claims. All of them or none.
    function vote(Vote[] calldata votes) external;

    /// @notice The same for a validator that signed ClaimVotes(keccak256(abi.encode(votes, openedAt))), openedAt being a
    /// uint64[] with the opening time of each claim (`kudosClaim`): what was signed for a claim does not count when the
    /// claim is made again. Anyone sends it.
    function voteFor(address validator, Vote[] calldata votes, bytes calldata signature) external;

    /// @notice Commits the sender in the current round, to votes on the K3 claims of the round before.
    /// @param round the current one, so that a late transaction does not fall into the next
    /// @param commitment as by `hashVotes`
    function commitVotes(uint64 round, bytes32 commitment) external;

    /// @notice The same for a validator that signed VoteCommitment(round, commitment). Anyone sends it.
    function commitVotesFor(address validator, uint64 round, bytes32 commitment, bytes calldata signature) external;

    /// @notice Opens a validator's commitment of a round. Anyone may who has the salt: the commitment shows whose votes
    /// they are. Votes that cannot be taken are skipped with their reason.
    function revealVotes(address validator, uint64 round, Vote[] calldata votes, bytes32 salt) external;

    /// @notice Counts a claim anew: after a change of the set, or when its window is over. Anyone may.
    function recountClaim(bytes32 kudosId) external;

    /// @notice How a claim stands; all zero for an unknown one.
    function kudosClaim(bytes32 kudosId) external view returns (ClaimView memory);

    /// @notice Since when a claim has waited for votes; 0 when it is decided or unknown.
    function pendingSince(bytes32 kudosId) external view returns (uint64);

    /// @notice A validator's commitment of a round; zero when there is none or it was opened.
    function voteCommitment(address validator, uint64 round) external view returns (bytes32);

    /// @notice The commitment to votes: keccak256(abi.encode(chainId, contract, validator, round, votes' hash, salt)),
    /// votes' hash being keccak256(abi.encode(votes)).
    function hashVotes(address validator, uint64 round, Vote[] calldata votes, bytes32 salt)
        external
        view
        returns (bytes32);

    /// @notice The round that a time lies in.
    function roundOf(uint256 time) external view returns (uint64);

    /// @notice The length of a round in seconds.
    function commitSeconds() external view returns (uint64);
}
