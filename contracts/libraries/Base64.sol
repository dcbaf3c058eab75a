// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Base64 of RFC 4648, with padding
/// @notice For texts that are read off chain only: plain rather than cheap.
library Base64 {
    bytes private constant ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    /// @notice Three bytes become four characters; missing bytes of the last three become "=".
    function encode(bytes memory data) internal pure returns (string memory) {
        bytes memory alphabet = ALPHABET;
        // Rounding down is the point, here and below: whole groups of three bytes, of four characters.
        // slither-disable-next-line divide-before-multiply
        bytes memory text = new bytes((data.length + 2) / 3 * 4);
        for (uint256 i = 0; i < text.length; ++i) {
            // slither-disable-next-line divide-before-multiply
            uint256 first = i / 4 * 3;
            uint256 shift = 18 - 6 * (i % 4);
            // A group of n bytes takes n + 1 characters; the rest of the four is padding.
            bool isPadding = first + i % 4 > data.length;
            text[i] = isPadding ? bytes1("=") : alphabet[(_three(data, first) >> shift) & 63];
        }
        return string(text);
    }

    function _three(bytes memory data, uint256 first) private pure returns (uint256 group) {
        for (uint256 i = first; i < first + 3; ++i) {
            group = group << 8 | (i < data.length ? uint8(data[i]) : 0);
        }
    }
}
