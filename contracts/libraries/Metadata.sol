// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosToken} from "../interfaces/IKudosToken.sol";
import {Base64} from "./Base64.sol";

/// @title What wallets show of a Kudos level
/// @notice JSON by the schema of ERC-1155, inside the URI itself, so that it is there as long as the contract is.
library Metadata {
    /// @notice A data URI. In base64, because not every wallet reads the other form.
    function uri(uint256 level) internal pure returns (string memory) {
        return string.concat("data:application/json;base64,", Base64.encode(json(level)));
    }

    /// @notice The JSON alone. `points` is the weight of one Kudos of this level.
    function json(uint256 level) internal pure returns (bytes memory) {
        (string memory earnedBy, string memory points) = _words(level);
        bytes1 digit = bytes1(uint8(48 + level));
        return abi.encodePacked(
            "{\"name\":\"Kudos K",
            digit,
            "\",\"description\":\"",
            earnedBy,
            ", verified by the validators. Not transferable.\",\"decimals\":0,\"properties\":{\"level\":",
            digit,
            ",\"points\":",
            points,
            "}}"
        );
    }

    function _words(uint256 level) private pure returns (string memory earnedBy, string memory points) {
        if (level == 1) return ("A request declined in time", "1");
        if (level == 2) return ("A task run for another node", "10");
        if (level == 3) return ("A hidden test passed", "100");
        revert IKudosToken.UnknownLevel(level);
    }
}
