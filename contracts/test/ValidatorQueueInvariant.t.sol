// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IValidatorQueue} from "../interfaces/IValidatorQueue.sol";
import {QueueTest} from "./QueueTest.sol";

/// @title Validators, former validators and strangers who try everything, with books beside it
contract QueueDriver is QueueTest {
    uint256 internal constant PEOPLE = 6;

    /// @dev Ghosts: who approved and who wants it withdrawn, by person; and when the threshold was reached.
    mapping(uint256 proposal => mapping(address person => bool)) private _approves;
    mapping(uint256 proposal => mapping(address person => bool)) private _withdraws;
    mapping(uint256 proposal => uint256 time) private _approvedAt;
    uint256 public versions = 1;
    uint256 public executions;
    bool public broken;

    function setUp() public override {
        super.setUp();
        _deploy(4, 3);
    }

    // ------------------------------------------------------------------ actions

    function propose(uint256 by, uint256 what, uint256 whom, uint256 quorum) external {
        address person = _validator(by % PEOPLE);
        // Half of the thresholds fit a set of four or five; nearly no random one would.
        (bool made, IValidatorQueue.Content memory content) = _content(what % 5, whom, quorum % 2 == 0 ? 3 : quorum % 7);
        if (!made) return;
        vm.prank(person);
        try queue.propose(content) returns (uint256 proposal) {
            _approves[proposal][person] = true;
            _note(proposal);
        } catch {
            // Strangers, and sets that are none, are refused.
            return;
        }
    }

    function vote(uint256 by, uint256 which, uint256 word) external {
        uint256 proposal = _pick(which);
        bool approve = word % 8 != 0;
        if (proposal == 0) return;
        address person = _validator(by % PEOPLE);
        bytes32 contentHash = _hashOf(proposal);
        vm.prank(person);
        try queue.vote(proposal, contentHash, approve) {
            if (approve) _approves[proposal][person] = true;
            else _withdraws[proposal][person] = true;
            _note(proposal);
        } catch {
            // Who has no vote left, or no say, is refused.
            return;
        }
    }

    function voteAll(uint256 first, uint256 word) external {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            this.vote(first % PEOPLE + i, 0, word >> (3 * i));
        }
    }

    function execute(uint256 which) external {
        uint256 proposal = _pick(which);
        if (proposal == 0) return;
        bool mayBe = _approvedAt[proposal] != 0 && block.timestamp >= _approvedAt[proposal] + DELAY
            && queue.content(proposal).setVersion == versions && _withdrawers(proposal) < seats.threshold();
        try queue.execute(proposal) {
            ++executions;
            if (!mayBe) broken = true;
        } catch {
            return;
        }
        if (queue.content(proposal).kind == IValidatorQueue.Kind.Set) ++versions;
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1 hours, 8 days));
    }

    function set() external view returns (uint256 n, uint256 quorum, uint256 version) {
        (,,, n, quorum) = seats.seat(STRANGER);
        return (n, quorum, seats.setVersion());
    }

    // ------------------------------------------------------------------ books

    /// @dev Counts in people and not in seats, and only those in office now.
    function _note(uint256 proposal) private {
        if (_approvedAt[proposal] != 0) return;
        uint256 count = 0;
        for (uint256 i = 0; i < PEOPLE; ++i) {
            address person = _validator(i);
            (uint8 seatPlusOne,,,,) = seats.seat(person);
            if (seatPlusOne != 0 && _approves[proposal][person] && !_withdraws[proposal][person]) ++count;
        }
        if (count >= seats.threshold()) _approvedAt[proposal] = block.timestamp;
    }

    function _withdrawers(uint256 proposal) private view returns (uint256 count) {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            if (_withdraws[proposal][_validator(i)]) ++count;
        }
    }

    function _pick(uint256 which) private view returns (uint256) {
        uint256 count = queue.proposals();
        return count == 0 ? 0 : count - which % (count < 2 ? count : 2);
    }

    function _content(uint256 what, uint256 whom, uint256 quorum)
        private
        view
        returns (bool made, IValidatorQueue.Content memory content)
    {
        address person = _validator(whom % PEOPLE);
        bytes memory ask = abi.encodeCall(queue.settingThreshold, (quorum));
        if (what == 0) ask = abi.encodeCall(queue.adding, (person, quorum));
        if (what == 1) ask = abi.encodeCall(queue.removing, (person, quorum));
        if (what == 2) ask = abi.encodeCall(queue.rotating, (person, _validator(quorum)));
        if (what == 3) ask = abi.encodeCall(queue.closing, ());
        bytes memory answer;
        (made, answer) = address(queue).staticcall(ask);
        if (made) content = abi.decode(answer, (IValidatorQueue.Content));
    }
}

contract ValidatorQueueInvariantTest is QueueTest {
    struct Selectors {
        address target;
        bytes4[] selectors;
    }

    QueueDriver private _driver;

    function setUp() public override {
        super.setUp();
        _driver = new QueueDriver();
        _driver.setUp();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_driver);
    }

    function targetSelectors() external view returns (Selectors[] memory targets) {
        targets = new Selectors[](1);
        targets[0].target = address(_driver);
        targets[0].selectors = new bytes4[](5);
        targets[0].selectors[0] = QueueDriver.propose.selector;
        targets[0].selectors[1] = QueueDriver.vote.selector;
        targets[0].selectors[2] = QueueDriver.execute.selector;
        targets[0].selectors[3] = QueueDriver.wait.selector;
        targets[0].selectors[4] = QueueDriver.voteAll.selector;
    }

    function invariantNothingHappensWithoutApprovalsAndDelay() public view {
        assertTrue(!_driver.broken(), "executed what the books do not allow");
    }

    function invariantTheSetIsASetAndChangesByProposalsAlone() public view {
        (uint256 n, uint256 quorum, uint256 version) = _driver.set();
        assertTrue(2 * quorum > n && quorum <= n && n <= 16, "threshold in (n/2, n]");
        assertEq(version, _driver.versions(), "one version per executed set");
    }

    /// @dev The actions do get through: a driver that is always refused would prove nothing.
    function testTheDriverChangesTheSet() public {
        for (uint256 i = 0; i < 20; ++i) {
            _driver.propose(0, 0, 4 + i % 4, 3);
            _driver.vote(1, 0, 1);
            _driver.vote(2, 0, 1);
            _driver.wait(4 days - 1 hours);
            _driver.execute(0);
        }
        assertTrue(_driver.executions() > 0, "executed");
        assertTrue(!_driver.broken(), "by the books");
    }
}
