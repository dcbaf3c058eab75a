// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The strict way: each asset is a transaction of its own, and the next one waits for it
/// @notice Each function takes one asset. `submitRequest`, `submitAccepted` and so on take it from its owner, who is the
/// one that sends the transaction; `request`, `accept` and so on from anybody, with the owner's signature of the asset
/// (64 bytes, EIP-2098, or a contract wallet's, ERC-1271). There the owner may leave the signature empty: that is the same
/// as submitting, for 200 to 1,200 gas more.
///
/// What holds for a record of a batch holds here, with the same reason codes: an asset that cannot be taken reverts with
/// `NothingToSettle(reason)`. Assets have the same ids either way, and sequence numbers are the same bitmap; a number is
/// used up by the REJECTED or the RESULT. An ACCEPTED leaves it free: else a home could use up a number by recording
/// the host's ACCEPTED alone, and so keep the host's finished batch out.
///
/// A RESULT in time opens the K2 claim, a REJECTED the K1 claim, within the caps of the ledger.
///
/// Of all ways only this one does not look whether the ledger is closed, which would cost each step a read. What is
/// recorded after closing is a record and earns nothing: no vote counts on it, no K3 and no receipt builds on it.
///
/// Two parties have 65,536 places for their migrations, one for the last 16 bits of the sequence number. A REQUEST takes
/// its place if that is empty, or if what stands there can be forgotten: its claim is not open, and 30 days have gone by
/// since its RESULT or REJECTED, or since its result deadline where it has neither. Else it is refused (SEQUENCE_USED).
/// All windows that look for a migration here (a day to settle, 7 days for a receipt or a K3 claim) are over by then, and
/// an open claim is never overwritten. What can be lost is a K3 claim that has timed out more than once: it finds its
/// RESULT for 30 days for certain, and then for as long as nobody has taken the place. Numbers are used up for good all
/// the same: a number whose place is free again can be asked for, and its answer is refused.
///
/// What is stored of a migration names its latest asset by a fingerprint: the last 20 bytes of keccak256(id | number as
/// 32 bytes). It binds every bit of the id, so an id that a caller hands in is the one that was recorded, and the number,
/// so that nothing is done under another one that leads to the same place.
///
/// What it costs, submitted, in places that were in use before, with the votes of two of three validators: 209,300, of
/// which 196,300 are bound: six transactions (126,000), six changes of a slot (30,000), a word of sequence numbers and the
/// host's total (10,000), two seats (4,200), calldata (11,100), events (15,000). The rest, 2,200 a transaction, is finding
/// the function (150), decoding, hashing, reading and checking. Where 32 claims share a vote transaction it is 158,700. A
/// place that is used for the first time costs 17,100 more. Solidity compares the selectors of all functions one after the
/// other, in their order: names and the order of arguments of what is submitted were chosen among the natural ones so that
/// it finds them early.
interface IKudosSteps {
    /// @notice How far a migration has come.
    enum Stage {
        None,
        Requested,
        Accepted,
        Confirmed,
        Result,
        LateResult,
        Rejected
    }

    /// @notice How a Kudos claim stands.
    enum State {
        None,
        Claimed,
        Verified,
        Refused
    }

    /// @notice The REQUEST asset, as in eip712.json.
    struct Request {
        address home;
        address host;
        bytes32 processId;
        bytes32 processName;
        bytes32 commitment;
        uint32 cpuSeconds;
        uint32 memoryMiB;
        uint32 outputKiB;
        uint32 seq;
        uint64 resultDeadline;
        uint64 signedAt;
    }

    /// @notice Which migration: the two parties and the sequence number between them.
    struct Place {
        address home;
        address host;
        uint32 seq;
    }

    /// @notice One validator's word on the claim of one migration.
    /// @param id the id of the RESULT or REJECTED voted on, so that no vote slips to another asset if the chain's last
    /// blocks are replaced
    /// @param reason APPROVE (128), a refusal (129..143) or an abstention (144..159)
    struct StepVote {
        Place place;
        bytes32 id;
        uint8 reason;
    }

    /// @notice A home asked a host. Holds the asset in full; home and host stand in it.
    event Requested(bytes32 indexed requestId, Request request);
    /// @notice A host accepted.
    event Accepted(bytes32 indexed requestId, uint64 signedAt);
    /// @notice A host refused.
    /// @param claimed whether this opened a K1 claim
    event Rejected(bytes32 indexed requestId, uint8 reason, uint64 signedAt, bool claimed);
    /// @notice A home confirmed the acceptance that was recorded of this request.
    event Confirmed(bytes32 indexed requestId, uint64 signedAt);
    /// @notice A host settled its result; where it is late by block time, or over a cap, there is no K2 claim.
    /// @param claimed whether this opened a K2 claim
    event Resulted(bytes32 indexed requestId, bytes32 seal, uint64 signedAt, bool claimed);
    /// @notice The asset was handed in by another than its owner, with this signature of the owner.
    event Signed(bytes32 indexed id, bytes signature);
    /// @notice A validator voted on the claim of a migration.
    /// @param id the RESULT's or REJECTED's
    /// @param state how the claim stands after this vote; final when it is Verified or Refused
    event StepVoted(address indexed validator, bytes32 indexed id, uint8 reason, State state);
    /// @notice The claim became final without a vote: by a recount after a change of the set, or because it timed out
    /// and is made again (then Refused here).
    event StepDecided(address indexed home, address indexed host, uint32 seq, State state);

    /// @notice There is no open or decided claim for this migration, or it is on another asset.
    error UnknownStep(address home, address host, uint32 seq);
    /// @notice The validator is a party to the migration, or took its seat after the claim was opened.
    error NotEligible(address validator);

    /// @notice Records a REQUEST of the caller, where its place is free.
    function submitRequest(Request calldata asset) external;

    /// @notice Records an ACCEPTED of the caller, who is the host.
    /// @param requestId of the recorded REQUEST
    function submitAccepted(bytes32 requestId, address home, uint32 seq, uint64 signedAt) external;

    /// @notice Records a REJECTED of the caller, who is the host, and claims K1.
    function submitRejected(bytes32 requestId, address home, uint32 seq, uint64 signedAt, uint8 reason) external;

    /// @notice Records a CONFIRMED of the caller, who is the home.
    /// @param acceptedAt the signing time of the recorded ACCEPTED
    function submitConfirmed(bytes32 requestId, address host, uint32 seq, uint64 signedAt, uint64 acceptedAt) external;

    /// @notice Records a RESULT of the caller, who is the host, and claims K2 if it is in time.
    function submitResult(bytes32 requestId, address home, uint32 seq, uint64 signedAt, bytes32 seal) external;

    /// @notice Votes on the claim of one migration: what `vote` does with a list of one, for less.
    /// @param id as in StepVote
    /// @param reason as in StepVote
    function voteOnStep(address home, address host, uint32 seq, bytes32 id, uint8 reason) external;

    /// @notice Records a REQUEST that its home has signed, where its place is free.
    function request(Request calldata asset, bytes calldata signature) external;

    /// @notice Records an ACCEPTED that the host has signed.
    /// @param requestId of the recorded REQUEST
    function accept(Place calldata place, bytes32 requestId, uint64 signedAt, bytes calldata signature) external;

    /// @notice Records a REJECTED that the host has signed, and claims K1.
    function reject(Place calldata place, bytes32 requestId, uint8 reason, uint64 signedAt, bytes calldata signature)
        external;

    /// @notice Records a CONFIRMED that the home has signed.
    /// @param acceptedAt the signing time of the recorded ACCEPTED
    function confirm(
        Place calldata place,
        bytes32 requestId,
        uint64 acceptedAt,
        uint64 signedAt,
        bytes calldata signature
    ) external;

    /// @notice Records a RESULT that the host has signed, and claims K2 if it is in time.
    function result(Place calldata place, bytes32 requestId, bytes32 seal, uint64 signedAt, bytes calldata signature)
        external;

    /// @notice Counts the votes on a migration's claim anew, after a change of the set. Anyone may.
    /// @param id the RESULT's or REJECTED's
    function recountStep(Place calldata place, bytes32 id) external;

    /// @notice Makes an open claim final as refused, because it has been open longer than the claim window and is made
    /// again in the claims contract, which alone may do this.
    /// @return done false, and nothing changed, where no claim is open or it is not old enough
    function retireStep(Place calldata place) external returns (bool done);

    /// @notice What is stored of the migration that came the strict way and holds this place now. Numbers share places:
    /// whether it is the one that was meant, its fingerprint says; so with the next two.
    /// @return stage how far it has come; LateResult earns neither K2 nor K3 without the home's receipt
    /// @return claim how its K1 or K2 claim stands; None where there is none (late, or over a cap)
    /// @return fingerprint of its REQUEST (Requested, Confirmed), ACCEPTED, RESULT or REJECTED
    /// @return time the result deadline until there is a RESULT or REJECTED, then the block time of that
    function step(Place calldata place)
        external
        view
        returns (Stage stage, State claim, bytes20 fingerprint, uint32 time);

    /// @notice Since when the migration's claim has waited for votes; 0 where none is open.
    function stepPendingSince(Place calldata place) external view returns (uint64);

    /// @notice What the validators said of a migration's claim; in the masks a bit stands for a seat.
    function stepVotes(Place calldata place) external view returns (uint16 voters, uint16 approvals, uint16 refusals);
}
