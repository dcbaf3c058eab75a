// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "./interfaces/IClaimVotes.sol";
import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {IKudosSteps} from "./interfaces/IKudosSteps.sol";
import {Assets} from "./libraries/Assets.sol";
import {ClaimFacts} from "./libraries/ClaimFacts.sol";
import {ClaimWords} from "./libraries/ClaimWords.sol";
import {Satellite} from "./Satellite.sol";

/// @title The claims that are open to votes, and the commitments to votes
/// @notice The storage that the claims contract and the code of its `decisions` share. Nothing that has storage may come
/// before this in either of them.
abstract contract ClaimStore is Satellite, IClaimVotes {
    /// @dev One slot, full to the last bit. `words` is what the seats said, `facts` everything small.
    struct Claim {
        address host;
        uint32 openedAt;
        uint48 words;
        uint16 facts;
    }

    uint256 internal constant CANARY_LEVEL = 3;
    uint64 private constant MAX_COMMIT_SECONDS = 2 days;

    uint64 internal immutable CLAIM_WINDOW;
    uint64 private immutable COMMIT_SECONDS;

    mapping(bytes32 kudosId => Claim) internal _claims;
    // Written by `ClaimVotes`, whose code works on this storage but is in another contract.
    // slither-disable-next-line uninitialized-state
    mapping(address validator => mapping(uint64 round => bytes32)) internal _commitments;

    /// @dev Claims, commitments and reveals of a round have to fit into the claim window.
    constructor(uint64 roundLength) {
        CLAIM_WINDOW = LEDGER.claimWindow();
        if (roundLength == 0 || roundLength > MAX_COMMIT_SECONDS || 3 * roundLength > CLAIM_WINDOW) {
            revert BadRound();
        }
        COMMIT_SECONDS = roundLength;
    }

    /// @inheritdoc IClaimVotes
    function kudosClaim(bytes32 kudosId) external view override returns (ClaimView memory shown) {
        Claim memory claim = _claims[kudosId];
        shown.standing = ClaimFacts.standing(claim.facts);
        shown.level = uint8(ClaimFacts.level(claim.facts));
        shown.origin = ClaimFacts.origin(claim.facts);
        (shown.host, shown.openedAt) = (claim.host, claim.openedAt);
        shown.approvals = uint16(ClaimWords.saying(claim.words, ClaimWords.APPROVAL));
        shown.refusals = uint16(ClaimWords.refusing(claim.words));
        shown.voters = uint16(ClaimWords.voters(claim.words));
        shown.parties = uint16(ClaimFacts.parties(claim.facts));
    }

    /// @inheritdoc IClaimVotes
    function pendingSince(bytes32 kudosId) external view override returns (uint64) {
        Claim memory claim = _claims[kudosId];
        return ClaimFacts.standing(claim.facts) == Standing.Open ? claim.openedAt : 0;
    }

    /// @inheritdoc IClaimVotes
    function voteCommitment(address validator, uint64 round) external view override returns (bytes32) {
        return _commitments[validator][round];
    }

    /// @inheritdoc IClaimVotes
    function commitSeconds() external view override returns (uint64) {
        return COMMIT_SECONDS;
    }

    /// @inheritdoc IClaimVotes
    function hashVotes(address validator, uint64 round, Vote[] calldata votes, bytes32 salt)
        public
        view
        override
        returns (bytes32)
    {
        bytes32 content = keccak256(abi.encode(votes));
        return keccak256(abi.encode(block.chainid, address(this), validator, round, content, salt));
    }

    /// @inheritdoc IClaimVotes
    function roundOf(uint256 time) public view override returns (uint64) {
        return uint64(time / COMMIT_SECONDS);
    }

    /// @notice Opens a claim, or opens it again when it has timed out. Who is a party is looked up now: a validator that
    /// comes later is not eligible anyway.
    /// @return opened false, and nothing changed, where the claim is decided or still waiting
    function _open(bytes32 kudosId, address home, address host, uint256 level, Origin origin)
        internal
        returns (bool opened)
    {
        Claim storage claim = _claims[kudosId];
        if (ClaimFacts.standing(claim.facts) != Standing.None && !_hasTimedOut(kudosId)) return false;
        // Nothing could be minted for it any more. Here, where opening costs far more than asking.
        uint256 end = LEDGER.finalAt();
        if (end != 0 && _time() > end) revert IKudosLedger.Closed();
        (uint8 homeSeat,,,,) = LEDGER.seat(home);
        (uint8 hostSeat,,,,) = LEDGER.seat(host);
        _claims[kudosId] = Claim({
            host: host,
            openedAt: uint32(_time()),
            words: 0,
            facts: ClaimFacts.open(level, origin, homeSeat, hostSeat)
        });
        return true;
    }

    /// @dev When the RESULT that came the strict way was settled; 0 where it was not. The ledger does not spend a read at
    /// each step to see whether it is closed, so it is seen here: a RESULT after closing earns nothing.
    function _stepSettledAt(IKudosSteps.Place memory place, bytes32 resultId) internal view returns (uint256) {
        (IKudosSteps.Stage stage,, bytes20 fingerprint, uint32 time) = LEDGER.step(place);
        bool settled = stage == IKudosSteps.Stage.Result || stage == IKudosSteps.Stage.LateResult;
        if (!settled || fingerprint != bytes20(Assets.fingerprint(resultId, place.seq))) return 0;
        uint256 end = LEDGER.finalAt();
        return end != 0 && time + CLAIM_WINDOW > end ? 0 : time;
    }

    function _isKnown(bytes32 kudosId) internal view returns (bool) {
        return ClaimFacts.standing(_claims[kudosId].facts) != Standing.None;
    }

    /// @dev Whether the claim is open still, and has been for longer than the window.
    function _hasTimedOut(bytes32 kudosId) internal view returns (bool) {
        Claim memory claim = _claims[kudosId];
        return ClaimFacts.standing(claim.facts) == Standing.Open && _time() > claim.openedAt + CLAIM_WINDOW;
    }
}
