import type { Role } from './clients';
import type { Measurement } from './order';
import type { Row } from './rows';

/** By row, then by client: one measurement per round that ended. */
export class Results {
  readonly #rows = new Map<string, Map<string, Measurement[]>>();

  add(row: string, client: string, measurement: Measurement): void {
    const ofRow = this.#rows.get(row) ?? new Map<string, Measurement[]>();
    this.#rows.set(row, ofRow);
    ofRow.set(client, [...(ofRow.get(client) ?? []), measurement]);
  }

  /** One figure in each of the rounds that ended. */
  rounds(row: string, client: string, figure: keyof Measurement): number[] {
    return (this.#rows.get(row)?.get(client) ?? []).map((measurement) => measurement[figure]);
  }

  /** The median of one figure over the rounds; undefined when no round ended. */
  median(row: string, client: string, figure: keyof Measurement): number | undefined {
    const sorted = this.rounds(row, client, figure).sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)];
  }

  /** The least CPU time among the clients of a role. */
  bestCpu(row: Row, role: Role): number | undefined {
    const figures = row.contestants
      .filter((client) => client.role === role)
      .map(({ name }) => this.median(row.name, name, 'cpu'))
      .filter((figure) => figure !== undefined);
    return figures.length === 0 ? undefined : Math.min(...figures);
  }

  toJSON(): Record<string, Record<string, Measurement[]>> {
    return Object.fromEntries([...this.#rows].map(([row, ofRow]) => [row, Object.fromEntries(ofRow)]));
  }
}
