// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosClaims} from "./interfaces/IKudosClaims.sol";
import {IValidatorQueue} from "./interfaces/IValidatorQueue.sol";
import {Assets} from "./libraries/Assets.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Tally} from "./libraries/Tally.sol";
import {ValidatorSets} from "./libraries/ValidatorSets.sol";
import {Satellite} from "./Satellite.sol";

/// @title The queue of what the validators are about to change
/// @notice Counts approvals by seats: a proposal is good for one version of the set only, so that a seat means the
/// same validator from the proposal to its execution.
contract ValidatorQueue is IValidatorQueue, Satellite {
    /// @dev Final outcomes only; everything else follows from the times.
    enum Outcome {
        Open,
        Executed,
        Withdrawn
    }

    /// @dev One slot. `readyAt` is 0 while the threshold has not been reached.
    struct Head {
        uint16 approvals;
        uint16 withdrawals;
        uint64 proposedAt;
        uint64 readyAt;
        Outcome outcome;
    }

    bytes32 private constant PROPOSAL_VOTE_TYPE =
        keccak256("ProposalVote(uint256 proposal,bytes32 content,bool approve)");
    uint64 private constant PROPOSAL_WINDOW = 30 days;
    uint64 private constant MAX_DELAY = 365 days;

    uint64 private immutable DELAY;

    uint256 private _proposals;
    mapping(uint256 proposal => Head) private _heads;
    mapping(uint256 proposal => Content) private _contents;

    constructor(uint64 delaySeconds) Satellite(msg.sender) {
        if (delaySeconds == 0 || delaySeconds > MAX_DELAY) revert BadDelay();
        DELAY = delaySeconds;
    }

    /// @inheritdoc IValidatorQueue
    function propose(Content calldata proposed) external override returns (uint256 proposal) {
        return _propose(msg.sender, proposed, _hash(proposed));
    }

    /// @inheritdoc IValidatorQueue
    function proposeFor(address validator, Content calldata proposed, bytes calldata signature)
        external
        override
        returns (uint256 proposal)
    {
        bytes32 contentHash = _hash(proposed);
        _requireSigned(validator, _proposals + 1, contentHash, true, signature);
        return _propose(validator, proposed, contentHash);
    }

    /// @inheritdoc IValidatorQueue
    function vote(uint256 proposal, bytes32 contentHash, bool approve) external override {
        _vote(msg.sender, proposal, contentHash, approve);
    }

    /// @inheritdoc IValidatorQueue
    function voteFor(
        address validator,
        uint256 proposal,
        bytes32 contentHash,
        bool approve,
        bytes calldata signature
    ) external override {
        _requireSigned(validator, proposal, contentHash, approve, signature);
        _vote(validator, proposal, contentHash, approve);
    }

    /// @inheritdoc IValidatorQueue
    function execute(uint256 proposal) external override {
        Status status = _status(proposal);
        if (status != Status.Ready) revert NotPossible(status);
        _heads[proposal].outcome = Outcome.Executed;
        Content memory agreed = _contents[proposal];
        emit ProposalExecuted(proposal);
        if (agreed.kind == Kind.Set) LEDGER.applySet(agreed.seats, agreed.quorum);
        else if (agreed.kind == Kind.Family) _register(agreed.family, agreed.implementation);
        else LEDGER.close();
    }

    /// @inheritdoc IValidatorQueue
    function proposals() external view override returns (uint256) {
        return _proposals;
    }

    /// @inheritdoc IValidatorQueue
    function content(uint256 proposal) external view override returns (Content memory) {
        return _contents[proposal];
    }

    /// @inheritdoc IValidatorQueue
    function standing(uint256 proposal)
        external
        view
        override
        returns (Status status, uint16 approvals, uint16 withdrawals, uint64 readyAt, uint64 expiresAt)
    {
        Head memory head = _heads[proposal];
        uint64 start = head.readyAt == 0 ? head.proposedAt : head.readyAt;
        expiresAt = head.proposedAt == 0 ? 0 : start + PROPOSAL_WINDOW;
        return (_status(proposal), head.approvals, head.withdrawals, head.readyAt, expiresAt);
    }

    /// @inheritdoc IValidatorQueue
    function adding(address validator, uint256 quorum) external view override returns (Content memory proposed) {
        proposed = _currentSet();
        ValidatorSets.add(proposed.seats, validator);
        _setThreshold(proposed, quorum);
    }

    /// @inheritdoc IValidatorQueue
    function removing(address validator, uint256 quorum) external view override returns (Content memory proposed) {
        proposed = _currentSet();
        ValidatorSets.remove(proposed.seats, validator);
        _setThreshold(proposed, quorum);
    }

    /// @inheritdoc IValidatorQueue
    function rotating(address from, address to) external view override returns (Content memory proposed) {
        proposed = _currentSet();
        ValidatorSets.rotate(proposed.seats, from, to);
    }

    /// @inheritdoc IValidatorQueue
    function settingThreshold(uint256 quorum) external view override returns (Content memory proposed) {
        proposed = _currentSet();
        _setThreshold(proposed, quorum);
    }

    /// @inheritdoc IValidatorQueue
    function registering(bytes32 family, address implementation)
        external
        view
        override
        returns (Content memory proposed)
    {
        proposed.kind = Kind.Family;
        proposed.setVersion = _setVersion();
        proposed.family = family;
        proposed.implementation = implementation;
    }

    /// @inheritdoc IValidatorQueue
    function closing() external view override returns (Content memory proposed) {
        proposed.kind = Kind.Close;
        proposed.setVersion = _setVersion();
    }

    /// @inheritdoc IValidatorQueue
    function hashContent(Content calldata proposed) external pure override returns (bytes32) {
        return _hash(proposed);
    }

    /// @inheritdoc IValidatorQueue
    function ledger() external view override returns (address) {
        return address(LEDGER);
    }

    /// @inheritdoc IValidatorQueue
    function delay() external view override returns (uint64) {
        return DELAY;
    }

    function _register(bytes32 family, address implementation) private {
        (, address claims,) = LEDGER.satellites();
        IKudosClaims(claims).register(family, implementation);
    }

    function _propose(address validator, Content calldata proposed, bytes32 contentHash)
        private
        returns (uint256 proposal)
    {
        uint64 version = _setVersion();
        if (proposed.setVersion != version) revert StaleSet(proposed.setVersion, version);
        _check(proposed);
        proposal = ++_proposals;
        _contents[proposal] = proposed;
        _heads[proposal].proposedAt = uint64(_time());
        emit Proposed(proposal, contentHash, validator, proposed);
        _vote(validator, proposal, contentHash, true);
    }

    function _vote(address validator, uint256 proposal, bytes32 contentHash, bool approve) private {
        uint16 own = _maskOf(validator);
        Status status = _status(proposal);
        if (status == Status.None || keccak256(abi.encode(_contents[proposal])) != contentHash) {
            revert UnknownProposal(proposal);
        }
        if (status != Status.Open && (approve || (status != Status.Waiting && status != Status.Ready))) {
            revert NotPossible(status);
        }
        Head memory head = _heads[proposal];
        if ((approve ? head.approvals | head.withdrawals : head.withdrawals) & own != 0) revert VotedBefore();
        if (approve) head.approvals |= own;
        else head.withdrawals |= own;
        emit ProposalVoted(proposal, validator, approve);
        _decide(proposal, head);
        _heads[proposal] = head;
    }

    /// @dev Changes `head` in memory only; the caller stores it.
    function _decide(uint256 proposal, Head memory head) private {
        uint256 quorum = LEDGER.threshold();
        if (Tally.count(head.withdrawals) >= quorum) {
            head.outcome = Outcome.Withdrawn;
            emit ProposalWithdrawn(proposal);
        } else if (head.readyAt == 0 && Tally.count(head.approvals & ~head.withdrawals) >= quorum) {
            // Who wants it withdrawn before it is approved takes its approval back by that.
            head.readyAt = uint64(_time()) + DELAY;
            emit ProposalApproved(proposal, head.readyAt);
        }
    }

    function _currentSet() private view returns (Content memory current) {
        (current.kind, current.setVersion, current.quorum) = (Kind.Set, _setVersion(), LEDGER.threshold());
        (current.seats,) = LEDGER.seats();
    }

    function _maskOf(address validator) private view returns (uint16) {
        (uint8 seatPlusOne,,,,) = LEDGER.seat(validator);
        if (seatPlusOne == 0) revert NotAValidator(validator);
        return uint16(1 << (seatPlusOne - 1));
    }

    function _setVersion() private view returns (uint64) {
        return uint64(LEDGER.setVersion());
    }

    function _hash(Content calldata proposed) private pure returns (bytes32) {
        return keccak256(abi.encode(proposed));
    }

    function _status(uint256 proposal) private view returns (Status) {
        Head memory head = _heads[proposal];
        if (head.proposedAt == 0) return Status.None;
        if (head.outcome == Outcome.Executed) return Status.Executed;
        if (head.outcome == Outcome.Withdrawn) return Status.Withdrawn;
        if (_contents[proposal].setVersion != _setVersion()) return Status.Stale;
        uint64 start = head.readyAt == 0 ? head.proposedAt : head.readyAt;
        if (_time() > start + PROPOSAL_WINDOW) return Status.Lapsed;
        if (head.readyAt == 0) return Status.Open;
        return _time() < head.readyAt ? Status.Waiting : Status.Ready;
    }

    /// @dev The ledger checks a set again, and the claims contract a family; here it is so that nobody approves, for
    /// days, what would only revert in the end.
    function _check(Content calldata proposed) private view {
        Content memory allowed = proposed;
        if (proposed.kind == Kind.Set) {
            _checkSet(proposed);
            (allowed.family, allowed.implementation) = (0, address(0));
        } else {
            // Zeros are what is meant.
            // slither-disable-next-line uninitialized-local
            address[16] memory none;
            (allowed.seats, allowed.quorum) = (none, 0);
            if (proposed.kind == Kind.Close) (allowed.family, allowed.implementation) = (0, address(0));
            else if (proposed.kind != Kind.Family || proposed.family == 0) revert BadContent();
            else if (proposed.implementation == address(0)) revert ZeroAddress();
        }
        if (keccak256(abi.encode(allowed)) != _hash(proposed)) revert BadContent();
    }

    function _checkSet(Content calldata proposed) private view {
        ValidatorSets.check(proposed.seats, proposed.quorum);
        bool changes = ValidatorSets.compare(_currentSet().seats, proposed.seats);
        if (!changes && proposed.quorum == LEDGER.threshold()) revert NothingChanges();
    }

    function _requireSigned(
        address validator,
        uint256 proposal,
        bytes32 contentHash,
        bool approve,
        bytes calldata signature
    ) private view {
        bytes32 structHash = keccak256(abi.encode(PROPOSAL_VOTE_TYPE, proposal, contentHash, approve));
        bytes32 digest = Assets.digest(_separator(), structHash);
        if (!Signatures.isBy(validator, digest, signature)) revert NotAValidator(validator);
    }

    function _setThreshold(Content memory proposed, uint256 quorum) private pure {
        proposed.quorum = quorum;
        ValidatorSets.check(proposed.seats, quorum);
    }
}
