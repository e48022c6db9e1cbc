/** `npm run bench:micro`: the parts of a call, one by one. */
import { bench, group, run } from 'mitata';
import { FrameReader } from '../src/protocol/frame';
import { encodeKey } from '../src/protocol/key';
import { replyRules } from '../src/protocol/reply';
import { RequestWriter, toBlock } from '../src/protocol/request';
import { murmur3, RendezvousHash } from '../src/hash';
import { StoreCommand } from '../src/client/commands/storage';
import { JsonSerde, TypedSerde } from '../src/serde';

const key = 'bench:key:000000001';
const value = 'v'.repeat(100);
const keyRules = { prefix: '', allowUnicode: false };

group('keys', () => {
  bench('check and encode a key', () => encodeKey(key, keyRules));
  bench('check and encode a key that is not ASCII', () => encodeKey('clé:é', { prefix: '', allowUnicode: true }));
  bench('murmur3', () => murmur3(key));
  for (const servers of [3, 16, 100]) {
    const hash = new RendezvousHash();
    for (let i = 0; i < servers; i++) hash.addNode(`10.0.0.${i}:11211`);
    bench(`owner among ${servers} servers`, () => hash.getNode(key));
  }
});

group('writing', () => {
  const request = new RequestWriter();
  const item = { block: toBlock(value), flags: 16, exptime: 0 };
  const command = new StoreCommand('set', key, key, item, false);
  bench('encode a set of 100 B', () => {
    command.write(request);
    request.drain(() => undefined);
  });
});

group('reading', () => {
  const reply = Buffer.from(`VALUE ${key} 16 100\r\n${value}\r\nEND\r\n`.repeat(100));
  let frames = 0;
  const reader = new FrameReader(replyRules(2 ** 20), () => frames++);
  bench('100 replies to get, 100 B', () => reader.push(reply, 0, reply.length));
});

group('serdes', () => {
  const typed = new TypedSerde();
  const json = new JsonSerde();
  const object = { id: 1, name: 'a name', tags: ['a', 'b'] };
  const text = Buffer.from(value);
  const stored = Buffer.from(JSON.stringify(object));
  bench('TypedSerde writes text of 100 B', () => typed.serialize(value));
  bench('TypedSerde reads text of 100 B', () => typed.deserializeInPlace(text, 0, text.length, 16));
  bench('JsonSerde writes a small object', () => json.serialize(object));
  bench('JsonSerde reads a small object', () => json.deserializeInPlace(stored, 0, stored.length, 64));
});

void run();
