// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../../interfaces/IKudosLedger.sol";
import {Assets} from "../../libraries/Assets.sol";
import {SymbolicBase} from "./SymbolicBase.sol";

/// @title What holds of K3 claims for every vote, opening and signature (`make halmos`)
/// @dev The batch holds one canary: its root is the RESULT's id, and the path to it is empty.
contract SymbolicCanary is SymbolicBase {
    bytes32 private constant TASK = "task";
    bytes32 private constant FAMILY = "replay";
    bytes32 private constant PARAMETERS = "parameters";
    bytes32 private constant SALT = "salt";
    bytes32 private constant ANSWER = "answer";
    bytes32 private constant SEAL_SALT = "seal salt";
    uint8 private constant APPROVE = 128;

    /// @dev Three votes with any reasons: verified where two approve, refused where two refuse, and one K3 or none.
    function check_canaryIsWhatTwoApprove(bytes32[2] memory signed, bytes32[2] memory opened, uint8[3] memory reasons)
        public
    {
        bytes32 kudosId = _claimed(_planted(), signed, _claim(opened));
        uint256 ayes = 0;
        uint256 nays = 0;
        for (uint256 i = 0; i < 3; ++i) {
            _voteOnCanary(i, kudosId, reasons[i]);
            if (reasons[i] == APPROVE) ++ayes;
            else if (reasons[i] > APPROVE && reasons[i] < 144) ++nays;
        }
        (IKudosLedger.State state,,) = _ledger.canary(kudosId);
        assert((state == IKudosLedger.State.Verified) == (ayes >= 2));
        assert((state == IKudosLedger.State.Refused) == (nays >= 2));
        (uint64 k1, uint64 k2, uint64 k3) = _ledger.kudos(HOST);
        assert(k1 == 0 && k2 == 0 && k3 == (ayes >= 2 ? 1 : 0));
    }

    function check_noSecondVoteOnACanary(bytes32[2] memory signed, bytes32[2] memory opened, uint8[2] memory reasons)
        public
    {
        bytes32 kudosId = _claimed(_planted(), signed, _claim(opened));
        _voteOnCanary(1, kudosId, reasons[0]);
        IKudosLedger.CanaryVote[] memory votes = new IKudosLedger.CanaryVote[](1);
        votes[0] = IKudosLedger.CanaryVote({kudosId: kudosId, reason: reasons[1]});
        vm.prank(address(FIRST_SEAT + 1));
        try _ledger.vote(new IKudosLedger.BatchVote[](0), votes) {
            assert(false);
        } catch {
            (,, uint64 k3) = _ledger.kudos(HOST);
            assert(k3 == 0);
        }
    }

    /// @dev Whatever a home signs, it can show only the mark that its request committed to.
    function check_onlyTheCommittedMarkOpens(
        bytes32[2] memory signed,
        bytes32[2] memory opened,
        bytes32[4] memory hidden,
        bytes32[4] memory shown
    ) public {
        bytes32 commitment = _commitment(Assets.MARK_PLANTED, hidden);
        _claimed(commitment, signed, _claimOn(commitment, opened, shown));
        assert(shown[0] == hidden[0] && shown[1] == hidden[1] && shown[2] == hidden[2] && shown[3] == hidden[3]);
    }

    /// @dev A result that was sealed is the one that is shown, or there is no claim.
    function check_onlyTheSealedResultOpens(bytes32[2] memory signed, bytes32[2] memory opened, bytes32[2] memory shown)
        public
    {
        IKudosLedger.CanaryClaim memory claim = _claim(opened);
        (claim.resultDigest, claim.sealSalt) = (shown[0], shown[1]);
        _claimed(_planted(), signed, claim);
        assert(shown[0] == ANSWER && shown[1] == SEAL_SALT);
    }

    /// @dev A request that committed to "no canary" never becomes one.
    function check_ordinaryMarkNeverEarnsK3(
        bytes32[2] memory signed,
        bytes32[2] memory opened,
        bytes32[4] memory hidden,
        bytes32[4] memory shown
    ) public {
        bytes32 commitment = _commitment(Assets.MARK_ORDINARY, hidden);
        IKudosLedger.CanaryClaim memory claim = _claimOn(commitment, opened, shown);
        _settle(_batch(1, 1, _group(HOME, 1, _confirmedWith(7, signed, commitment, claim.seal))));
        vm.prank(HOST);
        try _ledger.claimCanaries(_list(claim)) {
            assert(false);
        } catch {
            (,, uint64 k3) = _ledger.kudos(HOST);
            assert(k3 == 0);
        }
    }

    // ------------------------------------------------------------------ building

    function _mark() private pure returns (bytes32[4] memory) {
        return [TASK, FAMILY, PARAMETERS, SALT];
    }

    function _commitment(uint8 kind, bytes32[4] memory hidden) private view returns (bytes32) {
        bytes32 mark = Assets.mark(kind, hidden[1], hidden[2], hidden[3]);
        return Assets.commitment(block.chainid, address(_ledger), HOME, HOST, 7, hidden[0], mark);
    }

    function _claim(bytes32[2] memory opened) private view returns (IKudosLedger.CanaryClaim memory) {
        return _claimOn(_planted(), opened, _mark());
    }

    function _planted() private view returns (bytes32) {
        return _commitment(Assets.MARK_PLANTED, _mark());
    }

    function _claimOn(bytes32 commitment, bytes32[2] memory opened, bytes32[4] memory shown)
        private
        view
        returns (IKudosLedger.CanaryClaim memory claim)
    {
        bytes32 separator = _ledger.domainSeparator();
        claim.request = _request(7, commitment);
        bytes32 requestId = Assets.request(separator, claim.request);
        claim.seal = Assets.seal(ANSWER, SEAL_SALT, HOST, requestId);
        claim.resultSignedAt = uint64(NOW - 30);
        claim.root = Assets.result(separator, requestId, claim.seal, claim.resultSignedAt);
        (claim.taskDigest, claim.family, claim.parameters, claim.salt) = (shown[0], shown[1], shown[2], shown[3]);
        claim.openedAt = uint64(NOW);
        claim.openingSignature = abi.encodePacked(opened);
        (claim.resultDigest, claim.sealSalt) = (ANSWER, SEAL_SALT);
    }

    function _list(IKudosLedger.CanaryClaim memory claim)
        private
        pure
        returns (IKudosLedger.CanaryClaim[] memory claims)
    {
        claims = new IKudosLedger.CanaryClaim[](1);
        claims[0] = claim;
    }

    /// @dev Settles the canary and claims K3 on it; the id of the Kudos.
    function _claimed(bytes32 commitment, bytes32[2] memory signed, IKudosLedger.CanaryClaim memory claim)
        private
        returns (bytes32)
    {
        _settle(_batch(1, 1, _group(HOME, 1, _confirmedWith(7, signed, commitment, claim.seal))));
        vm.prank(HOST);
        _ledger.claimCanaries(_list(claim));
        return Assets.canaryKudos(_ledger.domainSeparator(), claim.root, claim.resultDigest, claim.sealSalt);
    }

    function _voteOnCanary(uint256 seat, bytes32 kudosId, uint8 reason) private {
        IKudosLedger.CanaryVote[] memory votes = new IKudosLedger.CanaryVote[](1);
        votes[0] = IKudosLedger.CanaryVote({kudosId: kudosId, reason: reason});
        vm.prank(address(FIRST_SEAT + uint160(seat)));
        _ledger.vote(new IKudosLedger.BatchVote[](0), votes);
    }
}
