// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "./IKudosLedger.sol";

/// @title K1 and K2 that the ledger did not decide, and K2 on the home's word
/// @notice Both are voted on directly, as in `IClaimVotes`. Reason codes as in reasons.json.
interface ISecondClaims {
    /// @notice A RESULT or REJECTED with its place, for claims of K2 or K1.
    /// @param level 2 for a RESULT, 1 for a REJECTED
    /// @param seal RESULT only
    /// @param rejection the reason code, REJECTED only
    /// @param answeredAt the signing time of the RESULT or REJECTED
    /// @param root the batch that settled it; zero for the strict way
    /// @param path the Merkle path from the leaf to the root
    struct Record {
        IKudosLedger.Request request;
        uint8 level;
        bytes32 seal;
        uint8 rejection;
        uint64 answeredAt;
        bytes32 root;
        uint8 index;
        bytes32[] path;
    }

    /// @notice A K1 or K2 that had timed out in the ledger (or here) is open to votes here.
    /// @param assetId the RESULT or REJECTED
    event ClaimedAgain(bytes32 indexed kudosId, address indexed host, bytes32 indexed assetId, uint8 level);

    /// @notice A home bears witness that a RESULT that was settled late had reached it in time: K2 is open to votes.
    event Receipted(
        bytes32 indexed kudosId, address indexed host, bytes32 indexed resultId, uint64 receivedAt, bytes signature
    );

    /// @notice Nothing holds of what was sent; the first item for this reason.
    error NothingToClaim(uint8 reason);

    /// @notice Opens a K1 or K2 claim to single votes that has waited in the ledger, or here, longer than the claim
    /// window without being decided. Anyone may: the parties' signatures are those in the record. Votes begin anew, so
    /// that who calls this just before the last vote can delay a claim by a window, not decide it. From a closed ledger no
    /// claim is taken: there what is open can be voted on until the end.
    function claimAgain(Record calldata record) external returns (bytes32 kudosId);

    /// @notice Opens the K2 claim of a RESULT that was settled late, on the home's word that it was there in time.
    /// @param receivedAt not after the deadline
    /// @param signature the home's, of Receipt(resultId, receivedAt), of its key or its contract wallet
    function claimReceipted(Record calldata record, uint64 receivedAt, bytes calldata signature)
        external
        returns (bytes32 kudosId);
}
