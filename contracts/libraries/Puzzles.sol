// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The three families of puzzles that every ledger knows
/// @notice Each in one pure function of parameters and solution. The contracts in `families/` show them to
/// everybody; the claims contract has them built in, as the way to another contract costs more than the check.
library Puzzles {
    bytes32 internal constant DLOG = "dlog";
    bytes32 internal constant FACTOR = "factor";
    bytes32 internal constant PREIMAGE = "preimage";

    /// @dev The order of secp256k1, and its generator's x coordinate. The generator's y coordinate is even.
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 private constant GENERATOR_X = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;

    /// @notice k with address(k * G) = target and start <= k < start + 2^bits.
    /// @param parameters target:20 | start:11 | bits:1; the target 0 is nobody's
    function dlog(bytes32 parameters, uint256 k) internal pure returns (bool) {
        address target = address(bytes20(parameters));
        uint256 start = (uint256(parameters) << 160) >> 168;
        uint256 bits = uint256(parameters) & 0xff;
        // 0 has no point. Beyond the order a point would have a second number, but no interval reaches so far: it ends
        // below 2^88 + 2^255. Below the interval the difference wraps around, to one with the highest bit set.
        unchecked {
            if (k == 0 || target == address(0) || (k - start) >> bits != 0) return false;
        }
        // Recovering computes (s * R - z * G) / r. With z = 0, R = G, r = G's x and s = k * r that is k * G.
        bytes32 s = bytes32(mulmod(k, GENERATOR_X, ORDER));
        return ecrecover(0, 27, bytes32(GENERATOR_X), s) == target;
    }

    /// @notice A proper factor of the number that the parameters are.
    function factor(bytes32 parameters, uint256 p) internal pure returns (bool) {
        uint256 n = uint256(parameters);
        return p > 1 && p < n && n % p == 0;
    }

    /// @notice x for which keccak256(parameters | x) begins with `difficulty` zero bits.
    /// @param parameters challenge:31 | difficulty:1
    function preimage(bytes32 parameters, bytes32 x) internal pure returns (bool) {
        uint256 difficulty = uint8(uint256(parameters));
        return uint256(keccak256(abi.encode(parameters, x))) >> (256 - difficulty) == 0;
    }
}
