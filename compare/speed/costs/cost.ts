/** One figure that users of the package feel. */
export interface Cost {
  readonly section: 'import' | 'package' | 'memory' | 'garbage' | 'growth';
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The most it shall be. */
  readonly atMost?: number | undefined;
}

export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}
