import type { MemoryFigures } from './memory';
import type { Failover, Pools, Restart, Single, Start } from './scenarios';

/** What one run of `npm run bench -- scale` has seen: kept in results.json, of which the page and its pictures are made. */
export interface Results {
  readonly machine: string;
  readonly memory: { readonly servers: number; readonly clients: number; readonly figures: MemoryFigures };
  readonly starts: readonly Start[];
  readonly restarts: readonly Restart[];
  readonly failovers: readonly Failover[];
  readonly singles: readonly Single[];
  readonly pools: readonly Pools[];
}
