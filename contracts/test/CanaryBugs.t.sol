// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {Assets} from "../libraries/Assets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {SystemTest} from "./SystemTest.sol";

/// @title Bugs of commitments, openings and hidden votes, each by its name, over the whole system
/// @dev The others are in `Bugs.t.sol`. An item carries its opening and not its commitment, so whatever does not fit
/// what was settled leads to a RESULT that nobody settled: NOT_SETTLED.
contract CanaryBugsTest is SystemTest {
    // ------------------------------------------------------------------ commitments of canaries

    /// @dev subtensor #1787: who takes over the place of another inherits its commitment.
    function testSubtensor1787CommitmentIsBoundToTheIdentity() public mintsAddUp {
        bytes32 commitment = _puzzle(0, 7).request.commitment;
        Canary memory heir = _puzzle(1, 7);
        heir.request.commitment = commitment;
        _expectUnopened(heir);
        Canary memory later = _puzzle(0, 8);
        later.request.commitment = commitment;
        _expectUnopened(later);
    }

    /// @dev subtensor #1787 again: the same identities on another ledger.
    function testSubtensor1787CommitmentIsBoundToTheLedger() public mintsAddUp {
        bytes32 commitment = _puzzle(0, 7).request.commitment;
        _deploy(3, 2, 0);
        Canary memory canary = _puzzle(0, 7);
        assertTrue(canary.request.commitment != commitment, "another ledger, another commitment");
        canary.request.commitment = commitment;
        _expectUnopened(canary);
    }

    /// @dev Truebit's front-running thread, kleros.github.io bb4b078: a commitment that another party copies.
    function testKlerosBb4b078CopiedCommitmentDoesNotOpen() public mintsAddUp {
        bytes32 commitment = _puzzle(0, 7).request.commitment;
        host = vm.addr(0xA1);
        Canary memory copy = _puzzle(0, 7);
        copy.request.commitment = commitment;
        _expectUnopened(copy);
    }

    /// @dev The same with a result's seal: a host that never ran the task settles another's, which nobody can open for
    /// it, as a seal holds its host.
    function testKlerosBb4b078CopiedSealDoesNotOpen() public mintsAddUp {
        Canary memory original = _puzzle(0, 7);
        bytes32 copied = _seal(original);
        host = vm.addr(0xA1);
        Canary memory copy = _puzzle(0, 7);
        (bytes32 requestId, uint64 start) = (_requestId(copy), copy.request.signedAt);
        _walk(copy);
        vm.prank(host);
        core.submitResult(requestId, copy.request.home, copy.request.seq, start + copy.resultAfter, copied);
        assertTrue(_seal(copy) != copied, "its own seal of the same result is another");
        _expectNothing(_pack(copy, 0, hex"00", ""), Reasons.NOT_SETTLED);
    }

    /// @dev kleros-v2 #2155: two openings of one commitment, to choose from when the others are known.
    function testFuzzKleros2155OneOpeningOnly(bytes32 other, uint8 field) public mintsAddUp {
        Canary memory canary = _puzzle(0, 7);
        _settleOne(canary);
        Canary memory forged = _puzzle(0, 7);
        field = field % 5;
        if (field == 0) forged.taskDigest = other;
        if (field == 1) forged.parameters = other;
        if (field == 2) forged.salt = other;
        if (field == 3) forged.last = other;
        if (field == 4) forged.sealSalt = other;
        // The words that it has itself are among those that forge tries.
        vm.assume(keccak256(abi.encode(forged)) != keccak256(abi.encode(canary)));
        _expectNothing(_alone(forged), Reasons.NOT_SETTLED);
        _claim(_alone(canary));
        _assertKudos(host, 0, 0, 1);
    }

    /// @dev kleros-v2 #2155 for the kind of mark: what was ordinary cannot turn into a canary afterwards, nor can a
    /// task that validators run again turn into a puzzle.
    function testKleros2155OrdinaryStaysOrdinary() public mintsAddUp {
        Canary memory canary = _planted(0, 7);
        canary.markHash = keccak256(abi.encode(uint8(0), canary.familyName, canary.parameters, canary.salt));
        canary.request.commitment = Assets.commitment(
            block.chainid,
            address(core),
            canary.request.home,
            host,
            canary.request.seq,
            canary.taskDigest,
            canary.markHash
        );
        _expectUnopened(canary);
        Canary memory planted = _planted(0, 8);
        _settleOne(planted);
        (planted.form, planted.family) = (PUZZLE, 1);
        _expectNothing(_alone(planted), Reasons.NOT_SETTLED);
    }

    function _expectUnopened(Canary memory canary) private {
        _settleOne(canary);
        _expectNothing(_alone(canary), Reasons.NOT_SETTLED);
        _assertKudos(host, 0, 0, 0);
    }

    // ------------------------------------------------------------------ order

    function testFirstSettledResultWins() public mintsAddUp {
        Canary memory first = _puzzle(0, 7);
        Canary memory second = _puzzle(0, 7);
        second.sealSalt = keccak256("another result of the same request");
        _settleOne(first);
        vm.expectRevert();
        this.settleOne(second);
        assertTrue(core.sequenceUsed(first.request.home, host, 7), "the number is used up");
        _expectNothing(_alone(second), Reasons.NOT_SETTLED);
        _claim(_alone(first));
        _expectNothing(_alone(first), Reasons.CLAIMED_BEFORE);
        _assertKudos(host, 0, 0, 1);
    }

    /// @dev With or without the home's signature: there is nothing yet that could be opened, so nothing is recorded, and
    /// the host that hears of it has the K3 all the same once its RESULT stands.
    function testHomeOpensBeforeTheResultIsSettled() public mintsAddUp {
        Canary memory canary = _puzzle(0, 7);
        bytes32[4] memory content = [canary.taskDigest, canary.familyName, canary.parameters, canary.salt];
        bytes32 openedId =
            Assets.canaryOpened(_separator(), _requestId(canary), _resultId(canary), content, block.timestamp);
        bytes memory words =
            abi.encodePacked(uint64(block.timestamp), uint16(64), _signature(HOME_KEY, openedId));
        bytes memory packed = _pack(canary, SIGNED, hex"0100", words);
        _expectNothing(packed, Reasons.NOT_SETTLED);
        assertTrue(!claims.canaryClaimed(canary.request.home, host, 7), "nothing stays");
        _settleOne(canary);
        _claim(packed);
        _assertKudos(host, 0, 0, 1);
    }

    // ------------------------------------------------------------------ hidden votes

    /// @dev kleros-v2 #2145: who commits again is counted twice. A second commitment is not taken, and one list that
    /// names a claim twice counts once.
    function testKleros2145CommittingAgainDoesNotCount() public mintsAddUp {
        bytes32 kudosId = _openPlanted(1);
        vm.warp(NOW + ROUND);
        IClaimVotes.Vote[] memory votes = new IClaimVotes.Vote[](2);
        votes[0] = votes[1] = IClaimVotes.Vote(kudosId, APPROVE);
        uint64 round = _commitVotes(0, votes);
        vm.expectRevert(IClaimVotes.CommittedBefore.selector);
        vm.prank(seats[0]);
        claims.commitVotes(round, "again");
        vm.warp(NOW + 2 * ROUND);
        _reveal(0, round, votes);
        vm.expectRevert(IClaimVotes.NothingToReveal.selector);
        _reveal(0, round, votes);
        assertEq(claims.kudosClaim(kudosId).approvals, 1, "one seat, one word");
        _assertKudos(host, 0, 0, 0);
    }

    /// @dev kleros-v2 #2155: two reveals of one commitment, one chosen after the others' are seen.
    function testKleros2155OneRevealOnly() public mintsAddUp {
        bytes32 kudosId = _openPlanted(1);
        vm.warp(NOW + ROUND);
        uint64 round = _commitVotes(0, _ballot(kudosId, REFUSE));
        _commitVotes(1, _ballot(kudosId, APPROVE));
        _commitVotes(2, _ballot(kudosId, APPROVE));
        vm.warp(NOW + 2 * ROUND);
        _reveal(1, round, _ballot(kudosId, APPROVE));
        vm.expectRevert(IClaimVotes.NothingToReveal.selector);
        _reveal(0, round, _ballot(kudosId, APPROVE));
        _reveal(0, round, _ballot(kudosId, REFUSE));
        _assertKudos(host, 0, 0, 0);
        _reveal(2, round, _ballot(kudosId, APPROVE));
        _assertKudos(host, 0, 0, 1);
    }

    /// @dev PoCo's `reopen`: all committed and nobody reveals. After the window the claim is made again, with the votes of
    /// the first time gone, and nobody has lost anything by it.
    function testPocoReopenWhenNobodyReveals() public mintsAddUp {
        Canary memory canary = _planted(0, 1);
        _settleOne(canary);
        _claim(_alone(canary));
        bytes32 kudosId = _kudosId(canary);
        vm.warp(NOW + ROUND);
        uint64 round = _commitVotes(0, _ballot(kudosId, APPROVE));
        _commitVotes(1, _ballot(kudosId, APPROVE));
        assertEq(claims.pendingSince(kudosId), NOW, "everybody sees that it waits");
        vm.warp(NOW + WINDOW);
        _expectNothing(_alone(canary), Reasons.CLAIMED_BEFORE);
        vm.warp(NOW + WINDOW + 1);
        _claim(_alone(canary));
        _reveal(0, round, _ballot(kudosId, APPROVE));
        _reveal(1, round, _ballot(kudosId, APPROVE));
        assertEq(claims.kudosClaim(kudosId).voters, 0, "what was committed then does not count now");
        _voteOnCanary(kudosId, _three(APPROVE, APPROVE, 0));
        _assertKudos(host, 0, 0, 1);
    }

    /// @dev Lido's ConsensusLost: a member that has voted is removed. Its word no longer counts, the set's change is an
    /// event, and what was verified before stays: Kudos are not taken back.
    function testLidoConsensusLostByARemovedValidator() public mintsAddUp {
        bytes32 verified = _openPlanted(1);
        _voteOnCanary(verified, _three(APPROVE, APPROVE, 0));
        bytes32 kudosId = _openPlanted(2);
        _voteOnCanary(kudosId, _three(APPROVE, 0, 0));
        _govern(gov.rotating(seats[0], vm.addr(0xC99)));
        claims.recountClaim(kudosId);
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
        _assertStanding(verified, IClaimVotes.Standing.Verified);
        _assertKudos(host, 0, 0, 1);
    }

    /// @dev BOINC #1005 for K3: neither refused nor void is verified, and neither is claimed a second time.
    function testFuzzBoinc1005InvalidNeverCounts(bool isVoid) public mintsAddUp {
        Canary memory canary = _planted(0, 1);
        _settleOne(canary);
        _claim(_alone(canary));
        uint8 word = isVoid ? NOT_REPEATABLE : OTHER_RESULT;
        _voteOnCanary(_kudosId(canary), _three(word, word, APPROVE));
        _assertStanding(_kudosId(canary), isVoid ? IClaimVotes.Standing.Void : IClaimVotes.Standing.Refused);
        vm.warp(block.timestamp + WINDOW + 1);
        _expectNothing(_alone(canary), Reasons.CLAIMED_BEFORE);
        _assertKudos(host, 0, 0, 0);
    }

    /// @dev A party that votes, where the votes are hidden: its word is skipped, with the reason.
    function testPartyThatVotes() public mintsAddUp {
        Canary memory canary = _planted(0, 1);
        (canary.homeKey, canary.request.home) = (VALIDATOR_KEY, seats[0]);
        _commit(canary);
        _settleOne(canary);
        _claim(_alone(canary));
        _voteOnCanary(_kudosId(canary), _three(APPROVE, APPROVE, 0));
        assertEq(claims.kudosClaim(_kudosId(canary)).voters, 2, "the second alone");
        _assertKudos(host, 0, 0, 0);
    }

    /// @dev A receiver contract that reverts: no receiver is called, whatever stands there.
    function testAReceiverThatRevertsIsNotAsked() public mintsAddUp {
        Canary memory canary = _puzzle(0, 1);
        _settleOne(canary);
        vm.etch(host, hex"5f5ffd");
        _claim(_alone(canary));
        _assertKudos(host, 0, 0, 1);
    }

    function settleOne(Canary calldata canary) external {
        _settleOne(canary);
    }
}
