export * from './serde'; export * from './typed-serde';
