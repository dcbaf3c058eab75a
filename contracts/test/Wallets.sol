// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "../interfaces/IERC1271.sol";

/// @title A contract wallet that signs by a rule, so that it works at any address without storage
contract Wallet is IERC1271 {
    /// @dev Longer than a key's signature, and bound to the wallet.
    function signatureOf(address wallet, bytes32 digest) public pure returns (bytes memory) {
        return abi.encode("signed by", wallet, digest);
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view override returns (bytes4) {
        bool valid = keccak256(signature) == keccak256(signatureOf(address(this), digest));
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @title A wallet whose answer to everything is the signature itself, whatever its length
contract EchoWallet {
    function isValidSignature(bytes32, bytes calldata signature) external pure {
        bytes memory answer = signature;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            return(add(answer, 0x20), mload(answer))
        }
    }
}

/// @title A wallet that reverts with the right answer
contract RevertingWallet {
    function isValidSignature(bytes32, bytes calldata) external pure {
        bytes32 magic = bytes32(IERC1271.isValidSignature.selector);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0, magic)
            revert(0, 0x20)
        }
    }
}

/// @title A wallet that would sign everything, and wants to remember it
contract WritingWallet {
    uint256 private _asked;

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        ++_asked;
        return IERC1271.isValidSignature.selector;
    }
}

/// @title A wallet that never comes back
contract GreedyWallet {
    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        while (gasleft() != 0) {
            digest = keccak256(abi.encode(digest));
        }
        return bytes4(digest);
    }
}

/// @title A wallet that answers rightly and with 60 kB behind it, which its caller had better not copy
contract BombWallet {
    function isValidSignature(bytes32, bytes calldata) external pure {
        bytes32 magic = bytes32(IERC1271.isValidSignature.selector);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0, magic)
            return(0, 60000)
        }
    }
}

/// @title An account that wants nothing: it reverts whatever is sent to it, and is no receiver of tokens
contract RefusingReceiver {
    error NoThanks();

    fallback() external payable {
        revert NoThanks();
    }
}
