// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "../interfaces/IERC1155.sol";
import {IERC1155MetadataURI} from "../interfaces/IERC1155MetadataURI.sol";
import {IERC165} from "../interfaces/IERC165.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {IKudosToken} from "../interfaces/IKudosToken.sol";
import {Base64} from "../libraries/Base64.sol";
import {Metadata} from "../libraries/Metadata.sol";
import {LedgerTest} from "./LedgerTest.sol";
import {Vm} from "./Vm.sol";
import {RefusingReceiver} from "./Wallets.sol";

contract TokenTest is LedgerTest {
    // ------------------------------------------------------------------ minting

    function testADecisionMintsBothLevels() public {
        bytes32 root = _settle(_items(5, 3, 8, 0));
        vm.recordLogs();
        _vote(0, root, 0xff, 0);
        assertEq(_minted(1) + _minted(2), 0, "one vote decides nothing");
        vm.recordLogs();
        _vote(2, root, 0xff, 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs[1].topics[0], IKudosLedger.BatchDecided.selector, "the decision comes first");
        _assertTransfer(logs[2], seats[2], 1, 3);
        _assertTransfer(logs[3], seats[2], 2, 5);
        assertEq(ledger.balanceOf(host, 1), 3, "K1");
        assertEq(ledger.balanceOf(host, 2), 5, "K2");
        assertEq(ledger.balanceOf(host, 3), 0, "K3");
    }

    function testALevelWithoutKudosHasNoEvent() public {
        bytes32 root = _settle(_items(3, 0, 1, 0));
        _vote(0, root, 1, 6);
        vm.recordLogs();
        _vote(1, root, 1, 6);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 3, "a vote, a decision, one transfer");
        _assertTransfer(logs[2], seats[1], 2, 1);
    }

    function testNothingIsMintedForRefusals() public {
        bytes32 root = _settle(_items(3, 0, 1, 0));
        _vote(0, root, 0, 7);
        vm.recordLogs();
        _vote(1, root, 0, 7);
        assertEq(vm.getRecordedLogs().length, 2, "a vote and a decision");
        assertEq(ledger.balanceOf(host, 2), 0, "no K2");
    }

    /// @dev Whatever the ballots: tokens minted, balances, and totals are one number.
    function testFuzzMintedIsBalanceIsTotal(uint256 n, uint256 m, uint256[16] memory approve, uint256[16] memory refuse)
        public
    {
        n = bound(n, 1, 16);
        m = bound(m, n / 2 + 1, n);
        _deploy(n, m);
        bytes32 root = _settle(_items(3, 3, 6, 0));
        vm.recordLogs();
        for (uint256 i = 0; i < n; ++i) {
            _vote(i, root, uint128(approve[i]) & 0x3f, uint128(refuse[i] & ~approve[i]) & 0x3f);
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        (uint64 k1, uint64 k2, uint64 k3) = ledger.kudos(host);
        assertEq(_sum(logs, 1), k1, "minted K1");
        assertEq(_sum(logs, 2), k2, "minted K2");
        assertEq(_sum(logs, 3), k3, "minted K3");
        assertEq(ledger.balanceOf(host, 1), k1, "balance K1");
        assertEq(ledger.balanceOf(host, 2), k2, "balance K2");
        assertEq(ledger.balanceOf(host, 3), k3, "balance K3");
    }

    // ------------------------------------------------------------------ receivers

    /// @dev Minting calls nobody, so a host that refuses tokens harms neither its own claims nor those beside them.
    function testAReceiverThatRevertsCannotBlock() public {
        IKudosLedger.BatchVote[] memory votes = new IKudosLedger.BatchVote[](2);
        address refusing = host;
        vm.etch(refusing, address(new RefusingReceiver()).code);
        votes[0] = _approval(_settle(_items(2, 1, 3, 0)));
        host = vm.addr(HOST_KEY + 1);
        votes[1] = _approval(_settle(_items(3, 0, 1, 0)));
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(seats[i]);
            ledger.vote(votes, new IKudosSteps.StepVote[](0));
        }
        _assertKudos(refusing, 1, 2, 0);
        _assertKudos(host, 0, 3, 0);
        assertEq(ledger.balanceOf(refusing, 2), 2, "minted all the same");
    }

    // ------------------------------------------------------------------ what cannot be done

    function testNothingCanBeMoved() public {
        bytes32 root = _settle(_items(2, 0, 1, 0));
        _vote(0, root, 3, 0);
        _vote(1, root, 3, 0);
        vm.startPrank(host);
        vm.expectRevert(IKudosToken.NotTransferable.selector);
        ledger.safeTransferFrom(host, seats[0], 2, 1, "");
        vm.expectRevert(IKudosToken.NotTransferable.selector);
        ledger.safeBatchTransferFrom(host, seats[0], new uint256[](0), new uint256[](0), "");
        vm.expectRevert(IKudosToken.NotTransferable.selector);
        ledger.setApprovalForAll(seats[0], true);
        vm.stopPrank();
        assertTrue(!ledger.isApprovedForAll(host, seats[0]), "nobody is approved");
        assertEq(ledger.balanceOf(host, 2), 2, "all still there");
    }

    function testFuzzNothingCanBeMoved(address sender, address from, address to, uint256 id, uint256 value) public {
        vm.startPrank(sender);
        vm.expectRevert(IKudosToken.NotTransferable.selector);
        ledger.safeTransferFrom(from, to, id, value, abi.encode(value));
        uint256[] memory list = new uint256[](1);
        list[0] = value;
        vm.expectRevert(IKudosToken.NotTransferable.selector);
        ledger.safeBatchTransferFrom(from, to, list, list, "");
        vm.expectRevert(IKudosToken.NotTransferable.selector);
        ledger.setApprovalForAll(to, value % 2 == 1);
        assertTrue(!ledger.isApprovedForAll(from, to), "nobody is approved");
    }

    // ------------------------------------------------------------------ reading

    function testFuzzOtherLevelsAreEmpty(uint256 id) public {
        bytes32 root = _settle(_items(2, 1, 3, 0));
        _vote(0, root, 7, 0);
        _vote(1, root, 7, 0);
        id = bound(id, 4, type(uint256).max);
        assertEq(ledger.balanceOf(host, 0), 0, "level 0");
        assertEq(ledger.balanceOf(host, id), 0, "no such level");
        vm.expectRevert(abi.encodeWithSelector(IKudosToken.UnknownLevel.selector, id));
        ledger.uri(id);
    }

    function testBalancesInABatch() public {
        bytes32 root = _settle(_items(2, 1, 3, 0));
        _vote(0, root, 7, 0);
        _vote(1, root, 7, 0);
        address[] memory accounts = new address[](4);
        uint256[] memory ids = new uint256[](4);
        (accounts[0], accounts[1], accounts[2], accounts[3]) = (host, host, seats[0], host);
        (ids[0], ids[1], ids[2], ids[3]) = (2, 1, 2, 3);
        uint256[] memory balances = ledger.balanceOfBatch(accounts, ids);
        assertEq(balances.length, 4, "one each");
        assertEq(balances[0], 2, "K2");
        assertEq(balances[1], 1, "K1");
        assertEq(balances[2] + balances[3], 0, "none");
    }

    function testFuzzBalanceListsAreBounded(uint256 accounts, uint256 ids) public {
        accounts = bound(accounts, 0, 300);
        ids = bound(ids, accounts == 0 ? 0 : accounts - 1, accounts + 1);
        if (accounts != ids) {
            vm.expectRevert(IKudosToken.UnequalLists.selector);
        } else if (ids > 256) {
            vm.expectRevert(abi.encodeWithSelector(IKudosToken.TooManyBalances.selector, 256));
        }
        ledger.balanceOfBatch(new address[](accounts), new uint256[](ids));
    }

    function testInterfaces() public view {
        // The ids as the standards state them.
        assertTrue(type(IERC165).interfaceId == 0x01ffc9a7, "ERC-165");
        assertTrue(type(IERC1155).interfaceId == 0xd9b67a26, "ERC-1155");
        assertTrue(type(IERC1155MetadataURI).interfaceId == 0x0e89341c, "its metadata");
        assertTrue(ledger.supportsInterface(0x01ffc9a7), "says ERC-165");
        assertTrue(ledger.supportsInterface(0xd9b67a26), "says ERC-1155");
        assertTrue(ledger.supportsInterface(0x0e89341c), "says its metadata");
        assertTrue(!ledger.supportsInterface(0xffffffff), "never this one");
    }

    function testFuzzNoOtherInterfaces(bytes4 id) public view {
        bool known = id == 0x01ffc9a7 || id == 0xd9b67a26 || id == 0x0e89341c;
        assertTrue(ledger.supportsInterface(id) == known, "three and no more");
    }

    function testMetadata() public view {
        assertEq(
            Metadata.json(3),
            bytes(
                "{\"name\":\"Kudos K3\",\"description\":\"A hidden test passed, verified by the validators."
                " Not transferable.\",\"decimals\":0,\"properties\":{\"level\":3,\"points\":100}}"
            ),
            "the JSON"
        );
        bytes memory expected = abi.encodePacked("data:application/json;base64,", Base64.encode(Metadata.json(1)));
        assertEq(bytes(ledger.uri(1)), expected, "inside a data URI");
    }

    /// @dev The examples of RFC 4648, section 10, and the two characters that they do not reach.
    function testBase64() public pure {
        assertEq(bytes(Base64.encode("")), "", "empty");
        assertEq(bytes(Base64.encode("f")), "Zg==", "one");
        assertEq(bytes(Base64.encode("fo")), "Zm8=", "two");
        assertEq(bytes(Base64.encode("foo")), "Zm9v", "three");
        assertEq(bytes(Base64.encode("foob")), "Zm9vYg==", "four");
        assertEq(bytes(Base64.encode("fooba")), "Zm9vYmE=", "five");
        assertEq(bytes(Base64.encode("foobar")), "Zm9vYmFy", "six");
        assertEq(bytes(Base64.encode(hex"fbefbeffffff")), "++++////", "the last two characters");
    }

    function testFuzzBase64(bytes calldata data) public pure {
        assertEq(bytes(Base64.encode(data)), bytes(vm.toBase64(data)), "as forge encodes it");
    }

    // ------------------------------------------------------------------ helpers

    function _approval(bytes32 root) private view returns (IKudosLedger.BatchVote memory) {
        (uint128 claims,,) = _batchClaims(root);
        return IKudosLedger.BatchVote({host: host, root: root, approve: claims, refuse: 0, reasons: ""});
    }

    function _minted(uint256 level) private returns (uint256) {
        return _sum(vm.getRecordedLogs(), level);
    }

    function _sum(Vm.Log[] memory logs, uint256 level) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IERC1155.TransferSingle.selector) continue;
            (uint256 id, uint256 value) = abi.decode(logs[i].data, (uint256, uint256));
            if (id == level) sum += value;
        }
    }

    function _assertTransfer(Vm.Log memory log, address operator, uint256 id, uint256 value) private view {
        assertEq(log.topics[0], IERC1155.TransferSingle.selector, "TransferSingle");
        assertEq(log.topics[1], bytes32(uint256(uint160(operator))), "by the validator that decided");
        assertEq(log.topics[2], 0, "from nobody");
        assertEq(log.topics[3], bytes32(uint256(uint160(host))), "to the host");
        assertEq(log.data, abi.encode(id, value), "level and number");
    }

    function testEveryLevelHasMetadataOfItsOwn() public view {
        bytes32 first = keccak256(bytes(ledger.uri(1)));
        bytes32 second = keccak256(bytes(ledger.uri(2)));
        bytes32 third = keccak256(bytes(ledger.uri(3)));
        assertTrue(first != second && second != third && first != third, "three levels, three texts");
    }
}
