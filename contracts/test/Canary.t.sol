// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "../interfaces/IERC1155.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {LedgerTest} from "./LedgerTest.sol";
import {Vm} from "./Vm.sol";
import {GreedyWallet, RefusingReceiver, Wallet} from "./Wallets.sol";

contract CanaryTest is LedgerTest {
    bytes32 private constant FAMILY = "replay";
    uint8 private constant APPROVE = 128;
    uint8 private constant REFUSE = 131;
    uint8 private constant ABSTAIN = 144;

    // ------------------------------------------------------------------ building

    /// @dev Items whose marks say `kind`, with seals that can be opened.
    function _canaries(uint256 confirmed, uint256 rejected, uint8 kind) private view returns (Item[] memory items) {
        items = _items(confirmed, rejected, 1, 0);
        for (uint256 i = 0; i < items.length; ++i) {
            IKudosLedger.Request memory request = items[i].request;
            (bytes32 taskDigest, bytes32 parameters, bytes32 salt) = _secrets(request.seq);
            request.commitment = Assets.commitment(
                block.chainid,
                address(ledger),
                request.home,
                host,
                request.seq,
                taskDigest,
                Assets.mark(kind, FAMILY, parameters, salt)
            );
            (bytes32 resultDigest, bytes32 sealSalt) = _answer(request.seq);
            items[i].seal = Assets.seal(resultDigest, sealSalt, host, _requestId(items[i]));
        }
    }

    function _secrets(uint256 seq) private pure returns (bytes32 taskDigest, bytes32 parameters, bytes32 salt) {
        return (
            keccak256(abi.encode("task", seq)), keccak256(abi.encode("parameters", seq)), keccak256(abi.encode("s", seq))
        );
    }

    function _answer(uint256 seq) private pure returns (bytes32 resultDigest, bytes32 sealSalt) {
        return (keccak256(abi.encode("result", seq)), keccak256(abi.encode("seal salt", seq)));
    }

    /// @dev The claim on `items[index]` of the batch that they were settled in.
    function _claim(Item[] memory items, uint256 index) private view returns (IKudosLedger.CanaryClaim memory claim) {
        Item memory item = items[index];
        bytes32[] memory leaves = _leaves(items);
        claim.request = item.request;
        claim.seal = item.seal;
        claim.resultSignedAt = item.request.signedAt + item.resultAfter;
        claim.root = _root(leaves);
        claim.index = uint8(index);
        claim.path = _path(leaves, index);
        (claim.taskDigest, claim.parameters, claim.salt) = _secrets(item.request.seq);
        claim.family = FAMILY;
        claim.openedAt = uint64(NOW);
        (claim.resultDigest, claim.sealSalt) = _answer(item.request.seq);
        claim.openingSignature = _signature(item.homeKey, this.openedId(claim));
    }

    /// @dev External, because the library reads the claim from calldata.
    function openedId(IKudosLedger.CanaryClaim calldata claim) external view returns (bytes32) {
        return Assets.canaryOpened(ledger.domainSeparator(), _requestIdOf(claim), _resultIdOf(claim), claim);
    }

    function _requestIdOf(IKudosLedger.CanaryClaim memory claim) private view returns (bytes32) {
        return Assets.request(ledger.domainSeparator(), claim.request);
    }

    function _resultIdOf(IKudosLedger.CanaryClaim memory claim) private view returns (bytes32) {
        return Assets.result(ledger.domainSeparator(), _requestIdOf(claim), claim.seal, claim.resultSignedAt);
    }

    function _kudosId(IKudosLedger.CanaryClaim memory claim) private view returns (bytes32) {
        bytes32 separator = ledger.domainSeparator();
        return Assets.canaryKudos(separator, _resultIdOf(claim), claim.resultDigest, claim.sealSalt);
    }

    function _list(IKudosLedger.CanaryClaim memory claim)
        private
        pure
        returns (IKudosLedger.CanaryClaim[] memory claims)
    {
        claims = new IKudosLedger.CanaryClaim[](1);
        claims[0] = claim;
    }

    function _send(IKudosLedger.CanaryClaim memory claim) private returns (bytes32 kudosId) {
        kudosId = _kudosId(claim);
        vm.prank(host);
        ledger.claimCanaries(_list(claim));
    }

    function _expectSkipped(IKudosLedger.CanaryClaim memory claim, uint256 reason) private {
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(reason)));
        vm.prank(host);
        ledger.claimCanaries(_list(claim));
    }

    /// @dev A settled canary, and the claim on it.
    function _settled() private returns (IKudosLedger.CanaryClaim memory claim) {
        Item[] memory items = _canaries(5, 2, Assets.MARK_PLANTED);
        _settle(items);
        return _claim(items, 2);
    }

    // ------------------------------------------------------------------ claims that hold

    function testClaimIsOpenedAndClaimed() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        vm.recordLogs();
        bytes32 kudosId = _send(claim);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 2, "two events");
        assertEq(logs[0].topics[0], IKudosLedger.CanaryOpened.selector, "CanaryOpened");
        assertEq(logs[0].topics[1], _requestIdOf(claim), "of the request");
        assertEq(
            logs[0].data,
            abi.encode(
                _resultIdOf(claim),
                claim.taskDigest,
                claim.family,
                claim.parameters,
                claim.salt,
                claim.openedAt,
                claim.openingSignature
            ),
            "the whole opening"
        );
        assertEq(logs[1].topics[0], IKudosLedger.CanaryClaimed.selector, "CanaryClaimed");
        assertEq(logs[1].topics[1], kudosId, "of the Kudos");
        (IKudosLedger.State state, address claimant, uint64 claimedAt) = ledger.canary(kudosId);
        assertEq(uint256(state), uint256(IKudosLedger.State.Claimed), "claimed");
        assertEq(claimant, host, "by the host");
        assertEq(claimedAt, NOW, "now");
        _assertKudos(host, 0, 0, 0);
    }

    function testFuzzEveryPlaceCanBeClaimed(uint256 n, uint256 index) public {
        n = bound(n, 1, 20);
        Item[] memory items = _canaries(n, 0, Assets.MARK_PLANTED);
        _settle(items);
        bytes32 kudosId = _send(_claim(items, bound(index, 0, n - 1)));
        (IKudosLedger.State state,,) = ledger.canary(kudosId);
        assertEq(uint256(state), uint256(IKudosLedger.State.Claimed), "claimed");
    }

    function testAnyoneClaimsWithTheHostsSignature() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        claim.hostSignature = _signature(HOST_KEY, _kudosId(claim));
        ledger.claimCanaries(_list(claim));
        (, address claimant,) = ledger.canary(_kudosId(claim));
        assertEq(claimant, host, "for the host");
    }

    // ------------------------------------------------------------------ contract wallets

    /// @dev A host that is a contract claims by its wallet's signature; a home that has both, code and key (EIP-7702),
    /// opens by its wallet's.
    function testWalletsOpenAndClaim() public {
        host = address(new Wallet());
        IKudosLedger.CanaryClaim memory claim = _settled();
        vm.etch(claim.request.home, host.code);
        claim.hostSignature = _walletSignature(host, _kudosId(claim));
        claim.openingSignature = _walletSignature(claim.request.home, this.openedId(claim));
        vm.recordLogs();
        ledger.claimCanaries(_list(claim));
        (IKudosLedger.State state, address claimant,) = ledger.canary(_kudosId(claim));
        assertEq(uint256(state), uint256(IKudosLedger.State.Claimed), "claimed");
        assertEq(claimant, host, "for the wallet");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        (,,,,,, bytes memory logged) =
            abi.decode(logs[0].data, (bytes32, bytes32, bytes32, bytes32, bytes32, uint64, bytes));
        assertEq(logged, claim.openingSignature, "the log holds the signature in full");
    }

    function testAKeyStillSignsForAnAccountWithCode() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        vm.etch(claim.request.home, address(new GreedyWallet()).code);
        _send(claim);
    }

    function testWalletsThatDoNotSign() public {
        host = address(new Wallet());
        IKudosLedger.CanaryClaim memory claim = _settled();
        claim.hostSignature = _walletSignature(host, "another digest");
        vm.expectRevert(_skippedFor(Reasons.NOT_AUTHORISED));
        ledger.claimCanaries(_list(claim));
        vm.etch(claim.request.home, host.code);
        claim.openingSignature = _walletSignature(host, this.openedId(claim));
        _expectSkipped(claim, Reasons.BAD_SIGNATURE);
    }

    /// @dev A wallet that never returns costs its bound and its own claim; the claims around it go through.
    function testAGreedyWalletHarmsOnlyItself() public {
        Item[] memory items = _canaries(3, 0, Assets.MARK_PLANTED);
        _settle(items);
        IKudosLedger.CanaryClaim[] memory claims = new IKudosLedger.CanaryClaim[](3);
        for (uint256 i = 0; i < 3; ++i) {
            claims[i] = _claim(items, i);
        }
        claims[1].openingSignature = "whatever";
        vm.etch(claims[1].request.home, address(new GreedyWallet()).code);
        vm.prank(host);
        uint256 before = gasleft();
        ledger.claimCanaries(claims);
        assertTrue(before - gasleft() < 400_000 + 400_000, "bounded");
        for (uint256 i = 0; i < 3; ++i) {
            (IKudosLedger.State state,,) = ledger.canary(_kudosId(claims[i]));
            bool claimed = state == IKudosLedger.State.Claimed;
            assertTrue(claimed == (i != 1), "the others are claimed");
        }
    }

    function _walletSignature(address wallet, bytes32 digest) private returns (bytes memory) {
        return new Wallet().signatureOf(wallet, digest);
    }

    function _skippedFor(uint256 reason) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(reason));
    }

    // ------------------------------------------------------------------ tokens

    function testAVerifiedCanaryMintsOneK3() public {
        bytes32 kudosId = _send(_settled());
        _voteOnCanary(0, kudosId, APPROVE);
        vm.recordLogs();
        _voteOnCanary(2, kudosId, APPROVE);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 3, "a vote, a decision, a token");
        assertEq(logs[1].topics[0], IKudosLedger.CanaryDecided.selector, "CanaryDecided");
        assertEq(logs[2].topics[0], IERC1155.TransferSingle.selector, "TransferSingle");
        assertEq(logs[2].topics[1], bytes32(uint256(uint160(seats[2]))), "by the validator that decided");
        assertEq(logs[2].topics[2], 0, "from nobody");
        assertEq(logs[2].topics[3], bytes32(uint256(uint160(host))), "to the host");
        assertEq(logs[2].data, abi.encode(3, 1), "one of level 3");
        assertEq(ledger.balanceOf(host, 3), 1, "its balance");
    }

    function testARefusedCanaryMintsNothing() public {
        bytes32 kudosId = _send(_settled());
        _voteOnCanary(0, kudosId, REFUSE);
        vm.recordLogs();
        _voteOnCanary(1, kudosId, REFUSE);
        assertEq(vm.getRecordedLogs().length, 2, "a vote and a decision");
        assertEq(ledger.balanceOf(host, 3), 0, "no token");
    }

    function testAReceiverThatRevertsCannotBlockACanary() public {
        bytes32 kudosId = _send(_settled());
        vm.etch(host, address(new RefusingReceiver()).code);
        _voteOnCanary(0, kudosId, APPROVE);
        _voteOnCanary(1, kudosId, APPROVE);
        _assertKudos(host, 0, 0, 1);
    }

    // ------------------------------------------------------------------ claims that do not

    function testFuzzNobodyElseClaims(address sender, uint256 key) public {
        key = bound(key, 1, type(uint128).max);
        vm.assume(sender != host && key != HOST_KEY);
        IKudosLedger.CanaryClaim memory claim = _settled();
        bytes memory skipped =
            abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(Reasons.NOT_AUTHORISED));
        vm.expectRevert(skipped);
        vm.prank(sender);
        ledger.claimCanaries(_list(claim));
        claim.hostSignature = _signature(key, _kudosId(claim));
        vm.expectRevert(skipped);
        vm.prank(sender);
        ledger.claimCanaries(_list(claim));
    }

    function testWithAnothersPath() public {
        Item[] memory items = _canaries(5, 0, Assets.MARK_PLANTED);
        _settle(items);
        IKudosLedger.CanaryClaim memory claim = _claim(items, 2);
        claim.path = _claim(items, 3).path;
        _expectSkipped(claim, Reasons.NOT_SETTLED);
        claim = _claim(items, 2);
        claim.index = 3;
        _expectSkipped(claim, Reasons.NOT_SETTLED);
    }

    function testPathTooLongOrTooShort() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        bytes32[] memory path = claim.path;
        claim.path = new bytes32[](4);
        (claim.path[0], claim.path[1], claim.path[2]) = (path[0], path[1], path[2]);
        _expectSkipped(claim, Reasons.NOT_SETTLED);
        claim.path = new bytes32[](2);
        (claim.path[0], claim.path[1]) = (path[0], path[1]);
        _expectSkipped(claim, Reasons.NOT_SETTLED);
        claim.path = new bytes32[](0);
        _expectSkipped(claim, Reasons.NOT_SETTLED);
    }

    /// @dev A long path must not let an inner node pass as a leaf.
    function testFuzzIndexBeyond(uint8 index) public {
        Item[] memory items = _canaries(5, 2, Assets.MARK_PLANTED);
        _settle(items);
        IKudosLedger.CanaryClaim memory claim = _claim(items, 2);
        vm.assume(index != 2);
        claim.index = index;
        _expectSkipped(claim, Reasons.NOT_SETTLED);
    }

    /// @dev A rejected record is no RESULT, even where the path to it holds.
    function testRejectionIsNoResult() public {
        Item[] memory items = _canaries(5, 2, Assets.MARK_PLANTED);
        _settle(items);
        _expectSkipped(_claim(items, 5), Reasons.NOT_SETTLED);
    }

    function testSkippedRecordIsNotSettled() public {
        Item[] memory items = _canaries(2, 0, Assets.MARK_PLANTED);
        items[1].signerKey = 0xDEAD;
        bytes32 root = _settle(items);
        IKudosLedger.CanaryClaim memory claim = _claim(items, 1);
        claim.root = root;
        _expectSkipped(claim, Reasons.NOT_SETTLED);
    }

    function testUnknownRoot() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        claim.root = keccak256("elsewhere");
        _expectSkipped(claim, Reasons.NOT_SETTLED);
    }

    function testFuzzWrongOpening(bytes32 other, uint8 which) public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        which = which % 4;
        if (which == 0) claim.taskDigest = other;
        if (which == 1) claim.family = other;
        if (which == 2) claim.parameters = other;
        if (which == 3) claim.salt = other;
        claim.openingSignature = _signature(HOME_KEY, this.openedId(claim));
        _expectSkipped(claim, Reasons.BAD_OPENING);
    }

    function testOrdinaryMarkIsNoCanary() public {
        Item[] memory items = _canaries(3, 0, Assets.MARK_ORDINARY);
        _settle(items);
        _expectSkipped(_claim(items, 1), Reasons.NOT_A_CANARY);
    }

    function testOnlyTheHomeOpens() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        claim.openingSignature = _signature(HOST_KEY, this.openedId(claim));
        _expectSkipped(claim, Reasons.BAD_SIGNATURE);
        claim.openingSignature = "";
        _expectSkipped(claim, Reasons.BAD_SIGNATURE);
    }

    function testOpeningBindsItsTime() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        ++claim.openedAt;
        _expectSkipped(claim, Reasons.BAD_SIGNATURE);
    }

    function testFuzzWrongSeal(bytes32 other, bool salt) public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        if (salt) claim.sealSalt = other;
        else claim.resultDigest = other;
        _expectSkipped(claim, Reasons.BAD_SEAL);
    }

    function testFuzzClaimWindow(uint256 later) public {
        later = bound(later, 0, 14 days);
        IKudosLedger.CanaryClaim memory claim = _settled();
        ledger.setTime(NOW + later);
        if (later > 7 days) _expectSkipped(claim, Reasons.EXPIRED);
        else _send(claim);
    }

    function testClaimWindowEdge() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        ledger.setTime(NOW + 7 days + 1);
        _expectSkipped(claim, Reasons.EXPIRED);
        ledger.setTime(NOW + 7 days);
        _send(claim);
    }

    function testLateResultEarnsNoK3() public {
        Item[] memory items = _canaries(2, 0, Assets.MARK_PLANTED);
        ledger.setTime(items[0].request.resultDeadline + 1);
        _settle(items);
        _expectSkipped(_claim(items, 0), Reasons.EXPIRED);
    }

    function testClaimedTwice() public {
        IKudosLedger.CanaryClaim memory claim = _settled();
        _send(claim);
        _expectSkipped(claim, Reasons.CLAIMED_BEFORE);
    }

    function testTwiceInOneCallAndPoison() public {
        Item[] memory items = _canaries(5, 2, Assets.MARK_PLANTED);
        _settle(items);
        IKudosLedger.CanaryClaim[] memory claims = new IKudosLedger.CanaryClaim[](4);
        claims[0] = _claim(items, 0);
        claims[0].sealSalt = 0;
        claims[1] = claims[2] = _claim(items, 1);
        claims[3] = _claim(items, 4);
        vm.recordLogs();
        vm.prank(host);
        ledger.claimCanaries(claims);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 6, "two claims, two skips");
        assertEq(logs[0].data, abi.encode(0, uint8(Reasons.BAD_SEAL)), "the poison");
        assertEq(logs[3].data, abi.encode(2, uint8(Reasons.CLAIMED_BEFORE)), "the repetition");
        _approve(_kudosId(claims[1]));
        _approve(_kudosId(claims[3]));
        _assertKudos(host, 0, 0, 2);
    }

    function testNothingToClaim() public {
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(0)));
        ledger.claimCanaries(new IKudosLedger.CanaryClaim[](0));
    }

    // ------------------------------------------------------------------ votes

    function _approve(bytes32 kudosId) private {
        _voteOnCanary(0, kudosId, APPROVE);
        _voteOnCanary(1, kudosId, APPROVE);
    }

    function _state(bytes32 kudosId) private view returns (IKudosLedger.State state) {
        (state,,) = ledger.canary(kudosId);
    }

    function testTwoOfThreeVerify() public {
        bytes32 kudosId = _send(_settled());
        _voteOnCanary(0, kudosId, APPROVE);
        _assertKudos(host, 0, 0, 0);
        _voteOnCanary(2, kudosId, APPROVE);
        _assertKudos(host, 0, 0, 1);
        assertTrue(_state(kudosId) == IKudosLedger.State.Verified, "verified");
        vm.recordLogs();
        _voteOnCanary(1, kudosId, REFUSE);
        assertEq(vm.getRecordedLogs().length, 1, "a late vote decides nothing");
        assertTrue(_state(kudosId) == IKudosLedger.State.Verified, "final");
        _assertKudos(host, 0, 0, 1);
    }

    function testTwoOfThreeRefuse() public {
        bytes32 kudosId = _send(_settled());
        _voteOnCanary(0, kudosId, REFUSE);
        _voteOnCanary(1, kudosId, ABSTAIN);
        assertTrue(_state(kudosId) == IKudosLedger.State.Claimed, "open");
        _voteOnCanary(2, kudosId, REFUSE);
        assertTrue(_state(kudosId) == IKudosLedger.State.Refused, "refused");
        _assertKudos(host, 0, 0, 0);
    }

    function testVoteErrors() public {
        bytes32 kudosId = _send(_settled());
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.UnknownClaim.selector, bytes32("x")));
        _voteOnCanary(0, "x", APPROVE);
        _voteOnCanary(0, kudosId, ABSTAIN);
        vm.expectRevert(IKudosLedger.VotedBefore.selector);
        _voteOnCanary(0, kudosId, APPROVE);
        seats.push(address(this));
        vm.expectRevert(IKudosLedger.NotAValidator.selector);
        _voteOnCanary(3, kudosId, APPROVE);
    }

    function testFuzzOnlyVoteCodesVote(uint8 reason) public {
        bytes32 kudosId = _send(_settled());
        if (reason < 128 || reason > 159) vm.expectRevert(IKudosLedger.ContradictoryVote.selector);
        _voteOnCanary(0, kudosId, reason);
    }

    function testFuzzAnyVotes(uint256 n, uint256 m, uint8[16] memory votes) public {
        n = bound(n, 1, 16);
        m = bound(m, n / 2 + 1, n);
        _deploy(n, m);
        bytes32 kudosId = _send(_settled());
        uint256 ayes = 0;
        uint256 nays = 0;
        for (uint256 i = 0; i < n; ++i) {
            uint8 reason = [APPROVE, REFUSE, ABSTAIN][votes[i] % 3];
            if (reason == APPROVE) ++ayes;
            if (reason == REFUSE) ++nays;
            _voteOnCanary(i, kudosId, reason);
        }
        assertTrue((_state(kudosId) == IKudosLedger.State.Verified) == (ayes >= m), "verified with m approvals");
        assertTrue((_state(kudosId) == IKudosLedger.State.Refused) == (nays > n - m), "refused without hope");
        _assertKudos(host, 0, 0, ayes >= m ? 1 : 0);
    }
}
