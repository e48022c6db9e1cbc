import { withoutStacks } from '../../src/runtime/without-stacks';

const stackOf = (error: unknown): string => (error as Error).stack ?? '';

it('errors that are made in it have no stack, and all others have', () => {
  expect(stackOf(withoutStacks(() => new Error('within')))).not.toContain(__filename);
  expect(stackOf(new Error('after'))).toContain(__filename);
});

it('errors have a stack again when it throws', () => {
  expect(() => withoutStacks(() => { throw new Error('within'); })).toThrow('within');
  expect(stackOf(new Error('after'))).toContain(__filename);
});
