/** The least that all clients have in common. What a client returns is checked once, before it is measured. */
export interface Adapter {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  /** The values found, as many as there are. */
  getMany(keys: string[]): Promise<number>;
  /** The best way the client has to write several; without one, calls side by side. */
  setMany?(keys: string[], value: unknown): Promise<unknown>;
  deleteMany?(keys: string[]): Promise<unknown>;
  close(): Promise<void> | void;
}

/** Where a client is to work. */
export interface Site {
  /** The ports of the servers, on 127.0.0.1; clients of one server take the first. */
  readonly ports: readonly number[];
  /** The folder of the build that is measured as ours. */
  readonly build: string;
}

export type MakeAdapter = (site: Site) => Promise<Adapter> | Adapter;

export function addressesOf({ ports }: Site): string[] {
  return ports.map((port) => `127.0.0.1:${port}`);
}
