/** The files that options of `serve` name: those that are read, and that of the process id. */
import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { createSecureContext, type TlsOptions } from 'node:tls';
import { messageOf } from '../runtime/message-of';
import type { Credentials } from '../server';
import { UsageError, type TlsFiles } from './options';

/** Why a pipe, a device or a folder is refused. */
const NO_FILE = 'it is not a regular file';

/** @throws UsageError */
export function readAuthFile(path: string): Credentials[] {
  const users: Credentials[] = [];
  for (const line of readFile('-Y, --auth-file', path).split(/\r?\n/).filter(Boolean)) {
    const colon = line.indexOf(':');
    if (colon < 1 || colon === line.length - 1) throw new UsageError(`-Y, --auth-file: must have lines user:password; ${JSON.stringify(path)} has another one`);
    users.push({ username: line.slice(0, colon), password: line.slice(colon + 1) });
  }
  // memcached starts with an empty file and then lets nobody in. Here no users would mean no authentication, so an empty file
  // is refused.
  if (users.length === 0) throw new UsageError(`-Y, --auth-file: must have a user; ${JSON.stringify(path)} has none`);
  return users;
}

/** @throws UsageError */
export function readTlsFiles({ chain, key, ca, ciphers, verifyMode, minVersion }: TlsFiles): TlsOptions {
  const tls = {
    cert: readFile('-o ssl_chain_cert', chain),
    key: readFile('-o ssl_key', key ?? chain),
    minVersion,
    ...(ca === undefined ? {} : { ca: readFile('-o ssl_ca_cert', ca) }),
    ...(ciphers === undefined ? {} : { ciphers }),
    // 1 asks for a certificate, 2 and 3 insist on one.
    requestCert: verifyMode > 0,
    rejectUnauthorized: verifyMode > 1,
  };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new UsageError(`-Z, --enable-ssl: must have PEM files and ciphers that can be used (-o ssl_…): ${messageOf(error)}`);
  }
  return tls;
}

/** The file that an option names. A pipe without a writer would hold up the process for ever, and a device may have no end. */
function readFile(option: string, path: string): string {
  try {
    if (!statSync(path).isFile()) throw new Error(NO_FILE);
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: must be a file that can be read, not ${JSON.stringify(path)}: ${messageOf(error)}`);
  }
}

/**
 * A socket takes the place of one that an earlier server has left, and of nothing else.
 *
 * @throws UsageError
 */
export function checkSocketPath(path: string): void {
  const present = lstatSync(path, { throwIfNoEntry: false });
  if (present !== undefined && !present.isSocket()) {
    throw new UsageError(`-s, --unix-socket: must be a path where nothing is, or a socket, not ${JSON.stringify(path)}`);
  }
}

/**
 * Tries whether a process id may be written there, without writing it.
 *
 * @throws UsageError
 */
export function checkPidFile(path: string): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NONBLOCK } = constants;
  try {
    const present = statSync(path, { throwIfNoEntry: false });
    if (present !== undefined && !present.isFile()) throw new Error(NO_FILE);
    // Files are opened with the rights of the effective user, but looked at (`access`) with those of the real one. Whoever waits for the
    // file must not see it come and go, so another one is made next to it.
    const trial = present === undefined && path !== '' ? `${path}.${process.pid}` : path;
    closeSync(openSync(trial, trial === path ? O_WRONLY | O_NONBLOCK : O_WRONLY | O_CREAT | O_EXCL));
    if (trial !== path) unlinkSync(trial);
  } catch (error) {
    throw noPidFile(path, error);
  }
}

function noPidFile(path: string, error: unknown): UsageError {
  return new UsageError(`-P, --pidfile: must be a file that can be written, not ${JSON.stringify(path)}: ${messageOf(error)}`);
}

function pidLine(): string {
  return `${process.pid}\n`;
}

/**
 * Writes the process id. A file that is not there yet is made, and one that is there loses what it holds.
 *
 * @throws UsageError
 */
export function writePid(path: string): void {
  const { O_WRONLY, O_CREAT, O_NONBLOCK } = constants;
  try {
    // Opening a pipe that nobody reads would otherwise block the process for ever, signals included.
    const file = openSync(path, O_WRONLY | O_CREAT | O_NONBLOCK, 0o666);
    try {
      // At the end it is removed: root would remove a device.
      if (!fstatSync(file).isFile()) throw new Error(NO_FILE);
      ftruncateSync(file);
      writeFileSync(file, pidLine());
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw noPidFile(path, error);
  }
}

/**
 * Everything is saved by now: a file that is gone already, or that another user (-u) may not remove, is no failure. That of a
 * server that has taken the place of this one stays.
 */
export function removePid(path: string, log: (line: string) => void): void {
  try {
    if (readFileSync(path, 'utf8') === pidLine()) unlinkSync(path);
  } catch (error) {
    log(`-P, --pidfile: could not remove ${JSON.stringify(path)}: ${messageOf(error)}`);
  }
}
