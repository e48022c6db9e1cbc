/** The least that all clients have in common. Values are text; what a client returns is checked once, before it is measured. */
export interface Adapter {
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
  /** The values found, as many as there are. */
  getMany(keys: string[]): Promise<number>;
  close(): Promise<void> | void;
}

/** Makes a client of the server at 127.0.0.1:`port`. */
export type MakeAdapter = (port: number) => Promise<Adapter> | Adapter;
