// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "./IKudosSteps.sol";
import {IValidatorSeats} from "./IValidatorSeats.sol";

/// @title The Kudos ledger
/// @notice Records migrations of tasks from a home to a host, and the Kudos that the host earned by them.
/// Kudos count only when `threshold` of the registered validators have approved them.
///
/// Assets come in three ways, under one set of rules and with the same ids: each in a transaction of its owner, each
/// with its owner's signature in a transaction of anybody (both `IKudosSteps`), and finished migrations in a batch.
///
/// Assets are EIP-712 structs (`contracts/types/eip712.json`); an asset's id is its full EIP-712 digest.
/// Signatures are 64 bytes, EIP-2098. They are never used as identifiers, so their malleability is harmless.
/// Wherever one signature is checked per call or per asset it may instead be a contract wallet's, of any length, judged
/// by its `isValidSignature` (ERC-1271): the host's of its batch, a validator's of its votes, those of the single steps.
/// The signatures inside a batch are the hot loop, 64 bytes in the packed form, and a key's always: a home needs one.
/// An account with code is asked when the 64 bytes are not its key's; it may use 400,000 gas, changes nothing (static
/// call), and a revert, another answer, or running out of that gas all mean "not signed". A wallet can change its
/// mind: whoever relies on such a signature later must ask at the block where it was used.
///
/// Verified Kudos are tokens too, under `IKudosToken`.
///
/// A batch (`settle`) holds the finished migrations of one host, in this packed form, all numbers big-endian:
///
///     batch     = version:1 (= 1) | n:1 (1..128) | confirmed:1 (0..n) | group...
///     group     = home:20 | count:1 (1..) | record * count
///     record    = CONFIRMED record while the index is below `confirmed`, else REJECTED record
///
///     CONFIRMED = processId:32 | processName:32 | commitment:32 | seal:32 | home's signature of CONFIRMED:64
///               | seq:4 | signedAt:4 | deadlineAfter:3 | cpuSeconds:3 | memoryMiB:3 | outputKiB:4
///               | acceptedAfter:2 | confirmedAfter:2 | resultAfter:3                              (220 bytes)
///     REJECTED  = processId:32 | processName:32 | commitment:32 | home's signature of REQUEST:64
///               | seq:4 | signedAt:4 | deadlineAfter:3 | cpuSeconds:3 | memoryMiB:3 | outputKiB:4
///               | rejectedAfter:2 | reason:1                                                      (184 bytes)
///
/// `signedAt` is REQUEST's, in Unix seconds; every "after" is in seconds since it. A group does not straddle the
/// border between the two kinds. The leaf of a CONFIRMED record is the id of its RESULT, that of a REJECTED record
/// the id of its REJECTED asset, that of a skipped record zero. The Merkle tree has the smallest power of two of
/// leaves that holds n, missing ones are zero, and a node is keccak256(left | right), by position, not sorted.
///
/// A validator that is home or host of a record does not vote on it, and the others have to do: for that record it
/// counts like a refusal, of which n - threshold leave the claim possible. `ValidatorExcluded` tells the records.
/// Parties alone refuse nothing: where a change of the set has left too few others, the claim stays open, as it does
/// where too few are eligible, and can be made again after the window.
///
/// Three satellites, created by `build` and fixed by the constructor's hashes of their init codes, do the rest: the
/// queue changes the set, the claims contract mints K3 and takes claims made again, the beacon draws canaries.
///
/// What breaks correctness: `threshold` validators who approve what is not so. The chain rewriting final blocks.
/// What breaks liveness: more than n - threshold validators silent.
interface IKudosLedger is IKudosSteps, IValidatorSeats {
    /// @notice One validator's word on the K1 and K2 claims of one batch; a bit stands for the record at that index.
    /// @param approve the claims that hold
    /// @param refuse the claims that do not; a claim in neither is abstained on
    /// @param reasons pairs of bytes (index, reason code) for every claim that is not approved
    struct BatchVote {
        address host;
        bytes32 root;
        uint128 approve;
        uint128 refuse;
        bytes reasons;
    }

    /// @notice A batch was settled. Together with the interface's packed form this holds every record in full.
    /// @param claims the records with an open claim: K2 below the batch's `confirmed`, K1 from there on
    /// @param skipped pairs of bytes (index, reason code) for every record that changed nothing
    event BatchSettled(address indexed host, bytes32 indexed root, uint128 claims, bytes skipped, bytes batch);

    /// @notice The validator is a party to these records of the batch, and does not vote on them.
    event ValidatorExcluded(address indexed host, bytes32 indexed root, address indexed validator, uint128 records);

    /// @notice A validator voted on a batch. `approve` and `refuse` are as counted, without bits that are no claims and
    /// without records that the validator is a party to.
    event BatchVoted(
        address indexed validator,
        address indexed host,
        bytes32 indexed root,
        uint128 approve,
        uint128 refuse,
        bytes reasons
    );

    /// @notice Claims of a batch became final: with a vote, with a recount, or (then refused here) because they timed
    /// out and are made again in the claims contract.
    event BatchDecided(address indexed host, bytes32 indexed root, uint128 verified, uint128 refused);

    /// @notice The queue closed the ledger. Nothing new is settled; votes count until `finalAt`, then totals are final.
    event LedgerClosed(uint64 finalAt);

    /// @notice A node's verified Kudos came over from the ledger before this one: the mints behind this event.
    event Carried(address indexed node);

    /// @notice The next satellite was created.
    event SatelliteBuilt(uint256 indexed number, address satellite);

    /// @notice A constructor value is zero that must not be.
    error BadParameter();
    /// @notice The batch is not in the packed form; `offset` is where reading stopped.
    error MalformedBatch(uint256 offset);
    /// @notice The batch is neither sent nor signed by its host.
    error NotTheHost();
    /// @notice Every item was skipped; the first for this reason. Single assets are refused with this, too.
    error NothingToSettle(uint8 reason);
    /// @notice The host has no settled batch with this root.
    error UnknownBatch(address host, bytes32 root);
    /// @notice This validator voted on this before; votes are append-only.
    error VotedBefore();
    /// @notice A claim is both approved and refused, or a reason code is not a vote.
    error ContradictoryVote();
    /// @notice The votes are not signed by this validator.
    error NotSigned();
    /// @notice A contract wallet has to be asked about a signature, and less gas is left than it may use.
    error NotEnoughGas(uint256 needed);
    /// @notice The ledger is closed: for new things at once, for votes and mints after `finalAt`.
    error Closed();
    /// @notice This is not the init code of the next satellite, or creating it failed.
    error WrongInitCode();
    /// @notice There is no predecessor, or its totals are not final yet.
    error NothingToCarry();

    /// @notice Settles up to 128 finished migrations of one host, and claims K2 or K1 for each.
    /// A record that cannot be settled is skipped with its reason and leaves the others alone.
    /// @param host the host that all records name
    /// @param batch the packed form above
    /// @param hostSignature the host's, of Batch(host, keccak256(batch)), of its key or its contract wallet; empty when
    /// the host sends the transaction
    /// @return root the Merkle root under which the batch is stored
    function settle(address host, bytes calldata batch, bytes calldata hostSignature) external returns (bytes32 root);

    /// @notice The sender's votes as a validator, on batches and on single migrations. All of them or none.
    function vote(BatchVote[] calldata batchVotes, StepVote[] calldata stepVotes) external;

    /// @notice The same for a validator that signed Votes(keccak256(abi.encode(batchVotes, stepVotes))). Anyone sends it.
    function voteFor(
        address validator,
        BatchVote[] calldata batchVotes,
        StepVote[] calldata stepVotes,
        bytes calldata signature
    ) external;

    /// @notice Counts the ballots of a batch anew, after a change of the set. Anyone may.
    function recount(address host, bytes32 root) external;

    /// @notice Creates the next satellite: queue, claims, beacon, in this order. Anyone may; the init code, constructor
    /// arguments included, is checked against the hash given at deployment.
    function build(bytes calldata initCode) external returns (address satellite);

    /// @notice Copies verified totals from the predecessor, whose totals must be final; each node once, at most 100
    /// a call. Anyone may; nodes carried before are passed over. The call goes on to the predecessor's own predecessor
    /// first, if it has one, so that no total is left behind further up.
    function carry(address[] calldata nodes) external;

    /// @notice Ends this ledger's life. Only the queue may.
    function close() external;

    /// @notice Mints verified Kudos that the claims contract, which alone may, has decided on.
    /// @param count how many, at most 2^32 in a call
    function mint(address host, uint256 level, uint256 count) external;

    /// @notice Counts a claim of the pair in this epoch where the ledger keeps count (see `pair`). Only for the claims
    /// contract; K1 and K2 made again were counted when they were first made.
    /// @return admitted false, and nothing counted, where it would be over the cap
    function admit(address home, address host, uint256 level) external returns (bool admitted);

    /// @notice Makes an open claim of a batch final as refused, because it has been open longer than the claim window
    /// and is made again in the claims contract, which alone may do this.
    /// @return done false, and nothing changed, where no such claim is open or it is not old enough
    function retire(address host, bytes32 root, uint256 index) external returns (bool done);

    /// @notice How many Kudos records of each level a node has verified. Points are k1 + 10 * k2 + 100 * k3.
    function kudos(address node) external view returns (uint64 k1, uint64 k2, uint64 k3);

    /// @notice What is stored of a batch; all zero for an unknown one. A claim is undecided while it is neither verified
    /// nor refused.
    /// @return n the number of records
    /// @return confirmed the index of the first REJECTED record
    /// @return settledAt the block time, Unix seconds
    /// @return claims the records with a claim, whatever its state
    /// @return verified the claims approved by `threshold` validators
    /// @return refused the claims that can no longer be approved here
    function batch(address host, bytes32 root)
        external
        view
        returns (uint8 n, uint8 confirmed, uint64 settledAt, uint128 claims, uint128 verified, uint128 refused);

    /// @notice Since when claims of the batch have waited for votes; 0 where all are decided.
    function pendingSince(address host, bytes32 root) external view returns (uint64);

    /// @notice What a seated validator said of a batch; `voted` is false before it voted, and `excluded`
    /// are the records that it is a party to.
    function ballot(address host, bytes32 root, address validator)
        external
        view
        returns (bool voted, uint128 approve, uint128 refuse, uint128 excluded);

    /// @notice The claims counted for (home, host) in the latest epoch that saw one. Kept for K1 always, for K2 and K3
    /// only where there is a cap on K2.
    /// @return epoch the number of that epoch
    function pair(address home, address host) external view returns (uint64 epoch, uint64 k1, uint64 k2, uint64 k3);

    /// @notice Whether a sequence number of (home, host) was settled; once true, always true.
    function sequenceUsed(address home, address host, uint32 seq) external view returns (bool);

    /// @notice The length of an epoch in seconds; epoch e is [e * epochSeconds, (e + 1) * epochSeconds) of block time.
    function epochSeconds() external view returns (uint64);

    /// @notice At most this many K1 claims per host and epoch; per (home, host) and epoch it is one.
    function k1PerHostAndEpoch() external view returns (uint64);

    /// @notice At most this many K2 claims per (home, host) and epoch; 0 for no cap, and no counting.
    function k2PerPairAndEpoch() external view returns (uint64);

    /// @notice How long after its opening a claim waits for votes before it can be made again, in seconds.
    function claimWindow() external view returns (uint64);

    /// @notice When the totals are or become final after `close`; 0 while the ledger is open.
    function finalAt() external view returns (uint64);

    /// @notice Where the satellites are, or will be once built.
    function satellites() external view returns (address queue, address claims, address beacon);

    /// @notice The ledger whose totals can be carried over; zero where there is none.
    function predecessor() external view returns (address);

    /// @notice The EIP-712 domain separator of this contract on this chain.
    function domainSeparator() external view returns (bytes32);
}
