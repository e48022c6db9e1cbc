/** What programs that a test starts have in scope. */
export * from '../../src';
export { EmbeddedClient } from '../../src/embedded';
