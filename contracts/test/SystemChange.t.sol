// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {KudosLedger} from "../KudosLedger.sol";
import {ICanaryFamily} from "../interfaces/ICanaryFamily.sol";
import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {ISecondClaims} from "../interfaces/ISecondClaims.sol";
import {IValidatorQueue} from "../interfaces/IValidatorQueue.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {SystemTest} from "./SystemTest.sol";

/// @title A family that somebody adds: the answer is the square of the parameters
contract Squares is ICanaryFamily {
    /// @inheritdoc ICanaryFamily
    function verify(bytes32 parameters, bytes calldata solution) external pure override returns (bool) {
        return abi.decode(solution, (uint256)) == uint256(parameters) ** 2;
    }
}

/// @title What the validators change through their queue, while everything is open
contract SystemChangeTest is SystemTest {
    /// @dev One of each kind of open claim: of a batch, of single steps, a planted K3, a K2 claimed again.
    struct Open {
        bytes32 root;
        Canary stepped;
        bytes32 planted;
        bytes32 again;
    }

    Open private open;

    /// @dev Five validators, three needed; all four claims are open, and the first two validators have approved each.
    function _openAll() private {
        _deploy(5, 3, 0);
        Canary memory old = _planted(2, 9);
        bytes32 oldRoot = _settleOne(old);
        vm.warp(NOW + WINDOW + 1);
        open.again = claims.claimAgain(_secondRecord(old, oldRoot));
        Canary memory batched = _planted(0, 1);
        open.root = _settleOne(batched);
        _claim(_alone(batched));
        open.planted = _kudosId(batched);
        Canary memory stepped = _planted(1, 2);
        _strictly(stepped);
        open.stepped = stepped;
        for (uint256 i = 0; i < 2; ++i) {
            _voteBatch(i, open.root, 1);
            _voteStep(i, open.stepped);
            _voteDirectly(i, open.again, APPROVE);
        }
        uint8[] memory words = new uint8[](2);
        (words[0], words[1]) = (APPROVE, APPROVE);
        _voteOnCanary(open.planted, words);
        _assertKudos(host, 0, 0, 0);
    }

    function _recountAll() private {
        core.recount(host, open.root);
        core.recountStep(_place(open.stepped), _resultId(open.stepped));
        claims.recountClaim(open.planted);
        claims.recountClaim(open.again);
    }

    function _content(uint256 remaining, uint256 quorum) private view returns (IValidatorQueue.Content memory content) {
        content = gov.settingThreshold(3);
        for (uint256 i = remaining; i < 5; ++i) {
            content.seats[i] = address(0);
        }
        content.quorum = quorum;
    }

    // ------------------------------------------------------------------ the set

    /// @dev Two of the three that are left are enough; all that waited is counted by the new threshold.
    function testASmallerSetVerifiesWhatIsOpen() public mintsAddUp {
        _openAll();
        _govern(_content(3, 2));
        _recountAll();
        _assertKudos(host, 0, 3, 1);
        _assertStanding(open.planted, IClaimVotes.Standing.Verified);
        _assertStanding(open.again, IClaimVotes.Standing.Verified);
        vm.expectRevert();
        claims.recountClaim(open.planted);
        core.recount(host, open.root);
        core.recountStep(_place(open.stepped), _resultId(open.stepped));
        _assertKudos(host, 0, 3, 1);
    }

    /// @dev The first has approved and is replaced before the third approves: that is two, and its successor in the
    /// same seat has no say on what is older than it.
    function testWhoLeavesTakesItsVotesAlong() public mintsAddUp {
        _openAll();
        address successor = vm.addr(VALIDATOR_KEY + 99);
        _govern(gov.rotating(seats[0], successor));
        seats[0] = successor;
        vm.expectRevert(abi.encodeWithSelector(IKudosSteps.NotEligible.selector, successor));
        _voteBatch(0, open.root, 1);
        vm.expectRevert(abi.encodeWithSelector(IKudosSteps.NotEligible.selector, successor));
        _voteStep(0, open.stepped);
        vm.expectRevert(
            abi.encodeWithSelector(IClaimVotes.VoteRefused.selector, open.again, uint8(Reasons.NOT_ELIGIBLE))
        );
        _voteDirectly(0, open.again, APPROVE);
        _voteBatch(2, open.root, 1);
        _voteStep(2, open.stepped);
        _voteDirectly(2, open.again, APPROVE);
        _recountAll();
        _assertKudos(host, 0, 0, 0);
        _voteBatch(3, open.root, 1);
        _voteStep(3, open.stepped);
        _voteDirectly(3, open.again, APPROVE);
        _assertKudos(host, 0, 3, 0);
    }

    /// @dev A change makes what was proposed under the set before stale, and nobody but the queue can make one.
    function testOnlyTheQueueChanges() public {
        IValidatorQueue.Content memory content = gov.adding(vm.addr(0xC99), 3);
        vm.expectRevert();
        core.applySet(content.seats, 3);
        vm.expectRevert();
        core.close();
        IValidatorQueue.Content memory closing = gov.closing();
        vm.prank(seats[0]);
        uint256 stale = gov.propose(closing);
        _govern(content);
        assertEq(core.setVersion(), 2, "a new set");
        assertEq(core.threshold(), 3, "three of four");
        vm.expectRevert(
            abi.encodeWithSelector(IValidatorQueue.NotPossible.selector, IValidatorQueue.Status.Stale)
        );
        gov.execute(stale);
    }

    // ------------------------------------------------------------------ families

    function testFuzzAFamilyThroughTheQueue(uint128 x, uint256 solution) public mintsAddUp {
        _govern(gov.registering("squares", address(new Squares())));
        assertEq(claims.families(), 4, "one more");
        Canary memory canary = _puzzle(0, 1);
        (canary.family, canary.familyName, canary.parameters) = (4, "squares", bytes32(uint256(x)));
        canary.last = bytes32(solution);
        _commit(canary);
        Canary memory solved = _puzzle(0, 2);
        (solved.family, solved.familyName, solved.parameters) = (4, "squares", bytes32(uint256(x)));
        solved.last = bytes32(uint256(x) ** 2);
        _commit(solved);
        _settleOne(canary);
        _settleOne(solved);
        _claim(_alone(solved));
        if (solution == uint256(x) ** 2) _claim(_alone(canary));
        else _expectNothing(_alone(canary), Reasons.BAD_SOLUTION);
        _assertKudos(host, 0, 0, solution == uint256(x) ** 2 ? 2 : 1);
    }

    // ------------------------------------------------------------------ the end

    /// @dev Votes and claims on what was settled before count until the end; then totals stand still and move on.
    function testClosedFinishedAndCarried() public mintsAddUp {
        Canary memory puzzle = _puzzle(1, 3);
        vm.warp(NOW + DELAY);
        Canary memory batched = _planted(0, 1);
        vm.warp(NOW);
        _settleOne(puzzle);
        IValidatorQueue.Content memory closing = gov.closing();
        bytes32 contentHash = gov.hashContent(closing);
        vm.prank(seats[0]);
        uint256 proposal = gov.propose(closing);
        vm.prank(seats[1]);
        gov.vote(proposal, contentHash, true);
        vm.warp(NOW + DELAY);
        bytes32 root = _settleOne(batched);
        vm.warp(NOW + DELAY + 1);
        gov.execute(proposal);
        _claim(_alone(puzzle));
        _claim(_alone(batched));
        _voteBatch(0, root, 1);
        _voteBatch(2, root, 1);
        _voteOnCanary(_kudosId(batched), _three(APPROVE, APPROVE, 0));
        _assertKudos(host, 0, 1, 2);
        _carryOver();
    }

    function _carryOver() private {
        address[] memory nodes = new address[](2);
        (nodes[0], nodes[1]) = (host, seats[0]);
        KudosLedger before = core;
        _deploySystem(2, 0, address(before));
        vm.warp(before.finalAt());
        vm.expectRevert(IKudosLedger.NothingToCarry.selector);
        core.carry(nodes);
        vm.warp(before.finalAt() + 1);
        for (uint256 i = 0; i < 2; ++i) {
            core.carry(nodes);
            _assertKudos(host, 0, 1, 2);
        }
        _assertKudos(seats[0], 0, 0, 0);
        // The new ledger counts on from there.
        Canary memory canary = _puzzle(0, 1);
        _settleOne(canary);
        _claim(_alone(canary));
        _assertKudos(host, 0, 1, 3);
        assertEq(before.balanceOf(host, 3), 2, "and the old one stands");
    }

    /// @dev Steps are recorded after closing; nothing builds on them, in time or late.
    function testFuzzAResultAfterClosingEarnsNothing(bool late) public mintsAddUp {
        _govern(gov.closing());
        Canary memory canary = _puzzle(0, 1);
        vm.expectRevert(IKudosLedger.Closed.selector);
        this.settleOne(canary);
        vm.warp(block.timestamp + 1);
        _walk(canary);
        if (late) vm.warp(canary.request.resultDeadline + 1);
        _finish(canary);
        vm.expectRevert(late ? _unknownStep(canary) : abi.encodeWithSelector(IKudosLedger.Closed.selector));
        this.voteStep(canary);
        _expectNothing(_pack(canary, 0, hex"00", ""), Reasons.NOT_SETTLED);
        bytes memory receipt = _receipt(canary, uint64(canary.request.resultDeadline));
        // Worked out before: it calls a precompile, which would be taken for the call that must revert.
        ISecondClaims.Record memory record = _secondRecord(canary, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(Reasons.NOT_SETTLED))
        );
        claims.claimReceipted(record, canary.request.resultDeadline, receipt);
        _assertKudos(host, 0, 0, 0);
    }

    function testNothingIsOpenedAfterTheEnd() public mintsAddUp {
        Canary[3] memory canaries = [_planted(0, 1), _planted(0, 2), _planted(0, 3)];
        ISecondClaims.Record[3] memory records;
        for (uint256 i = 0; i < 3; ++i) {
            records[i] = _secondRecord(canaries[i], _settleOne(canaries[i]));
            _claim(_alone(canaries[i]));
        }
        vm.warp(NOW + WINDOW + 1);
        bytes32 again = claims.claimAgain(records[0]);
        claims.claimAgain(records[1]);
        _govern(gov.closing());
        vm.warp(core.finalAt());
        // What timed out in the claims contract can be opened again up to the last second, though nobody has time left to
        // vote on it. What waits in the ledger stays there, with its votes.
        _claim(_alone(canaries[0]));
        claims.claimAgain(records[0]);
        vm.expectRevert(
            abi.encodeWithSelector(ISecondClaims.NothingToClaim.selector, uint8(Reasons.NOT_TIMED_OUT))
        );
        claims.claimAgain(records[2]);
        vm.warp(core.finalAt() + 1);
        bytes memory packed = _alone(canaries[1]);
        vm.expectRevert(IKudosLedger.Closed.selector);
        vm.prank(host);
        claims.claim(packed);
        vm.expectRevert(IKudosLedger.Closed.selector);
        claims.claimAgain(records[1]);
        _voteDirectly(0, again, APPROVE);
        vm.expectRevert(IKudosLedger.Closed.selector);
        this.voteDirectly(again);
        _assertKudos(host, 0, 0, 0);
    }

    function _unknownStep(Canary memory c) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IKudosSteps.UnknownStep.selector, c.request.home, c.request.host, c.request.seq
        );
    }

    function settleOne(Canary calldata canary) external {
        _settleOne(canary);
    }

    function voteStep(Canary calldata canary) external {
        _voteStep(0, canary);
    }

    function voteDirectly(bytes32 kudosId) external {
        _voteDirectly(1, kudosId, APPROVE);
    }
}
