// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "../interfaces/IBeacon.sol";
import {ClaimAssets} from "../libraries/ClaimAssets.sol";
import {ClaimsTest} from "./ClaimsTest.sol";

/// @title The beacon, from commitments to its value or to none
contract BeaconTest is ClaimsTest {
    uint64 private e;

    function setUp() public override {
        super.setUp();
        e = beacon.periodOf(block.timestamp) + 2;
    }

    function _start(uint64 period) private pure returns (uint256) {
        return uint256(period) * PERIOD;
    }

    function _secret(uint256 seat) private pure returns (bytes32) {
        return keccak256(abi.encode("secret", seat));
    }

    function _commitSecret(uint256 seat) private {
        bytes32 commitment = beacon.hashSecret(seats[seat], e, _secret(seat));
        vm.prank(seats[seat]);
        beacon.commit(e, commitment);
    }

    function _revealSecret(uint256 seat) private {
        beacon.reveal(seats[seat], e, _secret(seat));
    }

    function _expectNotNow(IBeacon.Status status) private {
        vm.expectRevert(abi.encodeWithSelector(IBeacon.NotNow.selector, status));
    }

    function _status() private view returns (uint256) {
        (IBeacon.Status status,,,) = beacon.standing(e);
        return uint256(status);
    }

    function _fixed() private returns (bytes32 value) {
        vm.warp(_start(e + 1) + REVEAL);
        beacon.fix(e);
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256("block"));
        beacon.fix(e);
        bool known;
        (known, value) = beacon.beacon(e);
        assertTrue(known, "known");
    }

    function testAllReveal() public {
        for (uint256 i = 0; i < 3; ++i) {
            _commitSecret(i);
        }
        vm.warp(_start(e + 1));
        bytes32 mix = 0;
        for (uint256 i = 3; i > 0; --i) {
            _revealSecret(i - 1);
            mix ^= keccak256(abi.encode(seats[i - 1], _secret(i - 1)));
        }
        (bool known,) = beacon.beacon(e);
        assertTrue(!known, "not yet");
        assertEq(_fixed(), keccak256(abi.encode(e, mix, keccak256("block"))), "secrets and a later block");
        assertEq(_status(), uint256(IBeacon.Status.Known), "known");
        _expectNotNow(IBeacon.Status.Known);
        beacon.fix(e);
    }

    function testFuzzAnySecretChangesTheValue(bytes32 secret) public {
        vm.assume(secret != _secret(1));
        _commitSecret(0);
        _commitSecret(1);
        bytes32 commitment = beacon.hashSecret(seats[2], e, secret);
        vm.prank(seats[2]);
        beacon.commit(e, commitment);
        vm.warp(_start(e + 1));
        _revealSecret(0);
        _revealSecret(1);
        beacon.reveal(seats[2], e, secret);
        bytes32 mix = keccak256(abi.encode(seats[0], _secret(0))) ^ keccak256(abi.encode(seats[1], _secret(1)))
            ^ keccak256(abi.encode(seats[2], secret));
        assertEq(_fixed(), keccak256(abi.encode(e, mix, keccak256("block"))), "all three in it");
    }

    function testOneMissingRevealIsVisibleAndHarmless() public {
        for (uint256 i = 0; i < 3; ++i) {
            _commitSecret(i);
        }
        vm.warp(_start(e + 1));
        _revealSecret(0);
        _revealSecret(2);
        assertTrue(_fixed() != 0, "two of three do");
        (, uint256 commitments, uint256 reveals,) = beacon.standing(e);
        assertEq(commitments, 3, "committed");
        assertEq(reveals, 2, "revealed");
        (bytes32 commitment, bool revealed) = beacon.commitmentOf(e, seats[1]);
        assertTrue(commitment != 0 && !revealed, "the silent one stands there");
    }

    function testFuzzTooFewRevealsMeanNoBeacon(uint256 n, uint256 m, uint256 reveals) public {
        n = bound(n, 1, 16);
        m = bound(m, n / 2 + 1, n);
        reveals = bound(reveals, 0, n);
        _deploy(n, m, 0);
        for (uint256 i = 0; i < n; ++i) {
            _commitSecret(i);
        }
        vm.warp(_start(e + 1));
        for (uint256 i = 0; i < reveals; ++i) {
            _revealSecret(i);
        }
        vm.warp(_start(e + 1) + REVEAL);
        beacon.fix(e);
        (IBeacon.Status status,,, uint256 named) = beacon.standing(e);
        assertTrue((status == IBeacon.Status.None) == (reveals < m), "none without a quorum");
        assertTrue((named == 0) == (reveals < m), "else a block is named");
        if (reveals >= m) return;
        (bool known, bytes32 value) = beacon.beacon(e);
        assertTrue(!known && value == 0, "and no value shows");
        _expectNotNow(IBeacon.Status.None);
        beacon.fix(e);
    }

    function testFuzzCommitmentsCloseWithThePeriod(uint256 time) public {
        time = bound(time, NOW, _start(e + 3));
        vm.warp(time);
        bytes32 commitment = beacon.hashSecret(seats[0], e, _secret(0));
        if (time >= _start(e)) {
            uint256 status = time < _start(e + 1) ? 1 : time < _start(e + 1) + REVEAL ? 2 : 3;
            _expectNotNow(IBeacon.Status(status));
        }
        vm.prank(seats[0]);
        beacon.commit(e, commitment);
    }

    function testFuzzRevealsHaveTheirTime(uint256 time) public {
        _commitSecret(0);
        time = bound(time, NOW, _start(e + 3));
        vm.warp(time);
        bool now_ = time >= _start(e + 1) && time < _start(e + 1) + REVEAL;
        if (!now_) _expectNotNow(IBeacon.Status(time < _start(e) ? 0 : time < _start(e + 1) ? 1 : 3));
        _revealSecret(0);
    }

    function testNothingIsFixedEarly() public {
        _commitSecret(0);
        _commitSecret(1);
        _expectNotNow(IBeacon.Status.Committing);
        beacon.fix(e);
        vm.warp(_start(e));
        _expectNotNow(IBeacon.Status.Running);
        beacon.fix(e);
        vm.warp(_start(e + 1));
        _revealSecret(0);
        _revealSecret(1);
        _expectNotNow(IBeacon.Status.Revealing);
        beacon.fix(e);
        vm.warp(_start(e + 1) + REVEAL);
        beacon.fix(e);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.TooEarly.selector, block.number + 1));
        beacon.fix(e);
        vm.roll(block.number + 1);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.TooEarly.selector, block.number));
        beacon.fix(e);
    }

    function testBlockOutOfReachIsNamedAnew() public {
        _commitSecret(0);
        _commitSecret(1);
        vm.warp(_start(e + 1));
        _revealSecret(0);
        _revealSecret(1);
        vm.warp(_start(e + 1) + REVEAL);
        beacon.fix(e);
        vm.roll(block.number + 400);
        beacon.fix(e);
        (,,, uint256 named) = beacon.standing(e);
        assertEq(named, block.number + 1, "another block");
        assertEq(_status(), uint256(IBeacon.Status.Waiting), "still waiting");
        vm.roll(named + 1);
        vm.setBlockhash(named, keccak256("block"));
        beacon.fix(e);
        assertEq(_status(), uint256(IBeacon.Status.Known), "known");
    }

    function testCommitmentsAreNotReplacedAndNotCopied() public {
        _commitSecret(0);
        bytes32 copied = beacon.hashSecret(seats[0], e, _secret(0));
        vm.expectRevert(IBeacon.CommittedBefore.selector);
        vm.prank(seats[0]);
        beacon.commit(e, keccak256("another"));
        vm.prank(seats[1]);
        beacon.commit(e, copied);
        vm.warp(_start(e + 1));
        vm.expectRevert(IBeacon.NothingToReveal.selector);
        beacon.reveal(seats[1], e, _secret(0));
        _revealSecret(0);
        vm.expectRevert(IBeacon.NothingToReveal.selector);
        _revealSecret(0);
    }

    function testFuzzOnlyTheSecretOpens(bytes32 other) public {
        vm.assume(other != _secret(0));
        _commitSecret(0);
        vm.warp(_start(e + 1));
        vm.expectRevert(IBeacon.NothingToReveal.selector);
        beacon.reveal(seats[0], e, other);
    }

    function testOnlyValidatorsCommit() public {
        vm.expectRevert(IBeacon.NotAValidator.selector);
        beacon.commit(e, "x");
    }

    function testWhoHasLeftDoesNotReveal() public {
        _commitSecret(0);
        ledger.setSeat(0, address(0xFEED));
        vm.warp(_start(e + 1));
        vm.expectRevert(IBeacon.NotAValidator.selector);
        _revealSecret(0);
        // Nor does the commitment go to whoever has the seat now.
        vm.expectRevert(IBeacon.NothingToReveal.selector);
        beacon.reveal(address(0xFEED), e, _secret(0));
    }

    function testTooFarAhead() public {
        uint64 furthest = beacon.periodOf(block.timestamp) + 64;
        vm.prank(seats[0]);
        beacon.commit(furthest, "x");
        vm.expectRevert(abi.encodeWithSelector(IBeacon.TooFarAhead.selector, furthest));
        vm.prank(seats[0]);
        beacon.commit(furthest + 1, "x");
    }

    function testRelayedCommitment() public {
        bytes32 commitment = beacon.hashSecret(seats[0], e, _secret(0));
        bytes32 digest = ClaimAssets.beaconCommitment(_separator(), e, commitment);
        bytes memory signature = _signature(VALIDATOR_KEY, digest);
        vm.expectRevert(IBeacon.NotSigned.selector);
        beacon.commitFor(seats[1], e, commitment, signature);
        beacon.commitFor(seats[0], e, commitment, signature);
        vm.expectRevert(IBeacon.CommittedBefore.selector);
        beacon.commitFor(seats[0], e, commitment, signature);
    }

    function testConstants() public {
        assertEq(beacon.periodSeconds(), PERIOD, "period");
        assertEq(beacon.revealSeconds(), REVEAL, "reveal");
        bytes memory code = vm.getCode("Beacon.sol:Beacon");
        vm.expectRevert(IBeacon.BadSeconds.selector);
        ledger.create(bytes.concat(code, abi.encode(0, REVEAL)));
        vm.expectRevert(IBeacon.BadSeconds.selector);
        ledger.create(bytes.concat(code, abi.encode(PERIOD, 0)));
    }
}
