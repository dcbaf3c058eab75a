// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosClaims} from "../interfaces/IKudosClaims.sol";
import {Assets} from "./Assets.sol";
import {ClaimPath} from "./ClaimPath.sol";
import {PuzzleResult} from "./PuzzleResult.sol";

/// @title Reading packed claims of K3 and hashing them, in memory that is laid out once
/// @notice The packed form is drawn in `IKudosClaims`; here it is read into the places where its hashes are made. This
/// is the inner loop of `claim`, and works as `RecordFrame` does: what all items share (types, separator, host) is
/// written once, an item fills in the rest, and each hash is made where its words lie and put where the next needs it.
///
///     0x400  Request's type | home | host | process id | process name | commitment | CPU | memory | output | seq |
///            deadline | signed at
///     0x580  Commitment's type | chain | ledger | home | host | seq | task's digest | mark
///     0x680  1, for a planted canary | family | parameters | salt
///     0x700  result digest | salt | host | request id
///     0x780  Result's type | request id | seal | signed at
///     0x800  30 zero bytes, 0x1901 | separator | struct hash
///     0x860  the descriptor of a puzzle's result, 194 bytes, which wants the digits of standard output at 0x8d4
///     0x940  standard output: the digits of the solution, and a newline
///     0x9a0  what `ClaimPath` keeps from item to item
///     0xba0  of the item: form | levels | index | nodes | opening | end of the opening | end | last word | RESULT's id
///     0xcc0  room for what the caller carries from item to item
///     0xde0  the list for the log: its length, and as many bytes as the claims have
///
/// All positions are in the call data: of the claims, and so of every part of them, the compiler keeps one number only.
/// Each block of assembly is memory-safe because it writes to nothing but the frame, which `open` has taken, and the
/// scratch space; where it does more, that is argued there.
library ClaimFrame {
    uint256 internal constant PUZZLE = 1;
    uint256 internal constant PLANTED = 2;
    uint256 internal constant DRAWN = 3;
    uint256 internal constant KIND = 3;
    uint256 internal constant SIGNED = 8;

    // Where in the frame stands what the caller asks for. FORM is without SAME_HOME; LAST is what every opening ends
    // with: the result digest, or a puzzle's solution. With DRAWN the task's digest and the mark are read as PARAMETERS
    // and SALT.
    uint256 internal constant HOME = 0x420;
    uint256 internal constant HOST = 0x440;
    uint256 internal constant SEQ = 0x520;
    uint256 internal constant DEADLINE = 0x540;
    uint256 internal constant TASK_DIGEST = 0x640;
    uint256 internal constant MARK = 0x660;
    uint256 internal constant FAMILY = 0x6a0;
    uint256 internal constant PARAMETERS = 0x6c0;
    uint256 internal constant SALT = 0x6e0;
    uint256 internal constant RESULT_DIGEST = 0x700;
    uint256 internal constant SEAL_SALT = 0x720;
    uint256 internal constant REQUEST_ID = 0x760;
    uint256 internal constant FORM = 0xba0;
    uint256 internal constant LEVELS = 0xbc0;
    uint256 internal constant INDEX = 0xbe0;
    uint256 internal constant OPENING_AT = 0xc20;
    uint256 internal constant LAST = 0xc80;
    uint256 internal constant RESULT_ID = 0xca0;

    /// @notice Where the caller's nine words begin.
    uint256 internal constant ROOM_AT = 0xcc0;

    uint256 private constant SAME_HOME = 4;
    // A bit for every form that there is, and for those a first item can have; a byte for the length of each opening.
    uint256 private constant FORMS = 0x66ee;
    uint256 private constant FIRST_FORMS = 0x060e;
    uint256 private constant OPENING_BYTES = 0x80c0a100;
    uint256 private constant WORDS_BYTES = 10;
    uint256 private constant RECORDED_HEAD_BYTES = 25;

    uint256 private constant FRAME_AT = 0x400;
    uint256 private constant DESCRIPTOR_AT = 0x860;
    uint256 private constant NODES_AT = 0xc00;
    uint256 private constant OPENING_END = 0xc40;
    uint256 private constant ITEM_END = 0xc60;
    uint256 private constant LIST_AT = 0xde0;
    uint256 private constant ENTRIES_AT = 0xe00;

    // ------------------------------------------------------------------ the frame

    /// @notice Lays out the frame for `length` bytes of claims of `host`. Comes before anything else takes memory.
    function open(bytes32 separator, address ledger, address host, uint256 length) internal view {
        (bytes32 requestType, bytes32 resultType, bytes32 commitmentType) =
            (Assets.REQUEST_TYPE, Assets.RESULT_TYPE, Assets.COMMITMENT_TYPE);
        // Memory-safe: takes all free memory up to the end of the frame, and refuses where something else has taken a
        // part of the frame already. Nothing is read before it is written. The call data is too short for an overflow.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            if gt(mload(0x40), FRAME_AT) { revert(0, 0) }
            mstore(0x40, add(ENTRIES_AT, and(add(length, 31), not(31))))
            host := shr(96, shl(96, host))
            mstore(FRAME_AT, requestType)
            mstore(HOST, host)
            mstore(0x580, commitmentType)
            mstore(0x5a0, chainid())
            mstore(0x5c0, shr(96, shl(96, ledger)))
            mstore(0x600, host)
            mstore(0x680, 1)
            mstore(0x740, host)
            mstore(0x780, resultType)
            mstore(0x800, 0x1901)
            mstore(0x820, separator)
            mstore8(0x980, 0x0a)
            mstore(LIST_AT, 0)
        }
        PuzzleResult.layOut(DESCRIPTOR_AT);
        ClaimPath.clear();
    }

    /// @notice What stands at one of these places. A word at a time: to give a struct, Solidity takes memory first.
    function load(uint256 place) internal pure returns (bytes32 value) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            value := mload(place)
        }
    }

    /// @notice The same where it is a number.
    function number(uint256 place) internal pure returns (uint256) {
        return uint256(load(place));
    }

    /// @notice The same where it is home or host.
    function party(uint256 place) internal pure returns (address) {
        return address(uint160(number(place)));
    }

    // ------------------------------------------------------------------ reading

    /// @notice Where the claims begin.
    function start(bytes calldata claims) internal pure returns (uint256 position) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            position := claims.offset
        }
    }

    /// @notice Reads the item at `position` into the frame, and gives where it ends. What lies beyond the end of the
    /// claims is read like the rest, and refused only then.
    function next(bytes calldata claims, uint256 position) internal pure returns (uint256 end) {
        uint256 first = start(claims);
        uint256 form = uint256(word(position)) >> 248;
        uint256 forms = position == first ? FIRST_FORMS : FORMS;
        unchecked {
            end = _readOpening(form, _readRecord(form, position + 1));
            if ((forms >> form) & 1 == 0 || end > first + claims.length) {
                revert IKudosClaims.MalformedClaims(position - first);
            }
        }
    }

    /// @notice The 32 bytes at `position`.
    function word(uint256 position) internal pure returns (bytes32 value) {
        // Assembly, because a checked slice costs more than all the rest.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            value := calldataload(position)
        }
    }

    /// @notice When the home has signed CANARY_OPENED, and its signature: only where the form says that they are there.
    function words() internal pure returns (uint256 openedAt, bytes calldata signature) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let begin := mload(OPENING_END)
            openedAt := shr(192, calldataload(begin))
            signature.offset := add(begin, WORDS_BYTES)
            signature.length := sub(mload(ITEM_END), signature.offset)
        }
    }

    /// @dev Home and RESULT. No sum overflows: times have 32 bits.
    function _readRecord(uint256 form, uint256 begin) private pure returns (uint256 end) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            if iszero(and(form, SAME_HOME)) {
                let home := shr(96, calldataload(begin))
                mstore(HOME, home)
                mstore(0x5e0, home)
                begin := add(begin, 20)
            }
            calldatacopy(0x460, begin, 0x40)
            let numbers := calldataload(add(begin, 64))
            mstore(0x4c0, and(shr(144, numbers), 0xffffff))
            mstore(0x4e0, and(shr(120, numbers), 0xffffff))
            mstore(0x500, and(shr(88, numbers), 0xffffffff))
            mstore(SEQ, shr(224, numbers))
            mstore(0x620, shr(224, numbers))
            let signedAt := and(shr(192, numbers), 0xffffffff)
            mstore(DEADLINE, add(signedAt, and(shr(168, numbers), 0xffffff)))
            mstore(0x560, signedAt)
            mstore(0x7e0, add(signedAt, and(shr(64, numbers), 0xffffff)))
            end := add(begin, 88)
        }
    }

    /// @dev Place, opening and words.
    function _readOpening(uint256 form, uint256 begin) private pure returns (uint256 end) {
        // Nodes are counted by the bits of `levels`, of which the highest stands for none. Copies of the byte, 15 bits
        // apart, have at each multiple of 16 another bit of it: the n-th copy the n-th. As digits in base 2^16 these
        // bits add up to what is left over by 2^16 - 1.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let levels := byte(0, calldataload(begin))
            mstore(LEVELS, levels)
            mstore(INDEX, byte(1, calldataload(begin)))
            mstore(NODES_AT, add(begin, 2))
            let bits := and(mul(levels, 0x200040008001000200040008001), 0x10001000100010001000100010001)
            begin := add(add(begin, shl(5, mod(bits, 0xffff))), sub(mul(31, iszero(levels)), 30))
            mstore(OPENING_AT, begin)
            end := add(begin, and(shr(shl(3, and(form, KIND)), OPENING_BYTES), 0xff))
            mstore(OPENING_END, end)
            mstore(TASK_DIGEST, calldataload(sub(end, 160)))
            calldatacopy(PARAMETERS, sub(end, 128), 0x40)
            mstore(SEAL_SALT, calldataload(sub(end, 64)))
            mstore(LAST, calldataload(sub(end, 32)))
            if and(form, SIGNED) { end := add(end, add(WORDS_BYTES, and(shr(176, calldataload(end)), 0xffff))) }
            mstore(FORM, and(form, not(SAME_HOME)))
            mstore(ITEM_END, end)
        }
    }

    // ------------------------------------------------------------------ hashing

    /// @notice Keccak-256 of a puzzle's result descriptor.
    function puzzleDigest(bytes32 solution) internal view returns (bytes32 hash) {
        (bytes32 high, bytes32 low) = PuzzleResult.hexDigits(solution);
        bytes32 stdout;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0x940, high)
            mstore(0x960, low)
            if iszero(staticcall(gas(), 2, 0x940, 65, 0, 0x20)) { revert(0, 0) }
            stdout := mload(0)
        }
        (high, low) = PuzzleResult.hexDigits(stdout);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0x8d4, high)
            mstore(0x8f4, low)
            hash := keccak256(DESCRIPTOR_AT, 194)
        }
    }

    /// @notice Works out which RESULT the item speaks of, from its opening on: mark, commitment, REQUEST, seal, RESULT.
    /// @param family of a planted canary; zero for a drawn one, whose task and mark have to be moved
    function identify(bytes32 family, bytes32 resultDigest) internal pure {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            switch family
            case 0 { mcopy(TASK_DIGEST, PARAMETERS, 0x40) }
            default {
                mstore(FAMILY, family)
                mstore(MARK, keccak256(0x680, 0x80))
            }
            mstore(0x4a0, keccak256(0x580, 0x100))
            mstore(0x840, keccak256(FRAME_AT, 0x180))
            let requestId := keccak256(0x81e, 66)
            mstore(RESULT_DIGEST, resultDigest)
            mstore(REQUEST_ID, requestId)
            mstore(0x7a0, requestId)
            mstore(0x7c0, keccak256(RESULT_DIGEST, 0x80))
            mstore(0x840, keccak256(0x780, 0x80))
            mstore(RESULT_ID, keccak256(0x81e, 66))
        }
    }

    /// @notice The root to which the path leads from the RESULT; zero where the index lies outside of the tree.
    function climb() internal pure returns (bytes32 root) {
        return ClaimPath.climb(load(RESULT_ID), number(LEVELS), number(INDEX), number(NODES_AT));
    }

    // ------------------------------------------------------------------ what the log gets

    /// @notice Appends to the list what the log has to hold of the item: form | home | seq | opening | words. There is
    /// room, because the item has them all, and more.
    function record() internal pure {
        // Each mstore reaches beyond its field, where what comes next is written later; beyond the end of the list none
        // does, as the opening is longer than a word.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let length := mload(LIST_AT)
            let to := add(ENTRIES_AT, length)
            let openingAt := mload(OPENING_AT)
            let tail := sub(mload(ITEM_END), openingAt)
            mstore(to, or(shl(248, mload(FORM)), shl(88, mload(HOME))))
            mstore(add(to, 21), shl(224, mload(SEQ)))
            calldatacopy(add(to, RECORDED_HEAD_BYTES), openingAt, tail)
            mstore(LIST_AT, add(length, add(RECORDED_HEAD_BYTES, tail)))
        }
    }

    /// @notice All that was recorded.
    function recorded() internal pure returns (bytes memory list) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            list := LIST_AT
        }
    }
}
