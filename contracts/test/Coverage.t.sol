// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Reasons} from "../libraries/Reasons.sol";
import {LedgerTest} from "./LedgerTest.sol";

/// @title Edges that coverage and mutation found untested
contract CoverageTest is LedgerTest {
    uint64 private constant SPAN = 7 days;

    /// @dev One second either side of each bound on a REQUEST's times, with the other bounds well kept.
    function testDeadlineIsAtMostSevenDaysAfterTheRequest() public {
        Item memory item = _item(true, 0, 0);
        item.request.resultDeadline = item.request.signedAt + SPAN + 1;
        _expectSkip(item, Reasons.BAD_DEADLINE);
        --item.request.resultDeadline;
        _settle(_one(item));
    }

    function testRequestIsAtMostFiveMinutesAhead() public {
        Item memory item = _item(true, 0, 0);
        item.request.signedAt = uint64(NOW + 301);
        _expectSkip(item, Reasons.BAD_DEADLINE);
        --item.request.signedAt;
        _settle(_one(item));
    }

    function testDeadlineIsAtMostSevenDaysAhead() public {
        Item memory item = _item(true, 0, 0);
        item.request.signedAt = uint64(NOW + 2);
        item.request.resultDeadline = uint64(NOW) + SPAN + 1;
        _expectSkip(item, Reasons.BAD_DEADLINE);
        --item.request.resultDeadline;
        _settle(_one(item));
    }

    function testDeadlineIsAfterTheRequest() public {
        Item memory item = _item(true, 0, 0);
        item.request.resultDeadline = item.request.signedAt;
        _expectSkip(item, Reasons.BAD_DEADLINE);
        ++item.request.resultDeadline;
        _settle(_one(item));
    }
}
