/**
 * The states seen, exactly: each is a few numbers, packed one after the other, found again through an
 * open hash table. Also how each was first reached, and (where asked) every transition. Grows by
 * doubling; about 60 bytes a state, so that ten million fit into memory.
 */

export interface StateTable {
  /** The state's index, and whether it is new. */
  readonly add: (words: Uint32Array, parent: number, label: number) => number;
  readonly count: () => number;
  readonly read: (index: number, into: Uint32Array) => void;
  readonly parentOf: (index: number) => number;
  readonly labelOf: (index: number) => number;
}

type Words = Uint32Array<ArrayBuffer>;

const grow = (array: Words, length: number): Words => {
  if (length <= array.length) return array;
  const bigger = new Uint32Array(Math.max(length, array.length * 2));
  bigger.set(array);
  return bigger;
};

const EMPTY = 0xffff_ffff;
const FILL_MAX = 0.6;

export const createStateTable = (width: number): StateTable => {
  let words = new Uint32Array(width * 4_096);
  let parents = new Uint32Array(4_096);
  let labels = new Uint32Array(4_096);
  let slots = new Uint32Array(8_192).fill(EMPTY);
  let count = 0;

  const hash = (source: Uint32Array, from: number): number => {
    let h = 0x811c_9dc5;
    for (let i = 0; i < width; i += 1) {
      h = Math.imul(h ^ (source[from + i] ?? 0), 0x9e37_79b1);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0x85eb_ca6b);
    return (h ^ (h >>> 13)) >>> 0;
  };
  const isAt = (index: number, state: Uint32Array): boolean => {
    const from = index * width;
    for (let i = 0; i < width; i += 1) if (words[from + i] !== state[i]) return false;
    return true;
  };
  const rehash = (): void => {
    slots = new Uint32Array(slots.length * 2).fill(EMPTY);
    for (let index = 0; index < count; index += 1) {
      let slot = hash(words, index * width) & (slots.length - 1);
      while (slots[slot] !== EMPTY) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = index;
    }
  };
  return {
    add: (state, parent, label) => {
      let slot = hash(state, 0) & (slots.length - 1);
      for (let at = slots[slot] ?? EMPTY; at !== EMPTY; at = slots[slot] ?? EMPTY) {
        if (isAt(at, state)) return at;
        slot = (slot + 1) & (slots.length - 1);
      }
      const index = count;
      count += 1;
      words = grow(words, count * width);
      parents = grow(parents, count);
      labels = grow(labels, count);
      words.set(state, index * width);
      parents[index] = parent;
      labels[index] = label;
      slots[slot] = index;
      if (count > slots.length * FILL_MAX) rehash();
      return index;
    },
    count: () => count,
    read: (index, into) => into.set(words.subarray(index * width, (index + 1) * width)),
    parentOf: (index) => parents[index] ?? 0,
    labelOf: (index) => labels[index] ?? 0,
  };
};

/** Transitions by their source, in the order in which sources are expanded. */
export interface EdgeList {
  readonly push: (target: number) => void;
  readonly endSource: () => void;
  readonly count: () => number;
  /** Of each state, whether one of the goals can be reached from it. */
  readonly canReach: (isGoal: (index: number) => boolean, states: number) => Uint8Array;
}

export const createEdgeList = (): EdgeList => {
  let targets = new Uint32Array(16_384);
  let ends = new Uint32Array(4_096);
  let sources = 0;
  let count = 0;
  return {
    push: (target) => {
      targets = grow(targets, count + 1);
      targets[count] = target;
      count += 1;
    },
    endSource: () => {
      ends = grow(ends, sources + 1);
      ends[sources] = count;
      sources += 1;
    },
    count: () => count,
    canReach: (isGoal, states) => {
      const reached = new Uint8Array(states);
      for (let i = 0; i < states; i += 1) if (isGoal(i)) reached[i] = 1;
      // A state that was never expanded (the bound) could still go anywhere.
      for (let i = sources; i < states; i += 1) reached[i] = 1;
      for (let isMoving = true; isMoving; ) {
        isMoving = false;
        for (let source = sources - 1; source >= 0; source -= 1) {
          if (reached[source] === 1) continue;
          const end = ends[source] ?? 0;
          for (let e = source === 0 ? 0 : (ends[source - 1] ?? 0); e < end; e += 1) {
            if (reached[targets[e] ?? 0] !== 1) continue;
            reached[source] = 1;
            isMoving = true;
            break;
          }
        }
      }
      return reached;
    },
  };
};
