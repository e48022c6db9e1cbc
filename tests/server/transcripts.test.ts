import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startEmbedded, startReal, type TestServer } from '../support/servers';
import { describeWithMemcached } from '../support/describe';

const FOLDER = join(__dirname, 'transcripts');
/** Sent last: a connection that is still in step answers with this version of nothing. */
const END = 'mn\r\n';

/** The bytes of a request script: lines that begin with `> `, with `\r\n` for a line end inside of one. */
function requests(file: string): string {
  const lines = readFileSync(join(FOLDER, file), 'latin1').split('\n');
  return lines
    .filter((line) => line.startsWith('>'))
    .map((line) => `${line.slice(2).replaceAll('\\r\\n', '\r\n')}\r\n`)
    .join('');
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
      if (answer.endsWith('MN\r\nMN\r\n')) socket.end();
    });
  });
  await once(socket, 'connect');
  socket.write(script + END + END, 'latin1');
  await over;
  await server.stop();
  return answer;
}

/** Numbers that differ from server to server: those of the process, of time, and of memory. */
function mask(answer: string): string {
  return answer
    .replace(/^VERSION .*$/m, 'VERSION *')
    .replace(/^STAT (\S+) .*\r$/gm, 'STAT $1 *\r')
    .replace(/ la=\d+ /g, ' la=* ')
    .replace(/ t(29|30)\b/g, ' t*');
}

const files = readdirSync(FOLDER);

describeWithMemcached('a script of requests is answered byte for byte as by memcached', () => {
  it.each(files)('%s', async (file) => {
    const script = requests(file);
    const [ours, theirs] = await Promise.all([replay(startEmbedded, script), replay(startReal, script)]);
    expect(mask(ours).split('\r\n')).toEqual(mask(theirs).split('\r\n'));
    // The script was answered at all.
    expect(theirs.split('\r\n').length).toBeGreaterThan(10);
  });
});

it('an answer in pieces is the answer in one', async () => {
  const script = requests('storage.txt');
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
  while (!answer.endsWith('MN\r\nMN\r\n')) await once(socket, 'data');
  socket.destroy();
  await server.stop();
  expect(answer).toBe(whole);
});
