// A web server with sessions in memcached, over express-session or @fastify/session; it prints its port.
import { setTimeout } from 'node:timers/promises';
import { adapter, newClient } from './load.mjs';

const { MemcacheSessionStore } = adapter('session');
const client = newClient();
const store = new MemcacheSessionStore(client);
const cookie = { maxAge: Number(process.env.MAX_AGE ?? 60 * 86_400_000), secure: false };
const secret = 'a secret of more than thirty-two characters';

/** What the routes do with a session; `wait` is in milliseconds. */
const routes = {
  '/login': (session, { user }) => (session.user = user),
  // Changes nothing: at its end a framework may only say that the session was used.
  '/read': async (session, { wait = 0 }) => (await sleep(wait), session.user),
  '/save': async (session, { name, value, wait = 0 }) => (await sleep(wait), (session[name] = value)),
  '/all': (session) => ({ ...session, cookie: undefined }),
};
const sleep = (milliseconds) => setTimeout(Number(milliseconds));

if (process.env.FRAMEWORK === 'fastify') {
  const { default: fastify } = await import('fastify');
  const app = fastify();
  await app.register(await import('@fastify/cookie'));
  await app.register((await import('@fastify/session')).default, { secret, cookie, store, rolling: process.env.ROLLING === 'yes', saveUninitialized: false });
  for (const [path, route] of Object.entries(routes)) app.get(path, async (request) => ({ is: (await route(request.session, request.query)) ?? null }));
  app.get('/logout', async (request) => (await request.session.destroy(), { is: null }));
  await app.listen({ port: 0, host: '127.0.0.1' });
  console.log(app.server.address().port);
} else {
  const { default: express } = await import('express');
  const { default: session } = await import('express-session');
  const app = express();
  app.use(session({ secret, cookie, store, rolling: process.env.ROLLING === 'yes', resave: false, saveUninitialized: false }));
  for (const [path, route] of Object.entries(routes)) app.get(path, async (request, response) => response.json({ is: (await route(request.session, request.query)) ?? null }));
  app.get('/logout', (request, response, next) => request.session.destroy((error) => (error ? next(error) : response.json({ is: null }))));
  app.get('/keep', (request, response, next) => request.session.save((error) => (error ? next(error) : response.json({ is: request.session.user ?? null }))));
  app.get('/reload', (request, response, next) => request.session.reload((error) => (error ? next(error) : response.json({ is: request.session.user ?? null }))));
  app.get('/regenerate', (request, response, next) => request.session.regenerate((error) => (error ? next(error) : response.json({ is: request.session.user ?? null }))));
  const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
}
