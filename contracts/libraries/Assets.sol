// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";

/// @title The assets' ids and the hashes between them
/// @notice Types as in `contracts/types/eip712.json`. An asset's id is its full EIP-712 digest, `separator` included.
library Assets {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Kudos");
    bytes32 private constant VERSION = keccak256("1");

    bytes32 internal constant REQUEST_TYPE = keccak256(
        "Request(address home,address host,bytes32 processId,bytes32 processName,bytes32 commitment,"
        "uint32 cpuSeconds,uint32 memoryMiB,uint32 outputKiB,uint32 seq,uint64 resultDeadline,uint64 signedAt)"
    );
    bytes32 internal constant ACCEPTED_TYPE = keccak256("Accepted(bytes32 requestId,uint64 signedAt)");
    bytes32 private constant REJECTED_TYPE = keccak256("Rejected(bytes32 requestId,uint8 reason,uint64 signedAt)");
    bytes32 internal constant CONFIRMED_TYPE = keccak256("Confirmed(bytes32 acceptanceId,uint64 signedAt)");
    bytes32 internal constant RESULT_TYPE = keccak256("Result(bytes32 requestId,bytes32 seal,uint64 signedAt)");
    bytes32 private constant CANARY_OPENED_TYPE = keccak256(
        "CanaryOpened(bytes32 requestId,bytes32 resultId,bytes32 taskDigest,bytes32 family,bytes32 parameters,"
        "bytes32 salt,uint64 signedAt)"
    );
    bytes32 private constant KUDOS_TYPE =
        keccak256("Kudos(uint8 level,bytes32 assetId,bytes32 resultDigest,bytes32 sealSalt)");
    bytes32 private constant BATCH_TYPE = keccak256("Batch(address host,bytes32 content)");
    bytes32 private constant VOTES_TYPE = keccak256("Votes(bytes32 content)");
    bytes32 internal constant COMMITMENT_TYPE = keccak256(
        "Commitment(uint256 chainId,address verifyingContract,address home,address host,uint32 seq,"
        "bytes32 taskDigest,bytes32 markHash)"
    );

    uint256 private constant KUDOS_LEVEL_CANARY = 3;

    function domain(uint256 chainId, address verifyingContract) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, chainId, verifyingContract));
    }

    /// @dev The struct lies in memory as EIP-712 encodes it, one word per field in the same order; only the type is
    /// missing in front.
    function request(bytes32 separator, IKudosLedger.Request memory fields) internal pure returns (bytes32) {
        uint256 start;
        // Memory-safe: touches no memory.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            start := fields
        }
        return requestAt(separator, start);
    }

    /// @notice The same for a REQUEST whose words lie in memory from `fields` on.
    function requestAt(bytes32 separator, uint256 fields) internal pure returns (bytes32) {
        bytes32 typeHash = REQUEST_TYPE;
        bytes32 structHash;
        // Assembly, because copying twelve words for every record would cost more than hashing them.
        // Memory-safe: the word in front of the struct is lent for the hash and put back before anything can read it.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let start := sub(fields, 0x20)
            let lent := mload(start)
            mstore(start, typeHash)
            structHash := keccak256(start, 0x180)
            mstore(start, lent)
        }
        return digest(separator, structHash);
    }

    function rejected(bytes32 separator, bytes32 requestId, uint256 reason, uint256 signedAt)
        internal
        pure
        returns (bytes32)
    {
        return _id(separator, REJECTED_TYPE, requestId, bytes32(reason), bytes32(signedAt));
    }

    function result(bytes32 separator, bytes32 requestId, bytes32 resultSeal, uint256 signedAt)
        internal
        pure
        returns (bytes32)
    {
        return _id(separator, RESULT_TYPE, requestId, resultSeal, bytes32(signedAt));
    }

    function accepted(bytes32 separator, bytes32 requestId, uint256 signedAt) internal pure returns (bytes32) {
        return _id(separator, ACCEPTED_TYPE, requestId, bytes32(signedAt));
    }

    function confirmed(bytes32 separator, bytes32 acceptanceId, uint256 signedAt) internal pure returns (bytes32) {
        return _id(separator, CONFIRMED_TYPE, acceptanceId, bytes32(signedAt));
    }

    /// @notice The id of a CANARY_OPENED.
    /// @param content the opening's fields between the two ids and the time, in their order
    function canaryOpened(
        bytes32 separator,
        bytes32 requestId,
        bytes32 resultId,
        bytes32[4] memory content,
        uint256 signedAt
    ) internal pure returns (bytes32) {
        return digest(
            separator, keccak256(abi.encode(CANARY_OPENED_TYPE, requestId, resultId, content, signedAt))
        );
    }

    /// @notice The id of a K3 Kudos. Those of K1 and K2 are never needed on chain: a bit in a batch stands for them.
    function canaryKudos(bytes32 separator, bytes32 resultId, bytes32 resultDigest, bytes32 sealSalt)
        internal
        pure
        returns (bytes32)
    {
        return
            digest(separator, keccak256(abi.encode(KUDOS_TYPE, KUDOS_LEVEL_CANARY, resultId, resultDigest, sealSalt)));
    }

    function batch(bytes32 separator, address host, bytes32 content) internal pure returns (bytes32) {
        return _id(separator, BATCH_TYPE, bytes32(uint256(uint160(host))), content);
    }

    function votes(bytes32 separator, bytes32 content) internal pure returns (bytes32) {
        return digest(separator, keccak256(abi.encode(VOTES_TYPE, content)));
    }

    /// @notice What the strict way stores of an id: 160 bits of a hash, so that every bit of the id is bound. And of the
    /// sequence number, because numbers share places there, and whoever names a place only says which one it means.
    function fingerprint(bytes32 id, uint256 seq) internal pure returns (uint160 last) {
        // Memory-safe: hashes in the scratch space.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0, id)
            mstore(0x20, seq)
            last := shr(96, shl(96, keccak256(0, 0x40)))
        }
    }

    /// @notice What a commitment hides: of kind 0 an ordinary task, of kind 1 a planted canary.
    function mark(uint8 kind, bytes32 family, bytes32 parameters, bytes32 salt) internal pure returns (bytes32) {
        return keccak256(abi.encode(kind, family, parameters, salt));
    }

    /// @notice What a REQUEST commits its home to. It names chain and contract itself, so it needs no separator.
    function commitment(
        uint256 chainId,
        address verifyingContract,
        address home,
        address host,
        uint32 seq,
        bytes32 taskDigest,
        bytes32 markHash
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(COMMITMENT_TYPE, chainId, verifyingContract, home, host, seq, taskDigest, markHash)
        );
    }

    function seal(bytes32 resultDigest, bytes32 salt, address host, bytes32 requestId)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(resultDigest, salt, host, requestId));
    }

    function digest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32 id) {
        // The assembly blocks from here on hash in the free memory without taking it. Solidity's abi.encode would take
        // new memory for each of a record's eight hashes, and memory gets dearer with the square of its size.
        // Memory-safe: nothing is written below the free-memory pointer, and nothing is expected to stay.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, shl(240, 0x1901))
            mstore(add(free, 2), separator)
            mstore(add(free, 34), structHash)
            id := keccak256(free, 66)
        }
    }

    /// @dev The digest of a struct of two fields, and below of three: both hashes in one place, the separator where
    /// `digest` has it. Twice, because a list of fields would take memory in every step of the strict way. In assembly,
    /// because abi.encode would. Memory-safe, both: hash in the free memory without taking it.
    function _id(bytes32 separator, bytes32 typeHash, bytes32 a, bytes32 b) private pure returns (bytes32 id) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            mstore(add(free, 0x20), a)
            mstore(add(free, 0x40), b)
            mstore(add(free, 0x22), keccak256(free, 0x60))
            mstore(free, shl(240, 0x1901))
            mstore(add(free, 2), separator)
            id := keccak256(free, 66)
        }
    }

    function _id(bytes32 separator, bytes32 typeHash, bytes32 a, bytes32 b, bytes32 c)
        private
        pure
        returns (bytes32 id)
    {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            mstore(add(free, 0x20), a)
            mstore(add(free, 0x40), b)
            mstore(add(free, 0x60), c)
            mstore(add(free, 0x22), keccak256(free, 0x80))
            mstore(free, shl(240, 0x1901))
            mstore(add(free, 2), separator)
            id := keccak256(free, 66)
        }
    }
}
