// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {Assets} from "../libraries/Assets.sol";
import {LedgerTest} from "./LedgerTest.sol";

/// @title Migrations that are canaries, each in a batch of its own, and the claims on them
abstract contract CanaryItems is LedgerTest {
    bytes32 internal constant TASK = "task";
    bytes32 internal constant FAMILY = "replay";
    bytes32 internal constant PARAMETERS = "parameters";
    bytes32 internal constant SALT = "salt";
    bytes32 internal constant ANSWER = "answer";
    bytes32 internal constant SEAL_SALT = "seal salt";

    function _canary(uint256 home, uint32 seq) internal view returns (Item memory) {
        return _marked(home, seq, Assets.MARK_PLANTED);
    }

    function _marked(uint256 home, uint32 seq, uint8 kind) internal view returns (Item memory item) {
        item = _item(true, home, seq);
        bytes32 mark = Assets.mark(kind, FAMILY, PARAMETERS, SALT);
        item.request.commitment =
            Assets.commitment(block.chainid, address(ledger), item.request.home, host, seq, TASK, mark);
        return _sealed(item);
    }

    /// @dev With the seal that belongs to the request as it is now.
    function _sealed(Item memory item) internal view returns (Item memory) {
        item.seal = Assets.seal(ANSWER, SEAL_SALT, host, _requestId(item));
        return item;
    }

    /// @dev The claim on an item that is settled in a batch of its own.
    function _claim(Item memory item) internal view returns (IKudosLedger.CanaryClaim memory claim) {
        claim.request = item.request;
        claim.seal = item.seal;
        claim.resultSignedAt = item.request.signedAt + item.resultAfter;
        (, claim.root) = _ids(item);
        claim.path = new bytes32[](0);
        (claim.taskDigest, claim.family, claim.parameters, claim.salt) = (TASK, FAMILY, PARAMETERS, SALT);
        claim.openedAt = uint64(NOW);
        (claim.resultDigest, claim.sealSalt) = (ANSWER, SEAL_SALT);
        claim.openingSignature = _signature(item.homeKey, this.openedId(claim));
    }

    /// @dev The same claim, whatever it says, with the first home's signature.
    function _signed(IKudosLedger.CanaryClaim memory claim) internal view returns (IKudosLedger.CanaryClaim memory) {
        claim.openingSignature = _signature(HOME_KEY, this.openedId(claim));
        return claim;
    }

    /// @dev External, because the library reads the claim from calldata.
    function openedId(IKudosLedger.CanaryClaim calldata claim) external view returns (bytes32) {
        bytes32 separator = ledger.domainSeparator();
        bytes32 requestId = Assets.request(separator, claim.request);
        bytes32 resultId = Assets.result(separator, requestId, claim.seal, claim.resultSignedAt);
        return Assets.canaryOpened(separator, requestId, resultId, claim);
    }

    function _list(IKudosLedger.CanaryClaim memory claim)
        internal
        pure
        returns (IKudosLedger.CanaryClaim[] memory claims)
    {
        claims = new IKudosLedger.CanaryClaim[](1);
        claims[0] = claim;
    }

    function _send(IKudosLedger.CanaryClaim memory claim) internal returns (bytes32 kudosId) {
        bytes32 separator = ledger.domainSeparator();
        bytes32 resultId =
            Assets.result(separator, Assets.request(separator, claim.request), claim.seal, claim.resultSignedAt);
        kudosId = Assets.canaryKudos(separator, resultId, claim.resultDigest, claim.sealSalt);
        vm.prank(host);
        ledger.claimCanaries(_list(claim));
        (IKudosLedger.State state,,) = ledger.canary(kudosId);
        assertTrue(state == IKudosLedger.State.Claimed, "claimed");
    }

    function _claimed(uint32 seq) internal returns (bytes32) {
        Item memory item = _canary(0, seq);
        _settle(_one(item));
        return _send(_claim(item));
    }

    function _expectClaimSkipped(IKudosLedger.CanaryClaim memory claim, uint256 reason) internal {
        vm.expectRevert(abi.encodeWithSelector(IKudosLedger.NothingToSettle.selector, uint8(reason)));
        vm.prank(host);
        ledger.claimCanaries(_list(claim));
    }

    /// @dev Settles an item, and expects that no K3 can be claimed on it.
    function _expectClaim(Item memory item, uint256 reason) internal {
        _settle(_one(item));
        _expectClaimSkipped(_claim(item), reason);
    }
}
