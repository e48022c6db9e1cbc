import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * How a proxy answers for a key whose server is dead, in a line with others: memcached's in the key's place, and `END` still
 * follows; twemproxy once for the whole line, and then it closes.
 */
export type ProxyKind = 'memcached' | 'twemproxy';

/** A proxy over servers that are only imagined: which keys are on a dead one is the test's choice. */
export class FakeProxy {
  readonly #server: Server;
  readonly #kind: ProxyKind;
  readonly #items = new Map<string, { flags: string; value: string; cas: number }>();
  /** Who is connected, and what was received and is not answered yet. */
  readonly #sockets = new Map<Socket, string>();
  #cas = 1;
  /** How many more requests are answered for now. */
  #allowed = Infinity;
  /** Keys whose server is dead. */
  isDead: (key: string) => boolean = () => false;
  /** The lines that came, without blocks. */
  readonly lines: string[] = [];
  connections = 0;

  static async start(kind: ProxyKind): Promise<FakeProxy> {
    const server = createServer({ noDelay: true });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new FakeProxy(server, kind);
  }

  private constructor(server: Server, kind: ProxyKind) {
    this.#server = server;
    this.#kind = kind;
    server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.set(socket, '');
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.setEncoding('latin1').on('data', (text) => {
        this.#sockets.set(socket, (this.#sockets.get(socket) ?? '') + String(text));
        this.#answerAll(socket);
      });
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Answers this many requests, those first that have come already; all others wait. */
  allow(requests: number): void {
    this.#allowed = requests;
    for (const socket of this.#sockets.keys()) this.#answerAll(socket);
  }

  /** Answers every whole request. */
  #answerAll(socket: Socket): void {
    for (;;) {
      const input = this.#sockets.get(socket) ?? '';
      const end = input.indexOf('\r\n');
      if (end < 0 || socket.writableEnded || this.#allowed === 0) return;
      const words = input.slice(0, end).split(' ');
      const isStorage = /^(?:set|add|replace|append|prepend|cas)$/.test(words[0] ?? '');
      const size = isStorage ? Number(words[4]) : -2;
      if (input.length < end + 2 + size + 2) return;
      const block = input.slice(end + 2, end + 2 + Math.max(0, size));
      this.#allowed--;
      this.lines.push(input.slice(0, end));
      this.#sockets.set(socket, input.slice(end + 2 + size + 2));
      const answer = this.#answer(words, block);
      if (words.at(-1) === 'noreply' && words.length > 2) continue;
      socket.write(answer ?? '', 'latin1');
      if (answer === undefined || (this.#kind === 'twemproxy' && words.length > 2 && /^gets? /.test(words.join(' ')) && answer.startsWith('SERVER_ERROR'))) socket.end();
    }
  }

  /** Undefined for what a proxy does not know: it closes without a word. */
  #answer(words: readonly string[], block: string): string | undefined {
    const [verb, key = '', ...rest] = words;
    if (verb === 'version') return 'VERSION 1.6.45\r\n';
    if (verb === 'get' || verb === 'gets') return this.#get(words.slice(1), verb === 'gets');
    if (this.isDead(key)) return 'SERVER_ERROR backend failure\r\n';
    const item = this.#items.get(key);
    switch (verb) {
      case 'set':
        this.#items.set(key, { flags: rest[0] ?? '', value: block, cas: this.#cas++ });
        return 'STORED\r\n';
      case 'delete':
        return this.#items.delete(key) ? 'DELETED\r\n' : 'NOT_FOUND\r\n';
      case 'incr':
        if (item === undefined) return 'NOT_FOUND\r\n';
        item.value = String(Number(item.value) + Number(rest[0]));
        return `${item.value}\r\n`;
      case 'touch':
        return item === undefined ? 'NOT_FOUND\r\n' : 'TOUCHED\r\n';
      default:
        return undefined;
    }
  }

  #get(keys: readonly string[], withCas: boolean): string {
    const failed = 'SERVER_ERROR backend failure\r\n';
    if (this.#kind === 'twemproxy' && keys.some((key) => this.isDead(key))) return failed;
    if (keys.length === 1 && this.isDead(keys[0] ?? '')) return failed;
    let answer = '';
    // Each key is answered once, however often it is asked for.
    for (const key of new Set(keys)) {
      const item = this.#items.get(key);
      if (this.isDead(key)) answer += failed;
      else if (item !== undefined) answer += `VALUE ${key} ${item.flags} ${item.value.length}${withCas ? ` ${item.cas}` : ''}\r\n${item.value}\r\n`;
    }
    return `${answer}END\r\n`;
  }
}
