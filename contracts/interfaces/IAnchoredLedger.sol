// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosSteps} from "./IKudosSteps.sol";

/// @title Anchored migrations: what the validators say, and how to catch them out
/// @notice ANOTHER TRUST THAN THE LEDGER'S. `IKudosLedger` checks every signature of a home itself; here the contract
/// checks nothing of a migration when it is anchored. It checks that `threshold` of the ledger's validators signed one
/// Merkle root and what it adds to the hosts' totals. The records are elsewhere. Whoever reads these totals
/// trusts the validators, and the fact that anybody can have any single record shown. That is why they
/// are kept apart from the ledger's Kudos, are no tokens, and are never added to them by a contract.
///
/// Only finished migrations are anchored, one leaf each: the leaf is the id of the RESULT. Every leaf stands for one
/// verified K2, and the totals count them. Refusals (K1) and canaries (K3) belong to the ledger. All assets are signed
/// under the EIP-712 domain of this contract (name "Kudos", version "1", its address), so that a migration settles
/// here or in the ledger and never in both.
///
/// Hosts get a dense index when they are first named, eight to a storage word, 32 bits each: index i counts in the
/// bits [32 * (i % 8), 32 * (i % 8) + 32) of word i / 8. An anchor lists the words that it adds to, ascending:
///
///     totals = (word:4 | eight lanes:32)...     all big-endian; lane i % 8 = 0 in the lowest bits
///
/// The tree is the ledger's: the smallest power of two of leaves that holds `count`, missing ones zero, by position.
///
/// Challenges. Within `challengeSeconds` after anchoring anybody may ask for any leaf. Who has the record shows it by
/// `answer`, anybody may, within `answerSeconds`. Only a record that the contract finds sound answers: every
/// field, the home's signature on CONFIRMED, the order of times, the path to the root. A leaf for which no sound record
/// exists can therefore not be defended, and a wrong answer changes nothing. After the window anybody marks
/// the anchor as disputed, for good. So does whoever shows that one leaf stands in two places, or that two leaves
/// stand for one migration: the home's word on CONFIRMED names no RESULT, so that one could defend many leaves. A dispute takes back no
/// total, since the contract cannot know how much of it is wrong; it is a public mark on the validators who signed,
/// whose seats the anchor's event names.
///
/// What it does not catch: totals given to the wrong hosts, as no leaf is summed on chain (only that totals and leaves
/// are equally many); an anchor whose records nobody ever asks for. Challenges cost their sender about as much as the
/// answer does, and at most 64 are open per anchor: who signed a bad one can fill these places with questions that it can
/// answer, and hold off others as long as it pays for that. Nothing is put down that it would lose.
interface IAnchoredLedger {
    /// @notice Which anchor is meant, as its event said. Only a hash of it is stored.
    /// @param sequence its number, from 0
    /// @param root of the tree over the RESULT ids
    /// @param count the number of leaves
    /// @param anchoredAt block time, Unix seconds
    struct Anchored {
        uint64 sequence;
        bytes32 root;
        uint32 count;
        uint64 anchoredAt;
    }

    /// @notice A finished migration in full, signed under this contract's domain.
    /// @param seal the RESULT's seal
    /// @param homeR with `homeVs` the signature of CONFIRMED by the home's key (EIP-2098). A contract wallet is not asked: what
    /// it says may change, and an honest anchor must stay defensible
    struct Migration {
        IKudosSteps.Request request;
        bytes32 seal;
        uint64 acceptedAt;
        uint64 confirmedAt;
        uint64 resultAt;
        bytes32 homeR;
        bytes32 homeVs;
    }

    /// @notice A leaf, where it stands, and what it is the id of.
    struct Shown {
        Anchored anchored;
        uint32 index;
        Migration migration;
        bytes32[] path;
    }

    /// @notice Validators anchored migrations.
    /// @param signers the seats of those who signed, as a mask
    /// @param firstHost the index of the first of `newHosts`
    event AnchorAdded(
        uint64 indexed sequence,
        bytes32 indexed root,
        uint32 count,
        uint64 anchoredAt,
        uint16 signers,
        uint32 firstHost,
        address[] newHosts,
        bytes totals
    );

    /// @notice Somebody wants to see a leaf, until `dueAt`.
    event LeafChallenged(uint64 indexed sequence, uint32 indexed index, address indexed challenger, uint64 dueAt);

    /// @notice A challenged leaf was shown to be a sound migration.
    event LeafShown(uint64 indexed sequence, uint32 indexed index, bytes32 indexed resultId, Migration migration);

    /// @notice The anchor is disputed for good: the leaf was not shown in time, or stands elsewhere too (`twice`).
    event AnchorDisputed(uint64 indexed sequence, uint32 indexed index, bool twice);

    /// @notice A constructor value is zero or too large.
    error BadParameter();
    /// @notice The signatures are not 64 bytes each, or not of validators in ascending order of seats.
    error BadSigners();
    /// @notice Fewer validators signed than the ledger's threshold.
    error TooFewSigners(uint256 signers, uint256 threshold);
    /// @notice The next anchor has another sequence number.
    error WrongSequence(uint64 next);
    /// @notice An anchor has 1 to 2^20 leaves.
    error BadCount();
    /// @notice The root is zero.
    error BadRoot();
    /// @notice A host is named as new that has an index, or is the zero address.
    error NotANewHost(address host);
    /// @notice The totals are not in the packed form, not ascending, or name a host without index.
    error MalformedTotals(uint256 offset);
    /// @notice A host's total would not fit 32 bits.
    error TotalOverflow(uint256 word);
    /// @notice The totals add up to another number than there are leaves.
    error TotalsDoNotAddUp(uint256 sum, uint256 leaves);
    /// @notice No anchor is what the caller says.
    error UnknownAnchor();
    /// @notice The anchor has no leaf at this index.
    error NoSuchLeaf(uint32 index);
    /// @notice The time for challenges or for this answer is over.
    error TooLate(uint64 until);
    /// @notice The answer may still come.
    error TooEarly(uint64 until);
    /// @notice This leaf was challenged before.
    error ChallengedBefore();
    /// @notice This leaf has no open challenge.
    error NotChallenged();
    /// @notice So many challenges of this anchor are open; wait for answers.
    error TooManyChallenges(uint256 most);
    /// @notice The anchor is disputed already.
    error DisputedBefore();
    /// @notice The migration is not sound; a skip code of reasons.json says why.
    error NotSound(uint8 reason);
    /// @notice The path does not lead from this leaf to the root.
    error WrongPath();
    /// @notice The second place must come after the first: in a later anchor, or further on in the same. Or what stands
    /// there is another migration.
    error NotTwoPlaces();

    /// @notice Anchors migrations. Anybody may send it; the validators' signatures are what counts.
    /// @param sequence the number of this anchor
    /// @param newHosts hosts that get the next indexes, before `totals` are added
    /// @param signatures 64 bytes each, EIP-2098, by ascending seats, of
    /// Anchor(sequence, root, count, newHosts, totals)
    function anchor(
        uint64 sequence,
        bytes32 root,
        uint32 count,
        address[] calldata newHosts,
        bytes calldata totals,
        bytes calldata signatures
    ) external;

    /// @notice Asks for a leaf to be shown.
    function challenge(Anchored calldata anchored, uint32 index) external;

    /// @notice Shows a challenged leaf.
    /// @param path the siblings, the leaf's first
    function answer(Anchored calldata anchored, uint32 index, Migration calldata migration, bytes32[] calldata path)
        external;

    /// @notice Marks an anchor of which a challenged leaf was not shown in time.
    function dispute(Anchored calldata anchored, uint32 index) external;

    /// @notice Marks the anchor of the later of two places in which the same leaf stands; they may be in one anchor.
    function disputeTwice(
        bytes32 leaf,
        Anchored calldata earlier,
        uint32 earlierIndex,
        bytes32[] calldata earlierPath,
        Anchored calldata later,
        uint32 laterIndex,
        bytes32[] calldata laterPath
    ) external;

    /// @notice Marks the anchor of the later of two leaves that stand for one migration: same home, host and sequence
    /// number, whatever their RESULTs say.
    function disputeSame(Shown calldata earlier, Shown calldata later) external;

    /// @notice How many K2 the validators say this host earned here. Their word, not the contract's.
    function anchoredTotal(address host) external view returns (uint32);

    /// @notice The dense index of a host; `known` is false before it is first named.
    function indexOf(address host) external view returns (bool known, uint32 index);

    /// @notice A word of totals.
    function totalsWord(uint32 word) external view returns (uint256);

    /// @notice The number that the next anchor has, and how many hosts have an index.
    function next() external view returns (uint64 sequence, uint32 hosts);

    /// @notice Whether this anchor exists, whether it is disputed, how many challenges are open.
    function standing(Anchored calldata anchored)
        external
        view
        returns (bool exists, bool disputed, uint16 openChallenges);

    /// @notice How a leaf's challenge stands; `dueAt` is 0 when there never was one.
    function challengeOf(uint64 sequence, uint32 index) external view returns (uint64 dueAt, bool shown);

    /// @notice How many anchors are disputed.
    function disputedAnchors() external view returns (uint64);

    /// @notice The ledger whose validators sign.
    function ledger() external view returns (address);

    /// @notice How long after anchoring a leaf can be asked for, and how long an answer has time.
    function windows() external view returns (uint64 challengeSeconds, uint64 answerSeconds);

    /// @notice The EIP-712 domain separator under which migrations and anchors are signed.
    function domainSeparator() external view returns (bytes32);
}
