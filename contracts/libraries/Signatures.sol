// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "../interfaces/IERC1271.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";

/// @title Signatures of keys (EIP-2098) and, where there is time to ask, of contract wallets (ERC-1271)
/// @notice A key's signature has 64 bytes: r, then s with the parity of R's y coordinate in the top bit.
library Signatures {
    uint256 private constant LENGTH = 64;
    /// @dev What a wallet may use. Enough for P-256 computed in Solidity and for a dozen owners; bounded, so that a
    /// wallet in a list of claims cannot burn the gas of the claims behind it.
    uint256 private constant WALLET_GAS = 400_000;
    /// @dev So much must be left for the wallet to get that: a call leaves a 64th behind (EIP-150), and has its price.
    uint256 private constant GAS_BEFORE_WALLET = WALLET_GAS + WALLET_GAS / 63 + 1_000;

    /// @notice Whether `signer` signed `digest`. High values of s pass: no signature is ever an identifier here.
    function isBy(address signer, bytes32 digest, bytes32 r, bytes32 vs) internal view returns (bool) {
        address recovered;
        // Assembly, because Solidity's ecrecover wants s and v apart and checks both, once per record of a batch.
        // The precompile answers a bad signature with nothing, which leaves the zero in the scratch space.
        // Memory-safe: works in the scratch space and in the free memory without taking it.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 0x20), add(27, shr(255, vs)))
            mstore(add(input, 0x40), r)
            mstore(add(input, 0x60), shr(1, shl(1, vs)))
            mstore(0, 0)
            if iszero(staticcall(gas(), 1, input, 0x80, 0, 0x20)) { revert(0, 0) }
            recovered := mload(0)
        }
        // Zero is the answer to a bad signature, so it can never be a signer.
        return recovered == signer && signer != address(0);
    }

    /// @notice The same for a signature in bytes, of a key or of a contract wallet; for single signatures, not for the
    /// records of a batch: it may ask a stranger's code.
    /// @dev The key comes first: an account with both (EIP-7702) is bound by either, as it already is by the key
    /// wherever only that is looked at. For a wallet without a key the first question costs 3,000 gas.
    function isBy(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signature.length == LENGTH) {
            if (isBy(signer, digest, bytes32(signature[:32]), bytes32(signature[32:]))) return true;
        }
        return signer.code.length != 0 && _isByWallet(signer, digest, signature);
    }

    function _isByWallet(address wallet, bytes32 digest, bytes calldata signature) private view returns (bool valid) {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        // The answer must not depend on how little gas a relayer sends.
        if (gasleft() < GAS_BEFORE_WALLET) revert IKudosLedger.NotEnoughGas(GAS_BEFORE_WALLET);
        uint256 gasForWallet = WALLET_GAS;
        bytes32 magic = bytes32(IERC1271.isValidSignature.selector);
        // Assembly, because Solidity would copy whatever the wallet answers, and at our expense. A static call: the
        // wallet can look, but change nothing. Memory-safe: writes the first word of the scratch space only.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0, 0)
            valid := staticcall(gasForWallet, wallet, add(question, 0x20), mload(question), 0, 0x20)
            // All 32 bytes: an answer with anything behind the selector is no answer of this function.
            valid := and(valid, and(gt(returndatasize(), 0x1f), eq(mload(0), magic)))
        }
    }
}
