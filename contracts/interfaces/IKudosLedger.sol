// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The Kudos ledger
/// @notice Records migrations of tasks from a home to a host, and the Kudos that the host earned by them.
/// Kudos count only when `threshold` of the registered validators have approved them.
///
/// Assets are EIP-712 structs (`contracts/types/eip712.json`); an asset's id is its full EIP-712 digest.
/// Signatures are 64 bytes, EIP-2098. They are never used as identifiers, so their malleability is harmless.
/// Three of them may instead be a contract wallet's, of any length, judged by its `isValidSignature` (ERC-1271): the
/// host's of its batch, the host's of KUDOS, the home's of CANARY_OPENED. Those are checked once per call or claim.
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
/// What breaks correctness: `threshold` validators who approve what is not so. The chain rewriting final blocks.
/// What breaks liveness: more than n - threshold validators silent.
interface IKudosLedger {
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

    /// @notice A claim for K3: which settled RESULT, the home's opening of the mark, the host's opening of its seal.
    /// @param root the batch that settled the RESULT
    /// @param index the RESULT's place in that batch
    /// @param path the Merkle path from the leaf to the root
    /// @param openingSignature the home's, of CANARY_OPENED; of its key or its contract wallet
    /// @param hostSignature the host's, of KUDOS, likewise; empty when the host itself sends the transaction
    struct CanaryClaim {
        Request request;
        bytes32 seal;
        uint64 resultSignedAt;
        bytes32 root;
        uint8 index;
        bytes32[] path;
        bytes32 taskDigest;
        bytes32 family;
        bytes32 parameters;
        bytes32 salt;
        uint64 openedAt;
        bytes openingSignature;
        bytes32 resultDigest;
        bytes32 sealSalt;
        bytes hostSignature;
    }

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

    /// @notice One validator's word on one K3 claim: APPROVE (128), a refusal (129..143) or an abstention (144..159).
    struct CanaryVote {
        bytes32 kudosId;
        uint8 reason;
    }

    /// @notice A batch was settled. Together with the interface's packed form this holds every record in full.
    /// @param claims the records with an open claim: K2 below the batch's `confirmed`, K1 from there on
    /// @param skipped pairs of bytes (index, reason code) for every record that changed nothing
    event BatchSettled(address indexed host, bytes32 indexed root, uint128 claims, bytes skipped, bytes batch);

    /// @notice A validator voted on a batch. `approve` and `refuse` are as counted, without bits that are no claims.
    event BatchVoted(
        address indexed validator,
        address indexed host,
        bytes32 indexed root,
        uint128 approve,
        uint128 refuse,
        bytes reasons
    );

    /// @notice Claims of a batch became final with this vote.
    event BatchDecided(address indexed host, bytes32 indexed root, uint128 verified, uint128 refused);

    /// @notice A home opened the mark of a settled request: it was a canary.
    event CanaryOpened(
        bytes32 indexed requestId,
        address indexed home,
        bytes32 resultId,
        bytes32 taskDigest,
        bytes32 family,
        bytes32 parameters,
        bytes32 salt,
        uint64 signedAt,
        bytes signature
    );

    /// @notice A host claims K3 for an opened canary.
    event CanaryClaimed(
        bytes32 indexed kudosId,
        address indexed host,
        bytes32 indexed requestId,
        bytes32 resultDigest,
        bytes32 sealSalt
    );

    /// @notice An item of `claimCanaries` changed nothing.
    event CanarySkipped(uint256 index, uint8 reason);

    /// @notice A validator voted on a K3 claim.
    event CanaryVoted(address indexed validator, bytes32 indexed kudosId, uint8 reason);

    /// @notice A K3 claim became final with this vote.
    event CanaryDecided(bytes32 indexed kudosId, address indexed host, bool verified);

    /// @notice The validator list is empty, longer than 16, has a zero or repeated address, or the threshold is not in (n/2, n].
    error BadValidatorSet();
    /// @notice A constructor value is zero that must not be.
    error BadParameter();
    /// @notice The batch is not in the packed form; `offset` is where reading stopped.
    error MalformedBatch(uint256 offset);
    /// @notice The batch is neither sent nor signed by its host.
    error NotTheHost();
    /// @notice Every item was skipped; the first for this reason.
    error NothingToSettle(uint8 reason);
    /// @notice The sender is not a registered validator.
    error NotAValidator();
    /// @notice The host has no settled batch with this root.
    error UnknownBatch(address host, bytes32 root);
    /// @notice There is no K3 claim with this id.
    error UnknownClaim(bytes32 kudosId);
    /// @notice This validator voted on this before; votes are append-only.
    error VotedBefore();
    /// @notice A claim is both approved and refused, or a reason code is not a vote.
    error ContradictoryVote();
    /// @notice A contract wallet has to be asked about a signature, and less gas is left than it may use.
    error NotEnoughGas(uint256 needed);

    /// @notice Settles up to 128 finished migrations of one host, and claims K2 or K1 for each.
    /// A record that cannot be settled is skipped with its reason and leaves the others alone.
    /// @param host the host that all records name
    /// @param batch the packed form above
    /// @param hostSignature the host's, of Batch(host, keccak256(batch)), of its key or its contract wallet; empty when
    /// the host sends the transaction
    /// @return root the Merkle root under which the batch is stored
    function settle(address host, bytes calldata batch, bytes calldata hostSignature) external returns (bytes32 root);

    /// @notice Claims K3 for canaries whose RESULT is settled. Items that do not hold are skipped with their reason.
    function claimCanaries(CanaryClaim[] calldata claims) external;

    /// @notice A validator's votes, on whole batches and on K3 claims.
    function vote(BatchVote[] calldata batchVotes, CanaryVote[] calldata canaryVotes) external;

    /// @notice How many Kudos records of each level a node has verified. Points are k1 + 10 * k2 + 100 * k3.
    function kudos(address node) external view returns (uint64 k1, uint64 k2, uint64 k3);

    /// @notice What is stored of a batch; all zero for an unknown one.
    /// @return n the number of records
    /// @return confirmed the index of the first REJECTED record
    /// @return settledAt the block time, Unix seconds
    /// @return claims the records with a claim, whatever its state
    /// @return verified the claims approved by `threshold` validators
    /// @return refused the claims that can no longer be approved
    function batch(address host, bytes32 root)
        external
        view
        returns (uint8 n, uint8 confirmed, uint64 settledAt, uint128 claims, uint128 verified, uint128 refused);

    /// @notice How a K3 claim stands.
    function canary(bytes32 kudosId) external view returns (State state, address host, uint64 claimedAt);

    /// @notice What a validator said of a batch; `voted` is false before it voted.
    function ballot(address host, bytes32 root, address validator)
        external
        view
        returns (bool voted, uint128 approve, uint128 refuse);

    /// @notice Whether a sequence number of (home, host) was settled; once true, always true.
    function sequenceUsed(address home, address host, uint32 seq) external view returns (bool);

    /// @notice The registered validators, at most 16.
    function validators() external view returns (address[] memory);

    /// @notice How many approvals a claim needs; above half of the validators.
    function threshold() external view returns (uint256);

    /// @notice The length of an epoch in seconds; epoch e is [e * epochSeconds, (e + 1) * epochSeconds) of block time.
    function epochSeconds() external view returns (uint64);

    /// @notice At most this many K1 claims per host and epoch; per (home, host) and epoch it is one.
    function k1PerHostAndEpoch() external view returns (uint64);

    /// @notice The EIP-712 domain separator of this contract on this chain.
    function domainSeparator() external view returns (bytes32);
}
