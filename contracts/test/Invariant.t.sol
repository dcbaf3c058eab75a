// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "../interfaces/IERC1155.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {KudosLedgerHarness} from "./KudosLedgerHarness.sol";
import {LedgerTest} from "./LedgerTest.sol";
import {Vm} from "./Vm.sol";

/// @title Drives the ledger at random, and keeps its own books beside it
/// @dev The ghosts count one claim and one vote at a time, the plainest way there is.
contract LedgerDriver is LedgerTest {
    struct GhostBatch {
        uint256 host;
        bytes32 root;
        uint256 confirmed;
        uint256 n;
        bool[16] voted;
        uint256[16] approve;
        uint256[16] refuse;
    }

    struct GhostClaim {
        uint256 host;
        bytes32 kudosId;
        bool[16] voted;
        uint256 ayes;
        uint256 nays;
    }

    uint256 internal constant HOSTS = 3;
    uint256 internal constant SEATS = 5;
    uint256 internal constant QUORUM = 3;
    bytes32 private constant TASK = "task";
    bytes32 private constant SALT = "salt";

    GhostBatch[] private _batches;
    GhostClaim[] private _claims;
    mapping(address node => mapping(uint256 level => uint256)) public minted;
    mapping(bytes32 place => bool) private _settled;
    mapping(bytes32 place => bool) private _claimed;
    Item[] private _claimable;

    function setUp() public override {
        super.setUp();
        _deploy(SEATS, QUORUM);
    }

    function setLedger(KudosLedgerHarness target, address[] calldata list) external {
        ledger = target;
        seats = list;
    }

    // ------------------------------------------------------------------ actions

    function settleSome(uint256 which, uint8 confirmed, uint8 rejected, uint32 seq) external {
        uint256 number = which % HOSTS;
        host = vm.addr(HOST_KEY + number);
        confirmed = confirmed % 5;
        Item[] memory items = _canaryItems(confirmed, rejected % 4, seq % 40);
        if (items.length == 0) return;
        uint256 fresh = 0;
        for (uint256 i = 0; i < items.length; ++i) {
            bytes32 place = keccak256(abi.encode(items[i].request.home, host, items[i].request.seq));
            if (!_settled[place]) ++fresh;
        }
        bytes memory packed = _pack(items);
        vm.prank(host);
        try ledger.settle(host, packed, UNSIGNED) returns (bytes32 root) {
            assertTrue(fresh > 0, "nothing settles twice");
            _noteBatch(number, root, items, confirmed);
        } catch (bytes memory answer) {
            assertEq(fresh, 0, "what is new settles");
            assertEq(bytes32(bytes4(answer)), bytes32(IKudosLedger.NothingToSettle.selector), "NothingToSettle");
        }
    }

    function claimOne(uint256 which) external {
        if (_claimable.length == 0) return;
        Item memory item = _claimable[which % _claimable.length];
        host = item.request.host;
        IKudosLedger.CanaryClaim[] memory claims = new IKudosLedger.CanaryClaim[](1);
        claims[0] = _claimOn(item);
        bytes32 resultId = _resultId(item);
        bool again = _claimed[resultId];
        vm.prank(host);
        try ledger.claimCanaries(claims) {
            assertTrue(!again, "no double claim");
            _claimed[resultId] = true;
            _noteClaim(host, claims[0], resultId);
        } catch (bytes memory answer) {
            assertTrue(again, "a good claim is taken");
            assertEq(bytes32(bytes4(answer)), bytes32(IKudosLedger.NothingToSettle.selector), "NothingToSettle");
        }
    }

    function voteOnBatch(uint256 which, uint256 seat, uint128 approve, uint128 refuse) external {
        if (_batches.length == 0) return;
        GhostBatch storage ghost = _batches[which % _batches.length];
        seat = seat % SEATS;
        host = vm.addr(HOST_KEY + ghost.host);
        refuse &= ~approve;
        if (ghost.voted[seat]) vm.expectRevert(IKudosLedger.VotedBefore.selector);
        else (ghost.voted[seat], ghost.approve[seat], ghost.refuse[seat]) = (true, approve, refuse);
        vm.recordLogs();
        _vote(seat, ghost.root, approve, refuse);
        _noteMinted(seat);
    }

    function voteOnClaim(uint256 which, uint256 seat, uint8 reason) external {
        if (_claims.length == 0) return;
        GhostClaim storage ghost = _claims[which % _claims.length];
        seat = seat % SEATS;
        reason = 128 + reason % 32;
        if (ghost.voted[seat]) {
            vm.expectRevert(IKudosLedger.VotedBefore.selector);
        } else {
            ghost.voted[seat] = true;
            if (reason == 128) ++ghost.ayes;
            else if (reason < 144) ++ghost.nays;
        }
        vm.recordLogs();
        _voteOnCanary(seat, ghost.kudosId, reason);
        _noteMinted(seat);
    }

    // ------------------------------------------------------------------ what the books say

    /// @dev The Kudos of a host: one for each claim that the chain opened and QUORUM ghost votes approve.
    function expected(uint256 number) external view returns (uint256 k1, uint256 k2, uint256 k3) {
        for (uint256 i = 0; i < _batches.length; ++i) {
            GhostBatch storage ghost = _batches[i];
            if (ghost.host != number) continue;
            (,,, uint128 claims,,) = ledger.batch(hostOf(number), ghost.root);
            for (uint256 bit = 0; bit < ghost.n; ++bit) {
                if ((claims >> bit) & 1 == 0 || _ayes(ghost, bit) < QUORUM) continue;
                if (bit < ghost.confirmed) ++k2;
                else ++k1;
            }
        }
        for (uint256 i = 0; i < _claims.length; ++i) {
            if (_claims[i].host == number && _claims[i].ayes >= QUORUM) ++k3;
        }
    }

    /// @dev The sums over what the batches say is verified.
    function verifiedBits(uint256 number) external view returns (uint256 k1, uint256 k2) {
        for (uint256 i = 0; i < _batches.length; ++i) {
            if (_batches[i].host != number) continue;
            (uint8 n, uint8 confirmed,,, uint128 verified, uint128 refused) =
                ledger.batch(hostOf(number), _batches[i].root);
            assertEq(verified & refused, 0, "no claim is verified and refused");
            for (uint256 bit = 0; bit < n; ++bit) {
                if ((verified >> bit) & 1 == 0) continue;
                if (bit < confirmed) ++k2;
                else ++k1;
            }
        }
    }

    function checkBatches() external view {
        for (uint256 i = 0; i < _batches.length; ++i) {
            GhostBatch storage ghost = _batches[i];
            (uint8 n,,, uint128 claims, uint128 verified, uint128 refused) =
                ledger.batch(hostOf(ghost.host), ghost.root);
            assertEq(n, ghost.n, "n stays");
            assertEq((verified | refused) & ~claims, 0, "only claims are decided");
            for (uint256 bit = 0; bit < n; ++bit) {
                bool holds = (claims >> bit) & 1 == 1 && _ayes(ghost, bit) >= QUORUM;
                assertTrue((verified >> bit) & 1 == (holds ? 1 : 0), "nothing counts without a quorum, all with it");
            }
        }
    }

    function checkClaims() external view {
        for (uint256 i = 0; i < _claims.length; ++i) {
            GhostClaim storage ghost = _claims[i];
            (IKudosLedger.State state,,) = ledger.canary(ghost.kudosId);
            assertTrue((state == IKudosLedger.State.Verified) == (ghost.ayes >= QUORUM), "verified");
            assertTrue((state == IKudosLedger.State.Refused) == (ghost.nays > SEATS - QUORUM), "refused");
        }
    }

    function hostOf(uint256 number) public pure returns (address) {
        return vm.addr(HOST_KEY + number);
    }

    /// @dev Adds up what the last vote minted, as a wallet that only reads the log would.
    function _noteMinted(uint256 seat) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IERC1155.TransferSingle.selector) continue;
            assertEq(logs[i].topics[1], bytes32(uint256(uint160(seats[seat]))), "minted by who voted");
            assertEq(logs[i].topics[2], 0, "minted, not moved");
            (uint256 level, uint256 value) = abi.decode(logs[i].data, (uint256, uint256));
            assertTrue(value != 0, "no empty transfers");
            minted[address(uint160(uint256(logs[i].topics[3])))][level] += value;
        }
    }

    function _ayes(GhostBatch storage ghost, uint256 bit) private view returns (uint256 ayes) {
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            ayes += (ghost.approve[seat] >> bit) & 1;
        }
    }

    // ------------------------------------------------------------------ building

    function _canaryItems(uint256 confirmed, uint256 rejected, uint32 seq) private view returns (Item[] memory items) {
        items = _items(confirmed, rejected, 2, seq);
        for (uint256 i = 0; i < items.length; ++i) {
            IKudosLedger.Request memory request = items[i].request;
            bytes32 mark = Assets.mark(Assets.MARK_PLANTED, 0, 0, SALT);
            request.commitment = Assets.commitment(
                block.chainid, address(ledger), request.home, host, request.seq, TASK, mark
            );
            items[i].seal = Assets.seal(TASK, SALT, host, _requestId(items[i]));
        }
    }

    /// @dev A batch of `items` in which those settled before are skipped; claims are made from batches of one.
    function _noteBatch(uint256 number, bytes32 root, Item[] memory items, uint256 confirmed) private {
        GhostBatch storage ghost = _batches.push();
        (ghost.host, ghost.root, ghost.confirmed, ghost.n) = (number, root, confirmed, items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            _settled[keccak256(abi.encode(items[i].request.home, host, items[i].request.seq))] = true;
        }
        if (items.length == 1 && items[0].confirmed) _claimable.push(items[0]);
    }

    function _noteClaim(address claimant, IKudosLedger.CanaryClaim memory claim, bytes32 resultId) private {
        GhostClaim storage ghost = _claims.push();
        bytes32 separator = ledger.domainSeparator();
        ghost.kudosId = Assets.canaryKudos(separator, resultId, claim.resultDigest, claim.sealSalt);
        while (hostOf(ghost.host) != claimant) ++ghost.host;
    }

    function _resultId(Item memory item) private view returns (bytes32 resultId) {
        (, resultId) = _ids(item);
    }

    function _claimOn(Item memory item) private view returns (IKudosLedger.CanaryClaim memory claim) {
        claim.request = item.request;
        claim.seal = item.seal;
        claim.resultSignedAt = item.request.signedAt + item.resultAfter;
        claim.root = _resultId(item);
        (claim.taskDigest, claim.resultDigest) = (TASK, TASK);
        (claim.salt, claim.sealSalt) = (SALT, SALT);
        claim.openedAt = uint64(NOW);
        claim.openingSignature = _signature(item.homeKey, this.openedId(claim));
    }

    function openedId(IKudosLedger.CanaryClaim calldata claim) external view returns (bytes32) {
        bytes32 requestId = Assets.request(ledger.domainSeparator(), claim.request);
        return Assets.canaryOpened(ledger.domainSeparator(), requestId, claim.root, claim);
    }
}

contract InvariantTest is LedgerTest {
    struct Selectors {
        address target;
        bytes4[] selectors;
    }

    LedgerDriver private _driver;

    function setUp() public override {
        super.setUp();
        _deploy(5, 3);
        _driver = LedgerDriver(vm.deployCode("Invariant.t.sol:LedgerDriver", ""));
        _driver.setLedger(ledger, seats);
    }

    /// @dev Read by forge: only the driver's actions are called.
    function targetSelectors() external view returns (Selectors[] memory targets) {
        targets = new Selectors[](1);
        targets[0].target = address(_driver);
        targets[0].selectors = new bytes4[](4);
        targets[0].selectors[0] = LedgerDriver.settleSome.selector;
        targets[0].selectors[1] = LedgerDriver.claimOne.selector;
        targets[0].selectors[2] = LedgerDriver.voteOnBatch.selector;
        targets[0].selectors[3] = LedgerDriver.voteOnClaim.selector;
    }

    /// @dev Read by forge: other contracts, the ledger among them, are left alone.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_driver);
    }

    function invariantTotalsAreWhatTheBooksSay() public view {
        for (uint256 number = 0; number < 3; ++number) {
            (uint256 k1, uint256 k2, uint256 k3) = _driver.expected(number);
            _assertKudos(_driver.hostOf(number), k1, k2, k3);
            (uint256 bits1, uint256 bits2) = _driver.verifiedBits(number);
            assertEq(k1, bits1, "K1 totals are the verified bits");
            assertEq(k2, bits2, "K2 totals are the verified bits");
        }
    }

    function invariantMintedIsBalanceIsTotal() public view {
        for (uint256 number = 0; number < 3; ++number) {
            address node = _driver.hostOf(number);
            (uint64 k1, uint64 k2, uint64 k3) = ledger.kudos(node);
            uint256[3] memory totals = [uint256(k1), k2, k3];
            for (uint256 level = 1; level < 4; ++level) {
                assertEq(ledger.balanceOf(node, level), totals[level - 1], "balances are the totals");
                assertEq(_driver.minted(node, level), totals[level - 1], "minted are the totals");
            }
        }
    }

    function invariantNothingCountsWithoutAQuorum() public view {
        _driver.checkBatches();
    }

    function invariantCanariesAreDecidedByTheirVotes() public view {
        _driver.checkClaims();
    }

    /// @dev The driver reaches every kind of decision; without this the invariants could hold for want of events.
    function testTheDriverReachesVerifiedClaims() public {
        _driver.settleSome(0, 1, 0, 0);
        _driver.settleSome(0, 2, 1, 1);
        _driver.claimOne(0);
        _driver.claimOne(0);
        for (uint256 seat = 0; seat < 3; ++seat) {
            _driver.voteOnBatch(1, seat, type(uint128).max, 0);
            _driver.voteOnClaim(0, seat, 0);
        }
        (uint256 k1, uint256 k2, uint256 k3) = _driver.expected(0);
        assertEq(k1, 1, "k1");
        assertEq(k2, 2, "k2");
        assertEq(k3, 1, "k3");
        invariantTotalsAreWhatTheBooksSay();
        invariantMintedIsBalanceIsTotal();
        assertEq(_driver.minted(host, 3), 1, "the books saw a token");
    }
}
