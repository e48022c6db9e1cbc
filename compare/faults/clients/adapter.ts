/** The options that every client of the table is given, in the form it has for them; all else is its default. */
export const TIMEOUT = 400;
/** So that it is the server that refuses a value of 2 MB. */
export const MAX_VALUE_SIZE = 4 * 2 ** 20;

/** What a fault is played through. A miss is undefined or null; whatever else comes is what the client delivered. */
export interface Adapter {
  get(key: string): Promise<unknown>;
  /** With `seconds` to live; 0 is for ever. */
  set(key: string, value: string, seconds: number): Promise<unknown>;
  /** A set without a reply; absent in clients that have none. */
  setNoreply?(key: string, value: string): unknown;
  close(): unknown;
}

/** Which protocol a client speaks. A fault is applied in the form it has there. */
export type Protocol = 'text' | 'binary';

export interface Contestant {
  /** The name of the package. */
  readonly name: string;
  readonly protocol: Protocol;
  /** Whether its adapters have `setNoreply`. */
  readonly hasNoreply?: true;
  /** Makes a client of the server at 127.0.0.1:`port`. */
  readonly make: (port: number) => Promise<Adapter> | Adapter;
}
