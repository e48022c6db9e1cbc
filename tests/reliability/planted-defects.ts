/**
 * A rule by which no reply reaches the wrong caller; each holds without the others.
 *
 * - L0: what the parser remembers lives and dies with one socket.
 * - L1: a call that timed out ends its connection; one that was withdrawn keeps its place, so that its reply is nobody's.
 * - L2: the reply must be of a kind that answers the command.
 * - L3: a value must be for a key that was asked for, in the order asked.
 * - L4: a meta reply must bring back the opaque of its request.
 * - L5: a run of noreply commands is closed by a fence.
 * - L6: an error in answer to a command with a data block, or to several keys in one line, ends the connection.
 * - L7: what comes while nothing is awaited ends the connection, and an idle connection is looked at before it is used.
 * - L8: a value must be followed by CR LF.
 */
export const LADDER = ['L0', 'L1', 'L2', 'L3', 'L4', 'L5', 'L6', 'L7', 'L8'] as const;

/** Other rules whose absence is a classic defect. */
export type Guard = 'bytes' | 'cache' | 'certainty' | 'cluster' | 'injection' | 'limits' | 'pool' | 'retry' | 'serde' | 'server' | 'settling' | 'time';

/** A defect that some client has had, as a change of our sources. */
export interface PlantedDefect {
  /** What is wrong with the client that has it. */
  readonly name: string;
  /** The rule that it switches off. */
  readonly rule: (typeof LADDER)[number] | Guard;
  /** Below `src`. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The test that must fail then: its file below `tests`, and its name or the beginning of a group of names. */
  readonly caughtBy: readonly [file: string, name: string];
}

const MISBEHAVING = 'client/misbehaving-servers.test.ts';
const MODEL = 'cache/model.test.ts';
const CLUSTER = 'hash/hash-client.test.ts';
const FOLLOWER = 'hash/cluster-follower.test.ts';
const LATE_WRITES = 'client/late-writes.test.ts';
const NEAR = 'cache/near-cache.test.ts';
const PLACES = 'cache/places-among-loads.test.ts';
const STORE = 'server/engine/store.test.ts';
const SESSION = 'server/memcached/session.test.ts';

export const PLANTED_DEFECTS: readonly PlantedDefect[] = [
  // ── the ladder ──
  {
    name: 'the parser outlives its socket',
    rule: 'L0',
    file: 'client/wire/wire.ts',
    find: `this.#reader = new FrameReader(replyRules(settings.maxValueSize, expectedKey), (frame) => {
      this.#onFrame(frame);
    });`,
    replace: `const shared = settings as ConnectionSettings & { reader?: FrameReader; onFrame?: (frame: Frame) => void };
    shared.onFrame = (frame) => { this.#onFrame(frame); };
    this.#reader = shared.reader ??= new FrameReader(replyRules(settings.maxValueSize, expectedKey), (frame) => shared.onFrame?.(frame));`,
    caughtBy: [MISBEHAVING, 'a server that misbehaves FIN in the value'],
  },
  {
    name: 'a call that timed out is taken out of the queue, and its connection goes on',
    rule: 'L1',
    file: 'client/wire/wire.ts',
    find: 'late ??= error;',
    replace: 'call.reader = undefined;',
    caughtBy: [MISBEHAVING, 'replies that are late incr: nor does the same call'],
  },
  {
    name: 'a time-out leaves the connection in use, so that a stalled one is never given up',
    rule: 'L1',
    file: 'client/wire/wire.ts',
    find: 'if (late !== undefined) this.#spoil(late);\n    else if',
    replace: 'if',
    caughtBy: [MISBEHAVING, 'a server that misbehaves silence'],
  },
  {
    name: 'an aborted call that was sent is taken out of the queue',
    rule: 'L1',
    file: 'client/call.ts',
    find: 'this.#resolve(rejected(reason));',
    replace: 'this.#resolve(rejected(reason));\n    this.reader = undefined;',
    caughtBy: [MISBEHAVING, 'replies that are late a call aborted while its reply is awaited'],
  },
  {
    name: 'what has settled is taken out of the queue, though its reply is still to come',
    rule: 'L1',
    file: 'client/wire/call-queue.ts',
    find: '!== undefined && head.reader === undefined',
    replace: '!== undefined && (head.reader === undefined || head.settled)',
    caughtBy: [MISBEHAVING, 'answers to what asked for none'],
  },
  {
    name: 'any line in answer to a set is a refusal',
    rule: 'L2',
    file: 'client/commands/storage.ts',
    find: `if (isWord(frame, 'NOT_STORED')) return false;
    throw this.refuse(frame, server);`,
    replace: 'return false;',
    caughtBy: [MISBEHAVING, 'a reply of the wrong kind set takes'],
  },
  {
    name: 'a reply of the wrong kind fails its call, and the connection goes on',
    rule: 'L2',
    file: 'client/wire/spoils.ts',
    find: 'return command.hasBlock;\n  return true;',
    replace: 'return command.hasBlock;\n  return false;',
    caughtBy: [MISBEHAVING, 'what comes behind a reply that leaves a doubt EXISTS'],
  },
  {
    name: 'what cannot be read fails its call, and the connection goes on',
    rule: 'L2',
    file: 'client/wire/wire.ts',
    find: 'this.#calls.head?.reject(this.#unreadable(error), this.meter);\n      this.#spoil(error);',
    replace: 'this.#calls.head?.reject(this.#unreadable(error), this.meter);',
    caughtBy: [MISBEHAVING, 'a server that misbehaves the value of another key'],
  },
  {
    name: 'the key of a value is not compared with the key asked for',
    rule: 'L3',
    file: 'protocol/reply.ts',
    find: 'for (let i = 0; i < length; i++) if (buffer[keyStart + i] !== key.charCodeAt(i)) return false;\n  return true;\n}\n\n/**\n * The flags',
    replace: 'return true;\n}\n\n/**\n * The flags',
    caughtBy: [MISBEHAVING, 'a server that misbehaves the value of another key'],
  },
  {
    name: 'the values of a getMany may come in any order, and twice',
    rule: 'L3',
    file: 'client/commands/retrieval.ts',
    find: 'let index = this.#next;',
    replace: 'let index = 0;',
    caughtBy: [MISBEHAVING, 'a server that misbehaves getMany in another order'],
  },
  {
    name: 'the opaque of a meta reply is not looked at',
    rule: 'L4',
    file: 'client/commands/meta.ts',
    find: "if (!isOurs) throw new FrameError('a meta reply does not bring back the opaque of its request');",
    replace: 'void isOurs;',
    caughtBy: [MISBEHAVING, 'a server that misbehaves mg with the opaque of another'],
  },
  {
    name: 'noreply commands are not fenced',
    rule: 'L5',
    file: 'client/wire/outbox.ts',
    find: `this.#unfenced.reader = this.#fenceReader;
    this.#unfenced = undefined;
    this.#request.text(FENCE);`,
    replace: 'this.#unfenced = undefined;',
    caughtBy: [MISBEHAVING, 'answers to what asked for none "ERROR\\r\\n" is'],
  },
  {
    name: 'the fence of a run is passed over when a raw command stands behind it',
    rule: 'L5',
    file: 'client/wire/outbox.ts',
    find: 'if (this.#unfenced !== undefined) return false;',
    replace: '',
    caughtBy: ['client/contract.test.ts', 'over the embedded server Client servers raw has its own reply'],
  },
  {
    name: 'the fence takes the first line for its answer, whatever it is',
    rule: 'L5',
    file: 'client/wire/fence.ts',
    find: "if (frame.startsWith('VERSION')) {",
    replace: 'if (!frame.hasBlock) {',
    caughtBy: [MISBEHAVING, 'answers to what asked for none "SERVER_ERROR'],
  },
  {
    name: 'an error inside the reply to several keys is taken for its end',
    rule: 'L6',
    file: 'client/wire/inbox.ts',
    find: 'const inDoubt = error !== undefined && !isWhole && [...this.#line()].some((call) => call.is(Mark.InCompany));',
    replace: 'const inDoubt = isWhole && false;',
    caughtBy: ['client/proxies.test.ts', 'a proxy that behaves as that of memcached, with a dead server behind it Client: gets of one tick'],
  },
  {
    name: 'of two gets of one key in a line only the first is answered',
    rule: 'L3',
    file: 'client/wire/inbox.ts',
    find: 'if (call.is(Mark.Twinned)) this.#hitTwins(frame);',
    replace: '',
    caughtBy: ['client/proxies.test.ts', 'a proxy that answers a key once, however often the line holds it Client: all callers'],
  },
  {
    name: 'a refused line whose block was executed as commands is taken for one error',
    rule: 'L6',
    file: 'client/wire/spoils.ts',
    find: 'return command.hasBlock;',
    replace: 'return false;',
    caughtBy: [MISBEHAVING, 'what comes behind a reply that leaves a doubt CLIENT_ERROR bad data chunk'],
  },
  {
    name: 'a bare ERROR to a line with a data block leaves the connection in use',
    rule: 'L6',
    file: 'client/wire/spoils.ts',
    find: 'if (error instanceof MemcacheServerError) return isNoPlace(error);',
    replace: 'if (error instanceof MemcacheUnknownCommandError) return false;\n  if (error instanceof MemcacheServerError) return isNoPlace(error);',
    caughtBy: [MISBEHAVING, 'what comes behind a reply that leaves a doubt ERROR'],
  },
  {
    name: 'bytes that come while nothing is awaited are kept',
    rule: 'L7',
    file: 'client/wire/wire.ts',
    find: "else if (this.#calls.head === undefined && this.#state === State.Ready) throw unasked();",
    replace: '',
    caughtBy: [MISBEHAVING, 'a server that misbehaves bytes that come while nothing is awaited'],
  },
  {
    name: 'an idle connection is written to without looking what came meanwhile',
    rule: 'L7',
    file: 'client/wire/wire.ts',
    find: 'const idle = !written && now - this.#lastFlush > IDLE;',
    replace: 'const idle = false;',
    caughtBy: [MISBEHAVING, 'a server that misbehaves a goodbye that nobody has read'],
  },
  {
    name: 'a connection that has ended is written to until it is closed',
    rule: 'L7',
    file: 'client/wire/transport.ts',
    find: 'return this.#socket.destroyed ? Infinity : this.#socket.writableLength;',
    replace: 'return this.#socket.writableLength;',
    caughtBy: ['client/frozen-process.test.ts', 'Client reads a goodbye before it writes to a connection that was unused for a second: while sockets are read'],
  },
  {
    name: 'the CR LF behind a value is not looked at',
    rule: 'L8',
    file: 'client/wire/inbox.ts',
    find: "if (!frame.terminated) throw new FrameError('a value does not end in CR LF');",
    replace: '',
    caughtBy: [MISBEHAVING, 'a server that misbehaves a value without CR LF'],
  },

  // ── what is known of a failed call ──
  {
    name: 'the call that is being answered when the server says goodbye is never told',
    rule: 'settling',
    file: 'client/wire/wire.ts',
    find: 'for (const { call, certainty } of lost) call.reject(',
    replace: 'for (const { call, certainty } of lost.slice(1)) call.reject(',
    caughtBy: [MISBEHAVING, 'a server that misbehaves FIN at once'],
  },
  {
    name: 'a call that was sent and lost is said not to have been sent',
    rule: 'certainty',
    file: 'client/wire/wire.ts',
    find: "certainty: written && !this.#outbox.isAsking(call) ? 'maybeExecuted' : 'notSent' });",
    replace: "certainty: 'notSent' });",
    caughtBy: [MISBEHAVING, 'a server that misbehaves RST at once'],
  },
  {
    name: 'a call that was sent and timed out is said not to have been sent',
    rule: 'certainty',
    file: 'client/wire/wire.ts',
    find: "this.#timedOut(call, this.#outbox.isAsking(call) ? 'notSent' : 'maybeExecuted');",
    replace: "this.#timedOut(call, 'notSent');",
    caughtBy: [MISBEHAVING, 'a server that misbehaves silence'],
  },
  {
    name: 'incr is repeated though it may have been executed',
    rule: 'retry',
    file: 'client/policies/retrying-client.ts',
    find: 'return command.idempotent || this.#retryAmbiguous;',
    replace: 'return true;',
    caughtBy: ['client/retrying-client.test.ts', 'incr is not repeated'],
  },

  {
    name: 'what a server did not answer in time is delivered after it can be reached again, and undoes what was stored since',
    rule: 'retry',
    file: 'client/wire/silent.ts',
    find: 'destroy(drops);',
    replace: 'destroy(false);',
    caughtBy: [LATE_WRITES, 'a connection whose calls were not answered in time is reset'],
  },
  {
    name: 'a connection that fell silent is closed at once, where its server cannot hear of it',
    rule: 'retry',
    file: 'client/wire/wire.ts',
    find: 'if (cause instanceof MemcacheTimeoutError && !this.#retired) {',
    replace: 'if (false) {',
    caughtBy: [LATE_WRITES, 'a connection whose calls were not answered in time is reset'],
  },
  {
    name: 'a connection that fell silent stays open after close()',
    rule: 'limits',
    file: 'client/connection.ts',
    find: 'this.#silent?.end(false);',
    replace: '',
    caughtBy: [LATE_WRITES, 'a connection whose calls were not answered in time, while the server cannot be reached is ended by close()'],
  },
  {
    name: 'a connection that fell silent is kept for ever',
    rule: 'limits',
    file: 'client/wire/silent.ts',
    find: '() => { end(false); }',
    replace: '() => undefined',
    caughtBy: [LATE_WRITES, 'a connection whose calls were not answered in time, while the server cannot be reached is ended after two minutes'],
  },

  // ── time and limits ──
  {
    name: 'every byte that comes extends the deadline',
    rule: 'time',
    file: 'client/wire/wire.ts',
    find: `    if (this.#state === State.Ended || length === 0) return;`,
    replace: `    if (this.#state === State.Ended || length === 0) return;
    for (const { call } of this.#calls) call.deadline = this.#settings.clock.now() + this.#settings.timeout;`,
    caughtBy: [MISBEHAVING, 'replies that are late a reply that trickles'],
  },
  {
    name: 'more than 30 days to live are sent as they are, which the server takes for 1970',
    rule: 'time',
    file: 'protocol/exptime.ts',
    find: 'if (expire <= MAX_RELATIVE_EXPTIME) return expire;',
    replace: 'if (expire <= LAST_UNIX_TIME) return expire;',
    caughtBy: ['protocol/exptime.test.ts', '45 days'],
  },
  {
    name: 'maxPending is not enforced',
    rule: 'limits',
    file: 'client/connection.ts',
    find: 'if ((this.#wire?.pending ?? 0) < maxPending) return',
    replace: 'return',
    caughtBy: ['client/overload.test.ts', 'more calls than maxPending'],
  },
  {
    name: 'a server may announce a value of any length',
    rule: 'limits',
    file: 'protocol/reply.ts',
    find: 'if (size > limit) {',
    replace: 'if (size > Infinity) {',
    caughtBy: [MISBEHAVING, 'a server that misbehaves the length "99999999999"'],
  },
  {
    name: 'a reply line may be of any length',
    rule: 'limits',
    file: 'protocol/reply.ts',
    find: 'maxLine: () => MAX_REPLY_LINE,',
    replace: 'maxLine: () => Infinity,',
    caughtBy: [MISBEHAVING, 'a server that misbehaves a line without end'],
  },
  {
    name: 'a few bytes may ask for any amount of memory',
    rule: 'limits',
    file: 'serde/budget.ts',
    find: 'if (this.#left < 0)',
    replace: 'if (this.#left < -Infinity)',
    caughtBy: ['serde/pickle/reader.test.ts', 'readPickle bounds the memory of a memo'],
  },
  {
    name: 'a value is inflated whatever comes of it',
    rule: 'limits',
    file: 'serde/zlib.ts',
    find: 'maxOutputLength: Math.max(1, maxOutput), ',
    replace: '',
    caughtBy: ['serde/zlib.test.ts', 'readZlib refuses a bomb of 1000:1 at the cost of maxOutput and 1 MiB, counting what is garbage by then'],
  },
  {
    name: 'a connection that is given back twice is lent to two',
    rule: 'pool',
    file: 'pool/loans.ts',
    find: 'if (out.delete(member)) void pool.release(member);',
    replace: 'pool.release(member).then(undefined, () => undefined);',
    caughtBy: ['pool/loans.test.ts', 'giving back twice takes nothing'],
  },

  // ── what is written ──
  {
    name: 'the length of a value counts characters instead of bytes',
    rule: 'bytes',
    file: 'protocol/request.ts',
    find: 'if (length < ENCODED_FROM && Buffer.byteLength(text) === length) return text;',
    replace: 'if (length < ENCODED_FROM) return text;',
    caughtBy: ['client/contract.test.ts', 'over the embedded server Client values text of all kinds'],
  },
  {
    name: 'the length of a key counts characters instead of bytes',
    rule: 'injection',
    file: 'protocol/key.ts',
    find: 'return checkLength(encoded, ',
    replace: 'if (rules.prefix.length + keyText(key).length <= MAX_KEY_LENGTH) return encoded;\n  return checkLength(encoded, ',
    caughtBy: ['protocol/key.test.ts', 'counts bytes, prefix included'],
  },
  {
    name: 'the length of a key leaves out the prefix',
    rule: 'injection',
    file: 'protocol/key.ts',
    find: 'key.length + rules.prefix.length <= MAX_KEY_LENGTH',
    replace: 'key.length <= MAX_KEY_LENGTH',
    caughtBy: ['protocol/key.test.ts', 'counts bytes, prefix included'],
  },
  {
    name: 'a key may hold blanks and line ends',
    rule: 'injection',
    file: 'protocol/key.ts',
    find: '/[^!-~]/',
    replace: '/[^\\x0a-~]/',
    caughtBy: ['protocol/key.test.ts', '"a b" is refused'],
  },
  {
    name: 'of a key of many lines only one is checked',
    rule: 'injection',
    file: 'protocol/key.ts',
    find: '!NOT_PRINTABLE_ASCII.test(key)',
    replace: '/^[!-~]+$/m.test(key)',
    caughtBy: ['protocol/key.test.ts', '"a\\r\\nflush_all" is refused'],
  },

  {
    name: 'a flag of a meta command may hold line ends',
    rule: 'injection',
    file: 'client/commands/meta.ts',
    find: '/^[A-Za-z][\\x21-\\x7e]{0,100}$/',
    replace: '/^[A-Za-z][\\x21-\\x7e]{0,100}$/m',
    caughtBy: ['client/contract.test.ts', 'over the embedded server Client illegal arguments a MetaCommand with a flag with a line end'],
  },

  // ── what is read from values ──
  {
    name: 'what stands behind the end of a compressed value is passed over',
    rule: 'serde',
    file: 'serde/zlib.ts',
    find: 'if (engine.bytesWritten !== data.length) throw corrupt();',
    replace: '',
    caughtBy: ['serde/zlib.test.ts', 'readZlib refuses a byte behind the end'],
  },
  {
    name: 'a key __proto__ in a pickle changes the prototype',
    rule: 'serde',
    file: 'serde/pickle/plain.ts',
    find: "if (key === '__proto__') Object",
    replace: "if (key === '') Object",
    caughtBy: ['serde/python-serde.test.ts', 'PythonSerde makes __proto__ a property'],
  },

  // ── the read-through cache ──
  {
    name: 'a read shares the question of one from before a deletion, and gets what was deleted',
    rule: 'cache',
    file: 'cache/engine/reader.ts',
    find: 'this.#tick.delete(wireKey);',
    replace: '',
    caughtBy: ['cache/loads-of-one-key.test.ts', 'loads of one key a read does not share the question'],
  },
  {
    name: 'who finds that another process loads a key loads it too',
    rule: 'cache',
    file: 'cache/exchange/lease-get.ts',
    find: 'case Ascii.Z:\n          reply.held = true;',
    replace: 'case Ascii.Z:\n          reply.won = true;',
    caughtBy: ['cache/scenarios.test.ts', 'herds 1: a cold key'],
  },
  {
    name: 'what is kept for failures is served as stale, long after its bound',
    rule: 'cache',
    file: 'cache/engine/judge.ts',
    find: 'settings.stale > 0 && (ttl === -1 || ttl >= settings.keep - settings.stale);',
    replace: 'settings.stale > 0;',
    caughtBy: ['cache/scenarios.test.ts', 'slow loads after stale seconds'],
  },
  {
    name: 'the version of a tag that is known once is believed for ever, so that an invalidation elsewhere is lost',
    rule: 'cache',
    file: 'cache/tags/versions.ts',
    find: 'return known !== undefined && this.#context.clock.now() - known.askedAt <= this.#context.maxAge ? known.number : undefined;',
    replace: 'return known?.number;',
    caughtBy: ['cache/tags.test.ts', 'tags elsewhere within tagMaxAge'],
  },
  {
    name: 'what was loaded is stored without the CAS of its lease',
    rule: 'cache',
    file: 'cache/exchange/lease-set.ts',
    find: 'const condition = unless === undefined ?',
    replace: "const condition = unless !== 'add' ?",
    caughtBy: [MODEL, 'random schedules'],
  },
  {
    name: 'what was loaded is stored with `I`, which replaces a newer value by an older one',
    rule: 'cache',
    file: 'cache/exchange/lease-set.ts',
    find: '` C${unless}`;',
    replace: '` C${unless} I`;',
    caughtBy: ['cache/scenarios.test.ts', 'writes during a load 13: a set wins, whichever'],
  },
  {
    name: 'a write leaves the load under way in its place, to be joined and stored',
    rule: 'cache',
    file: 'cache/engine/reader.ts',
    find: 'this.#context.loads.detach(wireKey);',
    replace: '',
    caughtBy: ['cache/scenarios.test.ts', 'writes during a load 14: with the cache down'],
  },
  {
    name: 'the lease of a load that failed is not given back',
    rule: 'cache',
    file: 'cache/engine/storing.ts',
    find: 'return this.free(place, cas);',
    replace: 'return undefined;',
    caughtBy: ['cache/scenarios.test.ts', 'loaders that fail 10'],
  },
  {
    name: 'a lease that came too late is used for the load that began before it',
    rule: 'cache',
    file: 'cache/engine/questions.ts',
    find: 'if (reply.cold) void storing.free(read.place, reply.cas);',
    replace: "if (reply.cold) Object.assign(this.#context.loads.of(read.place.wireKey) ?? {}, { claim: 'guard', cas: reply.cas });",
    caughtBy: ['cache/scenarios.test.ts', 'trouble with the cache 30'],
  },
  {
    name: 'versions of tags are compared by order',
    rule: 'cache',
    file: 'cache/tags/versions.ts',
    find: 'undefined : version.number === number',
    replace: 'undefined : BigInt(version.number) <= BigInt(number)',
    caughtBy: ['cache/tags.test.ts', 'tags 32: a tag whose counter is lost'],
  },
  {
    name: 'a refresher that died keeps its token for ever',
    rule: 'cache',
    file: 'cache/engine/judge.ts',
    find: 'return age > this.#context.durations.lease(place.wireKey, settings.lease) * 1000;',
    replace: 'return age > Infinity;',
    caughtBy: ['cache/scenarios.test.ts', 'deaths 7, 8'],
  },

  {
    name: 'what was loaded while its tags could not be asked for is stored without them, and never invalidated',
    rule: 'cache',
    file: 'cache/engine/storing.ts',
    find: 'if (flight.untagged) return this.release(flight, true);',
    replace: '',
    caughtBy: ['cache/tags.test.ts', 'tags what was loaded while its tag could not be asked for'],
  },
  {
    name: 'a token whose answer came too late is kept by nobody, for the length of a lease',
    rule: 'cache',
    file: 'cache/engine/questions.ts',
    find: 'else this.passOn(read.place, reply.cas);\n      return;',
    replace: 'return;',
    caughtBy: ['cache/refreshes.test.ts', 'a token that comes to a reader who cannot use it is passed on to the next one its answer'],
  },
  {
    name: 'the near cache counts the life of a value from when it was heard of',
    rule: 'cache',
    file: 'cache/near/near-cache.ts',
    find: 'const until = sentAt + (validate',
    replace: 'const until = this.#context.clock.now() + (validate',
    caughtBy: [NEAR, 'l1.ttl counts from the moment at which the server was asked'],
  },
  {
    name: 'the near cache takes what a read has found that a write of this process has overtaken',
    rule: 'cache',
    file: 'cache/near/near-cache.ts',
    find: 'if (read.epoch !== this.#context.epoch() || reply.negative) return;',
    replace: 'if (reply.negative) return;',
    caughtBy: [NEAR, 'near cache a read'],
  },
  {
    name: 'the near cache takes a number that a server gives again after a restart for proof of its value',
    rule: 'cache',
    file: 'cache/near/near-cache.ts',
    find: 'if (near === undefined || !CasNumbers.includes(near.cas)) return undefined;',
    replace: 'if (near === undefined) return undefined;',
    caughtBy: [NEAR, 'near cache validate: a CAS of the server'],
  },
  {
    name: 'each key of a batch takes a place among the loads, and one is given back',
    rule: 'limits',
    file: 'cache/engine/slots.ts',
    find: 'if (this.#holders === 0 && !this.#slots.take()) return false;',
    replace: 'if (!this.#slots.take()) return false;',
    caughtBy: [PLACES, 'a place among the loads is not lost nor is there more than one'],
  },
  {
    name: 'the place of a load that was given up as its turn came is lost',
    rule: 'limits',
    file: 'cache/engine/loads.ts',
    find: 'if (flight.over) seats.give();\n          else',
    replace: 'if (flight.over) return;\n          else',
    caughtBy: [PLACES, 'a place among the loads is not lost when whoever waits for it with a key'],
  },
  {
    name: 'the place that a batch was given as its callers left is lost',
    rule: 'limits',
    file: 'cache/engine/slots.ts',
    find: 'if (this.#waiting.size === 0 || this.#holders > 0) this.#slots.give();',
    replace: '',
    caughtBy: [PLACES, 'a place among the loads is not lost when'],
  },

  // ── clusters ──
  {
    name: 'a node that was removed loses its place in the order, and every later one moves up',
    rule: 'cluster',
    file: 'hash/placement/placement.ts',
    find: 'this.#weights.set(name, ABSENT);',
    replace: 'this.#weights.delete(name);',
    caughtBy: ['hash/placement.test.ts', 'ModuloHash of python-memcached however nodes fail and come back'],
  },
  {
    name: 'of two nodes with the same hash the first one added wins',
    rule: 'cluster',
    file: 'hash/placement/rendezvous.ts',
    find: 'if (score > best || (score === best && winner !== undefined && isGreater(name, winner))) {',
    replace: 'if (score > best) {',
    caughtBy: ['hash/rendezvous.test.ts', "pymemcache's placements in a tie"],
  },
  {
    name: 'each connection that fails counts, so that a pool kills its server at once',
    rule: 'cluster',
    file: 'client/policies/server-health.ts',
    find: 'if (this.#failures > 0 && !this.#probing) return;',
    replace: '',
    caughtBy: ['hash/server-health.test.ts', 'trouble of many connections at once counts once'],
  },
  {
    name: 'the keys of a dead server stay with it',
    rule: 'cluster',
    file: 'hash/hash-router.ts',
    find: 'this.#hasher?.removeNode(node.name);',
    replace: '',
    caughtBy: [CLUSTER, 'failing: its keys fail at once'],
  },
  {
    name: 'a dead server is never probed again',
    rule: 'cluster',
    file: 'hash/hash-router.ts',
    find: 'if (this.#dead > 0) this.#probeDead();',
    replace: '',
    caughtBy: [CLUSTER, 'failing: its keys fail at once'],
  },
  {
    name: 'with no server left, the one that just failed a probe is not asked again for long',
    rule: 'cluster',
    file: 'client/policies/server-health.ts',
    find: "this.#wait(!this.#hurried && this.state === 'dead');",
    replace: "this.#wait(this.state === 'dead');",
    caughtBy: [CLUSTER, 'as long as all servers are dead one that was being probed'],
  },
  {
    name: 'with no server left, each call puts off the probe that could find one',
    rule: 'cluster',
    file: 'client/policies/server-health.ts',
    find: 'this.#wait(false, this.#nextProbe);',
    replace: 'this.#wait(false);',
    caughtBy: [CLUSTER, 'as long as all servers are dead they are probed'],
  },
  {
    name: 'a server that was removed while it was dead owns keys again when its probe is answered',
    rule: 'cluster',
    file: 'hash/hash-router.ts',
    find: 'if (this.#nodes.get(node.name) !== node) return;',
    replace: '',
    caughtBy: [CLUSTER, 'a probe that is answered after its server was removed'],
  },
  {
    name: 'what some servers answered passes for the whole',
    rule: 'cluster',
    file: 'hash/hash-router.ts',
    find: 'if (failures.any) throw',
    replace: 'if (failures.any && results.length === 0) throw',
    caughtBy: [CLUSTER, 'partial failures carry what came'],
  },
  {
    name: 'setMany calls keys not stored that may have been stored',
    rule: 'certainty',
    file: 'hash/hash-router.ts',
    find: "error.certainty === 'notSent' && isServersFault(error);",
    replace: 'isServersFault(error);',
    caughtBy: [CLUSTER, 'setMany after a time-out'],
  },
  {
    name: 'a call that one server executed and another was not sent is said to be as uncertain as its first failure',
    rule: 'certainty',
    file: 'client/certainty.ts',
    find: "certainties.size === 1 ? only : 'maybeExecuted';",
    replace: 'only;',
    caughtBy: ['client/certainty.test.ts', 'what several servers did is together maybeExecuted'],
  },
  {
    name: 'an empty list of servers empties the cluster',
    rule: 'cluster',
    file: 'hash/discovery/follower.ts',
    find: "if (servers.length === 0) throw new MemcacheNoServersError('the list of servers is empty');",
    replace: '',
    caughtBy: [FOLLOWER, 'a source that fails later, or has an empty list'],
  },
  {
    name: 'a server that was removed by hand comes back with the next list',
    rule: 'cluster',
    file: 'hash/discovery/follower.ts',
    find: '!this.#removed.has(name) && ',
    replace: '',
    caughtBy: [FOLLOWER, 'what is done by hand'],
  },
  {
    name: 'an outdated list of a managed cluster replaces the newer one',
    rule: 'cluster',
    file: 'hash/discovery/elasticache.ts',
    find: 'found.version > config.version || isSame(found, config)',
    replace: 'true',
    caughtBy: ['hash/elasticache-client.test.ts', 'a version of old changes nothing'],
  },

  // ── the embedded client ──
  {
    name: 'two reads of one moment share the frame of an embedded client',
    rule: 'serde',
    file: 'embedded/direct-reads.ts',
    find: 'this.#busy = true;\n',
    replace: '',
    caughtBy: ['client/direct-reads.test.ts', 'a serde that reads in place'],
  },

  // ── the embedded server ──
  {
    name: 'a value stored without an expiry ends with the deadline of the one it replaced',
    rule: 'server',
    file: 'server/engine/store.ts',
    find: 'if (item.deadline !== 0 || item.heapIndex >= 0) {',
    replace: 'if (item.deadline !== 0) {',
    caughtBy: [STORE, 'MemoryStore expires by the deadline of the present value'],
  },
  {
    name: 'reading an item does not keep it from being evicted',
    rule: 'server',
    file: 'server/engine/store.ts',
    find: 'else item.accessed = this.#time.seconds();\n    this.#items.bump(item);',
    replace: 'else item.accessed = this.#time.seconds();',
    caughtBy: [STORE, 'MemoryStore evicts what was unused longest'],
  },
  {
    name: 'a cas that is too old stores all the same',
    rule: 'server',
    file: 'server/engine/store.ts',
    find: 'if (!request.orStale || request.cas === 0 || request.cas > old.cas)',
    replace: 'if (request.cas === 0 || request.cas > old.cas)',
    caughtBy: [STORE, 'MemoryStore stores each mode by its own rule'],
  },
  {
    name: 'incr leaves the cas as it was, so that a later cas undoes it',
    rule: 'server',
    file: 'server/engine/store.ts',
    find: "item.cas = this.#casNumbers.next();\n    return { outcome: 'counted'",
    replace: "return { outcome: 'counted'",
    caughtBy: [STORE, 'MemoryStore stores a new cas for every change'],
  },
  {
    name: 'a set of a value that is too large leaves the old one, which is out of date',
    rule: 'server',
    file: 'server/engine/store.ts',
    find: "if (mode === 'set') this.delete(key);\n    return 'tooLarge';",
    replace: "return 'tooLarge';",
    caughtBy: [STORE, 'MemoryStore stores nothing too large'],
  },
  {
    name: 'the block of a line with a key that is too long is executed as commands',
    rule: 'injection',
    file: 'server/memcached/commands/verbs.ts',
    find: 'line.count < verb.fewest) return -1;',
    replace: 'line.count < verb.fewest || line.hasLongToken) return -1;',
    caughtBy: [SESSION, 'Session never executes a data block of a line with a key that is too long'],
  },
  {
    name: 'after a noreply command the session stays silent',
    rule: 'server',
    file: 'server/memcached/commands/exchange.ts',
    find: 'this.silent = false;',
    replace: '',
    caughtBy: [SESSION, 'Session says nothing when asked not to'],
  },
  {
    name: 'commands that carry no data are executed before authentication',
    rule: 'server',
    file: 'server/memcached/session.ts',
    find: 'if (authenticated) {',
    replace: 'if (authenticated || verb?.lengthToken === 0) {',
    caughtBy: [SESSION, 'Session authentication comes first'],
  },
  {
    name: 'a snapshot shows values that were stored while it was written',
    rule: 'server',
    file: 'server/engine/item-table.ts',
    find: 'this.#changes.announce(item);\n    this.#bytes += growth;',
    replace: 'this.#bytes += growth;',
    caughtBy: ['server/engine/walk.test.ts', 'a walk hands out each item once'],
  },
  {
    name: 'the checksums of a snapshot are not compared',
    rule: 'server',
    file: 'server/snapshot/snapshot-reader.ts',
    find: "if (bytes.readUInt32LE(length) !== this.#crc) this.#refuse('wrong checksum');",
    replace: '',
    caughtBy: ['server/snapshot/snapshot-reader.test.ts', 'a snapshot of many blocks cannot borrow a block'],
  },
  {
    name: 'EXEC does not look whether a watched key has changed',
    rule: 'server',
    file: 'server/redis/commands/transactions.ts',
    find: 'const changed = watch.hasChanged();',
    replace: 'const changed = false;',
    caughtBy: ['server/redis/transactions.test.ts', 'executes nothing when another client sets it'],
  },
];
