// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title How the validators change what only they may change
/// @notice A public queue of proposals: one validator proposes, `threshold` of them approve, a delay passes in which
/// everybody can see what is coming, then anybody executes. There is no other way to any of the three effects: the
/// ledger takes a set and its closing from this contract alone, the claims contract a family. Nobody owns the queue.
///
/// A proposal belongs to the version of the validator set that it was made under. When the set changes, every other
/// open proposal is stale for good and has to be made again: so the approvals that count are always those of
/// validators in office, and the threshold is always the one in force.
///
/// Votes are append-only. A validator approves a proposal once and may once ask to withdraw it, in this order or
/// without the first; what `threshold` validators ask to withdraw can never be executed. What is not approved within
/// `PROPOSAL_WINDOW`, or not executed within `PROPOSAL_WINDOW` after its delay, lapses.
///
/// Proposals and votes may be relayed: a validator signs ProposalVote(proposal, content, approve) in the ledger's own
/// EIP-712 domain (64 bytes, EIP-2098, or a contract wallet's by ERC-1271), and anybody sends it. The signature names
/// content and number, so it fits neither another proposal nor the same number after a reorganisation.
///
/// What breaks correctness: `threshold` validators who want it so; the delay is what everybody else has to leave.
/// What breaks liveness: more than n - threshold validators silent. Then nothing here moves, and nothing else stops.
interface IValidatorQueue {
    /// @notice What a proposal does.
    enum Kind {
        None,
        Set,
        Family,
        Close
    }

    /// @notice How a proposal stands at this moment. The last four are final.
    enum Status {
        None,
        Open,
        Waiting,
        Ready,
        Executed,
        Withdrawn,
        Lapsed,
        Stale
    }

    /// @notice What is proposed. Fields of the other kinds are zero.
    /// @param setVersion the version of the validator set that it builds on
    /// @param seats for Set: the whole new set, by seat; zero is an empty seat, and nobody who stays changes seats
    /// @param quorum for Set: the new threshold, above half of the validators
    /// @param family for Family: the name under which `implementation` is registered
    /// @param implementation for Family: a contract with ICanaryFamily's view function
    struct Content {
        Kind kind;
        uint64 setVersion;
        address[16] seats;
        uint256 quorum;
        bytes32 family;
        address implementation;
    }

    /// @notice A proposal was made; its proposer's approval follows as ProposalVoted.
    event Proposed(uint256 indexed proposal, bytes32 indexed contentHash, address indexed proposer, Content content);

    /// @notice A validator approved a proposal, or asked to withdraw it.
    event ProposalVoted(uint256 indexed proposal, address indexed validator, bool approve);

    /// @notice Enough validators approved; from `readyAt` on anybody may execute it.
    event ProposalApproved(uint256 indexed proposal, uint64 readyAt);

    /// @notice Enough validators asked to withdraw the proposal. It can never be executed.
    event ProposalWithdrawn(uint256 indexed proposal);

    /// @notice The proposal took effect.
    event ProposalExecuted(uint256 indexed proposal);

    /// @notice The delay is zero, or longer than a year.
    error BadDelay();
    /// @notice Neither sent nor signed by a validator in office.
    error NotAValidator(address account);
    /// @notice The proposal builds on another version of the validator set than the one in force.
    error StaleSet(uint64 builtOn, uint64 inForce);
    /// @notice There is no proposal with this number, or it has another content than the vote says.
    error UnknownProposal(uint256 proposal);
    /// @notice The proposal cannot be voted on or executed any more, or not yet.
    error NotPossible(Status status);
    /// @notice This validator said this of this proposal before, or approves what it asked to withdraw.
    error VotedBefore();
    /// @notice The proposal changes nothing.
    error NothingChanges();
    /// @notice A field that this kind of proposal does not have is not zero, or the kind is None.
    error BadContent();
    /// @notice The zero address can be neither validator nor family.
    error ZeroAddress();
    /// @notice This address is a validator already, or stands in the list twice.
    error ExistingValidator(address validator);
    /// @notice This address is no validator.
    error UnknownValidator(address validator);
    /// @notice A validator that stays must keep its seat: votes are counted by seats.
    error SeatMoved(address validator);
    /// @notice All 16 seats are taken.
    error SetFull();
    /// @notice The threshold must be above half of the validators, and at most all of them.
    error BadThreshold(uint256 validators, uint256 threshold);

    /// @notice Proposes a content, and approves it. The proposal gets the number `proposals() + 1`.
    function propose(Content calldata content) external returns (uint256 proposal);

    /// @notice The same in a validator's name.
    /// @param signature the validator's, of ProposalVote(proposals() + 1, hashContent(content), true)
    function proposeFor(address validator, Content calldata content, bytes calldata signature)
        external
        returns (uint256 proposal);

    /// @notice Approves a proposal (`approve`), or asks to withdraw it. The content's hash guards against a
    /// reorganisation that gives its number to another one.
    function vote(uint256 proposal, bytes32 contentHash, bool approve) external;

    /// @notice The same in a validator's name.
    /// @param signature the validator's, of ProposalVote(proposal, contentHash, approve)
    function voteFor(
        address validator,
        uint256 proposal,
        bytes32 contentHash,
        bool approve,
        bytes calldata signature
    ) external;

    /// @notice Has an approved proposal take effect after its delay. Anybody may.
    function execute(uint256 proposal) external;

    /// @notice How many proposals there are; they are numbered from 1.
    function proposals() external view returns (uint256);

    /// @notice What a proposal says.
    function content(uint256 proposal) external view returns (Content memory);

    /// @notice How a proposal stands.
    /// @param approvals the seats that approve, as a mask
    /// @param withdrawals the seats that want it withdrawn, as a mask
    /// @param readyAt when its delay ends, 0 while it is not approved
    /// @param expiresAt when it lapses if nothing happens
    function standing(uint256 proposal)
        external
        view
        returns (Status status, uint16 approvals, uint16 withdrawals, uint64 readyAt, uint64 expiresAt);

    /// @notice The content that adds a validator, in the lowest empty seat, with the threshold to hold afterwards.
    function adding(address validator, uint256 quorum) external view returns (Content memory);

    /// @notice The content that removes a validator, with the threshold to hold afterwards.
    function removing(address validator, uint256 quorum) external view returns (Content memory);

    /// @notice The content that puts another validator into a validator's seat.
    function rotating(address from, address to) external view returns (Content memory);

    /// @notice The content that changes the threshold alone.
    function settingThreshold(uint256 quorum) external view returns (Content memory);

    /// @notice The content that registers a family of canaries whose answers a contract checks.
    function registering(bytes32 family, address implementation) external view returns (Content memory);

    /// @notice The content that closes the ledger for a next version.
    function closing() external view returns (Content memory);

    /// @notice What a vote names: keccak256(abi.encode(content)).
    function hashContent(Content calldata content) external pure returns (bytes32);

    /// @notice The ledger whose validators decide here.
    function ledger() external view returns (address);

    /// @notice Seconds between approval and execution.
    function delay() external view returns (uint64);
}
