import { connect } from 'node:net';
import type { Adapter, MakeAdapter } from './adapter';

const LINE_FEED = 10;
const E = 0x45;
const L = 0x4c;
const V = 0x56;
const ZERO = 0x30;
/** Values from this length on are written by themselves. */
const LARGE = 8192;

/** The number that begins at `at`. */
function numberAt(buffer: Buffer, at: number): number {
  let number = 0;
  for (let i = at; (buffer[i] ?? 0) >= ZERO; i++) number = number * 10 + (buffer[i] ?? 0) - ZERO;
  return number;
}

/** The size in a classic `VALUE key flags size` that ends before `lineEnd`. */
function lastNumber(buffer: Buffer, lineEnd: number): number {
  return numberAt(buffer, buffer.lastIndexOf(0x20, lineEnd) + 1);
}

const settled = (): void => undefined;

/** One bare socket. Replies to `mg` and `ms` settle a promise each, a classic multi-get settles one with its values. */
function rawConnection(port: number, buildValues: boolean): Adapter {
  const waiting: ((value: unknown) => void)[] = [];
  let first = 0;
  /** The beginning of a reply that goes on in the next chunk, and how long it is as far as that is known. */
  let held: Buffer | undefined;
  let heldLength = 0;
  let text = '';
  let pieces: string[] = [];
  let gathered: unknown[] = [];
  const socket = connect({
    host: '127.0.0.1',
    port,
    onread: {
      buffer: Buffer.allocUnsafeSlow(256 * 1024),
      callback: (length, buffer) => {
        read(buffer as Buffer, length);
        return true;
      },
    },
  });
  socket.setNoDelay(true);

  function read(chunk: Buffer, length: number): void {
    let from = 0;
    if (held !== undefined) {
      from = Math.min(length, held.length - heldLength);
      chunk.copy(held, heldLength, 0, from);
      heldLength += from;
      if (heldLength < held.length) return;
      const whole = held;
      held = undefined;
      parse(whole, 0, whole.length);
    }
    if (from < length) parse(chunk, from, length);
    if (first > 4096) {
      waiting.splice(0, first);
      first = 0;
    }
  }

  /** Keeps what is incomplete in a buffer of exactly the length it will have, so that nothing is copied twice. */
  function hold(buffer: Buffer, at: number, end: number, needed: number): void {
    held = Buffer.allocUnsafeSlow(needed);
    heldLength = buffer.copy(held, 0, at, end);
  }

  function parse(buffer: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const lineEnd = buffer.indexOf(LINE_FEED, at);
      // A line is completed byte by byte: it seldom is cut.
      if (lineEnd < 0 || lineEnd >= end) {
        hold(buffer, at, end, end - at + 1);
        return;
      }
      let next = lineEnd + 1;
      let value: unknown = true;
      const classic = buffer[at + 2] === L;
      if (buffer[at] === V) {
        next += (classic ? lastNumber(buffer, lineEnd) : numberAt(buffer, at + 3)) + 2;
        if (next > end) {
          hold(buffer, at, end, next - at);
          return;
        }
        if (buildValues) value = buffer.toString('latin1', lineEnd + 1, next - 2);
      } else if (buffer[at] === E && lineEnd - at === 4) {
        // END: of a classic multi-get
        value = gathered;
        gathered = [];
      }
      if (classic) gathered.push(value);
      else {
        waiting[first]?.(value);
        // Else it would keep the value alive.
        waiting[first++] = settled;
      }
      at = next;
    }
  }

  function flush(): void {
    pieces.push(text);
    text = '';
    if (pieces.length > 1) socket.cork();
    for (const piece of pieces) socket.write(piece, 'latin1');
    if (pieces.length > 1) socket.uncork();
    pieces = [];
  }

  function request(lines: string, block = ''): Promise<unknown> {
    if (text === '') process.nextTick(flush);
    text += lines;
    if (block.length > LARGE) {
      // Not copied into one text with its neighbours.
      pieces.push(text, block);
      text = '\r\n';
    } else if (block !== '') text += block + '\r\n';
    return new Promise((resolve) => waiting.push(resolve));
  }

  return {
    get: (key) => request(`mg ${key} f v\r\n`),
    set: (key, value) => request(`ms ${key} ${String(value).length} F16\r\n`, String(value)),
    delete: (key) => request(`md ${key}\r\n`),
    getMany: async (keys) => ((await request(`get ${keys.join(' ')}\r\n`)) as unknown[]).length,
    close: () => {
      socket.destroy();
    },
  };
}

/** Several bare sockets; the last two characters of a key, which are digits, choose. */
function rawCluster(connections: readonly Adapter[]): Adapter {
  const indexOf = (key: string): number => (key.charCodeAt(key.length - 1) + 10 * key.charCodeAt(key.length - 2)) % connections.length;
  const ownerOf = (key: string): Adapter => connections[indexOf(key)]!;
  return {
    get: (key) => ownerOf(key).get(key),
    set: (key, value) => ownerOf(key).set(key, value),
    delete: (key) => ownerOf(key).delete(key),
    getMany: async (keys) => {
      const shares = connections.map((): string[] => []);
      for (const key of keys) shares[indexOf(key)]?.push(key);
      const counts = await Promise.all(connections.map((connection, i) => connection.getMany(shares[i] ?? [])));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    close: () => {
      for (const connection of connections) void connection.close();
    },
  };
}

/**
 * The ceilings: bare sockets, nothing checked. `raw` counts replies and makes nothing of them; `raw+promise` builds the
 * values. Single reads are `mg` and writes `ms`, the cheapest there are; many keys go into one classic `get`.
 */
function rawAdapter(buildValues: boolean): MakeAdapter {
  return ({ ports }) => {
    const connections = ports.map((port) => rawConnection(port, buildValues));
    const [only] = connections;
    return only !== undefined && connections.length === 1 ? only : rawCluster(connections);
  };
}

export const makeRaw = rawAdapter(false);
export const makeRawPromise = rawAdapter(true);
