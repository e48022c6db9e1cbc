import { encodeBase64 } from './base64';
import { BAD_FORMAT } from './classic-line';
import type { Exchange } from './exchange';
import { LARGEST_CLASS, slabClass } from '../../engine/slab-class';
import { BINARY_KEY, FETCHED, sizeOf, type Item } from '../../engine/item';

/**
 * memcached's knobs for slabs, LRU and crawler. There is nothing to tune here: values are checked as memcached does,
 * acknowledged, and have no effect. The commands that list keys do work.
 */

const LONGEST_SLEEP = 1_000_000;

/** `lru tune|mode|temp_ttl …` → `OK`. */
export function lru(exchange: Exchange): void {
  const { line } = exchange;
  if (line.abbreviates(1, 'tune') && line.count >= 6) exchange.reply(tune(exchange));
  else if (line.abbreviates(1, 'mode') && line.count >= 3) {
    exchange.reply(line.abbreviates(2, 'flat') || line.abbreviates(2, 'segmented') ? 'OK' : 'ERROR');
  } else if (line.abbreviates(1, 'temp_ttl') && line.count >= 3) {
    exchange.reply(line.int32(2) === undefined ? 'ERROR' : 'OK');
  } else {
    exchange.reply('ERROR');
  }
}

function tune({ line }: Exchange): string {
  const hot = line.uint32(2);
  const warm = line.uint32(3);
  const hotFactor = decimal(line.text(4));
  const warmFactor = decimal(line.text(5));
  if (hot === undefined || warm === undefined || hotFactor === undefined || warmFactor === undefined) return 'ERROR';
  if (hot + warm > 80) return 'ERROR hot and warm pcts must not exceed 80';
  if (hotFactor <= 0 || warmFactor <= 0) return 'ERROR hot/warm age factors must be greater than 0';
  return 'OK';
}

/** `slabs reassign <from> <to>` and `slabs automove <level>|ratio <ratio>`. */
export function slabs(exchange: Exchange): void {
  const { line } = exchange;
  if (line.abbreviates(1, 'reassign') && line.count === 4) exchange.reply(reassign(line.int32(2), line.int32(3)));
  else if (line.abbreviates(1, 'automove') && line.count >= 3) {
    exchange.reply(automove(exchange));
  } else exchange.reply('ERROR');
}

function reassign(from: number | undefined, to: number | undefined): string {
  if (from === undefined || to === undefined) return BAD_FORMAT;
  if (from === to) return 'SAME src and dst class are identical';
  // -1 lets memcached look for a class with spare pages. There is none here.
  const valid = (number: number): boolean => number >= 0 && number <= LARGEST_CLASS;
  if (!valid(from) || !valid(to)) return 'BADCLASS invalid src or dst class id';
  return 'NOSPARE source class has no spare pages';
}

function automove({ line }: Exchange): string {
  if (line.abbreviates(2, 'ratio') || line.abbreviates(2, 'freeratio')) {
    return line.count > 3 && decimal(line.text(3)) !== undefined ? 'OK' : 'ERROR';
  }
  if (line.abbreviates(2, 'window')) {
    const window = line.uint32(3);
    if (window === undefined) return BAD_FORMAT;
    return window < 3 || window > 1800 ? 'CLIENT_ERROR automove window too low or too high' : 'OK';
  }
  const level = line.uint32(2);
  if (level === undefined) return BAD_FORMAT;
  return level <= 2 ? 'OK' : 'ERROR';
}

/** `lru_crawler enable|disable|crawl|metadump|sleep|tocrawl`. */
export function lruCrawler(exchange: Exchange): void {
  const { line, context } = exchange;
  const argument = line.count === 3;
  if (argument && line.abbreviates(1, 'crawl')) {
    if (!context.crawlerEnabled) exchange.reply('CLIENT_ERROR lru crawler disabled');
    else exchange.reply(classFilter(line.text(2)) === undefined ? 'BADCLASS invalid class id' : 'OK');
  } else if (argument && line.abbreviates(1, 'metadump')) {
    metadump(exchange);
  } else if (argument && line.abbreviates(1, 'mgdump')) {
    mgdump(exchange);
  } else if (argument && line.abbreviates(1, 'tocrawl')) {
    exchange.reply(line.uint32(2) === undefined ? BAD_FORMAT : 'OK');
  } else if (argument && line.abbreviates(1, 'sleep')) {
    const sleep = line.uint32(2);
    if (sleep === undefined) exchange.reply(BAD_FORMAT);
    else exchange.reply(sleep > LONGEST_SLEEP ? 'CLIENT_ERROR sleep must be one second or less' : 'OK');
  } else if (line.count === 2 && (line.abbreviates(1, 'enable') || line.abbreviates(1, 'disable'))) {
    const enable = line.abbreviates(1, 'enable');
    if (enable && context.crawlerEnabled) exchange.reply('ERROR failed to start lru crawler thread');
    else exchange.reply('OK');
    context.crawlerEnabled = enable;
  } else {
    exchange.reply('ERROR');
  }
}

/** `OK`, a line for each item, with the key URL-encoded, then `END`. */
function metadump(exchange: Exchange): void {
  dump(exchange, crawl(exchange, 'metadump', 'metadump'), metadumpLine, 'END');
}

function metadumpLine(exchange: Exchange, item: Item): string {
  const { store } = exchange;
  const wallClock = Math.floor(store.clock.time() / 1000);
  const size = sizeOf(item, store.cas);
  const expires = item.deadline === 0 ? -1 : wallClock + store.secondsLeft(item);
  // These are the only lines that end in LF alone.
  return (
    `key=${urlEncode(item.key)} exp=${expires} la=${wallClock - store.secondsIdle(item)} cas=${item.cas}` +
    ` fetch=${(item.marks & FETCHED) === 0 ? 'no' : 'yes'} cls=${slabClass(size)} size=${size} flags=${item.flags} \n`
  );
}

/** `OK`, an `mg <key>` line for each item, then `EN`. */
function mgdump(exchange: Exchange): void {
  dump(exchange, crawl(exchange, 'mgdump', 'key dump'), mgdumpLine, 'EN');
}

function mgdumpLine(_exchange: Exchange, { key, marks }: Item): string {
  return (marks & BINARY_KEY) === 0 ? `mg ${key}\r\n` : `mg ${encodeBase64(key)} b\r\n`;
}

type LineOf = (exchange: Exchange, item: Item) => string;

/** Since 1.6.43 memcached says OK before it lists anything. */
function dump(exchange: Exchange, keys: readonly string[] | undefined, lineOf: LineOf, end: string): void {
  if (keys === undefined) return;
  exchange.reply('OK');
  list(exchange, keys, 0, lineOf, end);
}

/** Sends a line for each of the keys from `from` on, a share in each turn; an item that is gone by its turn has none. */
function list(
  exchange: Exchange,
  keys: readonly string[],
  from: number,
  lineOf: LineOf,
  end: string,
): void {
  const { store, context } = exchange;
  for (let at = from; at < keys.length; at++) {
    if (exchange.turn.isOverAfter(at - from)) {
      context.crawling = exchange;
      exchange.suspend(() => {
        list(exchange, keys, at, lineOf, end);
      });
      return;
    }
    const item = store.peek(keys[at] ?? '');
    if (item !== undefined) exchange.text(lineOf(exchange, item));
  }
  if (context.crawling === exchange) context.crawling = undefined;
  exchange.reply(end);
}

/** The keys of the items to be dumped; sends the error when they cannot be. */
function crawl(exchange: Exchange, name: string, what: string): string[] | undefined {
  const { line, context, store } = exchange;
  if (!context.crawlerEnabled) exchange.reply('CLIENT_ERROR lru crawler disabled');
  else if (!context.dumpEnabled) exchange.reply(`ERROR ${what} not allowed`);
  else if (exchange.pipelined) exchange.reply(`ERROR cannot pipeline other commands before ${name}`);
  else {
    const accepts = classFilter(line.text(2));
    if (accepts === undefined) {
      exchange.reply('BADCLASS invalid class id');
    } else if (context.crawling?.ended === false) {
      exchange.reply('BUSY currently processing crawler request');
    } else {
      exchange.turn.looked += store.size;
      const keys: string[] = [];
      for (const item of store.items()) if (accepts(slabClass(sizeOf(item, store.cas)))) keys.push(item.key);
      return keys;
    }
  }
  return undefined;
}

/** The test for the classes that `all`, `hash` or a list of numbers means; `undefined` when there is no such class. */
function classFilter(text: string): ((number: number) => boolean) | undefined {
  if (text === 'all' || text === 'hash') return () => true;
  const classes = new Set(text.split(',').map((word) => (/^\d+$/.test(word) ? Number(word) : 0)));
  for (const number of classes) if (number < 1 || number > LARGEST_CLASS) return undefined;
  return (number) => classes.has(number);
}

function urlEncode(key: string): string {
  return key.replace(
    /[^A-Za-z0-9\-._~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A number as C's `strtod` reads it; `undefined` when it is not one. */
function decimal(text: string): number | undefined {
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? undefined : number;
}
