// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StepWord} from "./libraries/StepWords.sol";
import {Voting} from "./Voting.sol";

/// @title Where the migrations of the strict way stand
/// @notice One slot each, which numbers that are 65,536 apart use one after the other: see IKudosSteps.
/// @dev In assembly, because Solidity would check and move each field for itself, and cannot remember a slot, so that it
/// would hash a place again to write what it read. Bits that the type of a field does not have revert without a word, as
/// they do in Solidity; one check finds them all. Where no more is said, the memory is safe because none is written.
abstract contract StepPlaces is Voting {
    uint256 private constant LAST_PLACE = type(uint16).max;

    /// @dev By home, host and the last 16 bits of the sequence number, a word each.
    mapping(bytes place => StepWord) private _steps;

    /// @dev The words of a REQUEST, copied to memory, where they are hashed and logged as they lie.
    /// Memory-safe: takes the free memory that it writes to.
    function _read(Request calldata asset)
        internal
        pure
        returns (uint256 copy, address home, address host, uint256 seq)
    {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            copy := mload(0x40)
            mstore(0x40, add(copy, 0x160))
            calldatacopy(copy, asset, 0x160)
            home := mload(copy)
            host := mload(add(copy, 0x20))
            seq := mload(add(copy, 0x100))
            let limits := or(mload(add(copy, 0xa0)), or(mload(add(copy, 0xc0)), mload(add(copy, 0xe0))))
            let times := or(mload(add(copy, 0x120)), mload(add(copy, 0x140)))
            if or(shr(160, or(home, host)), or(shr(32, or(limits, seq)), shr(64, times))) { revert(0, 0) }
        }
    }

    /// @dev The times of a REQUEST that was copied.
    function _times(uint256 copy) internal pure returns (uint256 deadline, uint256 signedAt) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            deadline := mload(add(copy, 0x120))
            signedAt := mload(add(copy, 0x140))
        }
    }

    function _read(Place calldata place) internal pure returns (address home, address host, uint256 seq) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            home := calldataload(place)
            host := calldataload(add(place, 0x20))
            seq := calldataload(add(place, 0x40))
            if or(shr(160, or(home, host)), shr(32, seq)) { revert(0, 0) }
        }
    }

    /// @dev The slot of `_steps[abi.encode(home, host, seq % 65,536)]`.
    /// Memory-safe: hashes in the free memory without taking it.
    function _slot(address home, address host, uint256 seq) internal pure returns (bytes32 slot) {
        uint256 last = LAST_PLACE;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, home)
            mstore(add(free, 0x20), host)
            mstore(add(free, 0x40), and(seq, last))
            mstore(add(free, 0x60), _steps.slot)
            slot := keccak256(free, 0x80)
        }
    }

    function _load(bytes32 slot) internal view returns (StepWord word) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            word := sload(slot)
        }
    }

    function _store(bytes32 slot, StepWord word) internal {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }

    /// @dev Whatever stands in the place of this number.
    function _find(Place calldata place) internal view returns (bytes32 slot, StepWord current) {
        (address home, address host, uint256 seq) = _read(place);
        slot = _slot(home, host, seq);
        current = _load(slot);
    }

    /// @dev `emit Requested(requestId, asset)`: Solidity would copy and clean the eleven words once more, which lie in
    /// memory as the event has them.
    function _announce(bytes32 requestId, uint256 copy) internal {
        bytes32 topic = Requested.selector;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            log2(copy, 0x160, topic, requestId)
        }
    }
}
