// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKudosLedger} from "../interfaces/IKudosLedger.sol";
import {IKudosSteps} from "../interfaces/IKudosSteps.sol";
import {LedgerTest} from "./LedgerTest.sol";
import {PlainAssets} from "./PlainAssets.sol";

/// @title A way for one migration into the ledger, and for votes on what it claims
/// @dev `Rules.t.sol` runs the same rules over each.
abstract contract Way is LedgerTest {
    uint8 internal constant APPROVE = 128;
    uint8 internal constant REFUSE = 131;
    uint8 internal constant ABSTAIN = 145;

    struct Call {
        address sender;
        bytes data;
    }

    /// @dev The transactions that bring this migration to its end.
    function _calls(Item memory item) internal view virtual returns (Call[] memory);

    function _votesOn(Item memory item, uint8 reason)
        internal
        view
        virtual
        returns (IKudosLedger.BatchVote[] memory batchVotes, IKudosSteps.StepVote[] memory stepVotes);

    /// @dev A validator's vote on it alone.
    function _voteCall(Item memory item, uint8 reason) internal view virtual returns (bytes memory);

    function _state(Item memory item) internal view virtual returns (IKudosSteps.State);

    function _waitsSince(Item memory item) internal view virtual returns (uint256);

    function _recountCall(Item memory item) internal view virtual returns (bytes memory);

    function _retire(Item memory item) internal virtual returns (bool);

    // ------------------------------------------------------------------ settling

    /// @dev Sends all of it, up to the first call that is refused; says why, or NONE.
    function _try(Item memory item) internal returns (uint256 reason) {
        Call[] memory calls = _calls(item);
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(calls[i].sender);
            (bool done, bytes memory answer) = address(ledger).call(calls[i].data);
            if (done) continue;
            assertEq(bytes32(bytes4(answer)), bytes32(IKudosLedger.NothingToSettle.selector), "refused by the rules");
            return uint8(answer[35]);
        }
    }

    function _take(Item memory item) internal {
        assertEq(_try(item), 0, "taken");
    }

    // ------------------------------------------------------------------ voting

    function _recount(Item memory item) internal returns (bytes4 refusal) {
        (bool done, bytes memory answer) = address(ledger).call(_recountCall(item));
        return done ? bytes4(0) : bytes4(answer);
    }

    function _say(Item memory item, uint256 number, uint8 reason) internal {
        bytes memory call = _voteCall(item, reason);
        vm.prank(seats[number]);
        (bool done,) = address(ledger).call(call);
        assertTrue(done, "the vote is taken");
    }

    function _expectNoSay(Item memory item, uint256 number, uint8 reason, bytes memory answer) internal {
        bytes memory call = _voteCall(item, reason);
        vm.prank(seats[number]);
        (bool done, bytes memory said) = address(ledger).call(call);
        assertTrue(!done, "no vote");
        assertEq(said, answer, "and says so");
    }

    /// @dev A validator's vote on it alone, in lists.
    function _listedVote(Item memory item, uint8 reason) internal view returns (bytes memory) {
        (IKudosLedger.BatchVote[] memory batchVotes, IKudosSteps.StepVote[] memory stepVotes) = _votesOn(item, reason);
        return abi.encodeCall(IKudosLedger.vote, (batchVotes, stepVotes));
    }

    function _expectState(Item memory item, IKudosSteps.State state) internal view {
        assertEq(uint256(_state(item)), uint256(state), "state of the claim");
        assertTrue((_waitsSince(item) != 0) == (state == IKudosSteps.State.Claimed), "waits while it is open");
    }
}

/// @title Each asset in a transaction of its own, sent by its owner
abstract contract StrictWay is Way {
    function _calls(Item memory item) internal view virtual override returns (Call[] memory calls) {
        IKudosSteps.Request memory r = item.request;
        bytes32 requestId = _requestId(item);
        uint64 answeredAt = r.signedAt + item.acceptedAfter;
        address home = vm.addr(item.signerKey);
        calls = new Call[](item.confirmed ? 4 : 2);
        calls[0] = Call(home, abi.encodeCall(ledger.submitRequest, (r)));
        if (!item.confirmed) {
            bytes memory no =
                abi.encodeCall(ledger.submitRejected, (requestId, r.home, r.seq, answeredAt, item.rejection));
            calls[1] = Call(r.host, no);
            return calls;
        }
        calls[1] = Call(r.host, abi.encodeCall(ledger.submitAccepted, (requestId, r.home, r.seq, answeredAt)));
        uint64 confirmedAt = r.signedAt + item.confirmedAfter;
        bytes memory confirmed =
            abi.encodeCall(ledger.submitConfirmed, (requestId, r.host, r.seq, confirmedAt, answeredAt));
        calls[2] = Call(home, confirmed);
        uint64 resultAt = r.signedAt + item.resultAfter;
        calls[3] =
            Call(r.host, abi.encodeCall(ledger.submitResult, (requestId, r.home, r.seq, resultAt, item.seal)));
    }

    function _voteCall(Item memory item, uint8 reason) internal view virtual override returns (bytes memory) {
        IKudosSteps.Request memory r = item.request;
        (, bytes32 id) = _ids(item);
        return abi.encodeCall(IKudosSteps.voteOnStep, (r.home, r.host, r.seq, id, reason));
    }

    function _votesOn(Item memory item, uint8 reason)
        internal
        view
        override
        returns (IKudosLedger.BatchVote[] memory batchVotes, IKudosSteps.StepVote[] memory stepVotes)
    {
        batchVotes = new IKudosLedger.BatchVote[](0);
        stepVotes = new IKudosSteps.StepVote[](1);
        (, bytes32 id) = _ids(item);
        stepVotes[0] = IKudosSteps.StepVote({place: _place(item), id: id, reason: reason});
    }

    function _state(Item memory item) internal view override returns (IKudosSteps.State state) {
        (, state,,) = ledger.step(_place(item));
    }

    function _waitsSince(Item memory item) internal view override returns (uint256) {
        return ledger.stepPendingSince(_place(item));
    }

    function _recountCall(Item memory item) internal view override returns (bytes memory) {
        (, bytes32 id) = _ids(item);
        return abi.encodeCall(IKudosSteps.recountStep, (_place(item), id));
    }

    function _retire(Item memory item) internal override returns (bool) {
        IKudosSteps.Place memory place = _place(item);
        vm.prank(_claimsContract());
        return ledger.retireStep(place);
    }

    /// @dev The migration's assets with these signatures, for whoever sends them.
    function _signedCalls(Item memory item, bytes[4] memory signatures) internal view returns (bytes[] memory data) {
        IKudosSteps.Place memory place = _place(item);
        bytes32 requestId = _requestId(item);
        uint64 start = item.request.signedAt;
        data = new bytes[](item.confirmed ? 4 : 2);
        data[0] = abi.encodeCall(ledger.request, (item.request, signatures[0]));
        uint64 answeredAt = start + item.acceptedAfter;
        if (!item.confirmed) {
            data[1] = abi.encodeCall(ledger.reject, (place, requestId, item.rejection, answeredAt, signatures[1]));
            return data;
        }
        data[1] = abi.encodeCall(ledger.accept, (place, requestId, answeredAt, signatures[1]));
        uint64 confirmedAt = start + item.confirmedAfter;
        data[2] = abi.encodeCall(ledger.confirm, (place, requestId, answeredAt, confirmedAt, signatures[2]));
        uint64 resultAt = start + item.resultAfter;
        data[3] = abi.encodeCall(ledger.result, (place, requestId, item.seal, resultAt, signatures[3]));
    }

    function _place(Item memory item) internal pure returns (IKudosSteps.Place memory) {
        return IKudosSteps.Place({home: item.request.home, host: item.request.host, seq: item.request.seq});
    }
}

/// @title Each asset in a transaction of its own, with its owner's signature, sent by a stranger
abstract contract SignedWay is StrictWay {
    address private constant STRANGER = address(0x57A);

    function _calls(Item memory item) internal view override returns (Call[] memory calls) {
        bytes[] memory data = _signedCalls(item, _signatures(item));
        calls = new Call[](data.length);
        for (uint256 i = 0; i < data.length; ++i) {
            calls[i] = Call(STRANGER, data[i]);
        }
    }

    function _voteCall(Item memory item, uint8 reason) internal view override returns (bytes memory) {
        return _listedVote(item, reason);
    }

    function _signatures(Item memory item) private view returns (bytes[4] memory signatures) {
        bytes32 separator = ledger.domainSeparator();
        (bytes32 signed, bytes32 last) = _ids(item);
        bytes32 requestId = _requestId(item);
        signatures[0] = _signature(item.signerKey, requestId);
        if (!item.confirmed) {
            signatures[1] = _signature(_hostKey(), last);
            return signatures;
        }
        bytes32 acceptanceId =
            PlainAssets.accepted(separator, requestId, item.request.signedAt + item.acceptedAfter);
        signatures[1] = _signature(_hostKey(), acceptanceId);
        signatures[2] = _signature(item.signerKey, signed);
        signatures[3] = _signature(_hostKey(), last);
    }

    function _hostKey() private view returns (uint256 key) {
        key = HOST_KEY;
        while (vm.addr(key) != host) {
            // Hosts are among the hosts' keys or the validators'.
            key = key == HOST_KEY + 8 ? VALIDATOR_KEY : key + 1;
            assertTrue(key < VALIDATOR_KEY + 20, "a host whose key is known");
        }
    }
}

/// @title Finished, in a batch of one, sent by its host
abstract contract BatchWay is Way {
    function _calls(Item memory item) internal view override returns (Call[] memory calls) {
        calls = new Call[](1);
        calls[0] = Call(host, abi.encodeCall(ledger.settle, (host, _pack(_one(item)), UNSIGNED)));
    }

    function _voteCall(Item memory item, uint8 reason) internal view override returns (bytes memory) {
        return _listedVote(item, reason);
    }

    function _votesOn(Item memory item, uint8 reason)
        internal
        view
        override
        returns (IKudosLedger.BatchVote[] memory batchVotes, IKudosSteps.StepVote[] memory stepVotes)
    {
        stepVotes = new IKudosSteps.StepVote[](0);
        batchVotes = new IKudosLedger.BatchVote[](1);
        uint128 approve = reason == APPROVE ? 1 : 0;
        uint128 refuse = reason == REFUSE ? 1 : 0;
        bytes memory reasons = reason == APPROVE ? bytes("") : abi.encodePacked(uint8(0), reason);
        batchVotes[0] = IKudosLedger.BatchVote({
            host: host, root: _leaf(item), approve: approve, refuse: refuse, reasons: reasons
        });
    }

    function _state(Item memory item) internal view override returns (IKudosSteps.State) {
        (uint8 n,,, uint128 claims, uint128 verified, uint128 refused) = ledger.batch(host, _leaf(item));
        if (n == 0 || claims == 0) return IKudosSteps.State.None;
        if (verified == 1) return IKudosSteps.State.Verified;
        return refused == 1 ? IKudosSteps.State.Refused : IKudosSteps.State.Claimed;
    }

    function _waitsSince(Item memory item) internal view override returns (uint256) {
        return ledger.pendingSince(host, _leaf(item));
    }

    function _recountCall(Item memory item) internal view override returns (bytes memory) {
        return abi.encodeCall(ledger.recount, (host, _leaf(item)));
    }

    function _retire(Item memory item) internal override returns (bool) {
        bytes32 root = _leaf(item);
        vm.prank(_claimsContract());
        return ledger.retire(host, root, 0);
    }

    /// @dev A single leaf is its own root.
    function _leaf(Item memory item) private view returns (bytes32 leaf) {
        (, leaf) = _ids(item);
    }
}
