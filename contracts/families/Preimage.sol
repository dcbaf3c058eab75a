// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICanaryFamily} from "../interfaces/ICanaryFamily.sol";
import {Puzzles} from "../libraries/Puzzles.sol";

/// @title The family `preimage`: partial preimages of Keccak-256
/// @notice Parameters as in `Puzzles.preimage`.
contract Preimage is ICanaryFamily {
    /// @inheritdoc ICanaryFamily
    function verify(bytes32 parameters, bytes calldata solution) external pure override returns (bool) {
        return solution.length == 32 && Puzzles.preimage(parameters, bytes32(solution));
    }
}
