/** `npm run bench -- micro`: the parts of a call, one by one. */
import { bench, do_not_optimize, group, run } from 'mitata';
import { FrameReader } from '../../src/protocol/frame';
import { encodeKey } from '../../src/protocol/key';
import { replyRules } from '../../src/protocol/reply';
import { RequestWriter, toBlock } from '../../src/protocol/request';
import { murmur3, RendezvousHash } from '../../src/hash';
import type { Command } from '../../src/client/command';
import { forValues, GetCommand, GetManyCommand } from '../../src/client/commands/retrieval';
import { StoreCommand } from '../../src/client/commands/storage';
import { CompressedSerde, JsonSerde, PythonSerde, RawSerde, StructuredSerde, TypedSerde, type Serde } from '../../src/serde';

/** A power of two, so that the next one is found by a mask. */
const KEYS = Array.from({ length: 1024 }, (_, i) => `bench:key:${String(i).padStart(9, '0')}`);
const value = 'v'.repeat(100);
const keyRules = { prefix: '', allowUnicode: false };

let turn = 0;
function nextKey(): string {
  turn = (turn + 1) & 1023;
  return KEYS[turn] ?? '';
}

function of(name: string, work: () => unknown): void {
  bench(name, () => {
    do_not_optimize(work());
  });
}

group('keys of 19 characters', () => {
  of('check and encode', () => encodeKey(nextKey(), keyRules));
  of('check and encode, not ASCII', () => encodeKey('clé:é:000000001', { prefix: '', allowUnicode: true }));
  of('murmur3', () => murmur3(nextKey()));
  for (const servers of [3, 16, 100]) {
    const hash = new RendezvousHash();
    for (let i = 0; i < servers; i++) hash.addNode(`10.0.0.${i}:11211`);
    of(`rendezvous, ${servers} servers`, () => hash.getNode(nextKey()));
  }
});

group('encode', () => {
  const request = new RequestWriter();
  const socket = Buffer.alloc(8192);
  const encode = (command: Command<unknown>): void => {
    command.write(request);
    // Writing is part of it: text that is put together is copied only then.
    request.drain((piece) => (typeof piece === 'string' ? socket.write(piece, 'latin1') : socket.set(piece)));
  };
  const [key = ''] = KEYS;
  const hundred = KEYS.slice(0, 100);
  const values = forValues(new TypedSerde());
  of('get', () => encode(new GetCommand(values, key, key)));
  of('getMany of 100', () => encode(new GetManyCommand(values, hundred, hundred)));
  for (const [size, text] of [['100 B', value], ['4 KB', value.repeat(41)]] as const) {
    const item = { block: toBlock(text), flags: 16, exptime: 0 };
    of(`set of ${size}`, () => encode(new StoreCommand('set', key, key, item, false)));
  }
});

group('read frames', () => {
  const frames = new FrameReader(replyRules(2 ** 20), do_not_optimize);
  const replies = {
    '100 hits of 100 B': `VALUE ${KEYS[0] ?? ''} 16 100\r\n${value}\r\nEND\r\n`.repeat(100),
    '100 hits of 100 B in one reply': `${KEYS.slice(0, 100).map((key) => `VALUE ${key} 16 100\r\n${value}\r\n`).join('')}END\r\n`,
    '100 misses': 'END\r\n'.repeat(100),
    '100 × STORED': 'STORED\r\n'.repeat(100),
  };
  for (const [name, reply] of Object.entries(replies)) {
    const bytes = Buffer.from(reply);
    of(name, () => frames.push(bytes, 0, bytes.length));
  }
});

group('serdes', () => {
  const object = { id: 1, name: 'a name', tags: ['a', 'b'] };
  const record = { rows: Array.from({ length: 60 }, (_, id) => ({ id, name: `a name ${id}`, visits: (id * 7919) % 977 })) };
  const both = (name: string, serde: Serde<unknown, never>, subject: unknown): void => {
    const { data, flags } = serde.serialize(subject as never, 'key');
    const bytes = Buffer.from(data as string);
    of(`${name}: write`, () => serde.serialize(subject as never, 'key'));
    of(`${name}: read`, () => serde.deserializeInPlace?.(bytes, 0, bytes.length, flags, 'key') ?? serde.deserialize(bytes, flags, 'key'));
  };
  both('RawSerde, bytes of 100 B', new RawSerde(), Buffer.from(value));
  both('TypedSerde, text of 100 B', new TypedSerde(), value);
  both('TypedSerde, a number', new TypedSerde(), 1234567);
  both('TypedSerde, a small object', new TypedSerde(), object);
  both('JsonSerde, a small object', new JsonSerde(), object);
  both('StructuredSerde, a small object', new StructuredSerde(), object);
  both('PythonSerde, a small object', new PythonSerde(), object);
  both('CompressedSerde, an object of 2.5 KB', new CompressedSerde(new TypedSerde()), record);
});

void run();
