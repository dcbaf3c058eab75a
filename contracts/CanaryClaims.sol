// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Families} from "./Families.sol";
import {IBatchHead} from "./interfaces/IBatchHead.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {IKudosClaims} from "./interfaces/IKudosClaims.sol";
import {IKudosSteps} from "./interfaces/IKudosSteps.sol";
import {Assets} from "./libraries/Assets.sol";
import {ClaimAssets} from "./libraries/ClaimAssets.sol";
import {ClaimFrame} from "./libraries/ClaimFrame.sol";
import {Reasons} from "./libraries/Reasons.sol";
import {Sequences} from "./libraries/Sequences.sol";
import {Signatures} from "./libraries/Signatures.sol";

/// @title K3 on settled RESULTs
/// @notice Puts each item together from what it carries, and asks the ledger whether that was settled.
abstract contract CanaryClaims is Families {
    /// @dev What one call carries from item to item, besides what `ClaimFrame` has. `confirmed` and `rootSettledAt` say
    /// what `root`, the last one, was found to be, `markedHome` whose marks the cursor stands in.
    struct Work {
        bytes32 root;
        uint256 confirmed;
        uint256 rootSettledAt;
        address markedHome;
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
        ClaimFrame.open(_separator(), address(LEDGER), msg.sender, claims.length);
        _claim(msg.sender, claims);
    }

    /// @inheritdoc IKudosClaims
    function claimFor(address host, bytes calldata claims, bytes calldata signature) external override {
        ClaimFrame.open(_separator(), address(LEDGER), host, claims.length);
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
        Work memory work;
        Sequences.Cursor memory cursor;
        uint256 room = ClaimFrame.ROOM_AT;
        // Both lie in the room that `ClaimFrame.open` has taken: pointers that the compiler knows need no place on the
        // stack, and what they point at costs half. Memory-safe: sets pointers only.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            cursor := room
            work := add(room, 0x80)
        }
        cursor.slot = 0;
        // Nobody is the zero address, which signs nothing.
        (work.root, work.confirmed, work.markedHome, work.minted) = (0, 0, address(0), 0);
        uint256 firstReason = Reasons.NONE;
        uint256 position = ClaimFrame.start(claims);
        // Neither can overflow: they count what is in the call data.
        unchecked {
            uint256 end = position + claims.length;
            for (uint256 number = 0; position < end; ++number) {
                position = ClaimFrame.next(claims, position);
                uint256 reason = _claimItem(work, cursor);
                if (reason == Reasons.NONE) {
                    ClaimFrame.record();
                    continue;
                }
                if (firstReason == Reasons.NONE) firstReason = reason;
                emit ClaimSkipped(host, number, uint8(reason));
            }
        }
        bytes memory recorded = ClaimFrame.recorded();
        if (recorded.length == 0) revert NothingToClaim(uint8(firstReason));
        Sequences.flush(cursor);
        emit CanariesClaimed(host, recorded);
        if (work.minted != 0) LEDGER.mint(host, CANARY_LEVEL, work.minted);
    }

    /// @dev Claims K3 for the item in the frame, or says why not and changes nothing.
    function _claimItem(Work memory work, Sequences.Cursor memory cursor) private returns (uint256 reason) {
        uint256 form = ClaimFrame.number(ClaimFrame.FORM);
        uint256 kind = form & ClaimFrame.KIND;
        uint256 settledAt;
        (reason, settledAt) = _settledAt(work, _identify(kind));
        if (reason != Reasons.NONE) return reason;
        if (kind == ClaimFrame.DRAWN) reason = _checkDraw(settledAt);
        else if (form != kind) reason = _checkWords();
        if (reason != Reasons.NONE) return reason;

        address home = ClaimFrame.party(ClaimFrame.HOME);
        if (work.markedHome != home) {
            work.markedHome = home;
            Sequences.open(cursor, _marks[ClaimFrame.party(ClaimFrame.HOST)][home]);
        }
        uint256 seq = ClaimFrame.number(ClaimFrame.SEQ);
        bool marked = Sequences.seek(cursor, seq);
        bool expired = _time() > settledAt + CLAIM_WINDOW;
        reason = kind == ClaimFrame.PUZZLE
            ? _solve(work, marked, expired)
            : _openToVotes(kind, marked, expired);
        if (reason != Reasons.NONE || marked) return reason;
        Sequences.use(cursor, seq);
        // Counted only: there is no cap that a K3 could be over.
        if (COUNTS_PAIRS) LEDGER.admit(home, ClaimFrame.party(ClaimFrame.HOST), CANARY_LEVEL);
    }

    /// @dev Works out which RESULT the item speaks of, from the opening on. `known` is false where there is no such
    /// family, or no mark.
    function _identify(uint256 kind) private view returns (bool known) {
        bool drawn = kind == ClaimFrame.DRAWN;
        bytes32 name = drawn ? bytes32(0) : ClaimFrame.word(ClaimFrame.number(ClaimFrame.OPENING_AT));
        bytes32 resultDigest = ClaimFrame.load(ClaimFrame.LAST);
        if (kind == ClaimFrame.PUZZLE) {
            name = _familyName(uint8(bytes1(name)));
            resultDigest = ClaimFrame.puzzleDigest(resultDigest);
        }
        ClaimFrame.identify(name, resultDigest);
        return (drawn ? ClaimFrame.load(ClaimFrame.MARK) : name) != 0;
    }

    /// @dev When the RESULT was settled, and whether it earns Kudos: it was in time, or the home has receipted it.
    function _settledAt(Work memory work, bool known) private view returns (uint256 reason, uint256 settledAt) {
        bool strict = ClaimFrame.number(ClaimFrame.LEVELS) == 0;
        // Even where it is in vain: those behind the item may count on the nodes that it carries.
        bytes32 root = strict ? bytes32(0) : ClaimFrame.climb();
        if (!known) return (Reasons.UNKNOWN_FAMILY, 0);
        settledAt = strict ? _strictlySettledAt() : _batchSettledAt(work, root);
        if (settledAt == 0) return (Reasons.NOT_SETTLED, 0);
        if (settledAt <= ClaimFrame.number(ClaimFrame.DEADLINE)) return (Reasons.NONE, settledAt);
        bytes32 resultId = ClaimFrame.load(ClaimFrame.RESULT_ID);
        bool receipted = _isKnown(ClaimAssets.kudos(_separator(), RESULT_KUDOS, resultId));
        return (receipted ? Reasons.NONE : Reasons.EXPIRED, settledAt);
    }

    function _strictlySettledAt() private view returns (uint256) {
        IKudosSteps.Place memory place = IKudosSteps.Place({
            home: ClaimFrame.party(ClaimFrame.HOME),
            host: ClaimFrame.party(ClaimFrame.HOST),
            seq: uint32(ClaimFrame.number(ClaimFrame.SEQ))
        });
        return _stepSettledAt(place, ClaimFrame.load(ClaimFrame.RESULT_ID));
    }

    function _batchSettledAt(Work memory work, bytes32 root) private view returns (uint256) {
        if (root != work.root) {
            work.root = root;
            address host = ClaimFrame.party(ClaimFrame.HOST);
            (, work.confirmed, work.rootSettledAt) = IBatchHead(address(LEDGER)).batch(host, root);
        }
        return ClaimFrame.number(ClaimFrame.INDEX) < work.confirmed ? work.rootSettledAt : 0;
    }

    function _checkDraw(uint256 settledAt) private view returns (uint256) {
        (bool known, bytes32 value) = BEACON.beacon(BEACON.periodOf(settledAt));
        if (!known) return Reasons.NO_BEACON;
        uint256 draw = uint256(keccak256(abi.encode(value, ClaimFrame.load(ClaimFrame.REQUEST_ID))));
        return draw >> 240 < DRAW_RATE ? Reasons.NONE : Reasons.NOT_DRAWN;
    }

    /// @dev Whether the home has signed CANARY_OPENED, as the item says.
    function _checkWords() private view returns (uint256) {
        bytes32[4] memory content = [
            ClaimFrame.load(ClaimFrame.TASK_DIGEST),
            ClaimFrame.load(ClaimFrame.FAMILY),
            ClaimFrame.load(ClaimFrame.PARAMETERS),
            ClaimFrame.load(ClaimFrame.SALT)
        ];
        (uint256 openedAt, bytes calldata signature) = ClaimFrame.words();
        bytes32 requestId = ClaimFrame.load(ClaimFrame.REQUEST_ID);
        bytes32 resultId = ClaimFrame.load(ClaimFrame.RESULT_ID);
        bytes32 openedId = Assets.canaryOpened(_separator(), requestId, resultId, content, openedAt);
        bool signed = Signatures.isBy(ClaimFrame.party(ClaimFrame.HOME), openedId, signature);
        return signed ? Reasons.NONE : Reasons.BAD_SIGNATURE;
    }

    function _solve(Work memory work, bool marked, bool expired) private view returns (uint256) {
        if (marked) return Reasons.CLAIMED_BEFORE;
        if (expired) return Reasons.EXPIRED;
        uint256 number = uint8(bytes1(ClaimFrame.word(ClaimFrame.number(ClaimFrame.OPENING_AT))));
        bytes32 parameters = ClaimFrame.load(ClaimFrame.PARAMETERS);
        if (!_isSolved(number, parameters, ClaimFrame.load(ClaimFrame.LAST))) return Reasons.BAD_SOLUTION;
        // No more than there are items.
        unchecked {
            ++work.minted;
        }
        return Reasons.NONE;
    }

    /// @dev Opens the claim, or opens it again: then it is marked, and the window after the RESULT is over.
    function _openToVotes(uint256 kind, bool marked, bool expired) private returns (uint256) {
        if (!marked && expired) return Reasons.EXPIRED;
        bytes32 kudosId = Assets.canaryKudos(
            _separator(),
            ClaimFrame.load(ClaimFrame.RESULT_ID),
            ClaimFrame.load(ClaimFrame.RESULT_DIGEST),
            ClaimFrame.load(ClaimFrame.SEAL_SALT)
        );
        if (marked && !_hasTimedOut(kudosId)) return Reasons.CLAIMED_BEFORE;
        Origin origin = kind == ClaimFrame.DRAWN ? Origin.Drawn : Origin.Planted;
        bool opened = _open(
            kudosId, ClaimFrame.party(ClaimFrame.HOME), ClaimFrame.party(ClaimFrame.HOST), CANARY_LEVEL, origin
        );
        return opened ? Reasons.NONE : Reasons.CLAIMED_BEFORE;
    }
}
