// Votes as calldata, in the ABI of the two contracts that take them, and the hash that hides K3 votes
// until they are revealed. Nothing here asks anybody anything.

import { keccak_256 } from "./vendor/sha3.js";

export const word = (value) => BigInt(value).toString(16).padStart(64, "0");
const digits = (hex) => hex.slice(2);

function bytesWords(hex) {
  const raw = digits(hex);
  return word(raw.length / 2) + raw.padEnd(Math.ceil(raw.length / 64) * 64, "0");
}

function encodeBatch(ballot) {
  const fixed = [word(ballot.host), digits(ballot.root), word(ballot.approve), word(ballot.refuse), word(5 * 32)];
  return fixed.join("") + bytesWords(ballot.reasons);
}

function encodeBatches(ballots) {
  const bodies = ballots.map(encodeBatch);
  let offset = ballots.length * 32;
  const offsets = bodies.map((body) => {
    const here = word(offset);
    offset += body.length / 2;
    return here;
  });
  return word(ballots.length) + offsets.join("") + bodies.join("");
}

const encodeStep = (vote) =>
  word(vote.home) + word(vote.host) + word(vote.seq) + digits(vote.answer) + word(vote.reason);

const encodeClaims = (votes) =>
  word(votes.length) + votes.map((vote) => digits(vote.kudos) + word(vote.reason)).join("");

// vote((address,bytes32,uint128,uint128,bytes)[],((address,address,uint32),bytes32,uint8)[])
export function encodeVote(selector, ballots, steps) {
  const first = encodeBatches(ballots);
  const second = word(steps.length) + steps.map(encodeStep).join("");
  return selector + word(64) + word(64 + first.length / 2) + first + second;
}

// vote((bytes32,uint8)[])
export const encodeClaimVote = (selector, votes) => selector + word(32) + encodeClaims(votes);

// commitVotes(uint64,bytes32)
export const encodeCommit = (selector, round, commitment) => selector + word(round) + digits(commitment);

// revealVotes(address,uint64,(bytes32,uint8)[],bytes32)
export const encodeReveal = (selector, validator, sealed) =>
  selector + word(validator) + word(sealed.round) + word(4 * 32) + digits(sealed.salt) + encodeClaims(sealed.votes);

// voteCommitment(address,uint64)
export const encodeCommitment = (selector, validator, round) => selector + word(validator) + word(round);

function keccak(hex) {
  const raw = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return Array.from(keccak_256(raw), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// keccak256(abi.encode(chainId, contract, validator, round, keccak256(abi.encode(votes)), salt))
export function commitmentOf(sealed) {
  const content = keccak(word(32) + encodeClaims(sealed.votes));
  const place = [sealed.chainId, sealed.contract, sealed.validator, sealed.round].map(word).join("");
  return `0x${keccak(place + content + digits(sealed.salt))}`;
}
