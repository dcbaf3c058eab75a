// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchoredLedger} from "../interfaces/IAnchoredLedger.sol";
import {IValidatorSeats} from "../interfaces/IValidatorSeats.sol";
import {Assets} from "../libraries/Assets.sol";
import {DenseTotals} from "../libraries/DenseTotals.sol";
import {Challenges} from "./Challenges.sol";

/// @title Anchored migrations: counted on the validators' word, not on the contract's
/// @notice See `IAnchoredLedger` for what this trusts. `Challenges` is how the word can be tested.
contract AnchoredLedger is Challenges {
    /// @dev One slot.
    struct Counters {
        uint64 sequence;
        uint32 hosts;
    }

    bytes32 private constant ANCHOR_TYPE =
        keccak256("Anchor(uint64 sequence,bytes32 root,uint32 count,address[] newHosts,bytes totals)");
    uint256 private constant MAX_COUNT = 1 << 20;
    uint256 private constant SIGNATURE_BYTES = 64;

    IValidatorSeats private immutable LEDGER;

    Counters private _counters;
    mapping(uint256 word => uint256 lanes) private _totals;
    mapping(address host => uint256 indexPlusOne) private _indexes;

    constructor(address validatorsOf, uint64 challengeSeconds, uint64 answerSeconds)
        Challenges(challengeSeconds, answerSeconds)
    {
        if (validatorsOf.code.length == 0) revert BadParameter();
        LEDGER = IValidatorSeats(validatorsOf);
    }

    /// @inheritdoc IAnchoredLedger
    function anchor(
        uint64 sequence,
        bytes32 root,
        uint32 count,
        address[] calldata newHosts,
        bytes calldata totals,
        bytes calldata signatures
    ) external override {
        Counters memory counters = _counters;
        if (sequence != counters.sequence) revert WrongSequence(counters.sequence);
        if (root == 0) revert BadRoot();
        if (count == 0 || count > MAX_COUNT) revert BadCount();
        uint16 signers = _checkSigners(_anchorDigest(sequence, root, count, newHosts, totals), signatures);
        uint32 firstHost = counters.hosts;
        counters.hosts = _register(newHosts, firstHost);
        uint256 sum = DenseTotals.add(_totals, totals, counters.hosts);
        if (sum != count) revert TotalsDoNotAddUp(sum, count);
        ++counters.sequence;
        _counters = counters;
        uint64 time = _time();
        _store(Anchored({sequence: sequence, root: root, count: count, anchoredAt: time}));
        emit AnchorAdded(sequence, root, count, time, signers, firstHost, newHosts, totals);
    }

    /// @inheritdoc IAnchoredLedger
    function anchoredTotal(address host) external view override returns (uint32) {
        uint256 indexPlusOne = _indexes[host];
        return indexPlusOne == 0 ? 0 : DenseTotals.counter(_totals, indexPlusOne - 1);
    }

    /// @inheritdoc IAnchoredLedger
    function indexOf(address host) external view override returns (bool known, uint32 index) {
        uint256 indexPlusOne = _indexes[host];
        return indexPlusOne == 0 ? (false, 0) : (true, uint32(indexPlusOne - 1));
    }

    /// @inheritdoc IAnchoredLedger
    function totalsWord(uint32 word) external view override returns (uint256) {
        return _totals[word];
    }

    /// @inheritdoc IAnchoredLedger
    function next() external view override returns (uint64 sequence, uint32 hosts) {
        return (_counters.sequence, _counters.hosts);
    }

    /// @inheritdoc IAnchoredLedger
    function ledger() external view override returns (address) {
        return address(LEDGER);
    }

    /// @dev Hosts are named under the validators' signatures, so that no stranger can thin out the words.
    function _register(address[] calldata newHosts, uint32 hosts) private returns (uint32) {
        for (uint256 i = 0; i < newHosts.length; ++i) {
            address host = newHosts[i];
            if (host == address(0) || _indexes[host] != 0) revert NotANewHost(host);
            _indexes[host] = ++hosts;
        }
        return hosts;
    }

    /// @dev Ascending seats keep a validator from counting twice. A signature of nobody's recovers to zero, which has
    /// no seat. The last seat that is read tells the threshold as well.
    function _checkSigners(bytes32 digest, bytes calldata signatures) private view returns (uint16 signers) {
        if (signatures.length == 0 || signatures.length % SIGNATURE_BYTES != 0) revert BadSigners();
        uint256 lowest = 0;
        uint256 quorum = 0;
        for (uint256 i = 0; i < signatures.length; i += SIGNATURE_BYTES) {
            uint8 seatPlusOne;
            (seatPlusOne,,,, quorum) = LEDGER.seat(_signerOf(digest, signatures[i:i + SIGNATURE_BYTES]));
            if (seatPlusOne <= lowest) revert BadSigners();
            lowest = seatPlusOne;
            signers |= uint16(1 << (seatPlusOne - 1));
        }
        uint256 count = signatures.length / SIGNATURE_BYTES;
        if (count < quorum) revert TooFewSigners(count, quorum);
    }

    function _anchorDigest(
        uint64 sequence,
        bytes32 root,
        uint32 count,
        address[] calldata newHosts,
        bytes calldata totals
    ) private view returns (bytes32) {
        bytes32 hosts = keccak256(abi.encodePacked(newHosts));
        bytes32 structHash = keccak256(abi.encode(ANCHOR_TYPE, sequence, root, count, hosts, keccak256(totals)));
        return Assets.digest(domainSeparator(), structHash);
    }

    function _signerOf(bytes32 digest, bytes calldata signature) private pure returns (address) {
        uint256 vs = uint256(bytes32(signature[32:]));
        return ecrecover(digest, uint8(27 + (vs >> 255)), bytes32(signature[:32]), bytes32((vs << 1) >> 1));
    }
}
