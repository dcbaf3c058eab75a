// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchoredLedger} from "../interfaces/IAnchoredLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {Assets} from "../libraries/Assets.sol";
import {MerkleTree} from "../libraries/MerkleTree.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {Signatures} from "../libraries/Signatures.sol";

/// @title Challenges of anchored leaves, and the answers to them
/// @notice Of an anchor only a hash is stored; who speaks of one says what it was.
abstract contract Challenges is IAnchoredLedger {
    /// @dev Written only where somebody doubts.
    struct Doubt {
        uint16 open;
        bool disputed;
    }

    struct Challenge {
        uint64 dueAt;
        bool shown;
    }

    uint256 private constant MAX_OPEN = 64;
    uint256 private constant MAX_WINDOW = 365 days;
    uint256 private constant MAX_RESULT_SECONDS = 7 days;
    uint256 private constant MAX_SECONDS_AHEAD = 5 minutes;

    uint64 private immutable CHALLENGE_SECONDS;
    uint64 private immutable ANSWER_SECONDS;
    uint256 private immutable DEPLOYED_CHAIN_ID;
    bytes32 private immutable DEPLOYED_SEPARATOR;

    uint64 private _disputedAnchors;
    mapping(uint256 sequence => bytes32 hash) private _anchors;
    mapping(uint256 sequence => Doubt) private _doubts;
    mapping(uint256 sequence => mapping(uint256 index => Challenge)) private _challenges;

    constructor(uint64 challengeSeconds, uint64 answerSeconds) {
        if (challengeSeconds == 0 || challengeSeconds > MAX_WINDOW) revert BadParameter();
        if (answerSeconds == 0 || answerSeconds > MAX_WINDOW) revert BadParameter();
        CHALLENGE_SECONDS = challengeSeconds;
        ANSWER_SECONDS = answerSeconds;
        DEPLOYED_CHAIN_ID = block.chainid;
        DEPLOYED_SEPARATOR = Assets.domain(block.chainid, address(this));
    }

    /// @inheritdoc IAnchoredLedger
    function challenge(Anchored calldata anchored, uint32 index) external override {
        _requirePlace(anchored, index);
        uint64 until = anchored.anchoredAt + CHALLENGE_SECONDS;
        if (_time() > until) revert TooLate(until);
        Doubt memory doubt = _doubts[anchored.sequence];
        if (doubt.disputed) revert DisputedBefore();
        if (doubt.open >= MAX_OPEN) revert TooManyChallenges(MAX_OPEN);
        Challenge storage asked = _challenges[anchored.sequence][index];
        if (asked.dueAt != 0) revert ChallengedBefore();
        ++doubt.open;
        _doubts[anchored.sequence] = doubt;
        asked.dueAt = _time() + ANSWER_SECONDS;
        emit LeafChallenged(anchored.sequence, index, msg.sender, asked.dueAt);
    }

    /// @inheritdoc IAnchoredLedger
    function answer(Anchored calldata anchored, uint32 index, Migration calldata migration, bytes32[] calldata path)
        external
        override
    {
        _requirePlace(anchored, index);
        Challenge storage asked = _openChallenge(anchored.sequence, index);
        if (_time() > asked.dueAt) revert TooLate(asked.dueAt);
        uint256 reason = _judgeTimes(migration, anchored.anchoredAt);
        if (reason != Reasons.NONE) revert NotSound(uint8(reason));
        bytes32 resultId = _judgeSignature(migration);
        _requireLeaf(anchored, index, resultId, path);
        asked.shown = true;
        --_doubts[anchored.sequence].open;
        emit LeafShown(anchored.sequence, index, resultId, migration);
    }

    /// @inheritdoc IAnchoredLedger
    function dispute(Anchored calldata anchored, uint32 index) external override {
        _requirePlace(anchored, index);
        uint64 dueAt = _openChallenge(anchored.sequence, index).dueAt;
        if (_time() <= dueAt) revert TooEarly(dueAt);
        _markDisputed(anchored.sequence, index, false);
    }

    /// @inheritdoc IAnchoredLedger
    function disputeTwice(
        bytes32 leaf,
        Anchored calldata earlier,
        uint32 earlierIndex,
        bytes32[] calldata earlierPath,
        Anchored calldata later,
        uint32 laterIndex,
        bytes32[] calldata laterPath
    ) external override {
        _requirePlace(earlier, earlierIndex);
        _requirePlace(later, laterIndex);
        _requireOrder(earlier.sequence, earlierIndex, later.sequence, laterIndex);
        _requireLeaf(earlier, earlierIndex, leaf, earlierPath);
        _requireLeaf(later, laterIndex, leaf, laterPath);
        _markDisputed(later.sequence, laterIndex, true);
    }

    /// @inheritdoc IAnchoredLedger
    function disputeSame(Shown calldata earlier, Shown calldata later) external override {
        _requireOrder(earlier.anchored.sequence, earlier.index, later.anchored.sequence, later.index);
        IKudosSteps.Request calldata first = earlier.migration.request;
        IKudosSteps.Request calldata second = later.migration.request;
        bool same = first.home == second.home && first.host == second.host && first.seq == second.seq;
        if (!same) revert NotTwoPlaces();
        _requireShown(earlier);
        _requireShown(later);
        _markDisputed(later.anchored.sequence, later.index, true);
    }

    /// @inheritdoc IAnchoredLedger
    function standing(Anchored calldata anchored)
        external
        view
        override
        returns (bool exists, bool disputed, uint16 openChallenges)
    {
        if (_anchors[anchored.sequence] != _hash(anchored)) return (false, false, 0);
        Doubt memory doubt = _doubts[anchored.sequence];
        return (true, doubt.disputed, doubt.open);
    }

    /// @inheritdoc IAnchoredLedger
    function challengeOf(uint64 sequence, uint32 index) external view override returns (uint64 dueAt, bool shown) {
        Challenge memory asked = _challenges[sequence][index];
        return (asked.dueAt, asked.shown);
    }

    /// @inheritdoc IAnchoredLedger
    function disputedAnchors() external view override returns (uint64) {
        return _disputedAnchors;
    }

    /// @inheritdoc IAnchoredLedger
    function windows() external view override returns (uint64 challengeSeconds, uint64 answerSeconds) {
        return (CHALLENGE_SECONDS, ANSWER_SECONDS);
    }

    /// @inheritdoc IAnchoredLedger
    function domainSeparator() public view override returns (bytes32) {
        return block.chainid == DEPLOYED_CHAIN_ID ? DEPLOYED_SEPARATOR : Assets.domain(block.chainid, address(this));
    }

    function _store(Anchored memory anchored) internal {
        _anchors[anchored.sequence] = _hash(anchored);
    }

    /// @dev Every time that the contract compares with comes from here.
    function _time() internal view virtual returns (uint64) {
        return uint64(block.timestamp);
    }

    function _markDisputed(uint64 sequence, uint32 index, bool twice) private {
        Doubt storage doubt = _doubts[sequence];
        if (doubt.disputed) revert DisputedBefore();
        doubt.disputed = true;
        ++_disputedAnchors;
        emit AnchorDisputed(sequence, index, twice);
    }

    function _requirePlace(Anchored calldata anchored, uint32 index) private view {
        if (_anchors[anchored.sequence] != _hash(anchored)) revert UnknownAnchor();
        if (index >= anchored.count) revert NoSuchLeaf(index);
    }

    function _openChallenge(uint64 sequence, uint32 index) private view returns (Challenge storage asked) {
        asked = _challenges[sequence][index];
        if (asked.dueAt == 0 || asked.shown) revert NotChallenged();
    }

    /// @dev The home's signature on CONFIRMED covers acceptance and request; gives the RESULT's id.
    function _judgeSignature(Migration calldata migration) private view returns (bytes32 resultId) {
        bytes32 separator = domainSeparator();
        bytes32 requestId = Assets.request(separator, migration.request);
        bytes32 accepted = keccak256(abi.encode(Assets.ACCEPTED_TYPE, requestId, migration.acceptedAt));
        bytes32 acceptanceId = Assets.digest(separator, accepted);
        bytes32 confirmed = keccak256(abi.encode(Assets.CONFIRMED_TYPE, acceptanceId, migration.confirmedAt));
        bytes32 confirmedId = Assets.digest(separator, confirmed);
        if (!Signatures.isBy(migration.request.home, confirmedId, migration.homeR, migration.homeVs)) {
            revert NotSound(uint8(Reasons.BAD_SIGNATURE));
        }
        return Assets.result(separator, requestId, migration.seal, migration.resultAt);
    }

    function _requireShown(Shown calldata shown) private view {
        _requirePlace(shown.anchored, shown.index);
        bytes32 separator = domainSeparator();
        Migration calldata migration = shown.migration;
        bytes32 requestId = Assets.request(separator, migration.request);
        bytes32 leaf = Assets.result(separator, requestId, migration.seal, migration.resultAt);
        _requireLeaf(shown.anchored, shown.index, leaf, shown.path);
    }

    function _requireOrder(uint64 earlier, uint32 earlierIndex, uint64 later, uint32 laterIndex) private pure {
        bool inOrder = earlier < later || (earlier == later && earlierIndex < laterIndex);
        if (!inOrder) revert NotTwoPlaces();
    }

    /// @dev What the fields say of themselves, by the rules of the ledger.
    function _judgeTimes(Migration calldata migration, uint256 anchoredAt) private pure returns (uint256) {
        IKudosSteps.Request calldata request = migration.request;
        uint256 start = request.signedAt;
        uint256 deadline = request.resultDeadline;
        if (request.home == request.host) return Reasons.SELF;
        if (deadline <= start || deadline - start > MAX_RESULT_SECONDS) return Reasons.BAD_DEADLINE;
        if (start > anchoredAt + MAX_SECONDS_AHEAD) return Reasons.BAD_DEADLINE;
        bool inOrder = start <= migration.acceptedAt && migration.acceptedAt <= migration.confirmedAt
            && migration.confirmedAt <= migration.resultAt && migration.resultAt <= deadline;
        return inOrder ? Reasons.NONE : Reasons.BAD_ORDER;
    }

    /// @dev A path of another length could not end in the root either; refusing it first bounds the work.
    function _requireLeaf(Anchored calldata anchored, uint32 index, bytes32 leaf, bytes32[] calldata path)
        private
        pure
    {
        if (path.length != MerkleTree.depth(anchored.count)) revert WrongPath();
        if (MerkleTree.climb(leaf, index, path) != anchored.root) revert WrongPath();
    }

    function _hash(Anchored memory anchored) private pure returns (bytes32) {
        return keccak256(abi.encode(anchored));
    }
}
