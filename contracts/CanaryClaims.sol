// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Families} from "./Families.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {IKudosClaims} from "./interfaces/IKudosClaims.sol";
import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {IKudosSteps} from "./interfaces/IKudosSteps.sol";
import {Assets} from "./libraries/Assets.sol";
import {CanaryHashes} from "./libraries/CanaryHashes.sol";
import {ClaimAssets} from "./libraries/ClaimAssets.sol";
import {PackedClaims} from "./libraries/PackedClaims.sol";
import {PuzzleResult} from "./libraries/PuzzleResult.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Sequences} from "./libraries/Sequences.sol";
import {Signatures} from "./libraries/Signatures.sol";

/// @title K3 on settled RESULTs
/// @notice Puts each item together from what it carries, and asks the ledger whether that was settled.
abstract contract CanaryClaims is Families {
    /// @dev What one call carries from item to item; `request` is filled in anew for each. `root`, `confirmed` and
    /// `rootSettledAt` say what the last root was found to be, `markedHome` whose marks the cursor stands in.
    struct Work {
        bytes32 separator;
        uint256 time;
        IKudosLedger.Request request;
        PackedClaims.Item item;
        bytes32 resultDigest;
        bytes32 sealSalt;
        bytes32 requestId;
        bytes32 resultId;
        bytes32 root;
        uint256 confirmed;
        uint256 rootSettledAt;
        address markedHome;
        bytes list;
        uint256 length;
        uint256 minted;
    }

    uint8 private constant RESULT_KUDOS = 2;

    uint16 private immutable DRAW_RATE;
    bool private immutable COUNTS_PAIRS;
    IBeacon private immutable BEACON;

    mapping(address host => mapping(address home => mapping(uint256 word => uint256 bits))) private _marks;

    constructor(uint16 rate) {
        (,, address beacon) = LEDGER.satellites();
        BEACON = IBeacon(beacon);
        DRAW_RATE = rate;
        COUNTS_PAIRS = LEDGER.k2PerPairAndEpoch() != 0;
    }

    /// @inheritdoc IKudosClaims
    function claim(bytes calldata claims) external override {
        _claim(msg.sender, claims);
    }

    /// @inheritdoc IKudosClaims
    function claimFor(address host, bytes calldata claims, bytes calldata signature) external override {
        bytes32 digest = ClaimAssets.claims(_separator(), host, keccak256(claims));
        if (!Signatures.isBy(host, digest, signature)) revert NotSignedByHost();
        _claim(host, claims);
    }

    /// @inheritdoc IKudosClaims
    function canaryClaimed(address home, address host, uint32 seq) external view override returns (bool) {
        return Sequences.isUsed(_marks[host][home], seq);
    }

    /// @inheritdoc IKudosClaims
    function drawRate() external view override returns (uint16) {
        return DRAW_RATE;
    }

    /// @inheritdoc IKudosClaims
    function ledger() external view override returns (address) {
        return address(LEDGER);
    }

    function _claim(address host, bytes calldata claims) private {
        // Both begin as zeros: a cursor that stands nowhere, and nothing seen or minted yet.
        // slither-disable-next-line uninitialized-local
        Work memory work;
        // slither-disable-next-line uninitialized-local
        Sequences.Cursor memory cursor;
        (work.separator, work.time) = (_separator(), _time());
        work.request.host = host;
        work.list = new bytes(claims.length);
        uint256 firstReason = Reasons.NONE;
        uint256 offset = 0;
        for (uint256 number = 0; offset < claims.length; ++number) {
            offset = PackedClaims.next(claims, offset, work.item);
            uint256 reason = _claimItem(work, cursor, claims);
            if (reason == Reasons.NONE) {
                work.length = PackedClaims.record(claims, work.item, work.list, work.length);
                continue;
            }
            if (firstReason == Reasons.NONE) firstReason = reason;
            emit ClaimSkipped(host, number, uint8(reason));
        }
        if (work.length == 0) revert NothingToClaim(uint8(firstReason));
        Sequences.flush(cursor);
        emit CanariesClaimed(host, _recorded(work));
        if (work.minted != 0) LEDGER.mint(host, CANARY_LEVEL, work.minted);
    }

    /// @dev Claims K3 for one item, or says why not and changes nothing.
    function _claimItem(Work memory work, Sequences.Cursor memory cursor, bytes calldata claims)
        private
        returns (uint256 reason)
    {
        uint256 form = work.item.form & ~PackedClaims.SIGNED;
        reason = _identify(work, form, claims);
        if (reason != Reasons.NONE) return reason;
        uint256 settledAt;
        (reason, settledAt) = _settledAt(work);
        if (reason != Reasons.NONE) return reason;
        if (form == PackedClaims.DRAWN) reason = _checkDraw(work.requestId, settledAt);
        else if (work.item.form != form) reason = _checkWords(work, claims);
        if (reason != Reasons.NONE) return reason;

        if (work.markedHome != work.item.home) {
            work.markedHome = work.item.home;
            Sequences.open(cursor, _marks[work.request.host][work.item.home]);
        }
        bool marked = Sequences.seek(cursor, work.request.seq);
        bool expired = work.time > settledAt + CLAIM_WINDOW;
        reason = form == PackedClaims.PUZZLE
            ? _solve(work, claims, marked, expired)
            : _openToVotes(work, form, marked, expired);
        if (reason != Reasons.NONE || marked) return reason;
        Sequences.use(cursor, work.request.seq);
        // Counted only: there is no cap that a K3 could be over.
        if (COUNTS_PAIRS) LEDGER.admit(work.item.home, work.request.host, CANARY_LEVEL);
    }

    /// @dev Works out which RESULT the item speaks of, from the opening on: commitment, REQUEST, seal, RESULT.
    function _identify(Work memory work, uint256 form, bytes calldata claims) private view returns (uint256) {
        PackedClaims.Item memory item = work.item;
        uint256 signedAt = PackedClaims.readRequest(claims, item, work.request);
        bytes32 last;
        (work.sealSalt, last) = PackedClaims.readSeal(claims, item);
        work.resultDigest = form == PackedClaims.PUZZLE ? PuzzleResult.digest(last) : last;
        (bytes32 taskDigest, bytes32 markHash) = _mark(item, form, claims);
        if (markHash == 0) return Reasons.UNKNOWN_FAMILY;
        IKudosLedger.Request memory request = work.request;
        request.commitment = CanaryHashes.commitment(address(LEDGER), request, taskDigest, markHash);
        work.requestId = Assets.request(work.separator, request);
        bytes32 seal = CanaryHashes.seal(work.resultDigest, work.sealSalt, request.host, work.requestId);
        work.resultId = Assets.result(work.separator, work.requestId, seal, signedAt);
        return Reasons.NONE;
    }

    /// @dev What the commitment was made of; the mark is zero for a puzzle of no family.
    function _mark(PackedClaims.Item memory item, uint256 form, bytes calldata claims)
        private
        view
        returns (bytes32 taskDigest, bytes32 markHash)
    {
        bytes32 parameters;
        bytes32 salt;
        (taskDigest, parameters, salt) = PackedClaims.readMark(claims, item);
        // There the words before the seal's salt are the task's digest and the mark.
        if (form == PackedClaims.DRAWN) return (parameters, salt);
        bytes32 name = _nameIn(item, claims);
        if (name != 0) markHash = CanaryHashes.plantedMark(name, parameters, salt);
    }

    function _nameIn(PackedClaims.Item memory item, bytes calldata claims) private view returns (bytes32) {
        bytes32 written = PackedClaims.word(claims, item.openingAt);
        return item.form & PackedClaims.KIND == PackedClaims.PUZZLE ? _familyName(uint8(bytes1(written))) : written;
    }

    /// @dev When the RESULT was settled, and whether it earns Kudos: it was in time, or the home has receipted it.
    function _settledAt(Work memory work) private view returns (uint256 reason, uint256 settledAt) {
        settledAt = work.item.levels == 0 ? _strictlySettledAt(work) : _batchSettledAt(work);
        if (settledAt == 0) return (Reasons.NOT_SETTLED, 0);
        if (settledAt <= work.request.resultDeadline) return (Reasons.NONE, settledAt);
        bool receipted = _isKnown(ClaimAssets.kudos(work.separator, RESULT_KUDOS, work.resultId));
        return (receipted ? Reasons.NONE : Reasons.EXPIRED, settledAt);
    }

    function _strictlySettledAt(Work memory work) private view returns (uint256) {
        IKudosSteps.Place memory place =
            IKudosSteps.Place({home: work.request.home, host: work.request.host, seq: work.request.seq});
        return _stepSettledAt(place, work.resultId);
    }

    function _batchSettledAt(Work memory work) private view returns (uint256) {
        bytes32 root = PackedClaims.climb(work.item, work.resultId);
        if (root != work.root) {
            work.root = root;
            (, work.confirmed, work.rootSettledAt,,,) = LEDGER.batch(work.request.host, root);
        }
        return work.item.index < work.confirmed ? work.rootSettledAt : 0;
    }

    function _checkDraw(bytes32 requestId, uint256 settledAt) private view returns (uint256) {
        (bool known, bytes32 value) = BEACON.beacon(BEACON.periodOf(settledAt));
        if (!known) return Reasons.NO_BEACON;
        uint256 draw = uint256(keccak256(abi.encode(value, requestId)));
        return draw >> 240 < DRAW_RATE ? Reasons.NONE : Reasons.NOT_DRAWN;
    }

    /// @dev Whether the home has signed CANARY_OPENED, where the item says so.
    function _checkWords(Work memory work, bytes calldata claims) private view returns (uint256) {
        PackedClaims.Item memory item = work.item;
        (bytes32 taskDigest, bytes32 parameters, bytes32 salt) = PackedClaims.readMark(claims, item);
        bytes32[4] memory content = [taskDigest, _nameIn(item, claims), parameters, salt];
        uint256 openedAt = uint256(PackedClaims.word(claims, item.openingEnd)) >> 192;
        bytes32 openedId = Assets.canaryOpened(work.separator, work.requestId, work.resultId, content, openedAt);
        uint256 end = item.openingAt + item.tail;
        bytes calldata signature = claims[item.openingEnd + PackedClaims.WORDS_BYTES:end];
        return Signatures.isBy(item.home, openedId, signature) ? Reasons.NONE : Reasons.BAD_SIGNATURE;
    }

    function _solve(Work memory work, bytes calldata claims, bool marked, bool expired)
        private
        view
        returns (uint256)
    {
        if (marked) return Reasons.CLAIMED_BEFORE;
        if (expired) return Reasons.EXPIRED;
        uint256 number = uint8(bytes1(PackedClaims.word(claims, work.item.openingAt)));
        (, bytes32 parameters,) = PackedClaims.readMark(claims, work.item);
        (, bytes32 solution) = PackedClaims.readSeal(claims, work.item);
        if (!_isSolved(number, parameters, solution)) return Reasons.BAD_SOLUTION;
        ++work.minted;
        return Reasons.NONE;
    }

    /// @dev Opens the claim, or opens it again: then it is marked, and the window after the RESULT is over.
    function _openToVotes(Work memory work, uint256 form, bool marked, bool expired) private returns (uint256) {
        if (!marked && expired) return Reasons.EXPIRED;
        bytes32 kudosId = Assets.canaryKudos(work.separator, work.resultId, work.resultDigest, work.sealSalt);
        if (marked && !_hasTimedOut(kudosId)) return Reasons.CLAIMED_BEFORE;
        Origin origin = form == PackedClaims.DRAWN ? Origin.Drawn : Origin.Planted;
        bool opened = _open(kudosId, work.item.home, work.request.host, CANARY_LEVEL, origin);
        return opened ? Reasons.NONE : Reasons.CLAIMED_BEFORE;
    }

    function _recorded(Work memory work) private pure returns (bytes memory list) {
        list = work.list;
        uint256 length = work.length;
        // Memory-safe: shortens an array that was allocated at its full length.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(list, length)
        }
    }
}
