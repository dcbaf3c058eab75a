// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assets} from "./Assets.sol";

/// @title What is signed for the ledger's satellites
/// @notice Types as in `contracts/types/eip712.json`; the domain is the ledger's.
library ClaimAssets {
    bytes32 private constant CLAIMS_TYPE = keccak256("Claims(address host,bytes32 content)");
    bytes32 private constant RECEIPT_TYPE = keccak256("Receipt(bytes32 resultId,uint64 receivedAt)");
    bytes32 private constant CLAIM_VOTES_TYPE = keccak256("ClaimVotes(bytes32 content)");
    bytes32 private constant VOTE_COMMITMENT_TYPE = keccak256("VoteCommitment(uint64 round,bytes32 commitment)");
    bytes32 private constant BEACON_COMMITMENT_TYPE = keccak256("BeaconCommitment(uint64 period,bytes32 commitment)");
    bytes32 private constant OPEN_PUZZLE_TYPE = keccak256("OpenPuzzle(address host,uint32 counter,uint8 difficulty)");
    bytes32 private constant KUDOS_TYPE =
        keccak256("Kudos(uint8 level,bytes32 assetId,bytes32 resultDigest,bytes32 sealSalt)");

    function claims(bytes32 separator, address host, bytes32 content) internal pure returns (bytes32) {
        return Assets.digest(separator, keccak256(abi.encode(CLAIMS_TYPE, host, content)));
    }

    function receipt(bytes32 separator, bytes32 resultId, uint64 receivedAt) internal pure returns (bytes32) {
        return Assets.digest(separator, keccak256(abi.encode(RECEIPT_TYPE, resultId, receivedAt)));
    }

    function votes(bytes32 separator, bytes32 content) internal pure returns (bytes32) {
        return Assets.digest(separator, keccak256(abi.encode(CLAIM_VOTES_TYPE, content)));
    }

    function voteCommitment(bytes32 separator, uint64 round, bytes32 commitment) internal pure returns (bytes32) {
        return Assets.digest(separator, keccak256(abi.encode(VOTE_COMMITMENT_TYPE, round, commitment)));
    }

    function beaconCommitment(bytes32 separator, uint64 period, bytes32 commitment) internal pure returns (bytes32) {
        return Assets.digest(separator, keccak256(abi.encode(BEACON_COMMITMENT_TYPE, period, commitment)));
    }

    function openPuzzle(bytes32 separator, address host, uint32 counter, uint8 difficulty)
        internal
        pure
        returns (bytes32)
    {
        return Assets.digest(separator, keccak256(abi.encode(OPEN_PUZZLE_TYPE, host, counter, difficulty)));
    }

    /// @notice The id of a K1 or K2, whose last two fields are zero.
    function kudos(bytes32 separator, uint8 level, bytes32 assetId) internal pure returns (bytes32) {
        return Assets.digest(separator, keccak256(abi.encode(KUDOS_TYPE, level, assetId, bytes32(0), bytes32(0))));
    }
}
