/** How long things took, in a histogram of milliseconds. */

/** Sixteen buckets to each doubling: a bucket's middle is at most 1/32 of it away from what it holds. */
const PER_OCTAVE = 16;
/** 2^-10 ms, about a microsecond, and 2^22 ms, more than an hour. Shorter or longer times go into the first or last bucket. */
const FIRST_OCTAVE = -10;
const OCTAVES = 32;
const BUCKETS = OCTAVES * PER_OCTAVE;

/** How long replies took, from the write of the call to its reply. Times are in milliseconds. */
export interface Latency {
  /** Calls that were answered. Gets that shared a line count singly, a call for many keys once per server. */
  readonly count: number;
  /** All their times together. */
  readonly sum: number;
  /** Half of the calls took no longer. This and the following are off by at most 5 %; 0 without a call. */
  readonly p50: number;
  /** Nine of ten calls took no longer. */
  readonly p90: number;
  /** 99 of 100 calls took no longer. */
  readonly p99: number;
  /** 999 of 1000 calls took no longer. */
  readonly p999: number;
  /** The exact maximum. */
  readonly max: number;
  /** `[upper bound, calls]`, in rising order, those without calls left out; a time equal to a bound is in the next bucket. */
  readonly buckets: readonly (readonly [upTo: number, calls: number])[];
}

/** A log-linear histogram of milliseconds. */
export class Histogram {
  /** 4 KiB, allocated with the first time. */
  #buckets: Float64Array | undefined;
  #count = 0;
  #sum = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds `count` calls that took `time`: none, where a clock that a test drives has gone back. */
  add(time: number, count: number): void {
    const buckets = (this.#buckets ??= new Float64Array(BUCKETS));
    const index = bucketOf(time);
    buckets[index] = (buckets[index] ?? 0) + count;
    this.#count += count;
    if (time > 0) this.#sum += time * count;
    if (time > this.#max) this.#max = time;
  }

  snapshot(): Latency {
    const buckets: [number, number][] = [];
    this.#buckets?.forEach((count, index) => {
      if (count > 0) buckets.push([lowerBound(index + 1), count]);
    });
    return latencyOf(buckets, this.#count, this.#sum, this.#max);
  }
}

/** The logarithm gives the octave; within an octave buckets are equally wide. */
function bucketOf(time: number): number {
  if (!(time > 0)) return 0;
  const octave = Math.floor(Math.log2(time));
  const within = Math.floor((time / 2 ** octave - 1) * PER_OCTAVE);
  return Math.min(Math.max((octave - FIRST_OCTAVE) * PER_OCTAVE + within, 0), BUCKETS - 1);
}

function lowerBound(index: number): number {
  return 2 ** (FIRST_OCTAVE + Math.floor(index / PER_OCTAVE)) * (1 + (index % PER_OCTAVE) / PER_OCTAVE);
}

function latencyOf(buckets: readonly (readonly [number, number])[], count: number, sum: number, max: number): Latency {
  const quantile = (share: number): number => {
    let rest = Math.max(1, Math.ceil(share * count));
    for (const [upTo, calls] of buckets) {
      rest -= calls;
      if (rest <= 0) return Math.min(max, middleBelow(upTo));
    }
    return max;
  };
  return { count, sum, p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), p999: quantile(0.999), max, buckets };
}

/** The middle of the bucket that ends at `upTo`. */
function middleBelow(upTo: number): number {
  const octave = Math.ceil(Math.log2(upTo)) - 1;
  return upTo - 2 ** octave / PER_OCTAVE / 2;
}

/** Adds up two of one kind. */
export function addLatencies(a: Latency, b: Latency): Latency {
  const buckets = new Map(a.buckets);
  for (const [upTo, calls] of b.buckets) buckets.set(upTo, (buckets.get(upTo) ?? 0) + calls);
  const inOrder = [...buckets].sort(([one], [other]) => one - other);
  return latencyOf(inOrder, a.count + b.count, a.sum + b.sum, Math.max(a.max, b.max));
}
