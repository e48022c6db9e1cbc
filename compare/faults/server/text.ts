import { ServerContext, Session } from '../../../src/server';
import { storedValue, type Dialect, type Request } from './dialect';

const STORAGE = new Set(['set', 'add', 'replace', 'append', 'prepend', 'cas']);

/** The text protocol; what no script wants is answered by a session of the embedded server. */
export function textDialect(context: ServerContext, write: (bytes: Buffer) => void): Dialect {
  const session = new Session(context, {
    write: (data) => { write(typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data)); },
    end: () => undefined,
  });
  const hit = (key: string, value: string, length = String(value.length)): string => `VALUE ${key} 0 ${length}\r\n${value}\r\nEND\r\n`;
  return {
    take(received) {
      const lineEnd = received.indexOf('\r\n');
      if (lineEnd < 0) return undefined;
      const [verb = '', ...words] = received.slice(0, lineEnd).split(' ');
      const block = STORAGE.has(verb) ? Number(words[3]) + 2 : 0;
      const bytes = received.slice(0, lineEnd + 2 + block);
      if (bytes.length < lineEnd + 2 + block) return undefined;
      return { verb, keys: verb === 'get' || verb === 'gets' ? words : words.slice(0, 1), bytes };
    },
    serve({ bytes }: Request) {
      const buffer = Buffer.from(bytes, 'latin1');
      session.push(buffer, 0, buffer.length);
    },
    hit: ({ keys: [key = ''] }, value) => hit(key, value),
    hitOfLength: ({ keys: [key = ''] }, value, length) => hit(key, value, length),
    stray: hit,
    failure: (_request, message) => `SERVER_ERROR ${message}\r\n`,
  };
}

/** The commands that store each key's value. */
export function storeCommands(keys: readonly string[]): string {
  return keys.map((key) => `set ${key} 0 0 ${storedValue(key).length} noreply\r\n${storedValue(key)}\r\n`).join('');
}
