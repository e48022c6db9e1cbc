import 'reflect-metadata';
import { CACHE_MANAGER, CacheModule } from '@nestjs/cache-manager';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Keyv } from 'keyv';
import { adapter, newClient } from './load.mjs';

const { KeyvMemcache } = adapter('keyv');
const client = newClient();

// A decorated class, without the syntax.
const App = class App { started = true; };
Module({
  imports: [CacheModule.registerAsync({ isGlobal: true, useFactory: () => ({ stores: [new Keyv({ store: new KeyvMemcache(client) })], ttl: 60_000 }) })],
})(App);

const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
const cache = app.get(CACHE_MANAGER);
await cache.set('user:1', { name: 'Ada' });
const value = await cache.get('user:1');
await app.close();
const open = await client.set('still-open', 1);
await client.close();
console.log(JSON.stringify({ value, open }));
