/** How often something happened, by time. */
export class Series {
  /** Milliseconds of a bucket. */
  readonly width: number;
  readonly #counts: number[] = [];

  constructor(width: number) {
    this.width = width;
  }

  add(time: number): void {
    const bucket = Math.floor(time / this.width);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** The counts of the buckets from one time to another, which are multiples of the width. */
  between(from: number, to: number): number[] {
    const first = Math.round(from / this.width);
    return Array.from({ length: Math.round(to / this.width) - first }, (_, i) => this.#counts[first + i] ?? 0);
  }

  sum(from: number, to: number): number {
    return this.between(from, to).reduce((sum, count) => sum + count, 0);
  }

  /** The fullest bucket. */
  most(from: number, to: number): number {
    return Math.max(0, ...this.between(from, to));
  }
}

/** Neighbours added up, so that a picture has fewer bars. */
export function coarser(counts: readonly number[], by: number): number[] {
  return Array.from({ length: Math.ceil(counts.length / by) }, (_, i) => counts.slice(i * by, (i + 1) * by).reduce((sum, count) => sum + count, 0));
}
