// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchoredLedger} from "../interfaces/IAnchoredLedger.sol";
import {AnchoredTest} from "./AnchoredTest.sol";

/// @title What a review found wrong once in the anchored mode
contract AnchoredReviewTest is AnchoredTest {
    function testOneMigrationWithTwoResultsIsDisputed() public {
        bytes32[] memory leaves = new bytes32[](4);
        for (uint256 i = 0; i < 3; ++i) leaves[i] = _resultId(_variant(i));
        leaves[3] = _resultId(_migration(9));
        IAnchoredLedger.Anchored memory a = _anchorLeaves(leaves);
        vm.expectRevert(IAnchoredLedger.NotTwoPlaces.selector);
        anchors.disputeSame(_shown(a, leaves, 2, _variant(2)), _shown(a, leaves, 3, _migration(9)));
        vm.expectRevert(IAnchoredLedger.NotTwoPlaces.selector);
        anchors.disputeSame(_shown(a, leaves, 1, _variant(1)), _shown(a, leaves, 1, _variant(1)));
        vm.expectRevert(IAnchoredLedger.WrongPath.selector);
        anchors.disputeSame(_shown(a, leaves, 0, _variant(0)), _shown(a, leaves, 1, _variant(2)));
        anchors.disputeSame(_shown(a, leaves, 0, _variant(0)), _shown(a, leaves, 1, _variant(1)));
        (, bool disputed,) = anchors.standing(a);
        assertTrue(disputed, "disputed");
    }

    /// @dev What another migration of the same parties says is no dispute, nor is an anchor that nobody made.
    function testFuzzOnlyOneMigrationIsTheSame(uint256 what) public {
        bytes32[] memory leaves = new bytes32[](2);
        (leaves[0], leaves[1]) = (_resultId(_variant(0)), _resultId(_variant(1)));
        IAnchoredLedger.Anchored memory a = _anchorLeaves(leaves);
        IAnchoredLedger.Shown memory earlier = _shown(a, leaves, 0, _variant(0));
        IAnchoredLedger.Shown memory later = _shown(a, leaves, 1, _variant(1));
        bytes memory expected = abi.encodeWithSelector(IAnchoredLedger.NotTwoPlaces.selector);
        if (what % 6 == 0) (earlier, later) = (later, earlier);
        else if (what % 6 == 1) ++later.migration.request.seq;
        else if (what % 6 == 2) later.migration.request.home = address(0xB0B);
        else if (what % 6 == 3) earlier.migration.request.host = address(0xB0B);
        else if (what % 6 == 4) later.anchored.count = 1;
        else later.index = 2;
        if (what % 6 == 4) expected = abi.encodeWithSelector(IAnchoredLedger.UnknownAnchor.selector);
        if (what % 6 == 5) expected = abi.encodeWithSelector(IAnchoredLedger.NoSuchLeaf.selector, uint32(2));
        vm.expectRevert(expected);
        anchors.disputeSame(earlier, later);
    }

    function _shown(
        IAnchoredLedger.Anchored memory a,
        bytes32[] memory leaves,
        uint32 index,
        IAnchoredLedger.Migration memory m
    ) private pure returns (IAnchoredLedger.Shown memory) {
        return IAnchoredLedger.Shown(a, index, m, _path(leaves, index));
    }

    function _variant(uint256 i) private view returns (IAnchoredLedger.Migration memory m) {
        m = _migration(0);
        m.seal = keccak256(abi.encode(m.seal, i));
    }
}
