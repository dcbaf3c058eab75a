// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICanaryFamily} from "../interfaces/ICanaryFamily.sol";
import {Puzzles} from "../libraries/Puzzles.sol";

/// @title The family `dlog`: discrete logarithms on secp256k1
/// @notice Parameters as in `Puzzles.dlog`.
contract Dlog is ICanaryFamily {
    /// @inheritdoc ICanaryFamily
    function verify(bytes32 parameters, bytes calldata solution) external pure override returns (bool) {
        return solution.length == 32 && Puzzles.dlog(parameters, uint256(bytes32(solution)));
    }
}
