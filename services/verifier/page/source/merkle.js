// The Merkle tree of RFC 6962: strict checks of inclusion and consistency (RFC 9162, 2.1.3 and 2.1.4).

import { concat, equal, sha256 } from "./bytes.js";
import { Invalid } from "./values.js";

export const WIDTH = 32; // bytes of a hash
const EMPTY = sha256(new Uint8Array());
const half = (value) => Math.floor(value / 2); // numbers of entries may have more than 32 bits

export const leafHash = (entry) => sha256(concat(Uint8Array.of(0), entry));
const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right));

/** Raise Invalid unless `hashes` lead from the leaf at `index` to the root of `size` leaves. */
export function verifyInclusion(leaf, index, size, hashes, root) {
  checkWidths(leaf, ...hashes, root);
  if (!(index >= 0 && index < size)) throw new Invalid(`no tree of ${size} entries has an entry ${index}`);
  let node = leaf;
  for (const [sibling, onLeft] of climb(index, size - 1, hashes)) {
    node = onLeft ? nodeHash(sibling, node) : nodeHash(node, sibling);
  }
  if (!equal(node, root)) throw new Invalid("the inclusion proof leads to another root");
}

/** Raise Invalid unless `hashes` prove that the tree of `next` entries extends that of `old` ones. */
export function verifyConsistency(old, next, hashes, oldRoot, newRoot) {
  checkWidths(...hashes, oldRoot, newRoot);
  if (!(old >= 0 && old <= next)) throw new Invalid(`a tree of ${next} entries does not extend one of ${old}`);
  if (old === 0 || old === next) {
    if (hashes.length) throw new Invalid("there is nothing to prove, and the consistency proof has hashes");
    if (old === next && !equal(oldRoot, newRoot)) throw new Invalid(`there are two roots for ${next} entries`);
    if (old === 0 && !equal(oldRoot, EMPTY)) throw new Invalid("the root of no entries is another one");
    return;
  }
  let position = old - 1, last = next - 1;
  while (position % 2) [position, last] = [half(position), half(last)];
  // An old tree that is complete is a node of the new one, and its root is not repeated in the proof.
  const path = position ? [...hashes] : [oldRoot, ...hashes];
  if (!path.length) throw new Invalid("the consistency proof is empty");
  let seenOld = path[0], seenNew = path[0];
  for (const [sibling, onLeft] of climb(position, last, path.slice(1))) {
    if (onLeft) seenOld = nodeHash(sibling, seenOld);
    seenNew = onLeft ? nodeHash(sibling, seenNew) : nodeHash(seenNew, sibling);
  }
  if (!equal(seenOld, oldRoot)) throw new Invalid("the consistency proof leads to another old root");
  if (!equal(seenNew, newRoot)) throw new Invalid("the consistency proof leads to another new root");
}

/** Yield each hash and whether it is on the left, from a node up to the root. */
function* climb(position, last, hashes) {
  for (const sibling of hashes) {
    if (last === 0) throw new Invalid("the proof has more hashes than the tree has levels");
    const onLeft = position % 2 === 1 || position === last;
    // the rightmost node of a level may have no neighbour there, nor further up
    if (onLeft) while (position && position % 2 === 0) [position, last] = [half(position), half(last)];
    yield [sibling, onLeft];
    [position, last] = [half(position), half(last)];
  }
  if (last) throw new Invalid("the proof has fewer hashes than the tree has levels");
}

function checkWidths(...hashes) {
  if (hashes.some((digest) => digest.length !== WIDTH)) throw new Invalid(`a hash of the tree has ${WIDTH} bytes`);
}
