// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "../interfaces/IERC1155.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {createByName} from "./Creation.sol";
import {KudosLedgerHarness} from "./KudosLedgerHarness.sol";
import {LedgerTest} from "./LedgerTest.sol";
import {Vm} from "./Vm.sol";

/// @title Drives the ledger at random over both ways, and keeps its own books beside it
/// @dev The ghosts count one claim and one vote at a time, the plainest way there is, and remember when each validator
/// took its seat.
contract LedgerDriver is LedgerTest {
    /// @dev A claim: a record of a batch (then `bit` says which), or a migration of the strict way.
    struct Ghost {
        uint256 host;
        bytes32 id;
        bool strict;
        uint256 bit;
        uint256 level;
        uint256 openedAt;
        IKudosSteps.Place place;
        address[] ayes;
        address[] nays;
        bool verified;
        bool refused;
        bool forgotten;
    }

    /// @dev What stands in a place of the strict way: since when it is finished, or until when it may be, and the claim
    /// that it has, by its number in the list plus one.
    struct Holder {
        uint256 time;
        uint256 ghostPlusOne;
    }

    uint256 internal constant HOSTS = 2;
    uint256 internal constant SEATS = 6;
    uint256 private constant POOL = 9;
    uint32 private constant PLACES = 65_536;

    Ghost[] private _ghosts;
    mapping(address node => mapping(uint256 level => uint256)) public minted;
    mapping(bytes32 number => bool) private _settled;
    mapping(bytes32 place => Holder) private _holders;
    mapping(address validator => uint256) private _since;
    mapping(bytes32 votedOn => mapping(address validator => bool)) private _voted;
    uint256 private _quorum;
    uint256 private _now = NOW;

    function setLedger(KudosLedgerHarness target, address[] calldata list, uint256 quorum) external {
        ledger = target;
        seats = list;
        _quorum = quorum;
    }

    // ------------------------------------------------------------------ actions

    function settleSome(uint256 which, uint8 confirmed, uint8 rejected, uint32 seq) external {
        _later();
        uint256 number = which % HOSTS;
        host = hostOf(number);
        confirmed = confirmed % 4;
        Item[] memory items = _dated(_items(confirmed, rejected % 3, 2, _number(seq)));
        if (items.length == 0) return;
        uint256 fresh = 0;
        for (uint256 i = 0; i < items.length; ++i) {
            if (!_settled[_keyOf(items[i])]) ++fresh;
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

    function migrateStrictly(uint256 which, bool confirmed, uint32 seq) external {
        _later();
        uint256 number = which % HOSTS;
        host = hostOf(number);
        Item memory item = _dated(_one(_item(confirmed, which % 3, _number(seq))))[0];
        IKudosSteps.Place memory place = _placeOf(item);
        bytes32 requestId = _requestId(item);
        bool used = _settled[_keyOf(item)];
        bool free = _takePlace(item);
        if (!free) vm.expectRevert();
        vm.prank(item.request.home);
        ledger.submitRequest(item.request);
        if (!free) return;
        uint64 start = item.request.signedAt;
        // A number is used up by what ends a migration, and refused there; an ACCEPTED leaves it as it is.
        if (confirmed) {
            vm.prank(host);
            ledger.submitAccepted(requestId, place.home, place.seq, start + 1);
            vm.prank(item.request.home);
            ledger.submitConfirmed(requestId, host, place.seq, start + 2, start + 1);
        }
        if (used) vm.expectRevert();
        vm.prank(host);
        if (confirmed) ledger.submitResult(requestId, place.home, place.seq, start + 30, item.seal);
        else ledger.submitRejected(requestId, place.home, place.seq, start + 1, item.rejection);
        if (used) return;
        _settled[_keyOf(item)] = true;
        _noteStep(number, item, place);
    }

    function voteOnOne(uint256 which, uint256 who, uint8 word) external {
        if (_ghosts.length == 0) return;
        uint256 number = which % _ghosts.length;
        Ghost storage ghost = _ghosts[number];
        address validator = seats[who % seats.length];
        if (validator == address(0)) return;
        if (!ghost.strict) {
            _voteOnWhole(number, validator, word);
            return;
        }
        _later();
        IKudosSteps.StepVote[] memory votes = new IKudosSteps.StepVote[](1);
        uint8 reason = word % 3 == 0 ? 128 : word % 3 == 1 ? 131 : 145;
        votes[0] = IKudosSteps.StepVote({place: ghost.place, id: ghost.id, reason: reason});
        bool may = _since[validator] < ghost.openedAt && !_voted[ghost.id][validator] && !ghost.forgotten;
        if (!may) vm.expectRevert();
        else _noteVote(ghost, validator, word % 3);
        if (may) vm.recordLogs();
        vm.prank(validator);
        ledger.vote(new IKudosLedger.BatchVote[](0), votes);
        if (!may) return;
        _voted[ghost.id][validator] = true;
        _settleGhost(ghost);
        _noteMinted();
    }

    function changeTheSet(uint256 who, uint256 holes, uint256 m) external {
        _later();
        address[16] memory list;
        uint256 n = 0;
        address[] memory next = new address[](SEATS);
        for (uint256 i = 0; i < SEATS; ++i) {
            if ((holes >> i) & 1 == 1) continue;
            // Each seat has a few that may hold it, so that they come, go and come back; no two seats share one.
            next[i] = (who >> i) & 1 == 1 ? vm.addr(VALIDATOR_KEY + i) : vm.addr(VALIDATOR_KEY + POOL + i);
            ++n;
        }
        if (n == 0) return;
        for (uint256 i = 0; i < SEATS; ++i) {
            list[i] = next[i];
            if (next[i] != seats[i] && next[i] != address(0)) _since[next[i]] = _now;
        }
        seats = next;
        _quorum = bound(m, n / 2 + 1, n);
        (address queue,,) = ledger.satellites();
        vm.prank(queue);
        ledger.applySet(list, _quorum);
    }

    /// @dev Counts anew; what that decides the books decide as well.
    function recountOne(uint256 which) external {
        if (_ghosts.length == 0) return;
        uint256 number = which % _ghosts.length;
        Ghost storage ghost = _ghosts[number];
        vm.recordLogs();
        if (ghost.strict) {
            if (ghost.forgotten) vm.expectRevert();
            ledger.recountStep(ghost.place, ghost.id);
            _settleGhost(ghost);
        } else {
            ledger.recount(hostOf(ghost.host), ghost.id);
            _settleWhole(number);
        }
        _noteMinted();
    }

    /// @dev Long enough at times that places are free again.
    function wait(uint256 time) external {
        _now += bound(time, 1, 40 days);
        ledger.setTime(_now);
    }

    // ------------------------------------------------------------------ what the books say

    function checkBooks() external view {
        for (uint256 i = 0; i < _ghosts.length; ++i) {
            Ghost storage ghost = _ghosts[i];
            if (ghost.forgotten) {
                assertTrue(ghost.verified || ghost.refused, "nothing open is forgotten");
                continue;
            }
            (bool verified, bool refused) = _onChain(ghost);
            assertTrue(verified == ghost.verified, "verified with a quorum of eligible ones, and not without");
            assertTrue(refused == ghost.refused, "refused when none is left");
            assertTrue(!(verified && refused), "never both");
        }
    }

    function expected(uint256 number, uint256 level) external view returns (uint256 count) {
        for (uint256 i = 0; i < _ghosts.length; ++i) {
            if (_ghosts[i].host == number && _ghosts[i].level == level && _ghosts[i].verified) ++count;
        }
    }

    function seen() external view returns (uint256 strict, uint256 batched, uint256 verified) {
        for (uint256 i = 0; i < _ghosts.length; ++i) {
            if (_ghosts[i].strict) ++strict;
            else ++batched;
            if (_ghosts[i].verified) ++verified;
        }
    }

    function setIsSound() external view {
        uint256 n = ledger.validators().length;
        assertTrue(2 * ledger.threshold() > n && ledger.threshold() <= n, "above half, and at most all");
    }

    function hostOf(uint256 number) public pure returns (address) {
        return vm.addr(HOST_KEY + number);
    }

    // ------------------------------------------------------------------ books

    function _later() private {
        _now += 7;
        ledger.setTime(_now);
    }

    /// @dev Of ten places, each shared by three numbers.
    function _number(uint32 seq) private pure returns (uint32) {
        return seq % 10 + PLACES * (seq / 10 % 3);
    }

    /// @dev Whether this REQUEST finds its place free; then what stood there is forgotten.
    function _takePlace(Item memory item) private returns (bool free) {
        IKudosSteps.Request memory r = item.request;
        Holder storage holder = _holders[keccak256(abi.encode(r.home, r.host, r.seq % PLACES))];
        if (holder.ghostPlusOne != 0) {
            Ghost storage ghost = _ghosts[holder.ghostPlusOne - 1];
            if (!ghost.verified && !ghost.refused) return false;
            ghost.forgotten = _now > holder.time + 30 days;
        }
        if (holder.time != 0 && _now <= holder.time + 30 days) return false;
        (holder.time, holder.ghostPlusOne) = (r.resultDeadline, 0);
        return true;
    }

    function _dated(Item[] memory items) private view returns (Item[] memory) {
        for (uint256 i = 0; i < items.length; ++i) {
            items[i].request.signedAt = uint64(_now - 60);
            items[i].request.resultDeadline = uint64(_now + 600);
        }
        return items;
    }

    function _voteOnWhole(uint256 number, address validator, uint8 word) private {
        _later();
        Ghost storage ghost = _ghosts[number];
        bool may = _since[validator] < ghost.openedAt && !_voted[ghost.id][validator];
        IKudosLedger.BatchVote[] memory votes = new IKudosLedger.BatchVote[](1);
        votes[0] = IKudosLedger.BatchVote({
            host: hostOf(ghost.host),
            root: ghost.id,
            approve: word % 3 == 0 ? type(uint128).max : uint128(word) << 3,
            refuse: word % 3 == 1 ? ~(uint128(word) << 3) : 0,
            reasons: ""
        });
        if (!may) vm.expectRevert();
        else vm.recordLogs();
        vm.prank(validator);
        ledger.vote(votes, new IKudosSteps.StepVote[](0));
        if (!may) return;
        _voted[ghost.id][validator] = true;
        for (uint256 i = 0; i < _ghosts.length; ++i) {
            Ghost storage other = _ghosts[i];
            if (other.strict || other.id != ghost.id) continue;
            if ((votes[0].approve >> other.bit) & 1 == 1) _noteVote(other, validator, 0);
            else if ((votes[0].refuse >> other.bit) & 1 == 1) _noteVote(other, validator, 1);
        }
        _settleWhole(number);
        _noteMinted();
    }

    function _settleWhole(uint256 number) private {
        bytes32 root = _ghosts[number].id;
        for (uint256 i = 0; i < _ghosts.length; ++i) {
            if (!_ghosts[i].strict && _ghosts[i].id == root) _settleGhost(_ghosts[i]);
        }
    }

    function _noteVote(Ghost storage ghost, address validator, uint256 word) private {
        if (word == 0) ghost.ayes.push(validator);
        if (word == 1) ghost.nays.push(validator);
    }

    function _settleGhost(Ghost storage ghost) private {
        if (ghost.verified || ghost.refused) return;
        uint256 eligible = 0;
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i] != address(0) && _since[seats[i]] < ghost.openedAt) ++eligible;
        }
        if (_countIn(ghost.ayes, ghost.openedAt) >= _quorum) ghost.verified = true;
        else if (eligible >= _quorum && _countIn(ghost.nays, ghost.openedAt) > eligible - _quorum) ghost.refused = true;
    }

    /// @dev Those of the voters that still sit where they sat when they voted.
    function _countIn(address[] storage voters, uint256 openedAt) private view returns (uint256 count) {
        for (uint256 i = 0; i < voters.length; ++i) {
            for (uint256 j = 0; j < seats.length; ++j) {
                if (seats[j] == voters[i] && _since[voters[i]] < openedAt) ++count;
            }
        }
    }

    function _onChain(Ghost storage ghost) private view returns (bool verified, bool refused) {
        if (ghost.strict) {
            (, IKudosSteps.State state,,) = ledger.step(ghost.place);
            return (state == IKudosSteps.State.Verified, state == IKudosSteps.State.Refused);
        }
        (,,,, uint128 verifiedMask, uint128 refusedMask) = ledger.batch(hostOf(ghost.host), ghost.id);
        return ((verifiedMask >> ghost.bit) & 1 == 1, (refusedMask >> ghost.bit) & 1 == 1);
    }

    function _noteBatch(uint256 number, bytes32 root, Item[] memory items, uint256 confirmed) private {
        (,,, uint128 claims,,) = ledger.batch(host, root);
        for (uint256 i = 0; i < items.length; ++i) {
            bytes32 key = _keyOf(items[i]);
            assertTrue(!_settled[key] || (claims >> i) & 1 == 0, "no claim for what was settled before");
            _settled[key] = true;
            if ((claims >> i) & 1 == 0) continue;
            Ghost storage ghost = _ghosts.push();
            (ghost.host, ghost.id, ghost.bit, ghost.openedAt) = (number, root, i, _now);
            ghost.level = i < confirmed ? 2 : 1;
        }
    }

    function _noteStep(uint256 number, Item memory item, IKudosSteps.Place memory place) private {
        (, IKudosSteps.State state,,) = ledger.step(place);
        Holder storage holder = _holders[keccak256(abi.encode(place.home, place.host, place.seq % PLACES))];
        holder.time = _now;
        if (state == IKudosSteps.State.None) return;
        Ghost storage ghost = _ghosts.push();
        holder.ghostPlusOne = _ghosts.length;
        (ghost.host, ghost.strict, ghost.openedAt, ghost.place) = (number, true, _now, place);
        (, ghost.id) = _ids(item);
        ghost.level = item.confirmed ? 2 : 1;
    }

    function _noteMinted() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IERC1155.TransferSingle.selector) continue;
            (uint256 level, uint256 value) = abi.decode(logs[i].data, (uint256, uint256));
            assertTrue(value != 0, "no empty transfers");
            minted[address(uint160(uint256(logs[i].topics[3])))][level] += value;
        }
    }

    function _keyOf(Item memory item) private pure returns (bytes32) {
        return keccak256(abi.encode(item.request.home, item.request.host, item.request.seq));
    }

    function _placeOf(Item memory item) private pure returns (IKudosSteps.Place memory) {
        return IKudosSteps.Place({home: item.request.home, host: item.request.host, seq: item.request.seq});
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
        _deploy(6, 4);
        _driver = LedgerDriver(createByName(vm, "Invariant.t.sol:LedgerDriver", ""));
        _driver.setLedger(ledger, seats, 4);
    }

    /// @dev Read by forge: only the driver's actions are called.
    function targetSelectors() external view returns (Selectors[] memory targets) {
        targets = new Selectors[](1);
        targets[0].target = address(_driver);
        targets[0].selectors = new bytes4[](6);
        targets[0].selectors[0] = LedgerDriver.settleSome.selector;
        targets[0].selectors[1] = LedgerDriver.migrateStrictly.selector;
        targets[0].selectors[2] = LedgerDriver.voteOnOne.selector;
        targets[0].selectors[3] = LedgerDriver.changeTheSet.selector;
        targets[0].selectors[4] = LedgerDriver.recountOne.selector;
        targets[0].selectors[5] = LedgerDriver.wait.selector;
    }

    /// @dev Read by forge: other contracts, the ledger among them, are left alone.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_driver);
    }

    function invariantClaimsAreDecidedByEligibleVotes() public view {
        _driver.checkBooks();
    }

    function invariantTheSetIsSound() public view {
        _driver.setIsSound();
    }

    /// @dev Totals never fall, as what is minted only grows and they are one number.
    function invariantMintedIsBalanceIsTotalIsTheBooks() public view {
        for (uint256 number = 0; number < 2; ++number) {
            address node = _driver.hostOf(number);
            (uint64 k1, uint64 k2, uint64 k3) = ledger.kudos(node);
            uint256[3] memory totals = [uint256(k1), k2, k3];
            for (uint256 level = 1; level < 4; ++level) {
                assertEq(ledger.balanceOf(node, level), totals[level - 1], "balances are the totals");
                assertEq(_driver.minted(node, level), totals[level - 1], "minted are the totals");
                assertEq(_driver.expected(number, level), totals[level - 1], "the books' are the totals");
            }
        }
    }

    /// @dev The driver reaches every kind of decision; without this the invariants could hold for want of events.
    function testTheDriverReachesVerifiedClaims() public {
        _driver.settleSome(0, 2, 1, 1);
        _driver.migrateStrictly(0, true, 9);
        _driver.migrateStrictly(0, true, 1);
        _driver.migrateStrictly(1, false, 9);
        for (uint256 seat = 0; seat < 2; ++seat) {
            _driver.voteOnOne(0, seat, 0);
            _driver.voteOnOne(3, seat, 0);
        }
        _driver.voteOnOne(4, 0, 1);
        // Four of six remain, of whom three are needed; then two more say aye.
        _driver.changeTheSet(63, 48, 0);
        _driver.recountOne(0);
        _driver.recountOne(3);
        invariantClaimsAreDecidedByEligibleVotes();
        for (uint256 seat = 1; seat < 4; ++seat) {
            _driver.voteOnOne(0, seat, 0);
            _driver.voteOnOne(3, seat, 0);
            _driver.voteOnOne(4, seat, 1);
        }
        // The place of one of them is taken by the number 65,536 later.
        _driver.wait(39 days);
        _driver.migrateStrictly(0, true, 19);
        (uint256 strict, uint256 batched, uint256 verified) = _driver.seen();
        assertEq(strict, 3, "strict claims");
        assertEq(batched, 3, "batched claims");
        assertEq(verified, 4, "verified ones");
        invariantClaimsAreDecidedByEligibleVotes();
        invariantMintedIsBalanceIsTotalIsTheBooks();
    }
}
