// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {ClaimAssets} from "../libraries/ClaimAssets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {ClaimsTest} from "./ClaimsTest.sol";
import {Vm} from "./Vm.sol";

/// @title Votes on K3: committed, then revealed
contract ClaimVotesTest is ClaimsTest {
    function _expectVoteSkipped(uint256 seat, uint64 round, bytes32 kudosId, uint8 reason, uint256 skip) private {
        vm.recordLogs();
        _reveal(seat, round, _ballot(kudosId, reason));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 2, "revealed, skipped");
        assertEq(logs[1].topics[0], IClaimVotes.VoteSkipped.selector, "VoteSkipped");
        assertEq(logs[1].data, abi.encode(uint8(skip)), "its reason");
    }

    // ------------------------------------------------------------------ outcomes

    function testTwoOfThreeVerify() public {
        bytes32 kudosId = _openPlanted(1);
        assertEq(claims.pendingSince(kudosId), NOW, "waiting");
        _voteOnCanary(kudosId, _three(APPROVE, 0, APPROVE));
        _assertStanding(kudosId, IClaimVotes.Standing.Verified);
        assertEq(ledger.minted(host, 3), 1, "minted");
        assertEq(claims.pendingSince(kudosId), 0, "decided");
    }

    function testOneIsNotEnough() public {
        bytes32 kudosId = _openPlanted(1);
        _voteOnCanary(kudosId, _three(APPROVE, 0, 0));
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
        assertEq(ledger.minted(host, 3), 0, "not minted");
    }

    function testTwoOfThreeRefuse() public {
        bytes32 kudosId = _openPlanted(1);
        _voteOnCanary(kudosId, _three(OTHER_RESULT, APPROVE, REFUSE));
        _assertStanding(kudosId, IClaimVotes.Standing.Refused);
        assertEq(ledger.minted(host, 3), 0, "not minted");
    }

    function testRunsThatDifferAreVoid() public {
        bytes32 kudosId = _openPlanted(1);
        _voteOnCanary(kudosId, _three(APPROVE, OTHER_RESULT, ABSTAIN));
        _assertStanding(kudosId, IClaimVotes.Standing.Void);
    }

    function testWhatDoesNotRepeatIsVoid() public {
        bytes32 kudosId = _openPlanted(1);
        _voteOnCanary(kudosId, _three(NOT_REPEATABLE, APPROVE, NOT_REPEATABLE));
        _assertStanding(kudosId, IClaimVotes.Standing.Void);
    }

    function testRefusalForAnotherReasonIsNotVoid() public {
        bytes32 kudosId = _openPlanted(1);
        _voteOnCanary(kudosId, _three(APPROVE, REFUSE, ABSTAIN));
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
    }

    /// @dev Against a count in the plainest way; and the order of the reveals says nothing.
    function testFuzzAnyVotes(uint256 n, uint256 m, uint8[16] memory picks, uint256 first) public {
        n = bound(n, 1, 16);
        m = bound(m, n / 2 + 1, n);
        _deploy(n, m, 0);
        bytes32 kudosId = _openPlanted(1);
        uint8[6] memory menu = [APPROVE, REFUSE, OTHER_RESULT, NOT_REPEATABLE, ABSTAIN, 0];
        uint256[6] memory counts;
        vm.warp(block.timestamp + ROUND);
        uint64 round = claims.roundOf(block.timestamp);
        for (uint256 i = 0; i < n; ++i) {
            ++counts[picks[i] % 6];
            if (picks[i] % 6 != 5) _commitVotes(i, _ballot(kudosId, menu[picks[i] % 6]));
        }
        vm.warp(block.timestamp + ROUND);
        for (uint256 i = 0; i < n; ++i) {
            uint256 seat = (i + first % n) % n;
            if (picks[seat] % 6 != 5) _reveal(seat, round, _ballot(kudosId, menu[picks[seat] % 6]));
        }
        IClaimVotes.Standing expected = _expected(n, m, counts);
        _assertStanding(kudosId, expected);
        assertEq(ledger.minted(host, 3), expected == IClaimVotes.Standing.Verified ? 1 : 0, "minted");
        IClaimVotes.ClaimView memory claim = claims.kudosClaim(kudosId);
        assertTrue(claim.approvals & claim.refusals == 0, "nobody says both");
        assertTrue((claim.approvals | claim.refusals) & ~claim.voters == 0, "who says something has voted");
    }

    function _expected(uint256 n, uint256 m, uint256[6] memory counts) private pure returns (IClaimVotes.Standing) {
        uint256 refusals = counts[1] + counts[2];
        if (counts[0] >= m) return IClaimVotes.Standing.Verified;
        if (refusals >= m) return IClaimVotes.Standing.Refused;
        if (counts[3] >= m) return IClaimVotes.Standing.Void;
        bool differ = counts[0] > 0 && counts[2] > 0;
        if (differ && counts[0] + counts[5] < m && refusals + counts[5] < m) return IClaimVotes.Standing.Void;
        if (counts[5] == 0 && refusals > n - m) return IClaimVotes.Standing.Refused;
        return IClaimVotes.Standing.Open;
    }

    function testLateVotesAreAppendedAndDecideNothing() public {
        bytes32 kudosId = _openPlanted(1);
        _voteOnCanary(kudosId, _three(APPROVE, APPROVE, REFUSE));
        _assertStanding(kudosId, IClaimVotes.Standing.Verified);
        assertEq(claims.kudosClaim(kudosId).voters, 7, "all three stand there");
        assertEq(ledger.minted(host, 3), 1, "once");
    }

    // ------------------------------------------------------------------ commitments

    function testFuzzRounds(uint256 committedAfter, uint256 revealedAfter) public {
        bytes32 kudosId = _openPlanted(1);
        uint64 opened = claims.roundOf(NOW);
        committedAfter = bound(committedAfter, 0, 4 * ROUND);
        revealedAfter = bound(revealedAfter, 0, 8 days);
        vm.warp(NOW + committedAfter);
        uint64 round = _commitVotes(0, _ballot(kudosId, APPROVE));
        vm.warp(block.timestamp + revealedAfter);
        if (claims.roundOf(block.timestamp) == round) {
            vm.expectRevert(IClaimVotes.NothingToReveal.selector);
            return _reveal(0, round, _ballot(kudosId, APPROVE));
        }
        if (round != opened + 1) {
            return _expectVoteSkipped(0, round, kudosId, APPROVE, Reasons.WRONG_ROUND);
        }
        if (block.timestamp > NOW + 7 days) return _expectVoteSkipped(0, round, kudosId, APPROVE, Reasons.EXPIRED);
        _reveal(0, round, _ballot(kudosId, APPROVE));
        assertEq(claims.kudosClaim(kudosId).approvals, 1, "counted");
    }

    function testACopiedCommitmentOpensNothing() public {
        bytes32 kudosId = _openPlanted(1);
        vm.warp(NOW + ROUND);
        IClaimVotes.Vote[] memory votes = _ballot(kudosId, APPROVE);
        uint64 round = _commitVotes(0, votes);
        bytes32 copied = claims.voteCommitment(seats[0], round);
        vm.prank(seats[1]);
        claims.commitVotes(round, copied);
        vm.warp(NOW + 2 * ROUND);
        _reveal(0, round, votes);
        vm.expectRevert(IClaimVotes.NothingToReveal.selector);
        claims.revealVotes(seats[1], round, votes, bytes32(0));
        assertEq(claims.kudosClaim(kudosId).voters, 1, "one voted");
    }

    function testOneCommitmentOneOpening() public {
        bytes32 kudosId = _openPlanted(1);
        vm.warp(NOW + ROUND);
        uint64 round = _commitVotes(0, _ballot(kudosId, APPROVE));
        vm.expectRevert(IClaimVotes.CommittedBefore.selector);
        vm.prank(seats[0]);
        claims.commitVotes(round, "another");
        vm.warp(NOW + 2 * ROUND);
        vm.expectRevert(IClaimVotes.NothingToReveal.selector);
        _reveal(0, round, _ballot(kudosId, REFUSE));
        vm.expectRevert(IClaimVotes.NothingToReveal.selector);
        claims.revealVotes(seats[0], round, _ballot(kudosId, APPROVE), "other salt");
        _reveal(0, round, _ballot(kudosId, APPROVE));
        assertTrue(claims.voteCommitment(seats[0], round) == 0, "used up");
        vm.expectRevert(IClaimVotes.NothingToReveal.selector);
        _reveal(0, round, _ballot(kudosId, APPROVE));
    }

    function testCommitmentsAreForThisRound() public {
        uint64 round = claims.roundOf(NOW);
        vm.expectRevert(abi.encodeWithSelector(IClaimVotes.WrongRound.selector, round));
        vm.prank(seats[0]);
        claims.commitVotes(round + 1, "x");
        vm.expectRevert(IClaimVotes.NotAValidator.selector);
        claims.commitVotes(round, "x");
    }

    function testRelayedCommitment() public {
        uint64 round = claims.roundOf(NOW);
        bytes memory signature =
            _signature(VALIDATOR_KEY, ClaimAssets.voteCommitment(_separator(), round, bytes32("x")));
        vm.expectRevert(IClaimVotes.NotSigned.selector);
        claims.commitVotesFor(seats[0], round, "y", signature);
        claims.commitVotesFor(seats[0], round, "x", signature);
        assertTrue(claims.voteCommitment(seats[0], round) == "x", "stored");
    }

    function testUnrevealedVotesDoNotCount() public {
        bytes32 kudosId = _openPlanted(1);
        vm.warp(NOW + ROUND);
        _commitVotes(0, _ballot(kudosId, APPROVE));
        _commitVotes(1, _ballot(kudosId, APPROVE));
        vm.warp(NOW + 8 days);
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
        assertEq(claims.pendingSince(kudosId), NOW, "and everybody sees that it waits");
    }

    // ------------------------------------------------------------------ what a vote may be

    function testFuzzOnlyVoteCodesVote(uint8 reason) public {
        bytes32 kudosId = _openPlanted(1);
        vm.warp(NOW + ROUND);
        uint64 round = _commitVotes(0, _ballot(kudosId, reason));
        vm.warp(NOW + 2 * ROUND);
        bool isVote = reason >= 128 && reason <= 159;
        if (!isVote) return _expectVoteSkipped(0, round, kudosId, reason, Reasons.NOT_A_VOTE);
        _reveal(0, round, _ballot(kudosId, reason));
        IClaimVotes.ClaimView memory claim = claims.kudosClaim(kudosId);
        assertEq(claim.voters, 1, "voted");
        assertEq(claim.approvals, reason == 128 ? 1 : 0, "approval");
        assertEq(claim.refusals, reason > 128 && reason < 144 ? 1 : 0, "refusal");
    }

    function testABadVoteSpoilsNoOther() public {
        bytes32 kudosId = _openPlanted(1);
        IClaimVotes.Vote[] memory votes = new IClaimVotes.Vote[](3);
        votes[0] = IClaimVotes.Vote("unknown", APPROVE);
        votes[1] = votes[2] = IClaimVotes.Vote(kudosId, APPROVE);
        vm.warp(NOW + ROUND);
        uint64 round = _commitVotes(0, votes);
        vm.warp(NOW + 2 * ROUND);
        vm.recordLogs();
        _reveal(0, round, votes);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs[1].data, abi.encode(uint8(Reasons.UNKNOWN_CLAIM)), "unknown");
        assertEq(logs[2].topics[0], IClaimVotes.ClaimVoted.selector, "voted");
        assertEq(logs[3].data, abi.encode(uint8(Reasons.VOTED_BEFORE)), "twice");
        assertEq(claims.kudosClaim(kudosId).approvals, 1, "counted once");
    }

    function testK3IsNotVotedDirectly() public {
        bytes32 kudosId = _openPlanted(1);
        vm.expectRevert(
            abi.encodeWithSelector(IClaimVotes.VoteRefused.selector, kudosId, uint8(Reasons.WRONG_ROUND))
        );
        vm.prank(seats[0]);
        claims.vote(_ballot(kudosId, APPROVE));
    }

    function testManyAreMintedTogether() public {
        IClaimVotes.Vote[] memory votes = new IClaimVotes.Vote[](5);
        for (uint32 i = 0; i < 5; ++i) {
            votes[i] = IClaimVotes.Vote(_openPlanted(i), APPROVE);
        }
        vm.warp(NOW + ROUND);
        uint64 round = _commitVotes(0, votes);
        _commitVotes(1, votes);
        vm.warp(NOW + 2 * ROUND);
        _reveal(0, round, votes);
        vm.recordLogs();
        _reveal(1, round, votes);
        assertEq(vm.getRecordedLogs().length, 1 + 2 * 5 + 1, "one mint");
        assertEq(ledger.minted(host, 3), 5, "of five");
    }

    // ------------------------------------------------------------------ who may vote

    function testAPartyDoesNotVoteAndTheDenominatorSaysSo() public {
        // The home has seat 1: two are left, and both are needed.
        ledger.setSeat(1, vm.addr(HOME_KEY));
        seats[1] = vm.addr(HOME_KEY);
        vm.warp(NOW + 1);
        bytes32 kudosId = _openPlanted(1);
        assertEq(claims.kudosClaim(kudosId).parties, 2, "its seat");
        vm.warp(NOW + ROUND + 1);
        uint64 round = _commitVotes(1, _ballot(kudosId, APPROVE));
        _commitVotes(0, _ballot(kudosId, REFUSE));
        _commitVotes(2, _ballot(kudosId, ABSTAIN));
        vm.warp(NOW + 2 * ROUND + 1);
        _expectVoteSkipped(1, round, kudosId, APPROVE, Reasons.NOT_ELIGIBLE);
        _reveal(0, round, _ballot(kudosId, REFUSE));
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
        _reveal(2, round, _ballot(kudosId, ABSTAIN));
        _assertStanding(kudosId, IClaimVotes.Standing.Refused);
    }

    function testTheHostInASeatIsAPartyToo() public {
        ledger.setSeat(2, host);
        vm.warp(NOW + 1);
        assertEq(claims.kudosClaim(_openPlanted(1)).parties, 4, "its seat");
    }

    function testFuzzWhoComesLaterDoesNotVote(uint256 comes) public {
        comes = bound(comes, NOW - 100, NOW + 100);
        vm.warp(comes);
        address late = vm.addr(VALIDATOR_KEY + 9);
        if (comes < NOW) ledger.setSeat(2, late);
        vm.warp(NOW);
        bytes32 kudosId = _openPlanted(1);
        vm.warp(comes);
        if (comes >= NOW) ledger.setSeat(2, late);
        seats[2] = late;
        vm.warp(NOW + ROUND);
        uint64 round = _commitVotes(2, _ballot(kudosId, APPROVE));
        vm.warp(NOW + 2 * ROUND);
        if (comes >= NOW) return _expectVoteSkipped(2, round, kudosId, APPROVE, Reasons.NOT_ELIGIBLE);
        _reveal(2, round, _ballot(kudosId, APPROVE));
        assertEq(claims.kudosClaim(kudosId).approvals, 4, "counted");
    }

    function testSeatChangeBetweenCommitmentAndReveal() public {
        bytes32 kudosId = _openPlanted(1);
        vm.warp(NOW + ROUND);
        IClaimVotes.Vote[] memory votes = _ballot(kudosId, APPROVE);
        uint64 round = _commitVotes(0, votes);
        ledger.setSeat(0, vm.addr(VALIDATOR_KEY + 9));
        vm.warp(NOW + 2 * ROUND);
        vm.expectRevert(IClaimVotes.NotAValidator.selector);
        _reveal(0, round, votes);
        // Nor does the commitment go with the seat.
        vm.expectRevert(IClaimVotes.NothingToReveal.selector);
        claims.revealVotes(vm.addr(VALIDATOR_KEY + 9), round, votes, bytes32(0));
        // Who comes back comes too late for the claim.
        ledger.setSeat(0, seats[0]);
        _expectVoteSkipped(0, round, kudosId, APPROVE, Reasons.NOT_ELIGIBLE);
    }

    function testVotesOfWhoLeftNoLongerCount() public {
        bytes32 kudosId = _openPlanted(1);
        vm.warp(NOW + ROUND);
        uint64 round = _commitVotes(0, _ballot(kudosId, APPROVE));
        _commitVotes(1, _ballot(kudosId, APPROVE));
        vm.warp(NOW + 2 * ROUND);
        _reveal(0, round, _ballot(kudosId, APPROVE));
        ledger.setSeat(0, vm.addr(VALIDATOR_KEY + 9));
        _reveal(1, round, _ballot(kudosId, APPROVE));
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
        claims.recountClaim(kudosId);
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
    }

    function testRecountAfterASmallerThreshold() public {
        _deploy(4, 4, 0);
        bytes32 kudosId = _openPlanted(1);
        uint8[] memory reasons = new uint8[](4);
        (reasons[0], reasons[1], reasons[2]) = (APPROVE, APPROVE, APPROVE);
        _voteOnCanary(kudosId, reasons);
        claims.recountClaim(kudosId);
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
        ledger.setThreshold(3);
        claims.recountClaim(kudosId);
        _assertStanding(kudosId, IClaimVotes.Standing.Verified);
        assertEq(ledger.minted(host, 3), 1, "minted");
        vm.expectRevert(
            abi.encodeWithSelector(IClaimVotes.VoteRefused.selector, kudosId, uint8(Reasons.UNKNOWN_CLAIM))
        );
        claims.recountClaim(kudosId);
    }

    function testNothingIsDecidedBelowTheThreshold() public {
        bytes32 kudosId = _openPlanted(1);
        ledger.setSeat(0, address(0));
        ledger.setSeat(1, vm.addr(VALIDATOR_KEY + 9));
        uint8[] memory reasons = _three(0, 0, REFUSE);
        vm.warp(NOW);
        _voteOnCanary(kudosId, reasons);
        _assertStanding(kudosId, IClaimVotes.Standing.Open);
    }

    // ------------------------------------------------------------------ again

    function testFuzzTimedOutClaimIsOpenedAgain(uint256 later) public {
        Canary memory canary = _planted(0, 1);
        _settleOne(canary);
        _claim(_alone(canary));
        bytes32 kudosId = _kudosId(canary);
        _voteOnCanary(kudosId, _three(APPROVE, 0, 0));
        later = bound(later, 2 * ROUND, 20 days);
        vm.warp(NOW + later);
        if (later <= 7 days) return _expectNothing(_alone(canary), Reasons.CLAIMED_BEFORE);
        _claim(_alone(canary));
        assertEq(claims.kudosClaim(kudosId).openedAt, NOW + later, "anew");
        assertEq(claims.kudosClaim(kudosId).voters, 0, "without votes");
        _voteOnCanary(kudosId, _three(APPROVE, APPROVE, 0));
        assertEq(ledger.minted(host, 3), 1, "minted");
        vm.warp(block.timestamp + 8 days);
        _expectNothing(_alone(canary), Reasons.CLAIMED_BEFORE);
    }

    function testVoidIsFinal() public {
        Canary memory canary = _planted(0, 1);
        _settleOne(canary);
        _claim(_alone(canary));
        _voteOnCanary(_kudosId(canary), _three(APPROVE, OTHER_RESULT, ABSTAIN));
        vm.warp(NOW + 8 days);
        _expectNothing(_alone(canary), Reasons.CLAIMED_BEFORE);
    }

    function testRoundLengths() public {
        bytes memory code = vm.getCode("KudosClaims.sol:KudosClaims");
        uint64[3] memory bad = [uint64(0), 2 days + 1, type(uint64).max];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(IClaimVotes.BadRound.selector);
            ledger.create(bytes.concat(code, abi.encode(bad[i], RATE, FLOOR, PER_HOST)));
        }
        ledger.create(bytes.concat(code, abi.encode(uint64(2 days), RATE, FLOOR, PER_HOST)));
        assertEq(claims.commitSeconds(), ROUND, "round");
    }

    /// @dev The code for decisions holds nothing when called by itself.
    function testDecisionsAloneAreNothing() public {
        bytes32 kudosId = _openPlanted(1);
        IClaimVotes alone = IClaimVotes(claims.decisions());
        assertTrue(alone.kudosClaim(kudosId).standing == IClaimVotes.Standing.None, "knows no claim");
        vm.expectRevert(
            abi.encodeWithSelector(IClaimVotes.VoteRefused.selector, kudosId, uint8(Reasons.UNKNOWN_CLAIM))
        );
        vm.prank(seats[0]);
        alone.vote(_ballot(kudosId, APPROVE));
    }
}
