// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The validators' randomness, one value per period
/// @notice Decides which RESULTs of a period are canaries, after all of them are settled. Period e is
/// [e * periodSeconds, (e + 1) * periodSeconds) of block time.
///
///     before e begins         during e            revealSeconds after e's end     then
///     validators commit       RESULTs are         validators reveal               a later block is named, and when it
///     to a secret each        settled                                             is there its hash is mixed in
///
/// Commitments close when the period begins, so no secret was chosen in sight of a RESULT of the period; secrets are
/// told when it is over, and the block is later than all of them, so nobody knows the value while RESULTs still settle.
/// A commitment names chain, contract, validator and period: a copied one opens nothing.
///
/// Who reveals last chooses between two values: with its secret and without. Who makes the named block, and knows that
/// it will, can choose among as many values as it can hash: all secrets are told by then, and one field of the block is
/// enough to try the next. So a draw is nobody's choice only where who makes blocks has no friends among the hosts.
/// Fewer reveals than the validators' threshold mean that the period has no beacon and nothing is drawn from it; the
/// log shows who committed and did not reveal. A block hash can be read for 256 blocks; when that was missed, another
/// block is named, and nothing is lost.
interface IBeacon {
    /// @notice How the beacon of a period stands.
    enum Status {
        Committing,
        Running,
        Revealing,
        Waiting,
        Known,
        None
    }

    /// @notice A validator committed to a secret for this period.
    event SecretCommitted(uint64 indexed period, address indexed validator, bytes32 commitment);
    /// @notice A validator revealed its secret.
    event SecretRevealed(uint64 indexed period, address indexed validator, bytes32 secret);
    /// @notice The hash of this block will be mixed in.
    event BlockNamed(uint64 indexed period, uint256 blockNumber);
    /// @notice The beacon is known.
    event BeaconKnown(uint64 indexed period, bytes32 value, uint256 reveals);
    /// @notice Too few revealed: the period has no beacon.
    event NoBeacon(uint64 indexed period, uint256 commitments, uint256 reveals);

    /// @notice A constructor value is zero that must not be.
    error BadSeconds();
    /// @notice The sender or signer is not a registered validator.
    error NotAValidator();
    /// @notice The signature is not the validator's.
    error NotSigned();
    /// @notice The period does not stand where this is possible.
    error NotNow(Status status);
    /// @notice More than this many periods ahead.
    error TooFarAhead(uint64 furthest);
    /// @notice This validator committed for the period before; a commitment is never replaced.
    error CommittedBefore();
    /// @notice There is no such commitment of the validator, it was opened before, or it is zero, which stands for none.
    error NothingToReveal();
    /// @notice The named block has not been made yet.
    error TooEarly(uint256 blockNumber);

    /// @notice Commits the sender to a secret: `commitment` as by `hashSecret`. At most 64 periods ahead.
    function commit(uint64 period, bytes32 commitment) external;

    /// @notice The same for a validator that signed BeaconCommitment(period, commitment). Anyone sends it.
    function commitFor(address validator, uint64 period, bytes32 commitment, bytes calldata signature) external;

    /// @notice Opens a validator's commitment. Anyone may who has the secret: nothing but the secret is needed to show
    /// whose it is.
    function reveal(address validator, uint64 period, bytes32 secret) external;

    /// @notice Takes the next step after the reveals, whoever calls: says that there is no beacon, names a later block,
    /// or mixes the named block's hash in.
    function fix(uint64 period) external;

    /// @notice The beacon of a period; `known` is false as long as there is none, and for good if its status is None.
    function beacon(uint64 period) external view returns (bool known, bytes32 value);

    /// @notice How the beacon of a period stands, how many committed and revealed, and the block
    /// whose hash will be or was mixed in (0 before one is named).
    function standing(uint64 period)
        external
        view
        returns (Status status, uint256 commitments, uint256 reveals, uint256 blockNumber);

    /// @notice What a validator committed to for a period (zero: nothing), and whether it has revealed it.
    function commitmentOf(uint64 period, address validator) external view returns (bytes32 commitment, bool revealed);

    /// @notice The commitment to a secret: keccak256(abi.encode(chainId, contract, validator, period, secret)).
    function hashSecret(address validator, uint64 period, bytes32 secret) external view returns (bytes32);

    /// @notice The period that a time lies in.
    function periodOf(uint256 time) external view returns (uint64);

    /// @notice The length of a period in seconds.
    function periodSeconds() external view returns (uint64);

    /// @notice How long after a period's end its secrets can be revealed, in seconds.
    function revealSeconds() external view returns (uint64);
}
