// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Claims that test the validators
/// @notice Whoever looks at a claim of K3 runs the task again. Whether validators look can be tested: home and host
/// together make a canary whose sealed result digest is no run's but
///
///     keccak256(abi.encode(keccak256("ValidatorTest(bytes32 requestId,bytes32 salt)"), requestId, salt))
///
/// Until it is opened the claim is like any other. Nobody could find such a salt for the digest of a real result, so that
/// the salt proves by itself that whoever approved had not compared: the one who made the test needs no trust, and nobody
/// can turn an honest claim into a test afterwards. The ledger treats the claim as it treats all others; to its host it
/// is a canary failed.
interface IValidatorTests {
    /// @notice The claim was a test. The same one can be opened again, which says nothing new.
    event TestOpened(
        bytes32 indexed kudosId, bytes32 indexed resultId, bytes32 requestId, bytes32 sealSalt, bytes32 salt
    );

    /// @notice There is no claim on a result with this digest.
    error NotATest(bytes32 kudosId);
    /// @notice The claim can be voted on still, or commitments to votes on it can be revealed in their first round.
    error TestTooEarly(bytes32 kudosId);

    /// @notice Shows that a claim was a test. Anyone may, when it is decided or timed out, and the round is over in which
    /// the votes on it are revealed: earlier, a validator that had committed to an approval could still hide it.
    /// @param requestId the REQUEST's id
    /// @param resultId the RESULT's id
    /// @param sealSalt the salt of the RESULT's seal
    /// @param salt the salt that nobody knew before
    function openTest(bytes32 requestId, bytes32 resultId, bytes32 sealSalt, bytes32 salt) external;

    /// @notice The digest that stands for a test in place of a result's.
    function testDigest(bytes32 requestId, bytes32 salt) external pure returns (bytes32);
}
