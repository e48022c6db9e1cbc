import { inspect } from 'node:util';
import * as everything from '../../src';
import { MemcacheConnectError, MemcachePartialError, MemcacheTimeoutError } from '../../src';

it('each class has its name where JavaScript\'s own errors have theirs: on the prototype, to be changed but not listed', () => {
  const classes = Object.entries(everything).filter(([name]) => /^Memcache\w*Error$/.test(name)) as [string, { prototype: object }][];
  expect(classes.length).toBeGreaterThan(14);
  for (const [name, { prototype }] of classes) {
    expect(Object.getOwnPropertyDescriptor(prototype, 'name')).toEqual({ value: name, configurable: true, writable: true, enumerable: false });
  }
});

it('the name stands at the head of the stack, and in what is printed', () => {
  const error = new MemcacheConnectError('refused', { server: 'a:1' });
  expect(error.stack).toMatch(/^MemcacheConnectError: refused\n/);
  expect(inspect(error)).toMatch(/^MemcacheConnectError: refused\n/);
  expect(String(error)).toBe('MemcacheConnectError: refused');
  expect(Object.keys(error)).not.toContain('name');
});

it('an error of a user\'s own is called as its class is', () => {
  class Mine extends MemcacheTimeoutError {}
  class Deeper extends Mine {}
  expect([new Mine('x').name, new Deeper('x').name, new Mine('x').name]).toEqual(['Mine', 'Deeper', 'Mine']);
  expect(new MemcacheTimeoutError('x').name).toBe('MemcacheTimeoutError');
});

it('the name of one error can be changed', () => {
  const error = new MemcachePartialError(undefined, new Map());
  error.name = 'Other';
  expect([error.name, new MemcachePartialError(undefined, new Map()).name]).toEqual(['Other', 'MemcachePartialError']);
});

