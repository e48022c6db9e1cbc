import fc from 'fast-check';
import { Call } from '../../src/client/call';
import { CallQueue } from '../../src/client/wire/call-queue';
import { NoopCommand } from '../../src/client/commands/meta';

type AnyCall = Call<unknown>;

function makeCall(awaiting: boolean): AnyCall {
  const command = new NoopCommand();
  const call: AnyCall = new Call<unknown>(command, () => undefined);
  if (awaiting) call.reader = command;
  return call;
}

it('is what two arrays would be, whatever is done with it', () => {
  const steps = fc.array(fc.constantFrom('push', 'push', 'advance', 'shift', 'trim', 'clear'), { maxLength: 400 });
  fc.assert(
    fc.property(steps, fc.array(fc.boolean(), { minLength: 1 }), (actions, awaiting) => {
      const queue = new CallQueue();
      let written: AnyCall[] = [];
      let unwritten: AnyCall[] = [];
      for (const [i, action] of actions.entries()) {
        if (action === 'push') {
          const call = makeCall(awaiting[i % awaiting.length] ?? true);
          queue.push(call);
          unwritten.push(call);
        } else if (action === 'advance' && unwritten.length > 0) {
          queue.advance();
          written.push(...unwritten.splice(0, 1));
        } else if ((action === 'shift' && written.length > 0) || action === 'trim') {
          if (action === 'shift') written.shift();
          queue[action]();
          while (written[0] !== undefined && written[0].reader === undefined) written.shift();
        } else if (action === 'clear') {
          queue.clear();
          written = [];
          unwritten = [];
        }
        expect(queue.size).toBe(written.length + unwritten.length);
        expect(queue.written).toBe(written.length);
        expect(queue.head).toBe(written[0]);
        expect(queue.next).toBe(unwritten[0]);
        expect(queue.afterHead(2)).toBe(written[2]);
      }
      expect([...queue].map(({ call }) => call)).toEqual([...written, ...unwritten]);
      expect([...queue].map((entry) => entry.written)).toEqual([...written.map(() => true), ...unwritten.map(() => false)]);
    }),
    { numRuns: 300 },
  );
});

it('keeps nothing of what has passed through it', () => {
  const queue = new CallQueue();
  const refs: WeakRef<AnyCall>[] = [];
  for (let i = 0; i < 100; i++) {
    const call = makeCall(true);
    refs.push(new WeakRef(call));
    queue.push(call);
    queue.advance();
    queue.shift();
  }
  expect(queue.size).toBe(0);
  expect(JSON.stringify([...queue])).toBe('[]');
});
