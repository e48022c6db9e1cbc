import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startEmbedded, startReal, type TestServer } from '../support/servers';
import { describeWithMemcached } from '../support/describe';

const FOLDER = join(__dirname, 'transcripts');
/** Sent last: a connection that is still in step answers it with this version, twice. */
const END = 'version\r\n';

/** A line of a request script, and the first memcached whose answer to it is today's. */
interface Request {
  readonly line: string;
  readonly since: string;
}

/** Lines that begin with `> `, or with `>1.6.40 ` for what older servers answer differently; `\r\n` and `\0` stand for those bytes. */
function requests(file: string): Request[] {
  const lines = readFileSync(join(FOLDER, file), 'latin1').split('\n');
  return lines.flatMap((text) => {
    const [, since = '', line = ''] = /^>([\d.]*) (.*)$/s.exec(text) ?? [];
    return text.startsWith('>') ? [{ line: line.replaceAll('\\r\\n', '\r\n').replaceAll('\\0', '\0'), since }] : [];
  });
}

function bytes(script: readonly Request[]): string {
  return script.map(({ line }) => `${line}\r\n`).join('');
}

/** Whether a server of this version answers as today. */
function answersAlike({ since }: Request, version: readonly number[]): boolean {
  for (const [index, part] of since.split('.').map(Number).entries()) {
    const own = version[index] ?? 0;
    if (own !== part) return own > part;
  }
  return true;
}

/** What a fresh server answers to all of it, sent at once. */
async function replay(start: () => Promise<TestServer>, script: string): Promise<string> {
  const server = await start();
  const [host, port] = server.address.split(':');
  const socket = connect({ host, port: Number(port) });
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => (answer += String(text)));
  const over = new Promise<void>((resolve) => {
    socket.on('close', resolve).on('data', () => {
      if (/(?:VERSION \S+\r\n){2}$/.test(answer)) socket.end();
    });
  });
  await once(socket, 'connect');
  socket.write(script + END + END, 'latin1');
  await over;
  await server.stop();
  return answer;
}

/**
 * Numbers that differ from server to server: those of the process, of time, and of memory. Of cas numbers it counts
 * which are the same, as older servers begin at 1.
 */
function mask(answer: string): string {
  const seen = new Map<string, number>();
  const cas = (number: string): string => {
    if (!seen.has(number)) seen.set(number, seen.size + 1);
    return `#${seen.get(number) ?? 0}`;
  };
  return answer
    .replace(/^VERSION .*$/gm, 'VERSION *')
    .replace(/^STAT (\S+) .*\r$/gm, 'STAT $1 *\r')
    .replace(/^(VALUE \S+ \d+ \d+) (\d+)/gm, (_, head: string, number: string) => `${head} ${cas(number)}`)
    .replace(/^(?:HD|VA|NS|EX|NF) .*$/gm, (line) => line.replace(/ c(\d+)/, (_, number: string) => ` c${number === '0' ? 0 : cas(number)}`))
    .replace(/ la=\d+ /g, ' la=* ')
    .replace(/ t(\d*9|\d*[1-9]0)\b/g, ' t*');
}

const files = readdirSync(FOLDER);

describeWithMemcached('a script of requests is answered byte for byte as by memcached', () => {
  let version: readonly number[] = [];

  beforeAll(async () => {
    const [, text = ''] = /VERSION (\S+)/.exec(await replay(startReal, '')) ?? [];
    version = text.split('.').map(Number);
  });

  it.each(files)('%s', async (file) => {
    const all = requests(file);
    const comparable = all.filter((request) => answersAlike(request, version));
    if (comparable.length < all.length) {
      console.log(`${file}: ${all.length - comparable.length} of ${all.length} lines are answered differently by memcached ${version.join('.')}`);
    }
    const script = bytes(comparable);
    const [ours, theirs] = await Promise.all([replay(startEmbedded, script), replay(startReal, script)]);
    expect(mask(ours).split('\r\n')).toEqual(mask(theirs).split('\r\n'));
    // The script was answered at all.
    if (comparable.length > 10) expect(theirs.split('\r\n').length).toBeGreaterThan(10);
  });

  // Which no other command may precede in a packet.
  it.each(['metadump all', 'metadump 2', 'mgdump hash', 'mgdump 2'])('lru_crawler %s', async (what) => {
    const list = async (start: () => Promise<TestServer>): Promise<string> => {
      const server = await start();
      const [host, port] = server.address.split(':');
      const socket = connect({ host, port: Number(port) }).setEncoding('latin1');
      let answer = '';
      socket.on('data', (text) => (answer += String(text)));
      socket.write('set k 0 0 1\r\nx\r\n');
      while (!answer.endsWith('STORED\r\n')) await once(socket, 'data');
      socket.write(`lru_crawler ${what}\r\n`);
      while (!/\n(?:END?|ERROR)\r\n$/.test(answer)) await once(socket, 'data');
      socket.destroy();
      await server.stop();
      return mask(answer);
    };
    if (answersAlike({ line: what, since: '1.6.43' }, version)) expect(await list(startEmbedded)).toBe(await list(startReal));
    else console.log(`memcached ${version.join('.')} lists keys differently`);
  });
});

it('an answer in pieces is the answer in one', async () => {
  const script = bytes(requests('storage.txt'));
  const whole = await replay(startEmbedded, script);
  const server = await startEmbedded();
  const [host, port] = server.address.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => (answer += String(text)));
  await once(socket, 'connect');
  for (const byte of script + END + END) {
    await new Promise<void>((resolve) => socket.write(byte, 'latin1', () => { resolve(); }));
  }
  while (!/(?:VERSION \S+\r\n){2}$/.test(answer)) await once(socket, 'data');
  socket.destroy();
  await server.stop();
  expect(answer).toBe(whole);
});
