import { MemcacheError } from '../../src';

/** Lets illegal arguments past the type checker. */
export function illegal(value: unknown): never {
  return value as never;
}

/** What a promise rejects with; fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`should have rejected, gave ${String(result)}`);
}

/** What a promise rejects with, which must be an error of ours. */
export async function failure(promise: Promise<unknown>): Promise<MemcacheError> {
  const error = await rejection(promise);
  expect(error).toBeInstanceOf(MemcacheError);
  return error as MemcacheError;
}
