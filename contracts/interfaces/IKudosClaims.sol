// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaimVotes} from "./IClaimVotes.sol";
import {IOpenPuzzles} from "./IOpenPuzzles.sol";
import {ISecondClaims} from "./ISecondClaims.sol";
import {IValidatorTests} from "./IValidatorTests.sol";

/// @title Kudos that are claimed one by one
/// @notice K3 for canaries, and K1 and K2 that are claimed again or receipted. A satellite of the ledger, which created
/// it and alone keeps the totals; the EIP-712 domain of everything signed here is the ledger's. One contract would be
/// too large, so votes and second claims run code of `decisions`, which this one created, on this one's storage.
///
/// `claim` takes claims for K3 of one host, in this packed form, all numbers big-endian:
///
///     claims  = item...
///     item    = form:1 | home:20 (not with SAME_HOME) | RESULT | place | opening | home's words (only with SIGNED)
///     form    = PUZZLE (1), PLANTED (2) or DRAWN (3), plus SAME_HOME (4): the home of the item before,
///               plus SIGNED (8): the home's signature of CANARY_OPENED rides along
///     RESULT  = processId:32 | processName:32 | seq:4 | signedAt:4 | deadlineAfter:3 | cpuSeconds:3 | memoryMiB:3
///             | outputKiB:4 | resultAfter:3
///     place   = levels:1 | index:1 (not with levels = 0) | node:32 for each bit of `levels` below its highest
///     opening = family:1  | taskDigest:32 | parameters:32 | salt:32 | sealSalt:32 | solution:32      with PUZZLE
///             = family:32 | taskDigest:32 | parameters:32 | salt:32 | sealSalt:32 | resultDigest:32  with PLANTED
///             =             taskDigest:32 | markHash:32             | sealSalt:32 | resultDigest:32  with DRAWN
///     words   = openedAt:8 | length:2 | signature:length
///
/// Nothing is carried that follows from the rest: the commitment is that of the opening, a puzzle's result digest that
/// of its solution, the seal that of digest and salt, the root that to which the path leads. What does not fit what was
/// settled therefore leads to a root that nobody settled: NOT_SETTLED.
///
/// `levels` has its highest bit at the depth of the tree, and below it a bit for each level whose sibling is carried; at
/// the others the item has the node of the item before it: neighbours share theirs. `levels` = 0 stands for a RESULT
/// that came the strict way. A PUZZLE's `family` is its number here (`family`); a PLANTED one's its name.
///
/// Who signs what: the host is the sender, or signs Claims(host, keccak256(claims)). The home needs to sign nothing:
/// it has signed the REQUEST, whose commitment opens in one way only, and its salt was nobody's but its own. So an
/// opening is not an asset: it is the content of one that is there already. CANARY_OPENED is an asset only where the
/// home has signed it (SIGNED), and then the signature is checked and recorded. Every asset in the log has one owner
/// who signed it.
///
/// A PUZZLE is checked by its family's contract, and K3 is minted at once. How hard it is, is its home's choice, and
/// has no floor: so its K3 is worth what the home's word is, like all that is planted, and readers weigh the origin.
/// PLANTED and DRAWN are voted on
/// (`IClaimVotes`). One RESULT has one K3, whatever its origin. A RESULT that was late earns K3 only after
/// `claimReceipted`. An item that does not hold changes nothing but its own `ClaimSkipped`; it can spoil no node for
/// others but one that it carries itself.
///
/// What was settled before the ledger closed can be claimed until its totals are final. After that nothing is opened or
/// minted any more: the call reverts with `Closed`.
///
/// What it costs, steady, of a batch of 128: a PUZZLE alone takes 67,600, of which 52,300 are bound: the transaction
/// (21,000), 496 bytes (8,000), the mark and the host's total (10,000), the way to the ledger and the batch's head
/// (4,700), the curve multiplication (3,000), two events (5,600). The rest is the ledger's look whether it is final
/// (2,100), hashing, reading, and the calls' forms. Eight of one home together take 21,200 each.
interface IKudosClaims is IClaimVotes, ISecondClaims, IOpenPuzzles, IValidatorTests {
    /// @notice K3 claims that hold, in order. Together with the records in the log this holds every one in full.
    /// @param claims for each: form:1 (without SAME_HOME) | home:20 | seq:4 | opening | words, as in the packed form.
    /// Those of the form PUZZLE are verified; the others are open to votes.
    event CanariesClaimed(address indexed host, bytes claims);

    /// @notice An item of `claim`, counted from 0, changed nothing.
    event ClaimSkipped(address indexed host, uint256 item, uint8 reason);

    /// @notice A family of puzzles was registered for good.
    event FamilyRegistered(uint8 indexed number, bytes32 indexed name, address implementation);

    /// @notice The claims are not in the packed form; `offset` is where reading stopped.
    error MalformedClaims(uint256 offset);
    /// @notice The claims are not signed by their host.
    error NotSignedByHost();
    /// @notice Only the ledger's queue registers families.
    error NotTheQueue();
    /// @notice There is a family of this name, the name is empty, there is no code at the address, or there are 255.
    error BadFamily();

    /// @notice Claims K3 on settled RESULTs of the sender, in the packed form above.
    function claim(bytes calldata claims) external;

    /// @notice The same for a host that signed Claims(host, keccak256(claims)), with its key or as a contract wallet.
    function claimFor(address host, bytes calldata claims, bytes calldata signature) external;

    /// @notice Registers a family under the next number. Only the ledger's queue may; none is ever replaced.
    function register(bytes32 name, address implementation) external returns (uint8 number);

    /// @notice Whether K3 was claimed on the RESULT with this sequence number.
    function canaryClaimed(address home, address host, uint32 seq) external view returns (bool);

    /// @notice A registered family, from number 1 on; zeros beyond the last.
    function family(uint8 number) external view returns (bytes32 name, address implementation);

    /// @notice How many families are registered.
    function families() external view returns (uint8);

    /// @notice A request of a period is a canary if keccak256(abi.encode(beacon, request id)), as a fraction of 2^256,
    /// lies below this many of 65,536.
    function drawRate() external view returns (uint16);

    /// @notice Where the code for votes and second claims is. Calling it there does nothing.
    function decisions() external view returns (address);

    /// @notice The ledger that this is a satellite of.
    function ledger() external view returns (address);
}
