import { storedValue, type Dialect } from './dialect';

const VERBS = new Map([
  [0x00, 'get'],
  [0x01, 'set'],
]);
const HEADER = 24;
const STATUS = { ok: 0x00, missing: 0x01, unknown: 0x81, internal: 0x84 };
/** The largest length that a signed field of 32 bits holds. */
const LARGEST = 2 ** 31 - 1;
/** An opaque that no client comes to. */
const FOREIGN_OPAQUE = 0xdeadbeef;

/** The bytes of one response; `bodyLength` is what the header claims. */
function response(opcode: number, status: number, opaque: number, extras: string, body: string, bodyLength = extras.length + body.length): string {
  const header = Buffer.alloc(HEADER);
  header[0] = 0x81;
  header[1] = opcode;
  header[4] = extras.length;
  header.writeUInt16BE(status, 6);
  header.writeUInt32BE(bodyLength, 8);
  header.writeUInt32BE(opaque, 12);
  return header.toString('latin1') + extras + body;
}

const NO_FLAGS = '\0\0\0\0';

function opaqueOf(received: string): number {
  return Buffer.from(received.slice(0, HEADER), 'latin1').readUInt32BE(12);
}

/** The binary protocol, as far as a get and a set need it. */
export function binaryDialect(stored: ReadonlySet<string>, write: (bytes: Buffer) => void): Dialect {
  return {
    take(received) {
      if (received.length < HEADER) return undefined;
      const header = Buffer.from(received.slice(0, HEADER), 'latin1');
      const bytes = received.slice(0, HEADER + header.readUInt32BE(8));
      if (bytes.length < HEADER + header.readUInt32BE(8)) return undefined;
      const key = bytes.slice(HEADER + header.readUInt8(4)).slice(0, header.readUInt16BE(2));
      return { verb: VERBS.get(header.readUInt8(1)) ?? 'other', keys: [key], bytes };
    },
    serve({ verb, keys: [key = ''], bytes }) {
      const opcode = bytes.charCodeAt(1);
      const opaque = opaqueOf(bytes);
      const reply = (): string => {
        if (verb === 'set') return response(opcode, STATUS.ok, opaque, '', '');
        if (verb !== 'get') return response(opcode, STATUS.unknown, opaque, '', 'Unknown command');
        if (!stored.has(key)) return response(opcode, STATUS.missing, opaque, '', 'Not found');
        return response(opcode, STATUS.ok, opaque, NO_FLAGS, storedValue(key));
      };
      write(Buffer.from(reply(), 'latin1'));
    },
    hit: ({ bytes }, value) => response(0x00, STATUS.ok, opaqueOf(bytes), NO_FLAGS, value),
    hitOfLength: ({ bytes }, value, length) => {
      // −1 is all ones here; a number beyond the field is the largest it holds.
      const claimed = Math.min(Number(length), LARGEST) >>> 0;
      return response(0x00, STATUS.ok, opaqueOf(bytes), NO_FLAGS, value, claimed);
    },
    stray: (_other, value) => response(0x00, STATUS.ok, FOREIGN_OPAQUE, NO_FLAGS, value),
    failure: ({ bytes }, message) => response(bytes.charCodeAt(1), STATUS.internal, opaqueOf(bytes), '', message),
  };
}
