import { connect } from 'node:net';
import type { MakeAdapter } from './adapter';

/**
 * The ceilings: a bare socket, nothing checked. `raw` counts replies and makes nothing of them; `raw+promise` makes one
 * promise per call and builds the value. Reads are `mg` and writes `ms`, the cheapest there are.
 */
function rawAdapter(buildValues: boolean): MakeAdapter {
  return (port) => {
    const waiting: ((value: unknown) => void)[] = [];
    let first = 0;
    let held: Buffer | undefined;
    let text = '';
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
      let buffer = chunk;
      let end = length;
      if (held !== undefined) {
        buffer = Buffer.concat([held, chunk.subarray(0, length)]);
        end = buffer.length;
        held = undefined;
      }
      let at = 0;
      while (at < end) {
        const lineEnd = buffer.indexOf(10, at);
        if (lineEnd < 0 || lineEnd >= end) break;
        let next = lineEnd + 1;
        let value: unknown = true;
        if (buffer[at] === 86) {
          let size = 0;
          for (let i = at + 3; (buffer[i] ?? 0) >= 48; i++) size = size * 10 + (buffer[i] ?? 0) - 48;
          next += size + 2;
          if (next > end) break;
          if (buildValues) value = buffer.toString('latin1', lineEnd + 1, next - 2);
        }
        waiting[first++]?.(value);
        at = next;
      }
      if (at < end) held = Buffer.from(buffer.subarray(at, end));
      if (first > 4096) {
        waiting.splice(0, first);
        first = 0;
      }
    }

    function request(line: string): Promise<unknown> {
      if (text === '') {
        process.nextTick(() => {
          socket.write(text, 'latin1');
          text = '';
        });
      }
      text += line;
      return new Promise((resolve) => waiting.push(resolve));
    }

    return {
      get: (key) => request(`mg ${key} f v\r\n`),
      set: (key, value) => request(`ms ${key} ${value.length} F16\r\n${value}\r\n`),
      getMany: async (keys) => {
        const values = await Promise.all(keys.map((key) => request(`mg ${key} f v\r\n`)));
        return values.length;
      },
      close: () => {
        socket.destroy();
      },
    };
  };
}

export const makeRaw = rawAdapter(false);
export const makeRawPromise = rawAdapter(true);
