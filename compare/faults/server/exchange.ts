import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dialect, Request } from './dialect';

/** Keys that begin so are the script's; all others are served as they should be. */
export const FAULT = 'fault';

/** A request for a key of the script's, and what the server may do about it. */
export interface Exchange {
  readonly request: Request;
  readonly dialect: Dialect;
  readonly socket: Socket;
  /** How many keys of the script's have been asked for, on all connections. */
  asked(): number;
  send(bytes: string): void;
  /** Resolves when the connection is over. */
  readonly closed: Promise<unknown>;
}

/** What is done in place of a reply. Requests after it on the same connection wait until it is over. */
export type Script = (exchange: Exchange) => Promise<unknown> | undefined;

/** Waits until `count` keys of the script's were asked for; half a timeout at most, as a client may hold some back. */
export async function untilAsked(exchange: Exchange, count: number): Promise<void> {
  for (let waited = 0; exchange.asked() < count && waited < 200; waited += 10) await sleep(10);
}
