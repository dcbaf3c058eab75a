// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchoredLedger} from "../anchored/AnchoredLedger.sol";
import {Beacon} from "../Beacon.sol";
import {IClaimVotes} from "../interfaces/IClaimVotes.sol";
import {IValidatorQueue} from "../interfaces/IValidatorQueue.sol";
import {IValidatorTests} from "../interfaces/IValidatorTests.sol";
import {Assets} from "../libraries/Assets.sol";
import {ClaimAssets} from "../libraries/ClaimAssets.sol";
import {ClaimFrame} from "../libraries/ClaimFrame.sol";
import {Satellites} from "../libraries/Satellites.sol";
import {ValidatorQueue} from "../ValidatorQueue.sol";
import {GoldenVectors} from "./GoldenVectors.sol";
import {LedgerDouble} from "./LedgerDouble.sol";

/// @title A set of one validator, all of it in the code
contract OneSeat {
    address private immutable HOLDER;

    constructor(address holder) {
        HOLDER = holder;
    }

    function threshold() external pure returns (uint256) {
        return 1;
    }

    function setVersion() external pure returns (uint256) {
        return 1;
    }

    function seats() external view returns (address[16] memory holders, uint40[16] memory since) {
        holders[0] = HOLDER;
        return (holders, since);
    }

    function seat(address node)
        external
        view
        returns (uint8 seatPlusOne, uint40 since, uint40 lastChange, uint8 n, uint8 quorum)
    {
        return (node == HOLDER ? 1 : 0, 0, 0, 1, 1);
    }
}

/// @title What satellites and the anchored ledger hash and check
/// @dev Contracts are put where the vectors say, so that they work under the addresses that Python reckons with.
contract GoldenSatellitesTest is GoldenVectors {
    function setUp() public override {
        super.setUp();
        vm.chainId(chainId);
    }

    function testAddressesOfSatellites() public view {
        assertEq(_address(".contracts", ".ledger"), place, "ledger");
        assertEq(_address(".contracts", ".queue"), Satellites.addressOf(place, 1), "queue");
        assertEq(_address(".contracts", ".claims"), Satellites.addressOf(place, 2), "claims");
        assertEq(_address(".contracts", ".beacon"), Satellites.addressOf(place, 3), "beacon");
    }

    function testDigests() public view {
        uint256 compared = 0;
        for (; _has(_at(".satelliteCases", compared)); ++compared) {
            string memory item = _at(".satelliteCases", compared);
            assertEq(_digest(item), _word(item, ".digest"), item);
        }
        assertTrue(compared > 7, "every type");
    }

    function testPuzzleResults() public view {
        for (uint256 i = 0; _has(_at(".puzzleResults", i)); ++i) {
            string memory item = _at(".puzzleResults", i);
            assertEq(this.puzzleDigest(_word(item, ".solution")), _word(item, ".resultDigest"), "digest");
        }
        assertTrue(_has(".puzzleResults[0]"), "there are some");
    }

    function puzzleDigest(bytes32 solution) external view returns (bytes32) {
        ClaimFrame.open(0, address(0), address(0), 0);
        return ClaimFrame.puzzleDigest(solution);
    }

    function testValidatorTests() public {
        address where = _address(".contracts", ".claims");
        vm.etch(where, _claimsCode());
        for (uint256 i = 0; _has(_at(".validatorTests", i)); ++i) {
            string memory item = _at(".validatorTests", i);
            bytes32 found = IValidatorTests(where).testDigest(_word(item, ".requestId"), _word(item, ".salt"));
            assertEq(found, _word(item, ".digest"), "digest");
        }
        assertTrue(_has(".validatorTests[0].digest"), "there are some");
    }

    function testSecrets() public {
        address where = _address(".contracts", ".beacon");
        vm.etch(where, address(new Beacon(1 days, 1 hours)).code);
        for (uint256 i = 0; _has(_at(".secrets", i)); ++i) {
            string memory item = _at(".secrets", i);
            uint64 period = uint64(_number(item, ".period"));
            bytes32 hash = Beacon(where).hashSecret(_address(item, ".validator"), period, _word(item, ".secret"));
            assertEq(hash, _word(item, ".commitment"), "commitment");
        }
        assertTrue(_has(".secrets[0]"), "there are some");
    }

    function testBallots() public {
        address where = _address(".contracts", ".claims");
        vm.etch(where, _claimsCode());
        for (uint256 i = 0; _has(_at(".ballots", i)); ++i) {
            string memory item = _at(".ballots", i);
            bytes32 hash = IClaimVotes(where).hashVotes(
                _address(item, ".validator"), uint64(_number(item, ".round")), _votes(item), _word(item, ".salt")
            );
            assertEq(hash, _word(item, ".commitment"), "commitment");
        }
        assertTrue(_has(".ballots[0].commitment"), "there are some");
    }

    /// @dev A proposal that Python signed is taken, which it is only under the hashes that Python computed.
    function testProposals() public {
        for (uint256 i = 0; _has(_at(".proposals", i)); ++i) {
            string memory item = _at(".proposals", i);
            address validator = _address(item, ".validator");
            vm.etch(place, address(new OneSeat(validator)).code);
            vm.prank(place);
            ValidatorQueue queue = new ValidatorQueue(1 days);
            IValidatorQueue.Content memory content = _content(item);
            assertEq(queue.hashContent(content), _word(item, ".contentHash"), "content");
            assertEq(queue.proposeFor(validator, content, _bytes(item, ".signature")), 1, "taken");
        }
        assertTrue(_has(".proposals[0]"), "there are some");
    }

    /// @dev Anchors that Python packed and signed are taken, and add up to the totals that Python counted.
    function testAnchors() public {
        AnchoredLedger anchors = _anchorsAtTheVectorsAddress();
        for (uint256 i = 0; _has(_at(".anchors.signed", i)); ++i) {
            string memory item = _at(".anchors.signed", i);
            string memory v = string.concat(item, ".values");
            anchors.anchor(
                uint64(_number(v, ".sequence")),
                _word(v, ".root"),
                uint32(_number(v, ".count")),
                _addresses(string.concat(v, ".newHosts")),
                _bytes(v, ".totals"),
                _bytes(item, ".signature")
            );
        }
        address[] memory hosts = _addresses(".anchors.signed[0].values.newHosts");
        for (uint256 i = 0; i < hosts.length; ++i) {
            assertEq(anchors.anchoredTotal(hosts[i]), _number(_at(".anchors.totals", i), ""), "total");
        }
        assertEq(hosts.length, 20, "all hosts");
    }

    /// @dev Deployed for another chain id, so that it works out the domain of the place where it is put.
    function _anchorsAtTheVectorsAddress() private returns (AnchoredLedger) {
        OneSeat seats = new OneSeat(_address(".anchors", ".validator"));
        vm.chainId(chainId + 1);
        AnchoredLedger built = new AnchoredLedger(address(seats), 1 days, 1 days);
        vm.chainId(chainId);
        vm.etch(place, address(built).code);
        return AnchoredLedger(place);
    }

    function _digest(string memory item) private view returns (bytes32) {
        bytes32 kind = keccak256(bytes(vm.parseJsonString(json, string.concat(item, ".type"))));
        string memory v = string.concat(item, ".values");
        if (kind == keccak256("Kudos")) {
            return ClaimAssets.kudos(separator, uint8(_number(v, ".level")), _word(v, ".assetId"));
        }
        if (kind == keccak256("Votes")) return Assets.votes(separator, _word(v, ".content"));
        if (kind == keccak256("ClaimVotes")) return ClaimAssets.votes(separator, _word(v, ".content"));
        if (kind == keccak256("Claims")) {
            return ClaimAssets.claims(separator, _address(v, ".host"), _word(v, ".content"));
        }
        if (kind == keccak256("Receipt")) {
            return ClaimAssets.receipt(separator, _word(v, ".resultId"), uint64(_number(v, ".receivedAt")));
        }
        if (kind == keccak256("OpenPuzzle")) {
            (uint32 counter, uint8 difficulty) = (uint32(_number(v, ".counter")), uint8(_number(v, ".difficulty")));
            return ClaimAssets.openPuzzle(separator, _address(v, ".host"), counter, difficulty);
        }
        bytes32 commitment = _word(v, ".commitment");
        if (kind == keccak256("VoteCommitment")) {
            return ClaimAssets.voteCommitment(separator, uint64(_number(v, ".round")), commitment);
        }
        assertEq(kind, keccak256("BeaconCommitment"), "a type that is known here");
        return ClaimAssets.beaconCommitment(separator, uint64(_number(v, ".period")), commitment);
    }

    function _votes(string memory item) private view returns (IClaimVotes.Vote[] memory votes) {
        string memory list = string.concat(item, ".votes");
        votes = new IClaimVotes.Vote[](_length(list));
        for (uint256 i = 0; i < votes.length; ++i) {
            string memory vote = _at(list, i);
            votes[i] = IClaimVotes.Vote(_word(vote, ".kudosId"), uint8(_number(vote, ".reason")));
        }
    }

    function _content(string memory item) private view returns (IValidatorQueue.Content memory content) {
        (content.kind, content.setVersion) = (IValidatorQueue.Kind.Set, 1);
        content.quorum = _number(item, ".quorum");
        address[] memory seats = _addresses(string.concat(item, ".seats"));
        for (uint256 i = 0; i < 16; ++i) {
            content.seats[i] = seats[i];
        }
    }

    function _claimsCode() private returns (bytes memory) {
        address[] memory seats = new address[](1);
        seats[0] = address(this);
        LedgerDouble ledger = new LedgerDouble(seats, 1, 0, address(this));
        bytes memory arguments = abi.encode(uint64(1 hours), uint16(1), uint8(1), uint32(1));
        return ledger.create(bytes.concat(vm.getCode("KudosClaims.sol:KudosClaims"), arguments)).code;
    }

    function _addresses(string memory list) private view returns (address[] memory found) {
        found = new address[](_length(list));
        for (uint256 i = 0; i < found.length; ++i) {
            found[i] = _address(_at(list, i), "");
        }
    }

    function _length(string memory list) private view returns (uint256 length) {
        while (_has(_at(list, length))) {
            ++length;
        }
    }
}
