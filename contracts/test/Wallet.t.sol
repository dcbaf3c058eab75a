// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "../interfaces/IERC1271.sol";
import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {Reasons} from "../libraries/Reasons.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {LedgerTest} from "./LedgerTest.sol";
import {BombWallet, EchoWallet, GreedyWallet, RevertingWallet, Wallet, WritingWallet} from "./Wallets.sol";

contract WalletTest is LedgerTest {
    bytes32 private constant DIGEST = keccak256("digest");
    bytes32 private constant MAGIC = bytes32(IERC1271.isValidSignature.selector);

    /// @dev External, because the library reads the signature from calldata, and to bound its gas.
    function isBy(address signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signatures.isBy(signer, digest, signature);
    }

    // ------------------------------------------------------------------ the library

    function testAWalletSigns() public {
        Wallet wallet = new Wallet();
        bytes memory signature = wallet.signatureOf(address(wallet), DIGEST);
        assertTrue(this.isBy(address(wallet), DIGEST, signature), "its own");
        assertTrue(!this.isBy(address(wallet), keccak256("another"), signature), "of another digest");
        assertTrue(!this.isBy(address(new Wallet()), DIGEST, signature), "of another wallet");
        assertTrue(!this.isBy(address(wallet), DIGEST, ""), "none");
        assertTrue(!this.isBy(vm.addr(1), DIGEST, signature), "an account without code");
    }

    function testFuzzAWalletSigns(bytes32 digest, bytes32 other, bytes calldata noise) public {
        Wallet wallet = new Wallet();
        bytes memory signature = wallet.signatureOf(address(wallet), digest);
        assertTrue(this.isBy(address(wallet), digest, signature), "its own");
        if (other != digest) assertTrue(!this.isBy(address(wallet), other, signature), "of another digest");
        assertTrue(!this.isBy(address(wallet), digest, bytes.concat(signature, noise, hex"00")), "with something behind");
    }

    /// @dev With or without code, a key's 64 bytes hold; and where they do not, the wallet is asked.
    function testFuzzKeyAndWalletOfOneAccount(uint256 key, bytes32 digest) public {
        key = bound(key, 1, type(uint128).max);
        address account = vm.addr(key);
        bytes memory signature = _signature(key, digest);
        assertTrue(this.isBy(account, digest, signature), "a plain key");
        vm.etch(account, address(new RevertingWallet()).code);
        assertTrue(this.isBy(account, digest, signature), "the same with code that refuses");
        assertTrue(!this.isBy(account, ~digest, signature), "of another digest");
        vm.etch(account, address(new Wallet()).code);
        assertTrue(this.isBy(account, digest, new Wallet().signatureOf(account, digest)), "its wallet's");
    }

    function testFuzzOnlyTheMagicWordIsYes(bytes32 answer) public {
        address wallet = address(new EchoWallet());
        assertTrue(this.isBy(wallet, DIGEST, abi.encode(answer)) == (answer == MAGIC), "the magic word, all of it");
        assertTrue(!this.isBy(wallet, DIGEST, abi.encode(bytes32(uint256(MAGIC) | 1))), "with dirt behind");
        assertTrue(!this.isBy(wallet, DIGEST, abi.encode(true)), "a bool");
    }

    function testFuzzShortAnswersAreNo(uint256 length) public {
        length = bound(length, 0, 31);
        bytes memory answer = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            answer[i] = MAGIC[i];
        }
        assertTrue(!this.isBy(address(new EchoWallet()), DIGEST, answer), "fewer than 32 bytes");
    }

    function testLongAnswersAreReadToTheWord() public {
        bytes memory answer = abi.encode(MAGIC, "and more");
        assertTrue(this.isBy(address(new EchoWallet()), DIGEST, answer), "the first word counts");
        address wallet = address(new BombWallet());
        uint256 before = gasleft();
        assertTrue(this.isBy(wallet, DIGEST, ""), "a long one, too");
        assertTrue(before - gasleft() < 50_000, "and is not copied");
    }

    function testRefusalsOfAllKinds() public {
        assertTrue(!this.isBy(address(new RevertingWallet()), DIGEST, ""), "a revert, with the magic word");
        assertTrue(!this.isBy(address(new WritingWallet()), DIGEST, ""), "one that wants to write");
        assertTrue(!this.isBy(address(this), DIGEST, ""), "a contract that is no wallet");
    }

    function testAGreedyWalletIsBounded() public {
        address wallet = address(new GreedyWallet());
        uint256 before = gasleft();
        assertTrue(!this.isBy(wallet, DIGEST, ""), "running out of gas is no signature");
        uint256 used = before - gasleft();
        assertTrue(used > 400_000 && used < 420_000, "400,000 and no more");
    }

    /// @dev A relayer that sends little gas gets an error, not another verdict.
    function testFuzzTheVerdictDoesNotDependOnTheGas(uint256 gas) public {
        gas = bound(gas, 30_000, 1_000_000);
        Wallet wallet = new Wallet();
        bytes memory signature = wallet.signatureOf(address(wallet), DIGEST);
        bytes memory call = abi.encodeCall(this.isBy, (address(wallet), DIGEST, signature));
        (bool answered, bytes memory answer) = address(this).call{gas: gas}(call);
        if (answered) assertEq(answer, abi.encode(true), "yes");
        else assertEq(bytes32(bytes4(answer)), bytes32(IKudosLedger.NotEnoughGas.selector), "or ask with more");
        assertTrue(answered || gas < 420_000, "enough is enough");
    }

    // ------------------------------------------------------------------ batches

    function testAWalletsBatchIsSettledByAnyone() public {
        host = address(new Wallet());
        (bytes memory packed, bytes32 batchId) = _batch();
        bytes memory signature = Wallet(host).signatureOf(host, batchId);
        bytes32 root = ledger.settle(host, packed, signature);
        (uint128 claims,,) = _batchClaims(root);
        assertEq(claims, 7, "settled for the wallet");
    }

    function testWhatAWalletDidNotSignIsNotSettled() public {
        host = address(new Wallet());
        (bytes memory packed, bytes32 batchId) = _batch();
        bytes memory another = Wallet(host).signatureOf(host, ~batchId);
        _expectNotTheHost(packed, another);
        _expectNotTheHost(packed, "");
        vm.etch(host, address(new RevertingWallet()).code);
        _expectNotTheHost(packed, another);
        vm.etch(host, address(new GreedyWallet()).code);
        _expectNotTheHost(packed, another);
        vm.etch(host, address(new EchoWallet()).code);
        _expectNotTheHost(packed, another);
        _expectNotTheHost(packed, hex"1626ba7e");
    }

    function testFuzzAnyBytesAreNoSignatureOfAPlainKey(bytes calldata signature) public {
        (bytes memory packed,) = _batch();
        _expectNotTheHost(packed, signature);
    }

    /// @dev The hot loop knows keys only: a home whose wallet would sign anything still has to sign with its key.
    function testAHomesWalletIsNotAskedInsideABatch() public {
        Item memory item = _item(true, 0, 0);
        item.signerKey = HOME_KEY + 1;
        vm.etch(item.request.home, address(new BombWallet()).code);
        _expectSkip(item, Reasons.BAD_SIGNATURE);
        item.signerKey = item.homeKey;
        _settle(_one(item));
    }

    function _batch() private view returns (bytes memory packed, bytes32 batchId) {
        packed = _pack(_items(2, 1, 3, 0));
        return (packed, Assets.batch(ledger.domainSeparator(), host, keccak256(packed)));
    }

    function _expectNotTheHost(bytes memory packed, bytes memory signature) private {
        vm.expectRevert(IKudosLedger.NotTheHost.selector);
        ledger.settle(host, packed, signature);
    }
}
