// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClaimStore} from "./ClaimStore.sol";
import {Dlog} from "./families/Dlog.sol";
import {Factor} from "./families/Factor.sol";
import {Preimage} from "./families/Preimage.sol";
import {ICanaryFamily} from "./interfaces/ICanaryFamily.sol";
import {IKudosClaims} from "./interfaces/IKudosClaims.sol";
import {IKudosLedger} from "./interfaces/IKudosLedger.sol";
import {Puzzles} from "./libraries/Puzzles.sol";

/// @title The families of puzzles whose answers are checked on chain
/// @notice The first three are built in; their contracts, which this one creates, have the same code for everybody.
abstract contract Families is ClaimStore, IKudosClaims {
    struct Family {
        bytes32 name;
        address implementation;
    }

    uint256 private constant DLOG = 1;
    uint256 private constant FACTOR = 2;
    uint256 private constant PREIMAGE = 3;
    uint256 private constant MAX_FAMILIES = 255;

    /// @dev What a family may use, so that one in a list of claims cannot burn the gas of the claims behind it.
    uint256 private constant FAMILY_GAS = 400_000;
    /// @dev So much must be left for the family to get that: a call leaves a 64th behind (EIP-150), and has its price.
    uint256 private constant GAS_BEFORE_FAMILY = FAMILY_GAS + FAMILY_GAS / 63 + 3_000;

    /// @dev Number n stands at n - 1.
    Family[] private _families;
    mapping(bytes32 name => bool) private _taken;

    constructor() {
        _register(Puzzles.DLOG, address(new Dlog()));
        _register(Puzzles.FACTOR, address(new Factor()));
        _register(Puzzles.PREIMAGE, address(new Preimage()));
    }

    /// @inheritdoc IKudosClaims
    function register(bytes32 name, address implementation) external override returns (uint8 number) {
        (address queue,,) = LEDGER.satellites();
        if (msg.sender != queue) revert NotTheQueue();
        return _register(name, implementation);
    }

    /// @inheritdoc IKudosClaims
    function family(uint8 number) external view override returns (bytes32 name, address implementation) {
        if (number == 0 || number > _families.length) return (bytes32(0), address(0));
        Family memory found = _families[number - 1];
        return (found.name, found.implementation);
    }

    /// @inheritdoc IKudosClaims
    function families() external view override returns (uint8) {
        return uint8(_families.length);
    }

    /// @dev The name that marks are made with; zero where there is no such family.
    function _familyName(uint256 number) internal view returns (bytes32) {
        if (number == DLOG) return Puzzles.DLOG;
        if (number == FACTOR) return Puzzles.FACTOR;
        if (number == PREIMAGE) return Puzzles.PREIMAGE;
        return number == 0 || number > _families.length ? bytes32(0) : _families[number - 1].name;
    }

    /// @dev Whether the family, which must be there, takes the solution.
    function _isSolved(uint256 number, bytes32 parameters, bytes32 solution) internal view returns (bool) {
        if (number == DLOG) return Puzzles.dlog(parameters, uint256(solution));
        if (number == FACTOR) return Puzzles.factor(parameters, uint256(solution));
        if (number == PREIMAGE) return Puzzles.preimage(parameters, solution);
        return _ask(_families[number - 1].implementation, parameters, solution);
    }

    function _ask(address implementation, bytes32 parameters, bytes32 solution) private view returns (bool solved) {
        bytes memory question = abi.encodeCall(ICanaryFamily.verify, (parameters, abi.encode(solution)));
        // The answer must not depend on how little gas the sender gives.
        if (gasleft() < GAS_BEFORE_FAMILY) revert IKudosLedger.NotEnoughGas(GAS_BEFORE_FAMILY);
        uint256 gasForFamily = FAMILY_GAS;
        // Assembly, because Solidity would revert with a family that reverts, and copy whatever it answers. A static
        // call: a family can look, but change nothing. Memory-safe: writes the scratch space's first word only.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0, 0)
            solved := staticcall(gasForFamily, implementation, add(question, 0x20), mload(question), 0, 0x20)
            solved := and(solved, and(gt(returndatasize(), 0x1f), eq(mload(0), 1)))
        }
    }

    function _register(bytes32 name, address implementation) private returns (uint8 number) {
        bool full = _families.length == MAX_FAMILIES;
        if (name == 0 || _taken[name] || full || implementation.code.length == 0) revert BadFamily();
        _taken[name] = true;
        _families.push(Family({name: name, implementation: implementation}));
        number = uint8(_families.length);
        emit FamilyRegistered(number, name, implementation);
    }
}
