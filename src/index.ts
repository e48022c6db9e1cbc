export * from './errors';
export type { Key, KeyPart } from './protocol/key';
export { safeKey } from './protocol/safe-key';
export type { Expire } from './protocol/exptime';
export type {
  MetaArithmeticOptions,
  MetaDeleteOptions,
  MetaGetOptions,
  MetaOptions,
  MetaSetOptions,
} from './client/commands/meta-options';
export type { Clock, Timer } from './runtime/clock';
export { ManualClock } from './runtime/manual-clock';
export type { Random } from './runtime/random';
export * from './serde';
export type { CacheApi, Entries, Keys, NoreplyOptions, StoreOptions, Widened } from './client/cache-api';
export { Client } from './client/client';
export type { ClientOptions, ConnectionOptions } from './client/client-options';
export { KeyCommand, KeysCommand, MORE, ServerCommand, type Command, type Deleting, type KeyOf, type Reading, type ReplyReader } from './client/command';
export type { Frame } from './protocol/frame';
export type { RequestWriter } from './protocol/request';
export { MetaCommand, MetaResult, type MetaCode } from './client/commands/meta';
export type { MetaCount, MetaItem, MetaWriteResult } from './client/commands/meta-results';
export type { ValueWithCas } from './client/commands/retrieval';
export { Connection } from './client/connection';
export { Fallback, FallbackClient, type FallbackOptions } from './client/policies/fallback-client';
export { Retrier, RetryingClient, backoff, type BackoffOptions, type ErrorClass, type RetryOptions } from './client/policies/retrying-client';
export type { CallOptions, ExecuteOptions, Executor } from './client/executor';
export type { Credentials, ServerInput } from './client/server-address';
export type { Connect, TlsOptions, Transport, TransportHandler, TransportOptions } from './client/wire/transport';
export type { Latency } from './client/latency';
export type { ClientMetrics, ServerMetrics } from './client/meter';
export { OUTCOMES, type Outcome, type Tally } from './client/outcomes';
export type { DiagnosticsOptions } from './client/call-observer';
export type { Monitor } from './client/executor';
export {
  CHANNELS,
  ObservedError,
  type BatchMessage,
  type CacheMessage,
  type ChannelMessages,
  type CommandMessage,
  type CommandOutcome,
  type ConnectionClosedMessage,
  type ConnectionReadyMessage,
  type ConnectMessage,
  type LoadMessage,
  type OverloadMessage,
  type PoolWaitMessage,
  type RetryMessage,
  type ServersMessage,
  type ServerState,
  type ServerStateMessage,
  type TimeoutMessage,
} from './client/observe';
export * from './pool';
export * from './hash';
